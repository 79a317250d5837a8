"""DTLS of one transport: aiortc's ``RTCDtlsTransport``
over the data plane's datagrams; its keys go to the plane.

Memory and work of a hostile peer are bounded here (06-reliability W12): datagrams waiting, datagrams per
handshake, time per handshake. The plane has let through only what came over an authenticated path, of that
four datagrams until our side spoke and at most 400 a second after a burst of 64 from then on
(``dataplane/core/src/dtls_intake.rs``): that bounds what an established association may cost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, State
from OpenSSL import SSL

from mediaserver.errors import TransportFailed
from mediaserver.negotiation.media import Fingerprint
from mediaserver.transport.certificate import PROFILES, Certificate

MAX_WAITING = 16
"""Datagrams held for a transport: a whole flight, and what comes before the handshake may start."""
MAX_DATAGRAM_BYTES = 2048
MAX_HANDSHAKE_DATAGRAMS = 64
"""A real handshake takes 4 to 8, some more when flights are lost; fragments without end stop here."""
HANDSHAKE_SECONDS = 10.0
RECORD_HEADER_BYTES = 13
MAX_FLIGHT_BYTES = 1200
"""Records are packed into datagrams up to this: below any path's MTU."""
BIO_READ_BYTES = 16_384

DtlsRole = Literal["client", "server"]


class DtlsSink(Protocol):
    """Where encrypted datagrams and keys go: the data plane, bound to one transport."""

    def send_dtls(self, datagram: bytes) -> None:
        """Towards the peer; dropped while there is no path."""

    def set_srtp(self, profile: str, inbound: bytes, outbound: bytes) -> None:
        """Master key and salt per direction."""


@dataclass(slots=True)
class DtlsCounters:
    """What was dropped, by reason; shared by all transports of a process."""

    queue_full: int = 0
    oversized: int = 0
    not_dtls: int = 0
    handshake_flood: int = 0
    handshake_timeout: int = 0
    handshake_failed: int = 0


class DatagramPipe:
    """Looks like aiortc's ICE transport to its DTLS transport: one reader, a bounded queue, no clock."""

    role = "controlled"
    state = "completed"

    def __init__(self, sink: DtlsSink, counters: DtlsCounters) -> None:
        self._sink = sink
        self._counters = counters
        self._waiting: deque[bytes] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._closed = False

    def feed(self, datagram: bytes) -> None:
        """A datagram from the plane; empty, oversized, foreign and surplus ones are dropped and counted."""
        if self._closed or not datagram:
            return
        if len(datagram) > MAX_DATAGRAM_BYTES:
            self._counters.oversized += 1
            return
        if not 19 < datagram[0] < 64:  # RFC 7983 section 7
            self._counters.not_dtls += 1
            return
        if len(self._waiting) >= MAX_WAITING:
            self._counters.queue_full += 1
            return
        self._waiting.append(datagram)
        self._wake()

    def close(self) -> None:
        """Ends the reader with ``ConnectionError``. Idempotent."""
        self._closed = True
        self._waiting.clear()
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def _recv(self) -> bytes:
        while not self._waiting:
            if self._closed:
                raise ConnectionError
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._waiting.popleft()

    async def _send(self, data: bytes) -> None:
        if self._closed:
            raise ConnectionError
        self._sink.send_dtls(data)


