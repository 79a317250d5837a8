"""The plane is told differences, and stills as runs between pauses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

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
        wishes.carry_out(heard.plane, both, 1e6, 0.0)
    assert heard.words == [(1, Told(0)), (2, Told(1, 0, 1))]
    wishes.carry_out(heard.plane, {1: choice(Pause()), 2: both[2]}, 1e6, 0.0)
    assert heard.words[2:] == [(1, Told(paused=True))]
    wishes.carry_out(heard.plane, {2: both[2]}, 1e6, 0.0)
    wishes.carry_out(heard.plane, both, 1e6, 0.0)
    assert heard.words[3:] == [(1, Told(0))], "another subscription may have this number's place"


def test_small_changes_of_what_is_useful_are_not_told() -> None:
    wishes, heard = Wishes(), Heard()
    for rate in (1_000_000, 1_040_000, 960_000, 1_100_000):
        wishes.want(heard.plane, 9, rate)
    assert heard.words == [(9, 1_000_000), (9, 1_100_000)]


def test_a_still_is_a_run_from_a_key_frame_for_as_long_as_it_takes() -> None:
    wishes, heard = Wishes(), Heard()
    # A key frame of 40 kbit in 5 s, counted as 20 kbit/s; the link has 80 kbit/s for it: half a second.
    still = {1: choice(Still(Option(0), 5.0), 20_000.0)}
    wishes.carry_out(heard.plane, still, 80_000.0, 0.0)
    assert heard.words == [(1, Told(0))]
    wishes.forwarded(1, 1.0)
    assert wishes.due() == pytest.approx(1.5)
    wishes.beat(heard.plane, still, 1.4)
    assert heard.words == [(1, Told(0))]
    wishes.beat(heard.plane, still, 1.5)
    assert heard.words[1:] == [(1, Told(0, paused=True))]
    wishes.carry_out(heard.plane, still, 80_000.0, 3.0)
    assert heard.words[2:] == [], "a decision between two stills wakes nothing"
    assert wishes.due() == pytest.approx(6.0)
    wishes.beat(heard.plane, still, 6.0)
    assert heard.words[2:] == [(1, Told(0))]
    wishes.carry_out(heard.plane, {1: choice(Forward(Option(0)))}, 1e6, 6.1)
    assert wishes.due() == float("inf")
