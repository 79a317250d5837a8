"""What a publisher offers -> what we answer and what the data plane is told. Pure.

Order of layers (the data plane wants the lowest first): sizes decide where every rid carries ``max-width``
or ``max-height``; else names do where they follow a known habit (``l m h``; ``q h f``; ``0 1 2 3`` with 0
the full picture: OBS numbers its encoders so and lists them in no fixed order); else the list's order is
taken as lowest first, which is what our own page sends.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from mediaserver.errors import NoCommonCodec
from mediaserver.negotiation import capabilities
from mediaserver.negotiation.media import (
    Codec,
    Encoding,
    InboundMedia,
    Kind,
    LocalMedia,
    RemoteDescription,
    RemoteMedia,
    Rid,
    Way,
)

SCTP_PORT = 5000
MAX_MESSAGE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class PublishDeal:
    """The answer's sections in the offer's order, and what flows in."""

    answer: tuple[LocalMedia, ...]
    inbound: tuple[InboundMedia, ...]
    data: RemoteMedia | None = None
    """The data channel section, when there is one."""


def answer_publish(
    remote: RemoteDescription, *, permitted: Collection[Kind], partial: bool, data_channels: bool = True
) -> PublishDeal:
    """Accepts what we can forward and the role may send.

    ``partial``: an unsupported section is rejected alone (WebSocket). Otherwise
    (WHIP allows no partial answer) raises ``NoCommonCodec``. Sections of a kind
    not permitted are rejected; the caller refuses beforehand where it must.
    """
    answer: list[LocalMedia] = []
    inbound: list[InboundMedia] = []
    data: RemoteMedia | None = None
    for media in remote.media:
        if media.kind == "application":
            if media.rejected or not data_channels or data is not None:
                answer.append(rejected(media))
                continue
            data = media
            answer.append(
                LocalMedia(
                    media.mid,
                    "application",
                    Way.SENDRECV,
                    sctp_port=SCTP_PORT,
                    max_message_size=MAX_MESSAGE_BYTES,
                )
            )
            continue
        if media.rejected or media.kind not in permitted:
            answer.append(rejected(media))
            continue
        deal = _section(media, media.kind)
        if deal is None:
            if media.way.sends and not partial:
                raise NoCommonCodec(capabilities.accepted_names(media.kind))
            answer.append(rejected(media))
            continue
        local, flow = deal
        answer.append(local)
        if flow is not None:
            inbound.append(flow)
    return PublishDeal(tuple(answer), tuple(inbound), data)


def rejected(media: RemoteMedia) -> LocalMedia:
    """A section refused by port zero (RFC 3264 section 6)."""
    formats = tuple(str(codec.payload_type) for codec in media.codecs[:1]) or ("0",)
    return LocalMedia(media.mid, media.kind, Way.INACTIVE, rejected=True, offered_formats=formats)


def _section(media: RemoteMedia, kind: Kind) -> tuple[LocalMedia, InboundMedia | None] | None:
    codec = capabilities.choose_codec(media.codecs, kind)
    if codec is None:
        return None
    rtx = capabilities.rtx_for(media.codecs, codec)
    feedback = capabilities.answer_feedback(codec, kind)
    extensions = capabilities.answer_extensions(media.extensions, kind, inbound=True)
    chosen = replace(codec, fmtp=capabilities.answer_fmtp(codec, kind), feedback=feedback)
    sends = media.way.sends
    local = LocalMedia(
        mid=media.mid,
        kind=kind,
        way=Way.RECVONLY if sends else Way.INACTIVE,
        codecs=(chosen,) if rtx is None else (chosen, replace(rtx, feedback=())),
        extensions=extensions,
        receive_rids=tuple(rid.name for rid in media.rids) if sends else (),
        reduced_size=media.reduced_size,
    )
    if not sends:
        return local, None
    ids = capabilities.extension_ids(extensions)
    return local, InboundMedia(
        kind=kind,
        codec=replace(chosen, name=capabilities.canonical_name(codec, kind) or codec.name),
        encodings=_encodings(media),
        rtx_payload_type=rtx.payload_type if rtx is not None else None,
        mid=media.mid,
        extensions=ids,
        nack="nack" in feedback,
        pli="nack pli" in feedback,
        fir="ccm fir" in feedback,
        transport_cc="transport-cc" in feedback and ids.transport_cc != 0,
        remb=capabilities.REMB in feedback,
        reduced_size=media.reduced_size,
    )


def _encodings(media: RemoteMedia) -> tuple[Encoding, ...]:
    repairs = dict(media.repairs)
    if media.rids:
        return tuple(Encoding(rid=rid.name) for rid in lowest_first(media.rids))
    if media.layers:
        return tuple(Encoding(ssrc=ssrc, rtx_ssrc=repairs.get(ssrc)) for ssrc in media.layers)
    sources = [ssrc for ssrc in media.ssrcs if ssrc not in repairs.values()]
    if not sources:
        # Bound by mid or payload type when the first packet comes.
        return (Encoding(),)
    return (Encoding(ssrc=sources[0], rtx_ssrc=repairs.get(sources[0])),)


_HABITS: tuple[tuple[str, ...], ...] = (("l", "m", "h"), ("q", "h", "f"), ("3", "2", "1", "0"))


def lowest_first(rids: tuple[Rid, ...]) -> tuple[Rid, ...]:
    """Sorts layers from the smallest picture to the largest; see the module's text."""
    if all(rid.max_width or rid.max_height for rid in rids):
        return tuple(sorted(rids, key=lambda rid: (rid.max_width or 0, rid.max_height or 0)))
    names = {rid.name for rid in rids}
    for habit in _HABITS:
        if len(names) > 1 and names <= set(habit):
            return tuple(sorted(rids, key=lambda rid: habit.index(rid.name)))
    return rids


def format_only(codec: Codec) -> Codec:
    """The codec without the choices of one negotiation."""
    return replace(codec, payload_type=0, feedback=())
