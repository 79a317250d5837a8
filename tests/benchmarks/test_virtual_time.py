"""Runs of the real program, with a layer choice at the other end of its pipes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks import servers, virtual_time
from benchmarks.layer_policy import Choice, Situation, Wish
from benchmarks.virtual_time import CRATE, Failed, Scenario

SHORT = {
    "about": "a short clean link",
    "duration_s": 4,
    "settle_s": 1,
    "links": {"down": {"rate": 5000, "delay-ms": 20, "queue-ms": 300}},
    "subscribers": [{"name": "viewer", "down": ["down"]}],
    "goals": [{"of": "viewer", "metric": "top_layer_percent", "at_least": 95}],
}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program as it was last built, optimised or not."""
    target = servers.ROOT / "target"
    built = [path for kind in ("release", "debug") if (path := target / kind / CRATE).exists()]
    if not built:
        pytest.skip(f"{CRATE} is not built: cargo build -p {CRATE}")
    newest = max(built, key=lambda path: path.stat().st_mtime)
    monkeypatch.setattr(servers, "binary", lambda _name, _crate: str(newest))


@pytest.fixture
def short(tmp_path: Path) -> Scenario:
    file = tmp_path / "short.json"
    file.write_text(json.dumps(SHORT))
    return Scenario("short", "", [], file=file)


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
    wants: Mapping[int, int] = field(default_factory=dict)


class Always:
    """Wishes for one layer of everything."""

    def __init__(self, layer: int) -> None:
        self.layer = layer
        self.asked = 0

    def choose(self, before: Choice | None, situation: Situation) -> Choice:  # noqa: ARG002
        self.asked += 1
        return Chosen([Wanted(it.id, self.layer, None, False) for it in situation.subscriptions])


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(("layer", "met"), [(2, True), (0, False)])
def test_the_layer_choice_decides(short: Scenario, layer: int, met: bool) -> None:
    layers = Always(layer)
    report = virtual_time.run(short, 1, layers.choose)
    assert report["goals"][0]["met"] is met
    # Once every 100 ms, and at what happens in between.
    assert layers.asked >= 40


@pytest.mark.usefixtures("program")
def test_a_seed_gives_the_same_report_twice_and_another_seed_another(short: Scenario) -> None:
    reports = [virtual_time.run(short, seed, None) for seed in (1, 1, 2)]
    assert reports[0] == reports[1]
    assert reports[0]["metrics"] != reports[2]["metrics"]


@pytest.mark.usefixtures("program")
def test_a_course_has_a_value_for_every_step(short: Scenario) -> None:
    course = virtual_time.run(short, 1, None, "--course", "100")["course"]["viewer"]
    names = ("capacity_kbps", "estimate_kbps", "sent_kbps", "queue_ms", "layer")
    assert {len(course[name]) for name in names} == {40}


@pytest.mark.usefixtures("program")
def test_what_is_wrong_is_told_in_the_programs_own_words(tmp_path: Path, short: Scenario) -> None:
    assert short.file is not None
    short.file.write_text(json.dumps(SHORT | {"colour": "red"}))
    with pytest.raises(Failed, match="colour"):
        virtual_time.run(short, 1, None)
    with pytest.raises(Failed, match="nowhere"):
        virtual_time.library(tmp_path / "nowhere.json")


@pytest.mark.usefixtures("program")
def test_all_seeds_of_all_scenarios_are_run(short: Scenario) -> None:
    told: list[tuple[str, list[Any]]] = []
    virtual_time.run_all(
        [short, short],
        [1, 2, 3],
        None,
        lambda scenario, reports: told.append((scenario.name, [report["seed"] for report in reports])),
    )
    assert told == [("short", [1, 2, 3])] * 2


@pytest.mark.usefixtures("program")
def test_the_library_holds_every_acceptance_scenario() -> None:
    names = {scenario.name.split("/", maxsplit=1)[0] for scenario in virtual_time.library()}
    assert names >= {f"s{n}" for n in range(1, 13)}
    assert names >= {f"rfc8867-5.{n}" for n in range(1, 9)} | {"rfc8867-6.1"}


def test_a_scenario_whose_trace_is_not_here_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_SHARED", str(tmp_path))
    scenario = Scenario("s2", "", [], needs=["mahimahi/a.down"])
    assert virtual_time.missing(scenario) == ["mahimahi/a.down"]
    (tmp_path / "traces" / "mahimahi").mkdir(parents=True)
    (tmp_path / "traces" / "mahimahi" / "a.down").write_text("1\n")
    assert virtual_time.missing(scenario) == []
