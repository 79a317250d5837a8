"""The seam between the control plane (Python) and the data plane (Rust): typed commands down, typed events up.

Handles are integers numbered by the caller, one number space for transports, publications and subscriptions. No
Python callable is ever given to the data plane. Commands are queued and never block; what they lead to comes back as
events. A command for a handle that is gone has no effect.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias, final

__version__: str

SrtpProfileName: TypeAlias = Literal[
    "SRTP_AEAD_AES_128_GCM", "SRTP_AEAD_AES_256_GCM", "SRTP_AES128_CM_SHA1_80"
]
PhaseName: TypeAlias = Literal["start", "steady", "drain", "silent"]
KindName: TypeAlias = Literal["audio", "video"]
TapReaderName: TypeAlias = Literal["recorder", "probe"]

@final
class LocalIce:
    """Credentials and addresses that the server's description carries (RFC 8445 section 5.3)."""

    @property
    def ufrag(self) -> str: ...
    @property
    def pwd(self) -> str: ...
    @property
    def candidates(self) -> list[tuple[str, int]]:
        """(address, UDP port), IPv4 first."""

@final
class Extensions:
    """Identifiers of header extensions, 1-255 (0: not negotiated); names as in ``docs/rtcp.md``."""

    def __new__(
        cls,
        *,
        mid: int = 0,
        rid: int = 0,
        repaired_rid: int = 0,
        abs_send_time: int = 0,
        transport_cc: int = 0,
        audio_level: int = 0,
        abs_capture_time: int = 0,
        playout_delay: int = 0,
        dependency_descriptor: int = 0,
        video_orientation: int = 0,
    ) -> Extensions: ...

@final
class Encoding:
    """One layer of a publication, as signalled."""

    def __new__(
        cls, *, ssrc: int | None = None, rtx_ssrc: int | None = None, rid: str | None = None
    ) -> Encoding: ...

@final
class InboundMedia:
    """A publication as negotiated; ``encodings`` lowest layer first, never empty (at most 4)."""

    def __new__(
        cls,
        *,
        kind: KindName,
        codec: str,
        clock_rate: int,
        payload_type: int,
        encodings: Sequence[Encoding],
        rtx_payload_type: int | None = None,
        mid: str | None = None,
        extensions: Extensions | None = None,
        nack: bool = False,
        pli: bool = False,
        fir: bool = False,
        transport_cc: bool = False,
        remb: bool = False,
        reduced_size: bool = False,
    ) -> InboundMedia: ...

@final
class OutboundMedia:
    """A subscription as negotiated; ``cname`` groups one participant's sources for lip-sync. ``red_payload_type``: sound may
    come redundantly (RFC 2198). ``parity_ssrc`` and ``parity_payload_type``, both or neither: pictures may be protected by
    parity (``flexfec-03``)."""

    def __new__(
        cls,
        *,
        ssrc: int,
        payload_type: int,
        cname: str,
        rtx_ssrc: int | None = None,
        rtx_payload_type: int | None = None,
        red_payload_type: int | None = None,
        parity_ssrc: int | None = None,
        parity_payload_type: int | None = None,
        mid: str | None = None,
        extensions: Extensions | None = None,
    ) -> OutboundMedia: ...

@final
class LinkState:
    """The path to a viewer, for whoever chooses layers. Losses are shares of packets before repair; ``volatility`` is
    half the widest swing to and fro of the estimate's natural logarithm over some 15 s."""

    @property
    def phase(self) -> PhaseName: ...
    @property
    def queue_delay_seconds(self) -> float: ...
    @property
    def inherent_loss(self) -> float: ...
    @property
    def congestion_loss(self) -> float: ...
    @property
    def round_trip_seconds(self) -> float | None: ...
    @property
    def volatility(self) -> float: ...

@final
class TransportReady:
    """An authenticated path stands, for the first time or again; DTLS may use it."""

    __match_args__ = ("transport",)
    @property
    def transport(self) -> int: ...

@final
class PathChanged:
    """The path moved to another address by an authenticated check."""

    __match_args__ = ("transport",)
    @property
    def transport(self) -> int: ...

