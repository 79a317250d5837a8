"""What a viewer may be sent, as layer choice asks for it: from the room, their wishes and the meters."""

from __future__ import annotations

from collections.abc import Iterator

from mediaserver.adaptation.meters import Meters
from mediaserver.adaptation.uplinks import Uplinks
from mediaserver.ids import PublicationId
from mediaserver.layers import Demand
from mediaserver.policy import Role
from mediaserver.room import Publication, Room
from mediaserver.session import Registry, Session, Wish
from mediaserver.transport.transport import Transport

OPERATING: frozenset[Role] = frozenset({Role.SURGEON, Role.STAFF, Role.SPECIALIST})
"""Whose voice comes before all others."""
_NO_WISH = Wish()


def transport_of(session: Session) -> Transport | None:
    """The transport that carries what this participant is sent; ``None`` without one."""
    side = session.subscribing or session.watching
    return None if side is None else side.transport


def subscriptions(session: Session) -> Iterator[tuple[int, PublicationId, Wish]]:
    """What runs: (subscription, publication, wish)."""
    if session.subscribing is not None:
        wishes = session.subscribing.wishes
        for publication, handle in session.subscribing.subscriptions.items():
            yield handle, publication, wishes.get(publication, _NO_WISH)
    if session.watching is not None:
        for slot in session.watching.slots:
            if slot.subscription is not None and slot.publication is not None:
                yield slot.subscription, slot.publication, slot.wish


def demands(
    registry: Registry, session: Session, meters: Meters, uplinks: Uplinks, now: float
) -> list[Demand]:
    """One for each subscription that runs; keys are the plane's handles."""
    found = []
    for handle, id, wish in subscriptions(session):
        publication = session.room.publications.get(id)
        if publication is not None:
            found.append(
                _demand(
                    handle, publication, wish, session.room, registry, meters=meters, uplinks=uplinks, now=now
                )
            )
    return found


def _demand(
    handle: int,
    publication: Publication,
    wish: Wish,
    room: Room,
    registry: Registry,
    *,
    meters: Meters,
    uplinks: Uplinks,
    now: float,
) -> Demand:
    active = uplinks.active(publication.handle)
    publisher = room.members.get(publication.participant)
    return Demand(
        key=handle,
        kind=publication.kind,
        source_type=publication.source_type,
        encodings=meters.encodings(publication, _flowing(publication), active, now),
        talkback=publication.kind == "audio" and publisher is not None and publisher.role in OPERATING,
        pinned=wish.pinned,
        hidden=wish.paused,
        muted=publication.muted,
        cap=_lower(wish.layer, publication.top_layer),
        limited=_is_limited(wish.layer, publication.top_layer),
        shared=publication.recorded or registry.audience[publication.handle] > 1,
    )


def _lower(one: int | None, other: int | None) -> int | None:
    """Of two limits, each of which may be none."""
    return min((limit for limit in (one, other) if limit is not None), default=None)


def _is_limited(wish: int | None, limit: int | None) -> bool:
    """Whether more than the limit is wished for."""
    return limit is not None and (wish is None or wish > limit)


def _flowing(publication: Publication) -> tuple[int, ...]:
    if publication.kind == "audio":
        # The plane does not watch over the layers of sound: there is one.
        return (0,)
    return publication.layers