class DtlsTransport(RTCDtlsTransport):
    """One DTLS association. ``connect`` once, then ``ended`` waits for its end; ``receive`` feeds it."""

    def __init__(
        self, sink: DtlsSink, certificate: Certificate, role: DtlsRole, counters: DtlsCounters
    ) -> None:
        self._pipe = DatagramPipe(sink, counters)
        super().__init__(cast(Any, self._pipe), [certificate])
        self._sink = sink
        self._counters = counters
        self._srtp_profiles = PROFILES
        self._left = MAX_HANDSHAKE_DATAGRAMS
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._set_role(role)

    def receive(self, datagram: bytes) -> None:
        """A datagram of the transport's validated peer."""
        self._pipe.feed(datagram)

    async def connect(
        self, fingerprints: tuple[Fingerprint, ...], timeout_seconds: float = HANDSHAKE_SECONDS
    ) -> None:
        """Shakes hands, checks the peer's certificate, hands the keys down. Raises ``TransportFailed``."""
        parameters = RTCDtlsParameters(
            fingerprints=[RTCDtlsFingerprint(algorithm=f.algorithm, value=f.value) for f in fingerprints]
        )
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.start(parameters)
        except TimeoutError:
            self._counters.handshake_timeout += 1
            self.abandon()
            raise TransportFailed("the DTLS handshake took too long") from None
        if self._state is not State.CONNECTED:
            self._counters.handshake_failed += 1
            self.abandon()
            raise TransportFailed("the DTLS handshake failed")

    async def ended(self) -> None:
        """Returns when the peer closed the association, or it broke, or ``abandon`` was called."""
        await asyncio.shield(self._end)

    def abandon(self) -> None:
        """Ends the association without a word. Idempotent."""
        self._pipe.close()
        if self._state is not State.FAILED:
            self._set_state(State.CLOSED)
        self._finish()

    def close_now(self) -> None:
        """Tells the peer (close_notify) and ends, without waiting: closing is one atomic step. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._ssl is not None and self._state in (State.CONNECTING, State.CONNECTED):
            try:
                self._ssl.shutdown()
                for datagram in pack_records(self._ssl.bio_read(BIO_READ_BYTES)):
                    self._sink.send_dtls(datagram)
            except SSL.Error:
                pass  # nothing was established that could be closed
        self.abandon()

    def _finish(self) -> None:
        if not self._end.done():
            self._end.set_result(None)

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        if state in (State.CLOSED, State.FAILED):
            self._finish()

    @property
    def _connection(self) -> SSL.Connection:
        assert self._ssl is not None  # set by ``start`` before anything that comes here
        return self._ssl

    def _setup_srtp(self) -> None:
        # Overrides aiortc's, which would make libsrtp sessions: the plane protects media.
        chosen = self._connection.get_selected_srtp_profile()
        profile = next((p for p in self._srtp_profiles if p.openssl_profile == chosen), None)
        if profile is None:
            self._set_state(State.FAILED)
            return
        length = 2 * (profile.key_length + profile.salt_length)
        material = self._connection.export_keying_material(
            b"EXTRACTOR-dtls_srtp", length
        )  # RFC 5764 section 4.2
        client, server = profile.get_key_and_salt(material, 0), profile.get_key_and_salt(material, 1)
        inbound, outbound = (client, server) if self._role == "server" else (server, client)
        self._sink.set_srtp(profile.openssl_profile.decode(), inbound, outbound)

    async def _recv_next(self) -> None:
        # Overrides aiortc's: several records may share a datagram, and a handshake has a budget of datagrams.
        timeout = self._connection.DTLSv1_get_timeout() if self._state is State.CONNECTING else None
        try:
            async with asyncio.timeout(timeout):
                datagram = await self._pipe._recv()
        except TimeoutError:
            self._connection.DTLSv1_handle_timeout()
            await self._write_ssl()
            return
        if self._state is State.CONNECTING:
            self._left -= 1
            if self._left < 0:
                self._counters.handshake_flood += 1
                raise ConnectionError
        self._connection.bio_write(datagram)
        if not self.encrypted:
            await self._advance()
            return
        await self._read_records()

    async def _advance(self) -> None:
        """Takes a handshake datagram and sends what it leads
        to: our last flight would else wait for a timer."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error:
            await self._write_ssl()  # the alert that says why
            raise ConnectionError from None
        await self._write_ssl()

    async def _read_records(self) -> None:
        closed = False
        for _ in range(MAX_WAITING):
            try:
                data = self._connection.recv(MAX_DATAGRAM_BYTES)
            except SSL.ZeroReturnError:
                closed = True
                break
            except SSL.Error:
                break
            if data and self._data_receiver is not None:
                await self._data_receiver._handle_data(data)
        await self._write_ssl()
        if closed:
            raise ConnectionError

    async def _write_ssl(self) -> None:
        # Overrides aiortc's, which reads at most 1,500 bytes: records are kept whole and packed
        # into datagrams.
        try:
            records = self._connection.bio_read(BIO_READ_BYTES)
        except SSL.Error:
            return
        for datagram in pack_records(records):
            await self._pipe._send(datagram)


def pack_records(records: bytes) -> list[bytes]:
    """Splits a run of DTLS records (RFC 6347 section 4.1) into datagrams without cutting one."""
    datagrams: list[bytes] = []
    start = end = 0
    while end + RECORD_HEADER_BYTES <= len(records):
        length = RECORD_HEADER_BYTES + int.from_bytes(records[end + 11 : end + 13], "big")
        if end > start and end + length - start > MAX_FLIGHT_BYTES:
            datagrams.append(records[start:end])
            start = end
        end += length
    if start < len(records):
        datagrams.append(records[start:])
    return datagrams
