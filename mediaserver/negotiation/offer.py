"""SDP text in, and our own offers out (RFC 8866, RFC 9429). ``answer.py`` renders answers and fragments.

Every limit is checked before anything is parsed (06-reliability W10), work is
linear in the text, and every failure is ``MalformedSdp``. ``aiortc.sdp`` lends its
line grouping and role table; its whole-description parser is not used: it asserts
on junk, is quadratic in SSRC lines and drops rids, simulcast and extmap directions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from aiortc.sdp import DIRECTIONS, grouplines

from mediaserver.errors import MalformedSdp
from mediaserver.negotiation.media import (
    Codec,
    Extension,
    Fingerprint,
    Fmtp,
    IceCredentials,
    LocalDescription,
    LocalMedia,
    RemoteDescription,
    RemoteMedia,
    Rid,
    Setup,
    TransportDescription,
    Way,
)

MAX_LINES = 4096
MAX_LINE_CHARACTERS = 4096
MAX_FORMATS = 128
"""Payload types of one section: there are no more (RFC 3550 section 5.1)."""
RTCP_TYPES = range(64, 96)
"""Never of media beside ``rtcp-mux``: a marked packet would look like RTCP (RFC 5761 section 4)."""
MAX_ATTRIBUTES_PER_CODEC = 64
MAX_EXTENSIONS = 64
MAX_SSRCS = 64
MAX_LAYERS = 4
STRONG_HASHES = ("sha-256", "sha-384", "sha-512")
"""RFC 8122 section 5 with SHA-1 and MD5 left out (06-reliability W11)."""
HASH_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
MIN_UFRAG, MIN_PWD, MAX_CREDENTIAL = 4, 22, 256
"""RFC 8839 section 5.4."""

_MEDIA_LINE = re.compile(
    r"m=([a-z]{1,16}) ([0-9]{1,5})(?:/[0-9]{1,5})? ([A-Za-z0-9/]{1,32}) ([\x21-\x7e ]+)\Z"
)
_ICE_TEXT = re.compile(r"[A-Za-z0-9+/=_-]+\Z")
"""ice-char of RFC 8839; ``=``, ``_`` and ``-`` because some senders use other base 64 alphabets."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,16}\Z")
_STRANGE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x85\u2028\u2029]|\r(?!\n)")
"""What would divide lines elsewhere than where they are counted, with all other control characters."""
_RTP_PROFILES = {"UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"}
_SCTP_PROFILES = {"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"}


@dataclass(frozen=True, slots=True)
class SdpLimits:
    """Bounds on a description, checked before parsing."""

    text_bytes: int = 65_536
    sections: int = 32
    candidates: int = 64


@dataclass(slots=True)
class _Attributes:
    """Attribute lines of the session or of one section, in order, by name."""

    by_name: dict[str, list[str]] = field(default_factory=dict)

    def all(self, name: str) -> list[str]:
        return self.by_name.get(name, [])

    def first(self, name: str) -> str | None:
        values = self.by_name.get(name)
        return values[0] if values else None

    def __contains__(self, name: str) -> bool:
        return name in self.by_name


def parse_description(text: str, limits: SdpLimits | None = None) -> RemoteDescription:
    """Reads an offer or answer of a peer. Raises ``MalformedSdp``."""
    check_limits(text, limits or SdpLimits())
    if not text.startswith("v=0"):
        raise MalformedSdp("a description starts with v=0")
    try:
        session_lines, groups = grouplines(text)
        return _description(session_lines, groups)
    except MalformedSdp:
        raise
    except (ValueError, KeyError, IndexError, OverflowError):
        # From int() and unpacking of hostile values; the text itself must not reach a message or a log.
        raise MalformedSdp("the session description has an ill-formed line") from None


