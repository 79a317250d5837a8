"""The taking-part phase of a browser: offers of what it
subscribes to, one at a time, and what its answers start.
"""

from __future__ import annotations

from mediaserver.errors import StaleGeneration, TransportFailed
from mediaserver.events import Offer, SubscribedSource
from mediaserver.ids import PublicationId
from mediaserver.negotiation.media import OutboundMedia, RemoteDescription
from mediaserver.negotiation.offer import render_offer
from mediaserver.negotiation.subscribing import Sections, Wanted
from mediaserver.room import Publication
from mediaserver.session import Registry, Session, SubscribeSide, Wish, local_description, new_ssrc
from mediaserver.transport.transport import Transport


def wanted(publication: Publication) -> Wanted:
    """One publication as negotiation sees it: its participant is its stream, for lip-sync."""
    return Wanted(
        publication=publication.id,
        kind=publication.kind,
        codec=publication.codec,
        stream=publication.participant,
        repaired=publication.repaired,
    )


def refresh(registry: Registry, session: Session) -> Offer | None:
    """Compares what is to be sent with what was last offered: the next offer, if one is due now.

    What is no longer wanted stops at once, whatever the state
    of negotiation. Raises ``WorkerGone``.
    """
    target = session.room.subscriptions(session.participant.id)
    side = session.subscribing
    if side is None:
        if not target:
            return None
        sections = Sections(new_ssrc, registry.settings.limits.subscriptions)
        sections.update([wanted(publication) for publication in target])
        side = SubscribeSide(registry.open_transport(session, "subscribe"), sections)
        session.subscribing = side
        return _offer(session, side)
    alive = {publication.id for publication in target}
    for publication, handle in list(side.subscriptions.items()):
        if publication not in alive:
            registry.end_subscription(handle)
            side.wishes.pop(publication, None)
    if side.outstanding is not None:
        side.refresh_wanted = True
        return None
    changed = side.sections.update([wanted(publication) for publication in target])
    if side.restart_wanted:
        side.restart_wanted = False
        side.transport.restart_ice()
        changed = True
    return _offer(session, side) if changed else None


def _offer(session: Session, side: SubscribeSide) -> Offer:
    session.generation += 1
    side.version += 1
    side.outstanding = session.generation
    side.refresh_wanted = False
    text = render_offer(local_description(side.transport, side.version, side.sections.local_media()))
    sources = tuple(
        SubscribedSource(mid, publication) for mid, publication in side.sections.carried().items()
    )
    return Offer(generation=session.generation, sdp=text, sources=sources)


def repeats(session: Session, generation: int) -> bool:
    """Whether this very offer was answered already: a client that lost its socket says so twice.

    Raises ``StaleGeneration`` for any other offer than the one that waits for its answer.
    """
    side = session.subscribing
    if side is not None and side.answered == generation:
        return True
    check_generation(session, generation)
    return False


def check_generation(session: Session, generation: int) -> SubscribeSide:
    """Raises ``StaleGeneration`` unless this very offer waits for its answer."""
    side = session.subscribing
    if side is None or side.outstanding != generation:
        raise StaleGeneration
    return side


def accept(
    registry: Registry, session: Session, generation: int, remote: RemoteDescription
) -> Transport | None:
    """The client's answer: starts what it accepts. Returns the transport if it is to be served from now on.

    Raises ``StaleGeneration``, ``MalformedSdp`` (the offer then stays open).
    """
    side = check_generation(session, generation)
    accepted = side.sections.accept(remote)
    transport = side.transport
    if transport.begun and transport.remote_fingerprints != remote.transport.fingerprints:
        raise TransportFailed("the answer comes from another peer connection")
    side.outstanding, side.answered = None, generation
    started = None
    if transport.begun:
        transport.take_remote_ice(remote.transport.ice)
    else:
        transport.begin(remote)
        started = transport
    side.accepted = dict(accepted)
    start(registry, session)
    return started


def start(registry: Registry, session: Session) -> None:
    """Starts what was accepted, once the transport can carry it.

    Not before: what the plane forwarded without path and keys would be lost, and the key frame with it.
    """
    side = session.subscribing
    if side is None or not side.transport.carries_media:
        return
    for publication in session.room.subscriptions(session.participant.id):
        media = side.accepted.get(publication.id)
        if media is not None and publication.id not in side.subscriptions:
            _start(registry, session, side, publication, media)
    side.accepted.clear()


def _start(
    registry: Registry, session: Session, side: SubscribeSide, publication: Publication, media: OutboundMedia
) -> None:
    handle = registry.subscribe(session, publication, side.transport, media)
    side.subscriptions[publication.id] = handle


def prefer(registry: Registry, session: Session, publication: PublicationId, wish: Wish) -> None:
    """Remembers a wish, which layer choice takes up; void without a subscribe transport."""
    side = session.subscribing
    if side is None:
        return
    side.wishes[publication] = wish
    registry.unsettled.add(session)


def restart(registry: Registry, session: Session) -> Offer | None:
    """New ICE credentials with the next offer. Raises ``TransportFailed`` when nothing stands."""
    side = session.subscribing
    if side is None:
        raise TransportFailed("there is no subscribe transport to restart")
    side.restart_wanted = True
    return refresh(registry, session)


def end(registry: Registry, session: Session) -> None:
    """Ends subscriptions, then their transport. Idempotent."""
    side = session.subscribing
    if side is not None:
        registry.close_transport(side.transport)
        session.subscribing = None
