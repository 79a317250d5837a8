"""One transport of a participant from its first credentials to its end: ICE facts, DTLS, data channels."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from mediaserver._dataplane import LocalIce
from mediaserver.errors import TransportFailed
from mediaserver.events import Direction, TransportPhase
from mediaserver.negotiation.media import (
    Fingerprint,
    IceCredentials,
    RemoteDescription,
    RemoteMedia,
    Setup,
    TransportDescription,
)
from mediaserver.plane import BoundSink, Plane
from mediaserver.transport.certificate import Certificate
from mediaserver.transport.data_channels import DataChannels
from mediaserver.transport.dtls import DtlsCounters, DtlsRole, DtlsTransport

MAX_EARLY_DATAGRAMS = 4
MAX_EARLY_BYTES = 4096
"""What may wait for our side to know its role (06-reliability W1)."""


class HandshakeGate:
    """At most so many handshakes at once; the rest wait in order."""

    def __init__(self, limit: int) -> None:
        self._slots = asyncio.Semaphore(limit)

    async def enter(self) -> None:
        """Waits for a slot."""
        await self._slots.acquire()

    def leave(self) -> None:
        """Gives the slot back."""
        self._slots.release()


class Transport:
    """ICE credentials and addresses of ours, identity of theirs, and the association once both are known."""

    def __init__(
        self,
        plane: Plane,
        worker: int,
        direction: Direction,
        certificate: Certificate,
        counters: DtlsCounters,
    ) -> None:
        self.handle, ice = plane.open_transport(worker)
        self.direction = direction
        self.phase: TransportPhase = "connecting"
        self.generation = 1
        """Counts ICE credentials of ours, from 1."""
        self.path_changes = 0
        self.remote_ice: IceCredentials | None = None
        self.remote_fingerprints: tuple[Fingerprint, ...] = ()
        self.data: DataChannels | None = None
        self._plane = plane
        self._ice = ice
        self._certificate = certificate
        self._counters = counters
        self._setup = Setup.ACTPASS
        self._dtls: DtlsTransport | None = None
        self._early: list[bytes] = []
        self._path = asyncio.Event()
        self.waits_for_media_since: float | None = None
        """Monotonic seconds; None before the handshake ended and after the first packet was forwarded."""
        self.measured = False
        """Whether the peer tells when each packet arrived: then the plane finds out what the path carries."""

    # ---- Descriptions ----

    def description(self) -> TransportDescription:
        """What our side says of this transport now."""
        return TransportDescription(
            ice=IceCredentials(self._ice.ufrag, self._ice.pwd),
            fingerprints=(self._certificate.fingerprint,),
            setup=self._setup,
            candidates=tuple(_candidates(self._ice)),
        )

    @property
    def begun(self) -> bool:
        """The peer's description is known."""
        return self._dtls is not None

    @property
    def carries_media(self) -> bool:
        """The handshake has ended well, so the plane has path and keys."""
        return self.phase in ("connected", "interrupted")

    def begin(self, remote: RemoteDescription) -> None:
        """Takes the peer's first description: fragment, identity and DTLS role (RFC 8842 section 5.2)."""
        role: DtlsRole = "client" if remote.transport.setup is Setup.PASSIVE else "server"
        self._setup = Setup.ACTIVE if role == "client" else Setup.PASSIVE
        self.remote_ice = remote.transport.ice
        self.remote_fingerprints = remote.transport.fingerprints
        self._plane.set_remote_ufrag(self.handle, remote.transport.ice.ufrag)
        self._dtls = DtlsTransport(
            BoundSink(self._plane, self.handle), self._certificate, role, self._counters
        )
        for datagram in self._early:
            self._dtls.receive(datagram)
        self._early.clear()

    def restart_ice(self, remote: IceCredentials | None = None) -> None:
        """New credentials of ours, for new ones of theirs when they are known. Raises ``WorkerGone``."""
        self._ice = self._plane.restart_ice(self.handle, remote.ufrag if remote is not None else None)
        self.generation += 1
        if remote is not None:
            self.remote_ice = remote

    def take_remote_ice(self, remote: IceCredentials) -> None:
        """The peer answered a restart of ours."""
        if remote != self.remote_ice:
            self.remote_ice = remote
            self._plane.set_remote_ufrag(self.handle, remote.ufrag)

    # ---- Life ----

    def path_found(self) -> None:
        """The plane has an authenticated path."""
        self._path.set()

    def receive(self, datagram: bytes) -> None:
        """A DTLS datagram of the validated peer; held, within bounds, until ``begin``."""
        if self._dtls is not None:
            self._dtls.receive(datagram)
        elif (
            len(self._early) < MAX_EARLY_DATAGRAMS
            and len(datagram) + sum(map(len, self._early)) <= MAX_EARLY_BYTES
        ):
            self._early.append(datagram)
        else:
            self._counters.queue_full += 1

    async def path(self) -> None:
        """Returns once the plane has an authenticated path, or the transport was closed."""
        await self._path.wait()

    async def connect(self, gate: HandshakeGate) -> None:
        """Shakes hands when the gate lets it. Raises ``TransportFailed``."""
        dtls = self._association()
        await self._path.wait()
        await gate.enter()
        with _leaving(gate):
            if self.phase == "closed":
                raise TransportFailed("the transport was closed while it waited")
            await dtls.connect(self.remote_fingerprints)

    async def open_data_channels(
        self, media: RemoteMedia, max_channels: int, refused: Counter[str]
    ) -> DataChannels:
        """Begins SCTP over the finished handshake; ``refused`` counts what it drops."""
        self.data = DataChannels(self._association(), max_channels, refused)
        await self.data.start(media.sctp_port or 5000, media.max_message_size)
        return self.data

    async def ended(self) -> None:
        """Returns when the peer or ``close`` ended the association."""
        await self._association().ended()

    def close(self) -> None:
        """Data channels, then DTLS (close_notify), then the plane's transport. Idempotent."""
        self.phase = "closed"
        if self.data is not None:
            self.data.close()
        if self._dtls is not None:
            self._dtls.close_now()
        self._early.clear()
        self._path.set()
        self._plane.close(self.handle)

    def _association(self) -> DtlsTransport:
        if self._dtls is None:
            raise TransportFailed("the transport has not begun")
        return self._dtls


@contextmanager
def _leaving(gate: HandshakeGate) -> Iterator[None]:
    try:
        yield
    finally:
        gate.leave()


def _candidates(ice: LocalIce) -> list[tuple[str, int]]:
    return list(ice.candidates)
