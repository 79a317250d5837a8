"""Data channels of one participant: aiortc's SCTP over its DTLS, with the bounds that aiortc does not have.

Two labels are known: ``room`` (reliable, ordered) and ``pointer`` (unordered, never retransmitted). What
breaks a bound of SCTP ends the association alone, what comes too fast is dropped; media goes on
(06-reliability W8, W14).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtcsctptransport import (
    DataChunk,
    ForwardTsnChunk,
    InboundStream,
    RTCSctpCapabilities,
    RTCSctpTransport,
    StreamAddOutgoingParam,
    StreamResetOutgoingParam,
    StreamResetResponseParam,
)

from mediaserver.bucket import TokenBucket
from mediaserver.transport.dtls import DtlsTransport

ROOM, POINTER = "room", "pointer"
LABELS = frozenset({ROOM, POINTER})
MAX_MESSAGE_BYTES = 64 * 1024
MAX_REASSEMBLY_BYTES = 256 * 1024
MAX_REASSEMBLY_CHUNKS = 1000
MAX_RECONFIG_REQUESTS = 8
"""Outstanding stream resets (RFC 6525) that the peer's own have caused."""
MAX_SEND_BYTES = 1024 * 1024
MAX_WAITING_MESSAGES = 256
MESSAGES_PER_SECOND = MappingProxyType({ROOM: 50, POINTER: 60})
"""On average; twice as many at once. A pointer may follow a hand at the rate of a screen."""
BYTES_PER_SECOND = 64 * 1024
BYTES_BURST = 4 * MAX_MESSAGE_BYTES
"""Of both labels together, as every byte goes to everybody else in the room."""
STREAMS = 1024
"""Stream ids we allow the peer to use; how many may live at once is the channel limit."""

_log = logging.getLogger(__name__)


class AssociationAbused(Exception):
    """The peer broke a bound; ``args[0]`` names it."""


@dataclass(frozen=True, slots=True)
class ChannelMessage:
    """A message from the participant; its payload is theirs and never logged."""

    label: str
    payload: str | bytes

    def __repr__(self) -> str:
        return f"ChannelMessage(label={self.label!r}, {len(self.payload)} long)"


class BoundedSctp(RTCSctpTransport):
    """aiortc's association with limits on streams, reassembly and resets."""

    def __init__(self, dtls: DtlsTransport, max_channels: int) -> None:
        super().__init__(dtls)
        self._max_channels = max_channels
        self._inbound_streams_max = STREAMS
        self._outbound_streams_count = STREAMS
        self._advertised_rwnd = MAX_REASSEMBLY_BYTES

    def _get_inbound_stream(self, stream_id: int) -> InboundStream:
        if stream_id not in self._inbound_streams and len(self._inbound_streams) >= self._max_channels:
            raise AssociationAbused("channels")
        return super()._get_inbound_stream(stream_id)

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        # The window we advertise shrinks by what waits: below zero the peer has ignored it.
        if self._advertised_rwnd < len(chunk.user_data):
            raise AssociationAbused("reassembly_bytes")
        if len(self._sack_misordered) >= MAX_REASSEMBLY_CHUNKS:
            raise AssociationAbused("reassembly_chunks")
        await super()._receive_data_chunk(chunk)
        stream = self._inbound_streams.get(chunk.stream_id)
        if stream is not None and len(stream.reassembly) > MAX_REASSEMBLY_CHUNKS:
            raise AssociationAbused("reassembly_chunks")

    async def _receive_reconfig_param(
        self, param: StreamAddOutgoingParam | StreamResetOutgoingParam | StreamResetResponseParam
    ) -> None:
        # Every stream that the peer resets we reset in turn, one request at a time: it may not make us queue
        # more of them than it acknowledges.
        if isinstance(param, StreamResetOutgoingParam):
            waiting = len(self._reconfig_queue) + (self._reconfig_request is not None)
            if len(param.streams) > self._max_channels or waiting >= MAX_RECONFIG_REQUESTS:
                raise AssociationAbused("reconfig")
        await super()._receive_reconfig_param(param)

    async def _receive_forward_tsn_chunk(self, chunk: ForwardTsnChunk) -> None:
        if len(chunk.streams) > self._max_channels:
            raise AssociationAbused("forward_tsn")
        await super()._receive_forward_tsn_chunk(chunk)

    def end_now(self) -> None:
        """Ends without a word: timers cancelled, channels closed."""
        self._set_state(self.State.CLOSED)