@final
class DtlsDatagram:
    """A DTLS datagram from the transport's validated peer."""

    __match_args__ = ("transport", "payload")
    @property
    def transport(self) -> int: ...
    @property
    def payload(self) -> bytes: ...

@final
class ConsentLost:
    """No authenticated check for 6 s, or for 15 s where reports came: nothing is sent until ``TransportReady``."""

    __match_args__ = ("transport",)
    @property
    def transport(self) -> int: ...

@final
class Bandwidth:
    """What the link to a viewer carries, in bits per second with all headers, and what layer choice needs beside it.

    Told at once when it changes by a tenth or the phase does, at most five times a second when anything else does that
    layer choice reads, and not at all while nothing changes."""

    __match_args__ = ("transport", "estimate", "link")
    @property
    def transport(self) -> int: ...
    @property
    def estimate(self) -> int: ...
    @property
    def link(self) -> LinkState: ...

@final
class LayersChanged:
    """Which layers of a publication flow now (indices, lowest first)."""

    __match_args__ = ("publication", "active")
    @property
    def publication(self) -> int: ...
    @property
    def active(self) -> tuple[int, ...]: ...

@final
class LayerForwarded:
    """A subscription now forwards this layer (``None``: nothing)."""

    __match_args__ = ("subscription", "layer")
    @property
    def subscription(self) -> int: ...
    @property
    def layer(self) -> int | None: ...

@final
class Stalled:
    """Silence of a picture's source in milliseconds: told at 500 and 1,000, and 0 when it flows again."""

    __match_args__ = ("publication", "silent_ms")
    @property
    def publication(self) -> int: ...
    @property
    def silent_ms(self) -> int: ...

@final
class Closed:
    """The plane ended a transport by itself: ``consent_expired`` or ``never_connected``."""

    __match_args__ = ("transport", "reason")
    @property
    def transport(self) -> int: ...
    @property
    def reason(self) -> str: ...

@final
class WorkerFailed:
    """A worker's thread ended by a panic; all its transports are gone."""

    __match_args__ = ("worker", "reason")
    @property
    def worker(self) -> int: ...
    @property
    def reason(self) -> str: ...

Event: TypeAlias = (
    TransportReady
    | PathChanged
    | DtlsDatagram
    | ConsentLost
    | Bandwidth
    | LayersChanged
    | LayerForwarded
    | Stalled
    | Closed
    | WorkerFailed
)

