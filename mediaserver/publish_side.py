"""The publishing phase: an offer comes in, publications begin and end, an answer goes out.

WebSocket and WHIP alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mediaserver.errors import MalformedSdp, NoCommonCodec
from mediaserver.events import Kind
from mediaserver.ids import PublicationId, new_publication_id
from mediaserver.negotiation.answer import bundled, render_answer
from mediaserver.negotiation.media import InboundMedia, RemoteDescription, RemoteMedia
from mediaserver.negotiation.publishing import answer_publish, format_only
from mediaserver.policy import Right
from mediaserver.room import Effect, Publication
from mediaserver.session import PublishSide, Registry, Session, Source, SourceSpec, local_description
from mediaserver.transport.transport import Transport

MAX_LABEL_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class PublishAnswer:
    """``sources``: which publication each media section became."""

    sdp: str
    sources: Mapping[str, PublicationId]


@dataclass(frozen=True, slots=True)
class Published:
    """What followed from an offer; ``started`` is a new transport to be served."""

    answer: PublishAnswer
    effects: list[Effect]
    started: Transport | None
    data: RemoteMedia | None


def negotiate(  # noqa: C901 - one path, read in travel order
    registry: Registry,
    session: Session,
    remote: RemoteDescription,
    sources: Sequence[SourceSpec],
    *,
    partial: bool,
) -> Published:
    """One offer, whole or not at all: everything that can be refused is refused before anything changes.

    Raises ``MalformedSdp``, ``NotPermitted``, ``LimitReached``, ``NoCommonCodec``, ``WorkerGone``.
    """
    specs = _specs(remote, sources)
    kinds = _kinds(remote)
    rights = session.participant.rights
    permitted: set[Kind] = set()
    if Right.PUBLISH_VIDEO in rights:
        permitted.add("video")
    if Right.PUBLISH_AUDIO in rights:
        permitted.add("audio")
    deal = answer_publish(remote, permitted=permitted, partial=partial, data_channels=partial)
    side = session.publishing
    for media in deal.inbound:
        if media.mid not in specs:
            raise MalformedSdp(f"media section {media.mid} sends but is no source", field="$.sources")
    room = session.room
    room.check_publish(session.participant.id, kinds, len(deal.inbound) - len(side.sources if side else ()))

    effects: list[Effect] = []
    started: Transport | None = None
    if side is not None and not _same_peer(side.transport, remote):
        effects += end(registry, session)
        side = None
    if side is None:
        started = registry.open_transport(session, "publish")
        started.begin(remote)
        side = session.publishing = PublishSide(started)
    elif remote.transport.ice != side.transport.remote_ice:
        side.transport.restart_ice(remote.transport.ice)
    # A section that now sends something else is another publication: viewers and recorders rely on the codec.
    offered = {media.mid: (specs[media.mid], media) for media in deal.inbound}
    gone = [mid for mid, source in side.sources.items() if offered.get(mid) != (source.spec, source.media)]
    for mid in gone:
        publication = room.publication(side.sources.pop(mid).publication)
        effects += room.unpublish(publication.id)
        registry.end_publication(publication.handle)
    for mid, (spec, media) in offered.items():
        if mid not in side.sources:
            effects += _begin(registry, session, side, media, spec)
    side.version += 1
    side.sections = bundled(deal.answer)
    text = render_answer(local_description(side.transport, side.version, deal.answer))
    became = {mid: source.publication for mid, source in side.sources.items()}
    return Published(PublishAnswer(text, became), effects, started, deal.data)


def end(registry: Registry, session: Session) -> list[Effect]:
    """Ends all publications of the participant, then the transport they came on."""
    side, session.publishing = session.publishing, None
    if side is None:
        return []
    effects: list[Effect] = []
    for source in side.sources.values():
        effects += session.room.unpublish(source.publication)
    registry.close_transport(side.transport)
    return effects


def _begin(
    registry: Registry, session: Session, side: PublishSide, media: InboundMedia, spec: SourceSpec
) -> list[Effect]:
    publication = Publication(
        id=new_publication_id(),
        participant=session.participant.id,
        handle=registry.plane.publish(side.transport.handle, media),
        kind=media.kind,
        codec=format_only(media.codec),
        repaired=media.kind == "video",
        label=spec.label,
        source_type=spec.source_type,
        encodings=len(media.encodings),
    )
    registry.publications[publication.handle] = (session.room, publication.id)
    side.sources[media.mid] = Source(publication.id, spec, media)
    registry.witness.published(session.participant, publication)
    return session.room.publish(publication)


def _same_peer(transport: Transport, remote: RemoteDescription) -> bool:
    """Another certificate means another peer connection: the old transport is of no use to it."""
    return transport.phase != "closed" and transport.remote_fingerprints == remote.transport.fingerprints


def _kinds(remote: RemoteDescription) -> set[Kind]:
    kinds: set[Kind] = set()
    for media in remote.media:
        if media.kind != "application" and not media.rejected and media.way.sends:
            kinds.add(media.kind)
    return kinds


def _specs(remote: RemoteDescription, sources: Sequence[SourceSpec]) -> dict[str, SourceSpec]:
    mids = {media.mid for media in remote.media if media.kind != "application"}
    specs: dict[str, SourceSpec] = {}
    for index, spec in enumerate(sources):
        if spec.mid not in mids or spec.mid in specs:
            raise MalformedSdp(
                "no media section has this mid, or two sources share it", field=f"$.sources[{index}].mid"
            )
        if not 1 <= len(spec.label) <= MAX_LABEL_CHARACTERS:
            raise MalformedSdp("a label has 1 to 64 characters", field=f"$.sources[{index}].label")
        specs[spec.mid] = spec
    return specs


def whip_sources(remote: RemoteDescription, label: str) -> list[SourceSpec]:
    """An encoder names nothing: its picture and its sound carry one label, so that ``?source=`` finds both.

    Raises ``NoCommonCodec`` for more than one of a kind: RFC 9725 section 4.4
    allows one stream, and no answer that takes only a part of it.
    """
    kinds = [media.kind for media in remote.media if media.way.sends and not media.rejected]
    if kinds.count("video") > 1 or kinds.count("audio") > 1:
        raise NoCommonCodec(
            [], "a WHIP offer may send one picture and one sound; publish others with offers of their own"
        )
    return [
        SourceSpec(media.mid, label, "other" if media.kind == "video" else "microphone")
        for media in remote.media
        if media.kind != "application"
    ]