def check_limits(text: str, limits: SdpLimits) -> None:
    """Raises ``MalformedSdp`` before any work is done on an oversized or non-textual description."""
    if len(text) > limits.text_bytes or len(text.encode(errors="replace")) > limits.text_bytes:
        raise MalformedSdp(f"the description is larger than {limits.text_bytes} bytes")
    if _STRANGE.search(text):
        raise MalformedSdp("the description holds control characters, or ends lines by other than CRLF or LF")
    if text.count("\n") > MAX_LINES:
        raise MalformedSdp(f"the description has more than {MAX_LINES} lines")
    if text.count("\nm=") > limits.sections:
        raise MalformedSdp(f"more than {limits.sections} media sections")
    if text.count("\na=candidate:") > limits.candidates:
        raise MalformedSdp(f"more than {limits.candidates} candidates")
    if any(len(line) > MAX_LINE_CHARACTERS for line in text.split("\n")):
        raise MalformedSdp(f"a line is longer than {MAX_LINE_CHARACTERS} characters")


def read_attributes(lines: Iterable[str]) -> _Attributes:
    """Collects ``a=`` lines by name; a flag has the value ''."""
    attributes = _Attributes()
    for line in lines:
        if line.startswith("a="):
            name, _, value = line[2:].partition(":")
            attributes.by_name.setdefault(name.strip(), []).append(value.strip())
    return attributes


def read_ice(attributes: _Attributes, session: _Attributes | None = None) -> IceCredentials | None:
    """Credentials of a section, else of the session; None when neither has them. Raises ``MalformedSdp``."""
    for place in (attributes, session):
        if place is None:
            continue
        ufrag, pwd = place.first("ice-ufrag"), place.first("ice-pwd")
        if ufrag is None and pwd is None:
            continue
        if ufrag is None or pwd is None:
            raise MalformedSdp("ice-ufrag and ice-pwd belong together")
        for value, shortest in ((ufrag, MIN_UFRAG), (pwd, MIN_PWD)):
            if not shortest <= len(value) <= MAX_CREDENTIAL or not _ICE_TEXT.match(value):
                raise MalformedSdp("ill-formed ICE credentials")
        return IceCredentials(ufrag, pwd)
    return None


# ---- From lines to types ----


def _description(session_lines: list[str], groups: list[list[str]]) -> RemoteDescription:
    session = read_attributes(session_lines)
    bundled: tuple[str, ...] = ()
    for group in session.all("group"):
        semantics, *mids = group.split()
        if semantics == "BUNDLE":
            if bundled:
                raise MalformedSdp("one BUNDLE group is supported")
            bundled = tuple(mids)
    sections = [(lines[0], read_attributes(lines[1:])) for lines in groups]
    if not sections:
        raise MalformedSdp("the description has no media section")
    media = tuple(_media(line, attributes) for line, attributes in sections)
    mids = [section.mid for section in media]
    if len(set(mids)) != len(mids):
        raise MalformedSdp("two media sections share a mid")
    alive = [index for index, section in enumerate(media) if not section.rejected]
    if len(alive) > 1 and not {media[index].mid for index in alive} <= set(bundled):
        raise MalformedSdp("all media sections must be in one BUNDLE group")
    leader = _leader(media, bundled, alive)
    return RemoteDescription(
        transport=_transport(sections[leader][1], session),
        media=media,
        bundled=bundled,
        allow_mixed="extmap-allow-mixed" in session,
    )


def _leader(media: tuple[RemoteMedia, ...], bundled: tuple[str, ...], alive: list[int]) -> int:
    """The section whose transport counts: the first of the bundle that is not rejected (RFC 8843 section
    7.2)."""
    for mid in bundled:
        for index in alive:
            if media[index].mid == mid:
                return index
    return alive[0] if alive else 0


def _transport(attributes: _Attributes, session: _Attributes) -> TransportDescription:
    ice = read_ice(attributes, session)
    if ice is None:
        raise MalformedSdp("no ICE credentials")
    lines = attributes.all("fingerprint") or session.all("fingerprint")
    prints = tuple(found for found in map(_fingerprint, lines) if found is not None)
    if not prints:
        raise MalformedSdp("a certificate fingerprint of sha-256 or better is required")
    setup = attributes.first("setup") or session.first("setup")
    if setup not in tuple(Setup):
        raise MalformedSdp("setup must be active, passive or actpass")
    return TransportDescription(ice=ice, fingerprints=prints, setup=Setup(setup))


def _fingerprint(line: str) -> Fingerprint | None:
    algorithm, value = line.split()
    algorithm, value = algorithm.lower(), value.upper()
    if algorithm not in STRONG_HASHES:
        return None
    if not re.fullmatch(r"[0-9A-F]{2}(:[0-9A-F]{2})*", value) or len(value) != HASH_BYTES[algorithm] * 3 - 1:
        raise MalformedSdp("ill-formed fingerprint")
    return Fingerprint(algorithm, value)


