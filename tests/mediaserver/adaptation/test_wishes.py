"""The plane is told differences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from mediaserver.adaptation.wishes import Told, Wishes
from mediaserver.layers import Choice, Forward, Option, Pause, Reason, Sending, Still
from mediaserver.plane import Plane


@dataclass
class Heard:
    """What the plane is told, in order."""

    words: list[object] = field(default_factory=list)

    def prefer(self, subscription: int, **wish: object) -> None:
        self.words.append((subscription, Told(**wish)))  # type: ignore[arg-type]

    def want(self, transport: int, rate: int) -> None:
        self.words.append((transport, rate))

    @property
    def plane(self) -> Plane:
        return cast(Plane, self)


def choice(sending: Sending, rate: float = 50_000.0) -> Choice:
    return Choice(sending, Reason.LINK, rate, rate, 0)


def test_only_what_changed_is_told() -> None:
    wishes, heard = Wishes(), Heard()
    both = {1: choice(Forward(Option(0))), 2: choice(Forward(Option(1, 0, 1)))}
    for _ in range(2):
        wishes.carry_out(heard.plane, both)
    assert heard.words == [(1, Told(0)), (2, Told(1, 0, 1))]
    wishes.carry_out(heard.plane, {1: choice(Pause()), 2: both[2]})
    assert heard.words[2:] == [(1, Told(paused=True))]
    wishes.carry_out(heard.plane, {2: both[2]})
    wishes.carry_out(heard.plane, both)
    assert heard.words[3:] == [(1, Told(0))], "another subscription may have this number's place"


def test_small_changes_of_what_is_useful_are_not_told() -> None:
    wishes, heard = Wishes(), Heard()
    for rate in (1_000_000, 1_040_000, 960_000, 1_100_000):
        wishes.want(heard.plane, 9, rate)
    assert heard.words == [(9, 1_000_000), (9, 1_100_000)]


def test_a_still_is_told_with_its_interval() -> None:
    wishes, heard = Wishes(), Heard()
    wishes.carry_out(heard.plane, {1: choice(Still(Option(0), 5.0))})
    wishes.carry_out(heard.plane, {1: choice(Still(Option(0), 1.0))})
    wishes.carry_out(heard.plane, {1: choice(Forward(Option(0)))})
    assert heard.words == [
        (1, Told(0, still_seconds=5.0)),
        (1, Told(0, still_seconds=1.0)),
        (1, Told(0)),
    ]
