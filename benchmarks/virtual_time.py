"""Runs of ``loupe-adaptation``: a process for each scenario and seed, as many at a time as processors."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import servers
from benchmarks.layer_policy import Choose, Chooser

CRATE = "loupe-adaptation"
Report = dict[str, Any]


class Failed(Exception):
    """The program refused a scenario or ended early; the text is its own line."""


@dataclass(frozen=True)
class Scenario:
    """A scenario by what the program calls it: one of its own (``name``) or a file of somebody's."""

    name: str
    about: str
    goals: Sequence[dict[str, Any]]
    needs: Sequence[str] = ()
    file: Path | None = None

    def arguments(self) -> list[str]:
        """How the program is asked for it."""
        return [*_of(self.file), "--scenario", self.name]


def _of(file: Path | None) -> list[str]:
    return ["--file", str(file)] if file else []


def library(file: Path | None = None) -> list[Scenario]:
    """The scenarios of a file, or the program's own."""
    listed = subprocess.run([_program(), *_of(file), "--list"], check=False, capture_output=True, text=True)
    if listed.returncode:
        raise Failed(listed.stderr.strip().removeprefix(f"{CRATE}: "))
    entries = json.loads(listed.stdout)
    return [Scenario(it["name"], it["about"], it["goals"], it["needs"], file) for it in entries]


def _program() -> str:
    return servers.binary(CRATE, CRATE)


def run(scenario: Scenario, seed: int, choose: Choose | None, *more: str) -> Report:
    """One run; layers are chosen by production's own code when it is given, else by the greedy rule."""
    policy = "greedy" if choose is None else "ask"
    command = [_program(), *scenario.arguments(), "--seed", str(seed), "--policy", policy, *more]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        chooser = None if choose is None else Chooser(choose)
        report: Report | None = None
        for text in process.stdout:
            line = json.loads(text)
            if chooser is None or "report" in line:
                report = line.get("report", line)
                break
            process.stdin.write(json.dumps(chooser.answer(line)) + "\n")
            process.stdin.flush()
        process.stdin.close()
        problem = process.stderr.read().strip()
    if report is None or process.returncode:
        raise Failed(problem.removeprefix(f"{CRATE}: ") or f"{scenario.name}: no report")
    return report


def traces() -> Path:
    """Where traces lie that may not be shipped: beside the checkout, or where the environment says."""
    beside = servers.ROOT.parent / "shared"
    return Path(os.environ.get("LOUPE_SHARED", beside)) / "traces"


def missing(scenario: Scenario) -> list[str]:
    """Files that a scenario needs and that are not here."""
    return [name for name in scenario.needs if not (Path(name).exists() or (traces() / name).exists())]


def run_all(
    scenarios: Sequence[Scenario],
    seeds: Iterable[int],
    choose: Choose | None,
    done: Callable[[Scenario, list[Report]], None],
) -> None:
    """All scenarios with all seeds; ``done`` is told of each scenario when its last seed has run."""
    seeds = list(seeds)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        runs = [
            (scenario, [pool.submit(run, scenario, seed, choose) for seed in seeds]) for scenario in scenarios
        ]
        for scenario, reports in runs:
            done(scenario, [report.result() for report in reports])
