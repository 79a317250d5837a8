"""Typed descriptions: what a peer described, what we describe, and what the data plane is told.

No SDP text here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["audio", "video"]
SectionKind: TypeAlias = Literal["audio", "video", "application"]
Fmtp: TypeAlias = tuple[tuple[str, str | None], ...]
"""Format parameters in order; ``None`` for a parameter without a value."""


class Way(StrEnum):
    """Direction of a media section, from its describer's point of view (RFC 8866 section 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """The describer wants to send."""
        return self in (Way.SENDRECV, Way.SENDONLY)

    @property
    def receives(self) -> bool:
        """The describer wants to receive."""
        return self in (Way.SENDRECV, Way.RECVONLY)


class Setup(StrEnum):
    """DTLS role as described (RFC 8842 section 5.1)."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hash of a certificate (RFC 8122 section 5): algorithm
    in lower case, value in upper-case hex with colons."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """RFC 8839 section 5.4. The password never appears in a log."""

    ufrag: str
    pwd: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TransportDescription:
    """How to reach and recognise the describer."""

    ice: IceCredentials
    fingerprints: tuple[Fingerprint, ...]
    setup: Setup
    candidates: tuple[tuple[str, int], ...] = field(default=(), repr=False)
    """(address, UDP port), best first; only of our own descriptions (an ICE-lite server needs no peer's)."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type. ``name`` as registered (``VP8``, ``opus``), compared without case."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    fmtp: Fmtp = ()
    feedback: tuple[str, ...] = ()

    def parameter(self, key: str) -> str | None:
        """Value of a format parameter, matched without case."""
        for name, value in self.fmtp:
            if name.lower() == key:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Extension:
    """A header extension and the id the describer gave it (RFC 8285)."""

    id: int
    uri: str


@dataclass(frozen=True, slots=True)
class Rid:
    """One layer by name (RFC 8851); ``max_width`` and ``max_height`` in pixels when restricted."""

    name: str
    payload_types: tuple[int, ...] = ()
    max_width: int | None = None
    max_height: int | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class RemoteMedia:
    """One media section as the peer described it."""

    mid: str
    kind: SectionKind
    way: Way
    rejected: bool
    """Port zero and not merely bundle-only."""
    codecs: tuple[Codec, ...] = ()
    extensions: tuple[Extension, ...] = ()
    ssrcs: tuple[int, ...] = ()
    """In order of appearance, repair flows included."""
    repairs: tuple[tuple[int, int], ...] = ()
    """(source, its retransmissions): groups of semantics FID (RFC 4588 section 8)."""
    layers: tuple[int, ...] = ()
    """SSRCs of a group of semantics SIM, lowest first."""
    rids: tuple[Rid, ...] = ()
    """Layers to be sent by rid, in the order of the simulcast line (RFC 8853)."""
    reduced_size: bool = False
    """RTCP may be of reduced size (RFC 5506 section 5)."""
    sctp_port: int | None = None
    max_message_size: int = 65_536

    @property
    def wanted(self) -> bool:
        """False for a section that carries nothing."""
        return not self.rejected and self.way is not Way.INACTIVE


@dataclass(frozen=True, slots=True)
class RemoteDescription:
    """A whole description by the peer, checked: one transport, unique mids."""

    transport: TransportDescription
    media: tuple[RemoteMedia, ...]
    bundled: tuple[str, ...]
    allow_mixed: bool = False


@dataclass(frozen=True, slots=True)
class SourceLine:
    """SSRCs we announce for a section: ``stream`` and ``track`` name them to the browser (RFC 8830)."""

    ssrc: int
    rtx_ssrc: int | None
    cname: str
    stream: str
    track: str
    parity_ssrc: int | None = None
    """Of its parity: a group of semantics FEC-FR (RFC 5956 section 4.1)."""


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """One media section as we describe it."""

    mid: str
    kind: SectionKind
    way: Way
    rejected: bool = False
    codecs: tuple[Codec, ...] = ()
    extensions: tuple[Extension, ...] = ()
    source: SourceLine | None = None
    receive_rids: tuple[str, ...] = ()
    reduced_size: bool = False
    sctp_port: int | None = None
    max_message_size: int = 65_536
    offered_formats: tuple[str, ...] = ("0",)
    """What a rejected section's line repeats (RFC 3264 section 6)."""


@dataclass(frozen=True, slots=True)
class LocalDescription:
    """A whole description of ours: ICE-lite, one bundle."""

    session: int
    version: int
    transport: TransportDescription
    media: tuple[LocalMedia, ...]
    allow_mixed: bool = True


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a trickle or restart message says (RFC 8840): credentials, and how many candidates came along."""

    ice: IceCredentials | None
    candidates: int = 0


# ---- What the data plane is told ----


@dataclass(frozen=True, slots=True)
class ExtensionIds:
    """As ``_dataplane.Extensions``: 0 is "not negotiated"."""

    mid: int = 0
    rid: int = 0
    repaired_rid: int = 0
    abs_send_time: int = 0
    transport_cc: int = 0
    audio_level: int = 0
    abs_capture_time: int = 0
    playout_delay: int = 0
    dependency_descriptor: int = 0
    video_orientation: int = 0


@dataclass(frozen=True, slots=True)
class Encoding:
    """One layer of a publication."""

    ssrc: int | None = None
    rtx_ssrc: int | None = None
    rid: str | None = None


@dataclass(frozen=True, slots=True)
class InboundMedia:
    """A publication as negotiated; ``encodings`` lowest layer first."""

    kind: Kind
    codec: Codec
    encodings: tuple[Encoding, ...]
    rtx_payload_type: int | None
    mid: str
    extensions: ExtensionIds
    nack: bool
    pli: bool
    fir: bool
    transport_cc: bool
    remb: bool
    reduced_size: bool
    """Feedback may go without a report before it (RFC 5506)."""


@dataclass(frozen=True, slots=True)
class OutboundMedia:
    """A subscription as negotiated."""

    ssrc: int
    payload_type: int
    cname: str
    rtx_ssrc: int | None
    rtx_payload_type: int | None
    red_payload_type: int | None
    """Sound may come redundantly under it (RFC 2198)."""
    mid: str
    extensions: ExtensionIds
    parity_ssrc: int | None = None
    parity_payload_type: int | None = None
    """Pictures may be protected by parity (``flexfec-03``)."""
