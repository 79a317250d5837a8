"""What a viewer is sent: the sections of a subscribe transport over its life, and the answer to a WHEP offer.

Pure.

Our offers only ever grow: a section whose publication ended turns inactive and
is used again for the next publication of its kind, so that mids stay stable
and a long operation does not pile up sections (RFC 9429 section 5.2.2).

There are no more sections than a client's answer may have. What finds no place is
left out until one is free: sound before pictures, whatever was published first before what came later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mediaserver.errors import MalformedSdp, NoCommonCodec
from mediaserver.ids import PublicationId
from mediaserver.negotiation import capabilities
from mediaserver.negotiation.media import (
    Codec,
    Kind,
    LocalMedia,
    OutboundMedia,
    RemoteDescription,
    RemoteMedia,
    SourceLine,
    Way,
)
from mediaserver.negotiation.publishing import rejected

DYNAMIC_PAYLOAD_TYPES = (*range(96, 128), *range(35, 64))
"""RFC 3551 section 6, then the range browsers use when that is spent."""

NewSsrc = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A publication to be sent: its codec as published, and the stream it plays in step with."""

    publication: PublicationId
    kind: Kind
    codec: Codec
    stream: str
    repaired: bool
    """Offer NACK and RTX (video)."""


@dataclass(slots=True)
class Section:
    """One section of our offers; ``wanted`` is None while it rests."""

    mid: str
    kind: Kind
    codec: Codec
    repair: Codec | None
    """Retransmissions of a picture (``rtx``), redundant sound (``red``)."""
    wanted: Wanted | None
    source: SourceLine | None
    parity: Codec | None = None

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """What it is offered with."""
        return tuple(one for one in (self.codec, self.repair, self.parity) if one is not None)


