"""The program's lines reach the layer choice as types, and its wishes go back as one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.layer_policy import Choice, Chooser, Situation, Wish


@dataclass
class Wanted:
    subscription: int
    layer: int | None
    temporal: int | None
    paused: bool
    still_seconds: float | None = None


@dataclass
class Chosen:
    wishes: list[Wish]
    turns: int
    wants: Mapping[int, int] = field(default_factory=lambda: {9: 700_000})


class Counting:
    """Wishes for the layer of its n-th turn."""

    def __init__(self) -> None:
        self.seen: list[Situation] = []

    def choose(self, before: Choice | None, situation: Situation) -> Choice:
        self.seen.append(situation)
        turns = before.turns + 1 if isinstance(before, Chosen) else 0
        return Chosen([Wanted(it.id, turns, 0, False) for it in situation.subscriptions], turns)


LINK = {
    "phase": "steady",
    "queue_delay_seconds": 0.02,
    "inherent_loss": 0.01,
    "congestion_loss": 0.0,
    "round_trip_seconds": 0.1,
    "volatility": 0.2,
}


def line(*events: str) -> dict[str, Any]:
    return {
        "t_us": 1_500_000,
        "events": [{"event": event} for event in events],
        "transports": [{"id": 9, "estimate_bps": 300_000, **LINK}],
        "publications": [{"id": 1, "kind": "video", "layers": [{"active": True, "bps": [90_000, 150_000]}]}],
        "subscriptions": [{"id": 11, "transport": 9, "publication": 1, "priority": 2.0, "layer": None}],
    }


def test_what_is_known_arrives_whole() -> None:
    layers = Counting()
    Chooser(layers.choose).answer(line("begin"))
    (situation,) = layers.seen
    assert situation.now_seconds == 1.5
    assert situation.transports[0].estimate_bps == 300_000
    assert (situation.transports[0].phase, situation.transports[0].queue_delay_seconds) == ("steady", 0.02)
    assert situation.publications[0].layers[0].bps == (90_000, 150_000)
    assert (situation.subscriptions[0].priority, situation.subscriptions[0].layer) == (2.0, None)


def test_a_choice_knows_the_one_before_but_not_that_of_another_run() -> None:
    chooser = Chooser(Counting().choose)
    layers = [
        chooser.answer(line(*events))["wishes"][0]["layer"]
        for events in (["begin"], ["bandwidth"], [], ["begin", "joined"], [])
    ]
    assert layers == [0, 1, 2, 0, 1]


def test_an_answer_names_everything() -> None:
    assert Chooser(Counting().choose).answer(line("begin")) == {
        "wishes": [{"subscription": 11, "layer": 0, "temporal": 0, "paused": False, "still_ms": None}],
        "wants": {9: 700_000},
    }


def test_a_still_is_told_with_its_interval_in_milliseconds() -> None:
    def choose(_: Choice | None, situation: Situation) -> Choice:
        return Chosen([Wanted(it.id, 1, None, False, 2.5) for it in situation.subscriptions], 0)

    (wish,) = Chooser(choose).answer(line())["wishes"]
    assert (wish["layer"], wish["paused"], wish["still_ms"]) == (1, False, 2_500)
