"""Layer choice for all viewers at once."""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.layers.choosing import Chosen, Wish, choose
from tests.mediaserver.layers.viewing import LADDER


@dataclass(frozen=True)
class Transport:
    id: int
    estimate_bps: int | None


@dataclass(frozen=True)
class Layer:
    active: bool
    bps: tuple[int, ...]


@dataclass(frozen=True)
class Publication:
    id: int
    kind: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Subscription:
    id: int
    transport: int
    publication: int
    priority: float


@dataclass(frozen=True)
class Situation:
    now_seconds: float
    transports: tuple[Transport, ...]
    publications: tuple[Publication, ...]
    subscriptions: tuple[Subscription, ...]


CAMERA = Publication(1, "video", tuple(Layer(True, tuple(map(int, row))) for row in LADDER))
OTHER = Publication(2, "video", CAMERA.layers)
VOICE = Publication(3, "audio", (Layer(True, (50_000,)),))


def after(seconds: float, transports: tuple[Transport, ...], *subscriptions: Subscription) -> Chosen:
    chosen: Chosen | None = None
    for tick in range(int(seconds * 10) + 1):
        chosen = choose(chosen, Situation(tick / 10, transports, (CAMERA, OTHER, VOICE), subscriptions))
    assert chosen is not None
    return chosen


def test_every_viewer_gets_what_their_link_carries() -> None:
    transports = (Transport(10, 5_000_000), Transport(11, 300_000), Transport(12, None))
    seen = [Subscription(20 + n, transport.id, 1, 1.0) for n, transport in enumerate(transports)]
    heard = [Subscription(30 + n, transport.id, 3, 1.0) for n, transport in enumerate(transports)]
    chosen = after(3, transports, *seen, *heard)
    assert chosen.wishes == (Wish(20, 2), Wish(21, 0), Wish(22, 0, 0))
    assert chosen.wants[10] > 1_800_000


def test_what_has_only_begun_to_flow_is_not_taken_for_cheap() -> None:
    begun = Publication(1, "video", tuple(Layer(True, (7_000, 7_000)) for _ in LADDER))
    viewer, picture = Transport(10, None), Subscription(20, 10, 1, 1.0)
    chosen = choose(None, Situation(0.0, (viewer,), (begun,), (picture,)))
    assert chosen.wishes == (Wish(20, 0),)


def test_a_link_that_carries_no_motion_gets_stills() -> None:
    chosen = after(6, (Transport(10, 110_000),), Subscription(1, 10, 1, 1.0), Subscription(2, 10, 3, 1.0))
    assert chosen.wishes == (Wish(1, 0, still_seconds=1.0),)


def test_the_picture_of_greater_priority_is_never_the_worse() -> None:
    for estimate in (200_000, 400_000, 700_000, 1_100_000, 2_500_000):
        pictures = (Subscription(1, 10, 1, 1.0), Subscription(2, 10, 2, 2.0))
        chosen = after(3, (Transport(10, estimate),), *pictures)
        less, more = ((wish.paused, -(wish.layer or 0)) for wish in chosen.wishes)
        assert more <= less