def _media(line: str, attributes: _Attributes) -> RemoteMedia:
    match = _MEDIA_LINE.match(line.rstrip())
    if match is None:
        raise MalformedSdp("ill-formed m= line")
    kind, port, profile, formats = match[1], int(match[2]), match[3], match[4].split()
    mid = attributes.first("mid")
    if mid is None or not _TOKEN.match(mid):
        raise MalformedSdp("every media section needs a mid of 1 to 16 token characters")
    if "crypto" in attributes:
        raise MalformedSdp("media must be keyed by DTLS, never by a=crypto")
    if port > 65_535 or len(formats) > MAX_FORMATS:
        raise MalformedSdp("ill-formed m= line")
    rejected = port == 0 and "bundle-only" not in attributes
    if kind == "application":
        return _application(mid, profile, rejected, attributes)
    if kind not in ("audio", "video"):
        return RemoteMedia(mid=mid, kind="application", way=Way.INACTIVE, rejected=True)
    if profile not in _RTP_PROFILES and not rejected:
        raise MalformedSdp("media must be SRTP keyed by DTLS (UDP/TLS/RTP/SAVPF)")
    if not rejected and "rtcp-mux" not in attributes:
        raise MalformedSdp("rtcp-mux is required")
    ways = [name for name in DIRECTIONS if name in attributes]
    if len(ways) > 1:
        raise MalformedSdp("a media section has two directions")
    ssrcs, repairs, layers = _sources(attributes)
    return RemoteMedia(
        mid=mid,
        kind="audio" if kind == "audio" else "video",
        way=Way(ways[0]) if ways else Way.SENDRECV,
        rejected=rejected,
        codecs=_codecs(formats, attributes),
        extensions=_extensions(attributes),
        ssrcs=ssrcs,
        repairs=repairs,
        layers=layers,
        rids=_rids(attributes),
        reduced_size="rtcp-rsize" in attributes,
    )


def _application(mid: str, profile: str, rejected: bool, attributes: _Attributes) -> RemoteMedia:
    port = attributes.first("sctp-port")
    usable = profile in _SCTP_PROFILES and port is not None
    return RemoteMedia(
        mid=mid,
        kind="application",
        way=Way.SENDRECV,
        rejected=rejected or not usable,
        sctp_port=_number(port, 65_535) if port is not None else None,
        max_message_size=_number(attributes.first("max-message-size") or "65536", 2**32 - 1),
    )


def _codecs(formats: list[str], attributes: _Attributes) -> tuple[Codec, ...]:
    order = [_number(text, 127) for text in formats]
    if len(set(order)) != len(order):
        raise MalformedSdp("a payload type is listed twice")
    fmtp: dict[int, Fmtp] = {}
    for value in attributes.all("fmtp"):
        payload_type, _, parameters = value.partition(" ")
        fmtp.setdefault(_number(payload_type, 127), parse_fmtp(parameters))
    feedback: dict[str, list[str]] = {}
    for value in attributes.all("rtcp-fb"):
        target, _, message = value.partition(" ")
        feedback.setdefault(target, []).append(message.strip())
    if any(len(messages) > MAX_ATTRIBUTES_PER_CODEC for messages in feedback.values()):
        raise MalformedSdp(f"more than {MAX_ATTRIBUTES_PER_CODEC} attributes of one codec")
    described: dict[int, Codec] = {}
    for value in attributes.all("rtpmap"):
        target, _, encoding = value.partition(" ")
        number = _number(target, 127)
        name, rate, *channels = encoding.strip().split("/")
        if number in described or not name or len(name) > 32:
            raise MalformedSdp("ill-formed rtpmap")
        described[number] = Codec(
            payload_type=number,
            name=name,
            clock_rate=_number(rate, 2**31),
            channels=_number(channels[0], 255) if channels else 1,
            fmtp=fmtp.get(number, ()),
            feedback=tuple(feedback.get(str(number), []) + feedback.get("*", [])),
        )
    return tuple(described[number] for number in order if number in described and number not in RTCP_TYPES)


