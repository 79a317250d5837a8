"""A poor path for one aiortc peer: datagrams are lost between it and the real server."""

from __future__ import annotations

import random
from typing import Any

from tests.media import Peer

RTP_FIRST_BYTES = range(128, 192)
"""RFC 7983: what is lost here is RTP and RTCP; checks and handshakes pass."""


class Path:
    """Wraps the peer's UDP socket. Shares are 0..1; ``cut`` loses everything both ways."""

    def __init__(self, peer: Peer, seed: int = 1) -> None:
        self.lost_up = 0.0
        self.lost_down = 0.0
        self.cut = False
        self._random = random.Random(seed)
        for pair in peer.dtls.transport._connection._nominated.values():  # aiortc has no hook of its own
            self._wrap(pair.protocol)

    def _loses(self, share: float, datagram: bytes) -> bool:
        if self.cut:
            return True
        return bool(datagram) and datagram[0] in RTP_FIRST_BYTES and self._random.random() < share

    def _wrap(self, protocol: Any) -> None:
        transport, receive = protocol.transport, protocol.datagram_received
        send = transport.sendto

        def sendto(datagram: bytes, address: Any = None) -> None:
            if not self._loses(self.lost_up, datagram):
                send(datagram, address)

        def received(datagram: bytes, address: Any) -> None:
            if not self._loses(self.lost_down, datagram):
                receive(datagram, address)

        protocol.transport = _Sending(transport, sendto)
        protocol.datagram_received = received


class _Sending:
    """The socket's transport with another ``sendto``."""

    def __init__(self, transport: Any, sendto: Any) -> None:
        self._transport = transport
        self.sendto = sendto

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
