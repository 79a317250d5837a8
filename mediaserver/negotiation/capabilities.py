"""What this server can forward, and how one offer's choices are reduced to ours: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mediaserver.negotiation.media import Codec, Extension, ExtensionIds, Fmtp, Kind

VIDEO_CODECS = ("VP8", "H264", "VP9", "AV1", "H265")
AUDIO_CODECS = ("opus",)
VIDEO_CLOCK_RATE = 90_000

FEEDBACK = ("nack", "nack pli", "ccm fir", "transport-cc")
"""Feedback we speak for video (RFC 4585, RFC 5104, transport-wide congestion control)."""
REMB = "goog-remb"
"""Taken only where the peer offers no transport-cc."""
AUDIO_FEEDBACK = ("transport-cc",)
"""What we offer for sound. Repeated under its own numbers it would have to be the very bytes of the first
time, and no browser takes a stream of its repairs."""

PARITY = "flexfec-03"
"""The format of parity that stock Chromium takes for any codec, in a stream of its own."""

URIS: dict[str, str] = {
    "mid": "urn:ietf:params:rtp-hdrext:sdes:mid",
    "rid": "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "repaired_rid": "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    "abs_send_time": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "transport_cc": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "audio_level": "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "abs_capture_time": "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    "playout_delay": "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    "dependency_descriptor": (
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
    ),
    "video_orientation": "urn:3gpp:video-orientation",
}
NAMES = {uri: name for name, uri in URIS.items()}

OFFERED_IDS: dict[str, int] = {
    "mid": 1,
    "abs_send_time": 2,
    "transport_cc": 3,
    "audio_level": 4,
    "abs_capture_time": 5,
    "playout_delay": 6,
    "dependency_descriptor": 7,
    "video_orientation": 8,
}
"""Ids in our own offers: fixed, so that one id means one thing on all sections of a bundle (RFC 8843 section
9.2)."""

AUDIO_EXTENSIONS = frozenset({"mid", "abs_send_time", "transport_cc", "audio_level", "abs_capture_time"})
VIDEO_EXTENSIONS = frozenset(URIS) - {"audio_level"}
INBOUND_ONLY = frozenset({"rid", "repaired_rid"})
"""Name simulcast layers on the way in; a viewer gets one layer and needs none."""


def accepted_names(kind: Kind) -> list[str]:
    """What to name in a refusal."""
    return list(VIDEO_CODECS if kind == "video" else AUDIO_CODECS)


def canonical_name(codec: Codec, kind: Kind) -> str | None:
    """Our spelling of a codec we forward, or None."""
    known = VIDEO_CODECS if kind == "video" else AUDIO_CODECS
    for name in known:
        if codec.name.lower() == name.lower():
            return name
    return None


def choose_codec(codecs: Sequence[Codec], kind: Kind) -> Codec | None:
    """The first offered payload type that we forward.

    H.264 must be packetization-mode 1 (RFC 6184 section 6.3); without the
    parameter the mode is 0, yet senders that name no parameters at all do send
    mode 1's FU-A, so an entry without fmtp serves when nothing better is offered.
    """
    fallback: Codec | None = None
    for codec in codecs:
        if not _forwardable(codec, kind):
            continue
        if codec.name.upper() == "H264" and codec.parameter("packetization-mode") != "1":
            if not codec.fmtp and fallback is None:
                fallback = codec
            continue
        return codec
    return fallback


def matching_codec(codecs: Sequence[Codec], published: Codec, kind: Kind) -> Codec | None:
    """The offered payload type that a viewer can decode ``published`` with, best match first."""
    same = [c for c in codecs if _forwardable(c, kind) and c.name.lower() == published.name.lower()]
    best = [codec for codec in same if _profile(codec) == _profile(published)]
    if best:
        return best[0]
    # A decoder of another H.264 profile usually copes (all browsers decode what they did not offer first); an
    # AV1 or VP9 profile beyond 0 changes the bit depth and does not.
    if published.name.upper() == "H264":
        same = [codec for codec in same if codec.parameter("packetization-mode") == "1"] or same
        return same[0] if same else None
    return None


def rtx_for(codecs: Sequence[Codec], codec: Codec) -> Codec | None:
    """The retransmission format of a payload type (RFC 4588 section 8.1: ``apt``)."""
    for other in codecs:
        if other.name.lower() == "rtx" and other.parameter("apt") == str(codec.payload_type):
            return other
    return None


def red_for(codecs: Sequence[Codec], codec: Codec) -> Codec | None:
    """The format of redundant sound whose blocks are all of a payload type (RFC 2198 section 5)."""
    for other in codecs:
        blocks = other.fmtp[0][0].split("/") if other.fmtp else []
        if _is_red(other) and blocks and set(blocks) == {str(codec.payload_type)}:
            return other
    return None


def red_of(codec: Codec, payload_type: int) -> Codec:
    """Redundant sound of a codec under a payload type: two blocks, as browsers describe it."""
    blocks = f"{codec.payload_type}/{codec.payload_type}"
    return Codec(payload_type, "red", codec.clock_rate, codec.channels, fmtp=((blocks, None),))


def parity_for(codecs: Sequence[Codec]) -> Codec | None:
    """The format of pictures' parity that browsers take (draft-ietf-payload-flexible-fec-scheme-03)."""
    for codec in codecs:
        if codec.name.lower() == PARITY and codec.clock_rate == VIDEO_CLOCK_RATE:
            return codec
    return None