def parse_fmtp(text: str) -> Fmtp:
    """``a=1;b`` to pairs. Raises ``MalformedSdp`` for more than 64."""
    pairs: list[tuple[str, str | None]] = []
    for part in text.split(";"):
        name, equals, value = part.strip().partition("=")
        if name:
            pairs.append((name.strip(), value.strip() if equals else None))
    if len(pairs) > MAX_ATTRIBUTES_PER_CODEC:
        raise MalformedSdp(f"more than {MAX_ATTRIBUTES_PER_CODEC} attributes of one codec")
    return tuple(pairs)


def _extensions(attributes: _Attributes) -> tuple[Extension, ...]:
    lines = attributes.all("extmap")
    if len(lines) > MAX_EXTENSIONS:
        raise MalformedSdp(f"more than {MAX_EXTENSIONS} header extensions")
    found = []
    for value in lines:
        number, uri, *_ = value.split()
        found.append(Extension(_number(number.partition("/")[0], 65_535), uri))
    return tuple(found)


def _sources(attributes: _Attributes) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...], tuple[int, ...]]:
    ssrcs: dict[int, None] = {}
    for value in attributes.all("ssrc"):
        ssrcs.setdefault(_number(value.partition(" ")[0], 2**32 - 1))
    repairs: dict[int, int] = {}
    layers: tuple[int, ...] = ()
    for value in attributes.all("ssrc-group"):
        semantics, *numbers = value.split()
        members = [_number(number, 2**32 - 1) for number in numbers]
        if len(set(members)) < len(members):
            raise MalformedSdp("an ssrc-group names one source twice")
        if semantics == "FID" and len(members) == 2 and members[0] not in repairs:
            repairs[members[0]] = members[1]
        elif semantics == "SIM" and 1 < len(members) <= MAX_LAYERS:
            layers = tuple(members)
        for member in members:
            ssrcs.setdefault(member)
    if len(set(repairs.values()) | set(repairs)) < 2 * len(repairs) or not set(layers).isdisjoint(
        repairs.values()
    ):
        raise MalformedSdp("two ssrc-groups name one source")
    if len(ssrcs) > MAX_SSRCS:
        raise MalformedSdp(f"more than {MAX_SSRCS} SSRCs in a media section")
    return tuple(ssrcs), tuple(repairs.items()), layers


def _rids(attributes: _Attributes) -> tuple[Rid, ...]:
    """Layers to be sent: those both declared by ``rid`` and listed after ``send`` on the simulcast line."""
    declared: dict[str, Rid] = {}
    for value in attributes.all("rid"):
        name, direction, *rest = value.split(" ", 2)
        if direction == "send":
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,16}", name) or name in declared:
                raise MalformedSdp("ill-formed rid")
            declared[name] = _rid(name, rest[0] if rest else "")
    line = attributes.first("simulcast")
    if line is None:
        return ()
    words = line.split()
    if "send" not in words[::2]:
        return ()
    streams = words[words.index("send") + 1].split(";")
    listed: list[Rid] = []
    for stream in streams:
        # A comma offers alternatives for one stream; the first is preferred (RFC 8853 section 5.1).
        choice = stream.split(",")[0]
        name = choice.lstrip("~")
        if name not in declared:
            raise MalformedSdp("simulcast names a rid that is not declared")
        listed.append(replace(declared[name], paused=choice.startswith("~")))
    if len(listed) > MAX_LAYERS or len({rid.name for rid in listed}) != len(listed):
        raise MalformedSdp(f"simulcast takes 1 to {MAX_LAYERS} different layers")
    return tuple(listed)


def _rid(name: str, restrictions: str) -> Rid:
    payload_types: tuple[int, ...] = ()
    sizes: dict[str, int] = {}
    for key, value in parse_fmtp(restrictions):
        if key == "pt" and value:
            payload_types = tuple(_number(number, 127) for number in value.split(","))
        elif key in ("max-width", "max-height") and value:
            sizes[key] = _number(value, 65_535)
    return Rid(name, payload_types, sizes.get("max-width"), sizes.get("max-height"))