@final
class Figures:
    """Named figures of one thing, each made an object when it is asked for."""

    def get(self, name: str, default: object = None, /) -> Any:
        """A figure, or ``default``; ``None`` while it is not known."""

    def __getitem__(self, name: str, /) -> Any: ...
    def __contains__(self, name: str, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...

@final
class FiguresByHandle:
    """Figures of all things of one kind."""

    def get(self, handle: int, default: Any = None, /) -> Any:
        """The figures of a thing, or ``default``."""

    def items(self) -> list[tuple[int, Figures]]:
        """Handles with their figures, in no order."""

    def rows(
        self, names: Sequence[str], grown: Sequence[str], before: FiguresByHandle | None
    ) -> dict[int, tuple[Any, ...]]:
        """All handles, each with the figures of these ``names`` (``None`` where a thing has no such figure), and behind
        them by how much those of ``grown`` grew since ``before``: 0 for what was not there."""

    def __getitem__(self, handle: int, /) -> Figures: ...
    def __contains__(self, handle: int, /) -> bool: ...
    def __len__(self) -> int: ...

@final
class Stats:
    """One snapshot of all workers, at most a second old. All counters only grow while their owner lives."""

    @property
    def workers(self) -> list[dict[str, object]]:
        """Per worker: ``counters`` {name: int}, ``drops`` {reason: int}, ``forward_delay`` (bucket bounds in seconds,
        cumulative counts, sum), ``transports``, ``publications``, ``subscriptions`` (numbers alive), ``busy_seconds``."""

    @property
    def transports(self) -> FiguresByHandle:
        """Per transport handle: rtt_seconds, packets_in, bytes_in, packets_out, bytes_out, loss_out_ratio, ..."""

    @property
    def publications(self) -> FiguresByHandle:
        """Per publication handle: packets, bytes, lost, repaired, nacks_sent, plis_sent, keyframes, bitrate, jitter_seconds,
        age_ms, layers, wire_rates (what each layer takes of a viewer's link, in bits per second: three rows of four numbers
        for each, by spatial and by temporal layer, cumulative in both)."""

    @property
    def subscriptions(self) -> FiguresByHandle:
        """Per subscription handle: packets, bytes, retransmitted, nacks_received, plis_received, layer, reason."""

@final
class DataPlane:
    """The media workers of one process.

    ``addresses`` are bound, one socket each and per worker, worker *i* on ``port + i``; ``announced`` replaces them in
    candidates (a host behind a static NAT), same length and order. Raises ``OSError`` naming address and port when a
    socket cannot be opened, ``ValueError`` for an address that is none.
    """

    def __new__(
        cls,
        addresses: Sequence[str],
        port: int,
        workers: int,
        announced: Sequence[str] | None = None,
    ) -> DataPlane: ...
    def fileno(self) -> int:
        """A descriptor that is readable while events wait."""

    def events(self) -> list[Event]:
        """Takes all waiting events, oldest first."""

    def open_transport(self, transport: int, worker: int, remote_ufrag: str | None = None) -> LocalIce:
        """A transport that waits for authenticated checks. Raises ``IndexError`` for a worker that is none."""

    def restart_ice(self, transport: int, remote_ufrag: str | None = None) -> LocalIce:
        """New credentials for a living transport (the old serve until the first check with the new). ``KeyError``."""

    def set_remote_ufrag(self, transport: int, ufrag: str) -> None:
        """The peer's fragment, when it was not known at opening."""

    def send_dtls(self, transport: int, datagram: bytes) -> None:
        """To the nominated address; dropped (and counted) while there is none."""

    def set_srtp(self, transport: int, profile: SrtpProfileName, inbound: bytes, outbound: bytes) -> None:
        """Master key and salt, end to end, per direction (RFC 5764 section 4.2). ``ValueError`` for a wrong length."""

    def publish(self, transport: int, publication: int, media: InboundMedia) -> None: ...
    def subscribe(self, publication: int, subscription: int, transport: int, media: OutboundMedia) -> None:
        """Both must live on one worker."""

    def prefer(
        self,
        subscription: int,
        *,
        layer: int | None = None,
        spatial: int | None = None,
        temporal: int | None = None,
        paused: bool = False,
        still_seconds: float | None = None,
    ) -> None:
        """Layers count from the lowest: of several encodings, and within one; ``None`` takes the highest that flows.
        ``still_seconds``: nothing but key frames of the encoding, one in so long at most, each of which may take 4 s."""

    def want(self, transport: int, rate: int | None = None) -> None:
        """Up to which rate more would be useful to a transport, in bits per second with all headers; probing ends there.
        ``None``: what the highest layers that flow take together."""

    def mute(self, publication: int, muted: bool) -> None:
        """Forwards nothing of a publication while muted."""

    def request_keyframe(self, publication: int) -> None:
        """Asks the publisher for a key frame of the layers that are watched, or of all that flow where nobody watches;
        at most one request per layer in 500 ms, a later one waits for its turn."""

    def tap(self, publication: int, reader: TapReaderName, descriptor: int) -> None:
        """Copies what comes in of a publication, in place of any tap that this reader has of it, to a Unix socket that
        keeps messages apart (``SOCK_SEQPACKET``), of which a duplicate is taken. Each message is whole records
        (``docs/recording.md``); a reader that does not read loses records, which are counted, and slows nothing.

        A ``recorder`` gets the highest layer that flows, and what it misses is asked for; a ``probe`` gets key
        frames of the lowest, and nothing is asked for."""

    def untap(self, publication: int, reader: TapReaderName) -> None:
        """Ends a reader's tap of a publication; its socket is closed after the last record. Idempotent."""

    def close(self, handle: int) -> None:
        """Ends a transport, publication or subscription and all that hangs on it. Idempotent."""

    def stats(self) -> Stats: ...
    def stop(self) -> None:
        """Ends all workers and closes their sockets. Idempotent."""
