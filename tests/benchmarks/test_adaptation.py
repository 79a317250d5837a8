"""The command line of ``benchmarks/adaptation.py``, and what it keeps and prints of runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import adaptation, results, virtual_time
from benchmarks.virtual_time import Scenario

KNOWN = [Scenario(name, "", []) for name in ("s1", "s3/a", "s3/b", "s33")]


def names(*asked: str) -> list[str]:
    return [scenario.name for scenario in adaptation.chosen(asked, KNOWN)]


def test_names_mean_scenarios_variants_or_all() -> None:
    assert names() == ["s1", "s3/a", "s3/b", "s33"]
    assert names("s3") == ["s3/a", "s3/b"]
    assert names("s3/b", "s3", "s1") == ["s3/b", "s3/a", "s1"]
    with pytest.raises(SystemExit, match="s9"):
        names("s9")


def test_defaults_are_all_scenarios_and_twenty_seeds() -> None:
    arguments = adaptation.parser().parse_args([])
    assert (arguments.scenarios, arguments.seeds, arguments.file) == ([], 20, [])


@pytest.mark.parametrize(
    "options",
    [
        ("--seeds", "0"),
        ("--seeds", "many"),
        ("--loss", "iid:0.1"),
        ("--capacity", "no-such.csv"),
        ("--rtt-ms", "nan", "--rate-kbps", "600"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(
    options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["adaptation.py", *options])
    with pytest.raises(SystemExit) as refused:
        adaptation.main()
    assert refused.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("adaptation.py: ")


def test_a_link_of_ones_own_is_run_alone_unless_scenarios_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def library(file: Path | None = None) -> list[Scenario]:
        if file is None:
            return KNOWN
        about = json.loads(file.read_text())["about"]
        return [Scenario(file.stem, about, [], file=file)]

    monkeypatch.setattr(virtual_time, "library", library)
    parser = adaptation.parser()
    alone = adaptation.scenarios(parser.parse_args(["--rate-kbps", "600"]), tmp_path)
    assert [(it.name, it.about) for it in alone] == [("own", "600 kbit/s, RTT 100 ms")]
    both = adaptation.scenarios(parser.parse_args(["s1", "--rate-kbps", "600"]), tmp_path)
    assert [it.name for it in both] == ["own", "s1"]


def report(seed: int, value: float) -> dict[str, Any]:
    goal = {"of": "viewer", "metric": "queue_p95_ms", "at_most": 80.0, "judge": "worst"}
    return {
        "seed": seed,
        "metrics": {"viewer": {"queue_p95_ms": value, "freeze_percent": 0.5}},
        "goals": [goal | {"value": value, "met": value <= 80}],
    }


def test_the_table_shows_median_worst_and_the_verdict() -> None:
    kept = adaptation.row(Scenario("s1", "3G", []), [report(1, 40.0), report(2, 60.0), report(3, 90.0)])
    free = kept | {"scenario": "own", "goals": []}
    found = {"policy": "greedy", "scenarios": [kept, free], "left_out": {"s2/w3": ["a.down"]}}
    table = results.adaptation_table(found)
    cells = [[cell.strip() for cell in row.split("|")] for row in table.splitlines()]
    goal = ["", "s1", "viewer", "queue_p95_ms", "≤ 80", "60.00", "90.00", "2/3", "**no**", ""]
    assert goal in cells
    assert ["", "own", "viewer", "freeze_percent", "", "0.50", "0.50 to 0.50", "3", "", ""] in cells
    assert "left out: s2/w3 (needs a.down)" in table