@dataclass(slots=True)
class Sections:
    """All sections of one subscribe transport, in order."""

    new_ssrc: NewSsrc
    limit: int = 32
    """Of sections; at most as many as an answer may have."""
    sections: list[Section] = field(default_factory=list)
    _formats: dict[tuple[object, ...], tuple[Codec, Codec | None]] = field(default_factory=dict)
    """One payload type means one configuration over the whole bundle (RFC 8843 section 9.1)."""
    _parity: Codec | None = None
    """One for all pictures."""

    def update(self, wanted: Sequence[Wanted]) -> bool:
        """Makes the sections carry ``wanted`` as far as there is place; True if an offer must tell so."""
        target = {item.publication: item for item in self._chosen(wanted)}
        changed = False
        carried: set[PublicationId] = set()
        for section in self.sections:
            if section.wanted is None:
                continue
            if section.wanted.publication in target:
                carried.add(section.wanted.publication)
            else:
                section.wanted = section.source = None
                changed = True
        for publication, item in target.items():
            if publication not in carried and self._place(item):
                changed = True
        return changed

    def _chosen(self, wanted: Sequence[Wanted]) -> Sequence[Wanted]:
        if len(wanted) <= self.limit:
            return wanted
        return sorted(wanted, key=lambda item: item.kind != "audio")[: self.limit]

    def _place(self, item: Wanted) -> bool:
        resting = (s for s in self.sections if s.wanted is None and s.kind == item.kind)
        section = next(resting, None)
        if section is None and len(self.sections) >= self.limit:
            return False
        formats = self._format(item)
        if formats is None:
            return False
        codec, repair = formats
        parity = self._parity_format() if repair is not None and item.kind == "video" else None
        source = SourceLine(
            ssrc=self.new_ssrc(),
            rtx_ssrc=self.new_ssrc() if repair is not None and item.kind == "video" else None,
            cname=item.stream,
            stream=item.stream,
            track=item.publication,
            parity_ssrc=self.new_ssrc() if parity is not None else None,
        )
        if section is None:
            mid = str(len(self.sections))
            self.sections.append(Section(mid, item.kind, codec, repair, item, source, parity))
        else:
            section.wanted, section.source, section.codec, section.repair = item, source, codec, repair
            section.parity = parity
        return True

    def _format(self, item: Wanted) -> tuple[Codec, Codec | None] | None:
        """The codec under a payload type of ours, and what repairs it; None where no payload type is left."""
        fmtp = capabilities.offer_fmtp(item.codec)
        key = (item.kind, item.codec.name.lower(), item.codec.clock_rate, item.codec.channels, fmtp)
        known = self._formats.get(key)
        if known is not None:
            return known
        free = self._free()
        if len(free) < 2:
            self._forget()
            free = self._free()
        if len(free) < 2:
            return None
        feedback = capabilities.FEEDBACK if item.kind == "video" else capabilities.AUDIO_FEEDBACK
        codec = replace(item.codec, payload_type=free[0], fmtp=fmtp, feedback=feedback)
        repair = None
        if item.kind == "audio":
            repair = capabilities.red_of(codec, free[1])
        elif item.repaired:
            repair = Codec(free[1], "rtx", item.codec.clock_rate, fmtp=(("apt", str(free[0])),))
        self._formats[key] = (codec, repair)
        return codec, repair

    def _forget(self) -> None:
        """Gives back the payload types of one format that nothing plays: never before all others are taken.

        A section that rests goes over to another format of its kind: no payload type ever means two things.
        """
        playing = {section.codec.payload_type for section in self.sections if section.wanted is not None}
        for key, (codec, _) in self._formats.items():
            others = [pair for other, pair in self._formats.items() if other != key and other[0] == key[0]]
            if codec.payload_type in playing or not others:
                continue
            del self._formats[key]
            for section in self.sections:
                if section.codec.payload_type == codec.payload_type:
                    section.codec, section.repair = others[-1]
            return

    def _parity_format(self) -> Codec | None:
        """None where every payload type is taken: what is asked for again needs no parity."""
        free = self._free()
        if self._parity is None and free:
            self._parity = capabilities.parity_of(free[0])
        return self._parity

    def _free(self) -> list[int]:
        """Payload types that stand for nothing yet."""
        formats = [one for pair in self._formats.values() for one in pair]
        used = {one.payload_type for one in (*formats, self._parity) if one is not None}
        return [number for number in DYNAMIC_PAYLOAD_TYPES if number not in used]

    def local_media(self) -> tuple[LocalMedia, ...]:
        """The sections as our next offer describes them."""
        return tuple(
            LocalMedia(
                mid=section.mid,
                kind=section.kind,
                way=Way.SENDONLY if section.wanted is not None else Way.INACTIVE,
                codecs=section.codecs,
                extensions=capabilities.own_extensions(section.kind),
                source=section.source,
                reduced_size=True,
            )
            for section in self.sections
        )

    def carried(self) -> dict[str, PublicationId]:
        """Which publication each active section carries."""
        return {s.mid: s.wanted.publication for s in self.sections if s.wanted is not None}

    def accept(self, remote: RemoteDescription) -> dict[PublicationId, OutboundMedia]:
        """What the answer lets us send, per publication.

        Raises ``MalformedSdp`` if it answers other sections.
        """
        if [media.mid for media in remote.media] != [section.mid for section in self.sections][
            : len(remote.media)
        ]:
            raise MalformedSdp("the answer's media sections are not those of the offer")
        accepted: dict[PublicationId, OutboundMedia] = {}
        for section, media in zip(self.sections, remote.media, strict=False):
            if section.wanted is None or section.source is None or media.rejected or not media.way.receives:
                continue
            outbound = _outbound(section, media)
            if outbound is not None:
                accepted[section.wanted.publication] = outbound
        return accepted


def _outbound(section: Section, media: RemoteMedia) -> OutboundMedia | None:
    source = section.source
    answered = {codec.payload_type: codec for codec in media.codecs}
    codec = answered.get(section.codec.payload_type)
    if source is None or codec is None or codec.name.lower() != section.codec.name.lower():
        return None
    repair = section.repair
    taken = repair.payload_type if repair is not None and _takes(answered, repair) else None
    rtx, red = (taken, None) if section.kind == "video" else (None, taken)
    parity = section.parity if section.parity is not None and _takes(answered, section.parity) else None
    ours = {extension.id: extension.uri for extension in capabilities.own_extensions(section.kind)}
    extensions = [extension for extension in media.extensions if ours.get(extension.id) == extension.uri]
    return OutboundMedia(
        ssrc=source.ssrc,
        payload_type=codec.payload_type,
        cname=source.cname,
        rtx_ssrc=source.rtx_ssrc if rtx is not None else None,
        rtx_payload_type=rtx,
        red_payload_type=red,
        mid=section.mid,
        extensions=capabilities.extension_ids(extensions),
        parity_ssrc=source.parity_ssrc if parity is not None else None,
        parity_payload_type=parity.payload_type if parity is not None else None,
    )


