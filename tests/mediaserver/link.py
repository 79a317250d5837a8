"""Two DTLS ends joined in memory: what one sends the other receives, with a rule for loss. No socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mediaserver.transport.certificate import Certificate, CertificateStore
from mediaserver.transport.dtls import DtlsCounters, DtlsRole, DtlsTransport


@dataclass
class End:
    """One side: where its datagrams go, and the keys it was given."""

    deliver: Callable[[bytes], None] | None = None
    keys: tuple[str, bytes, bytes] | None = None
    sent: list[bytes] = field(default_factory=list)
    lose: Callable[[int], bool] = lambda _: False

    def send_dtls(self, datagram: bytes) -> None:
        self.sent.append(datagram)
        if self.deliver is not None and not self.lose(len(self.sent)):
            self.deliver(datagram)

    def set_srtp(self, profile: str, inbound: bytes, outbound: bytes) -> None:
        self.keys = (profile, inbound, outbound)


@dataclass
class Pair:
    """Client and server over one link."""

    client: DtlsTransport
    server: DtlsTransport
    client_end: End
    server_end: End
    client_certificate: Certificate
    server_certificate: Certificate
    counters: DtlsCounters


def certificate() -> Certificate:
    """A fresh one."""
    return CertificateStore().current(0.0)


def pair(
    client_certificate: Certificate | None = None, server_certificate: Certificate | None = None
) -> Pair:
    """Both ends of a link, not yet connected."""
    counters = DtlsCounters()
    client_certificate = client_certificate or certificate()
    server_certificate = server_certificate or certificate()
    client_end, server_end = End(), End()

    def end(sink: End, own: Certificate, role: DtlsRole) -> DtlsTransport:
        return DtlsTransport(sink, own, role, counters)

    client = end(client_end, client_certificate, "client")
    server = end(server_end, server_certificate, "server")
    client_end.deliver, server_end.deliver = server.receive, client.receive
    return Pair(client, server, client_end, server_end, client_certificate, server_certificate, counters)
