"""WHEP: a viewer's offer is answered once; its sections keep their places while publications come and go."""

from __future__ import annotations

from mediaserver.errors import MalformedSdp, NothingPublished
from mediaserver.events import Kind
from mediaserver.negotiation import capabilities
from mediaserver.negotiation.answer import bundled, render_answer
from mediaserver.negotiation.media import RemoteDescription
from mediaserver.negotiation.subscribing import answer_watch
from mediaserver.room import Publication, Room
from mediaserver.session import Registry, Session, Slot, WatchSide, local_description, new_ssrc
from mediaserver.subscribe_side import wanted

KINDS: tuple[Kind, ...] = ("video", "audio")


def sources(room: Room, label: str | None) -> list[Publication]:
    """The first published video and the first audio, of this label if one is given.

    Raises ``NothingPublished``.
    """
    found = [publication for kind in KINDS if (publication := room.first(kind, label)) is not None]
    if not found:
        raise NothingPublished
    return found


def check_offer(remote: RemoteDescription) -> None:
    """Raises ``MalformedSdp`` where it receives nothing."""
    if not any(media.way.receives and not media.rejected for media in remote.media):
        raise MalformedSdp("the offer receives nothing")


def open_watch(registry: Registry, session: Session, remote: RemoteDescription, label: str | None) -> str:
    """Answers a viewer's checked offer. Raises ``NothingPublished``, ``NoCommonCodec``, ``WorkerGone``."""
    found = sources(session.room, label)
    deal = answer_watch(remote, [wanted(publication) for publication in found], new_ssrc)
    if not deal.outbound:
        raise NothingPublished("nothing of the kind this viewer asks for is published yet")
    transport = registry.open_transport(session, "subscribe")
    transport.begin(remote)
    slots = [
        Slot(kind=p.kind, label=p.label, codec=p.codec, outbound=deal.outbound[p.id])
        for p in found
        if p.id in deal.outbound
    ]
    session.watching = WatchSide(transport, slots, bundled(deal.answer))
    return render_answer(local_description(transport, 1, deal.answer))


def refresh(registry: Registry, session: Session) -> None:
    """Fills empty slots from what is published now under the same label in the same codec.

    Not before the transport can carry it: what the plane forwarded earlier would be lost.
    """
    side = session.watching
    if side is None or not side.transport.carries_media:
        return
    for slot in side.slots:
        if slot.subscription is not None:
            continue
        publication = _match(session.room, slot)
        if publication is not None:
            slot.publication = publication.id
            slot.subscription = registry.subscribe(session, publication, side.transport, slot.outbound)


def _match(room: Room, slot: Slot) -> Publication | None:
    for publication in room.publications.values():
        same = publication.kind == slot.kind and publication.label == slot.label
        if same and capabilities.matching_codec((publication.codec,), slot.codec, slot.kind) is not None:
            return publication
    return None


def end(registry: Registry, session: Session) -> None:
    """Ends subscriptions, then their transport. Idempotent."""
    side = session.watching
    if side is not None:
        registry.close_transport(side.transport)
        session.watching = None