def _takes(answered: Mapping[int, Codec], offered: Codec) -> bool:
    codec = answered.get(offered.payload_type)
    return codec is not None and codec.name.lower() == offered.name


# ---- WHEP ----


@dataclass(frozen=True, slots=True)
class WatchDeal:
    """The answer's sections, and what is sent in which."""

    answer: tuple[LocalMedia, ...]
    outbound: Mapping[PublicationId, OutboundMedia]


def answer_watch(remote: RemoteDescription, sources: Sequence[Wanted], new_ssrc: NewSsrc) -> WatchDeal:
    """Sends each source in the first section that can take it; what is asked for in vain stays inactive.

    Raises ``NoCommonCodec`` when a source's kind is asked for and no offered codec can carry it.
    """
    left = {source.kind: source for source in reversed(sources)}
    answer: list[LocalMedia] = []
    outbound: dict[PublicationId, OutboundMedia] = {}
    for media in remote.media:
        if media.kind == "application" or media.rejected:
            answer.append(rejected(media))
            continue
        source = left.get(media.kind) if media.way.receives else None
        if source is None:
            answer.append(_inactive(media, media.kind))
            continue
        local, flow = _watch_section(media, source, new_ssrc)
        del left[source.kind]
        answer.append(local)
        outbound[source.publication] = flow
    return WatchDeal(tuple(answer), outbound)


def _inactive(media: RemoteMedia, kind: Kind) -> LocalMedia:
    codec = capabilities.choose_codec(media.codecs, kind)
    if codec is None:
        return rejected(media)
    return LocalMedia(
        media.mid,
        kind,
        Way.INACTIVE,
        codecs=(replace(codec, feedback=()),),
        reduced_size=media.reduced_size,
    )


def _watch_section(media: RemoteMedia, source: Wanted, new_ssrc: NewSsrc) -> tuple[LocalMedia, OutboundMedia]:
    codec = capabilities.matching_codec(media.codecs, source.codec, source.kind)
    if codec is None:
        raise NoCommonCodec([source.codec.name])
    # Sound has a stream of repairs where the viewer asks for one; no browser does.
    rtx = capabilities.rtx_for(media.codecs, codec) if source.repaired or source.kind == "audio" else None
    red = capabilities.red_for(media.codecs, codec) if source.kind == "audio" else None
    repairs = rtx is not None and source.kind == "video"
    parity = capabilities.parity_for(media.codecs) if repairs else None
    extensions = capabilities.answer_extensions(media.extensions, source.kind, inbound=False)
    line = SourceLine(
        ssrc=new_ssrc(),
        rtx_ssrc=new_ssrc() if rtx is not None else None,
        cname=source.stream,
        stream=source.stream,
        track=source.publication,
        parity_ssrc=new_ssrc() if parity is not None else None,
    )
    chosen = replace(
        codec,
        fmtp=capabilities.answer_fmtp(codec, source.kind),
        feedback=tuple(
            message
            for message in capabilities.answer_feedback(codec, source.kind)
            # Lost sound is sent again in a stream of repairs or not at all.
            if message != "nack" or source.kind == "video" or rtx is not None
        ),
    )
    local = LocalMedia(
        mid=media.mid,
        kind=source.kind,
        way=Way.SENDONLY,
        codecs=(chosen, *(replace(one, feedback=()) for one in (red, rtx, parity) if one is not None)),
        extensions=extensions,
        source=line,
        reduced_size=media.reduced_size,
    )
    return local, OutboundMedia(
        ssrc=line.ssrc,
        payload_type=codec.payload_type,
        cname=line.cname,
        rtx_ssrc=line.rtx_ssrc,
        rtx_payload_type=rtx.payload_type if rtx is not None else None,
        red_payload_type=red.payload_type if red is not None else None,
        mid=media.mid,
        extensions=capabilities.extension_ids(extensions),
        parity_ssrc=line.parity_ssrc,
        parity_payload_type=parity.payload_type if parity is not None else None,
    )