class DataChannels:
    """What a participant says over data channels, and what they are told. One reader takes ``get``."""

    def __init__(
        self, dtls: DtlsTransport, max_channels: int = 64, refused: Counter[str] | None = None
    ) -> None:
        self._dtls = dtls
        self._sctp = BoundedSctp(dtls, max_channels)
        self._sctp.on("datachannel", self._opened)
        self._channels: dict[str, RTCDataChannel] = {}
        self._messages: deque[ChannelMessage] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        # Kept while channels come and go: reopening one earns nothing.
        self._rates = {label: TokenBucket(rate, 2 * rate) for label, rate in MESSAGES_PER_SECOND.items()}
        self._bytes = TokenBucket(BYTES_PER_SECOND, BYTES_BURST)
        self.refused: Counter[str] = Counter() if refused is None else refused
        """What was dropped or refused, by reason."""

    @property
    def labels(self) -> frozenset[str]:
        """Channels that are open now."""
        return frozenset(label for label in self._channels if self.is_open(label))

    def is_open(self, label: str) -> bool:
        """Whether this channel would take a message."""
        channel = self._channels.get(label)
        return channel is not None and channel.readyState == "open"

    async def start(self, remote_port: int, remote_max_bytes: int) -> None:
        """Begins the association; only after DTLS is verified."""
        capabilities = RTCSctpCapabilities(
            maxMessageSize=min(remote_max_bytes or MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES)
        )
        await self._sctp.start(capabilities, remote_port)
        self._dtls._unregister_data_receiver(self._sctp)
        self._dtls._register_data_receiver(self)

    async def _handle_data(self, data: bytes) -> None:
        # Between aiortc's DTLS and SCTP: whatever a hostile packet makes aiortc raise ends the
        # association, not the transport, and leaves one line in the log without the packet.
        try:
            await self._sctp._handle_data(data)
        except AssociationAbused as error:
            self.refuse(str(error))
            self.close()
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # any assertion or key error of aiortc's parser
            self.refuse("malformed")
            _log.info("data channels ended by a malformed packet (%s)", type(error).__name__)
            self.close()

    def send(self, label: str, payload: str | bytes) -> bool:
        """Sends if the channel is open; drops for a slow unreliable one, closes a slow reliable one.

        True if taken.
        """
        channel = self._channels.get(label)
        if channel is None or channel.readyState != "open":
            return False
        if len(payload) > MAX_MESSAGE_BYTES:
            self.refuse("message_bytes")
            return False
        if channel.bufferedAmount + len(payload) > MAX_SEND_BYTES:
            self.refuse("send_buffer")
            if label != POINTER:
                channel.close()
            return False
        channel.send(payload)
        return True

    async def get(self) -> ChannelMessage | None:
        """The next message; None once the association has ended."""
        while not self._messages:
            if self._closed:
                return None
            self._wake.clear()
            await self._wake.wait()
        return self._messages.popleft()

    def close(self) -> None:
        """Ends the association and wakes the reader. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._dtls._unregister_data_receiver(self)
        self._sctp.end_now()
        self._channels.clear()
        self._messages.clear()
        self._wake.set()

    def _opened(self, channel: RTCDataChannel) -> None:
        if channel.label not in LABELS or channel.label in self._channels:
            self.refuse("label")
            channel.close()
            return
        self._channels[channel.label] = channel
        label = channel.label

        def received(payload: Any) -> None:
            self._received(label, payload)

        def gone() -> None:
            self._channels.pop(label, None)

        channel.on("message", received)
        channel.on("close", gone)

    def _received(self, label: str, payload: str | bytes) -> None:
        now = asyncio.get_running_loop().time()
        size = len(payload.encode() if isinstance(payload, str) else payload)
        if size > MAX_MESSAGE_BYTES:
            self.refuse("message_bytes")
        elif not (self._rates[label].take(now) and self._bytes.take(now, size)):
            self.refuse("rate")
        elif len(self._messages) >= MAX_WAITING_MESSAGES:
            self.refuse("queue_full")
        else:
            self._messages.append(ChannelMessage(label, payload))
            self._wake.set()

    def refuse(self, reason: str) -> None:
        """Counts something dropped."""
        self.refused[reason] += 1