def parity_of(payload_type: int) -> Codec:
    """Pictures' parity under a payload type, kept for 10 s as browsers describe it."""
    return Codec(
        payload_type,
        PARITY,
        VIDEO_CLOCK_RATE,
        fmtp=(("repair-window", "10000000"),),
        feedback=("transport-cc",),
    )


def _is_red(codec: Codec) -> bool:
    return codec.name.lower() == "red" and codec.clock_rate == 48_000 and codec.channels == 2


def answer_feedback(codec: Codec, kind: Kind) -> tuple[str, ...]:
    """Of what was offered, what we speak; REMB only where transport-cc is missing."""
    ours = FEEDBACK if kind == "video" else ("nack", *AUDIO_FEEDBACK)
    chosen = tuple(message for message in ours if message in codec.feedback)
    if "transport-cc" not in chosen and REMB in codec.feedback:
        chosen += (REMB,)
    return chosen


def answer_extensions(offered: Iterable[Extension], kind: Kind, *, inbound: bool) -> tuple[Extension, ...]:
    """Of what was offered, what we carry, with the offer's ids; the first of a doubled id or name wins."""
    useful = VIDEO_EXTENSIONS if kind == "video" else AUDIO_EXTENSIONS
    if not inbound:
        useful -= INBOUND_ONLY
    taken: dict[str, Extension] = {}
    ids: set[int] = set()
    for extension in offered:
        name = NAMES.get(extension.uri)
        if name in useful and name not in taken and extension.id not in ids and 1 <= extension.id <= 255:
            taken[name] = extension
            ids.add(extension.id)
    return tuple(taken.values())


def own_extensions(kind: Kind) -> tuple[Extension, ...]:
    """What our own offers carry."""
    useful = VIDEO_EXTENSIONS if kind == "video" else AUDIO_EXTENSIONS
    return tuple(Extension(id, URIS[name]) for name, id in OFFERED_IDS.items() if name in useful)


def extension_ids(extensions: Iterable[Extension]) -> ExtensionIds:
    """The same, as the data plane is told."""
    return ExtensionIds(
        **{NAMES[extension.uri]: extension.id for extension in extensions if extension.uri in NAMES}
    )


def answer_fmtp(codec: Codec, kind: Kind) -> Fmtp:
    """Echoed: we decode nothing, so what the sender names is what it will send."""
    if kind == "audio":
        # ``sprop-stereo`` declares what its sender sends (RFC 7587 section 6.1); as the answerer we
        # ask by ``stereo``.
        return tuple(pair for pair in codec.fmtp if pair[0].lower() != "sprop-stereo")
    return codec.fmtp


OFFERED_PARAMETERS: dict[str, tuple[str, ...]] = {
    "opus": ("minptime", "useinbandfec", "stereo", "sprop-stereo"),
    "h264": ("level-asymmetry-allowed", "packetization-mode", "profile-level-id"),
    "vp9": ("profile-id",),
    "av1": ("level-idx", "profile", "tier"),
    "h265": ("level-id", "profile-id", "tier-flag", "tx-mode"),
}
"""What a viewer's decoder chooses by; the rest is the publisher's own (parameter sets travel in band)."""


def offer_fmtp(codec: Codec) -> Fmtp:
    """Of what a publisher named, what our offers to viewers repeat."""
    names = OFFERED_PARAMETERS.get(codec.name.lower(), ())
    return tuple((name, value) for name, value in codec.fmtp if name.lower() in names)


def _forwardable(codec: Codec, kind: Kind) -> bool:
    if canonical_name(codec, kind) is None:
        return False
    if kind == "video":
        return codec.clock_rate == VIDEO_CLOCK_RATE
    return codec.clock_rate == 48_000 and codec.channels == 2


def _profile(codec: Codec) -> tuple[str, ...]:
    """What must agree for a decoder to serve, with each format's defaults."""
    match codec.name.upper():
        case "H264":
            # Level (the last byte) may differ with level-asymmetry-allowed; profile and constraints may not.
            level_id = (codec.parameter("profile-level-id") or "420010").lower()
            return (level_id[:4], codec.parameter("packetization-mode") or "0")
        case "VP9":
            return (codec.parameter("profile-id") or "0",)
        case "AV1":
            return (codec.parameter("profile") or "0",)
        case "H265":
            return (codec.parameter("profile-id") or "1",)
        case _:
            return ()