def _number(text: str, largest: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        raise MalformedSdp("ill-formed number")
    value = int(text)
    if value > largest:
        raise MalformedSdp("a number is out of range")
    return value


# ---- From types to lines ----


def render_offer(description: LocalDescription) -> str:
    """Our offer for a subscribe transport."""
    return render(description)


def render(description: LocalDescription) -> str:
    """A whole description; ends with CRLF as RFC 8866 section 5 has it."""
    kept = " ".join(media.mid for media in description.media if not media.rejected)
    lines = [
        "v=0",
        f"o=loupe {description.session} {description.version} IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        f"a=group:BUNDLE {kept}".rstrip(),
        "a=msid-semantic:WMS *",
    ]
    if description.allow_mixed:
        lines.append("a=extmap-allow-mixed")
    lines.extend(f"a=fingerprint:{f.algorithm} {f.value}" for f in description.transport.fingerprints)
    for media in description.media:
        lines.extend(_media_lines(media, description.transport))
    return "\r\n".join(lines) + "\r\n"


def candidate_lines(candidates: tuple[tuple[str, int], ...]) -> list[str]:
    """Host candidates over UDP, best first (RFC 8839 section 5.1, priorities by RFC 8445 section 5.1.2.1)."""
    lines = []
    for index, (address, port) in enumerate(candidates):
        priority = (126 << 24) | ((65_535 - index) << 8) | 255
        lines.append(f"a=candidate:{index + 1} 1 udp {priority} {address} {port} typ host")
    return lines


def _media_lines(media: LocalMedia, transport: TransportDescription) -> list[str]:
    if media.kind == "application":
        profile, formats = "UDP/DTLS/SCTP", "webrtc-datachannel"
    else:
        profile = "UDP/TLS/RTP/SAVPF"
        formats = " ".join(str(codec.payload_type) for codec in media.codecs) or " ".join(
            media.offered_formats
        )
    port = 0 if media.rejected else 9
    lines = [f"m={media.kind} {port} {profile} {formats}", "c=IN IP4 0.0.0.0", f"a=mid:{media.mid}"]
    if media.rejected:
        lines.append("a=inactive")
        return lines
    lines += [
        f"a=ice-ufrag:{transport.ice.ufrag}",
        f"a=ice-pwd:{transport.ice.pwd}",
        f"a=setup:{transport.setup}",
    ]
    # In every section, although the first alone would do (RFC 8843 section 9): of three sections in one
    # bundle aiortc takes the candidates of the last.
    lines += [*candidate_lines(transport.candidates), "a=end-of-candidates"]
    if media.kind == "application":
        return [*lines, f"a=sctp-port:{media.sctp_port}", f"a=max-message-size:{media.max_message_size}"]
    return lines + _rtp_lines(media)


def _rtp_lines(media: LocalMedia) -> list[str]:
    lines = [f"a={media.way}", "a=rtcp-mux"]
    if media.reduced_size:
        lines.append("a=rtcp-rsize")
    lines += [f"a=extmap:{extension.id} {extension.uri}" for extension in media.extensions]
    for codec in media.codecs:
        channels = f"/{codec.channels}" if codec.channels > 1 else ""
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}")
        lines += [f"a=rtcp-fb:{codec.payload_type} {message}" for message in codec.feedback]
        if codec.fmtp:
            lines.append(f"a=fmtp:{codec.payload_type} {render_fmtp(codec.fmtp)}")
    if media.receive_rids:
        lines += [f"a=rid:{rid} recv" for rid in media.receive_rids]
        lines.append(f"a=simulcast:recv {';'.join(media.receive_rids)}")
    if media.source is not None:
        source = media.source
        lines.append(f"a=msid:{source.stream} {source.track}")
        if source.rtx_ssrc is not None:
            lines.append(f"a=ssrc-group:FID {source.ssrc} {source.rtx_ssrc}")
        if source.parity_ssrc is not None:
            lines.append(f"a=ssrc-group:FEC-FR {source.ssrc} {source.parity_ssrc}")
        for ssrc in (source.ssrc, source.rtx_ssrc, source.parity_ssrc):
            if ssrc is not None:
                lines.append(f"a=ssrc:{ssrc} cname:{source.cname}")
    return lines


def render_fmtp(fmtp: Fmtp) -> str:
    """Pairs to ``a=1;b``."""
    return ";".join(name if value is None else f"{name}={value}" for name, value in fmtp)
