"""Poor links: every acceptance scenario, or a link of your own, in virtual time against the forwarding core.

    .venv/bin/python benchmarks/adaptation.py                          all scenarios, 20 seeds
    .venv/bin/python benchmarks/adaptation.py s1 s3 rfc8867-5.1 --seeds 5
    .venv/bin/python benchmarks/adaptation.py --capacity drive.csv --rtt-ms 80 --queue-bytes 250000
    .venv/bin/python benchmarks/adaptation.py --rate-kbps 600 --loss ge:0.01,0.3 --jitter nrbpdv:10

The Rust code is production's; so is the choice of layers (``mediaserver.layers``), not the loop around it
(``mediaserver.adaptation``); it answers the program over its pipes, unless that module is missing: then a
greedy rule stands in and the results say so. A goal is held against the worst of all seeds, or against their
median where it is marked (m). Results go to ``benchmarks/results/adaptation.json``, and a picture of each
scenario's worst seed beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import own_link, results, verdicts, virtual_time
from benchmarks.course import svg
from benchmarks.layer_policy import Choose
from benchmarks.virtual_time import Report, Scenario
from mediaserver.layers import choose as production

COURSE_MS = 100
SEEDS, MOST_SEEDS = 20, 1_000


def seeds(text: str) -> int:
    """How many."""
    if not 1 <= int(text) <= MOST_SEEDS:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {MOST_SEEDS}")
    return int(text)


class CommandLine(argparse.ArgumentParser):
    """Says what is wrong in one line; ``--help`` has the rest."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> CommandLine:
    """The command line."""
    options = CommandLine(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="names, or NAME/VARIANT [all]")
    options.add_argument(
        "--file", type=Path, action="append", default=[], help="a scenario of your own, as JSON"
    )
    options.add_argument("--seeds", type=seeds, default=SEEDS, metavar="N", help=f"seeds 1 to N [{SEEDS}]")
    options.add_argument(
        "--greedy", action="store_true", help="choose layers by the greedy rule of the program"
    )
    options.add_argument("--without-pictures", action="store_true", help="draw nothing")
    options.add_argument("--list", action="store_true", help="only name the scenarios")
    own_link.add_options(options)
    return options


def chosen(names: Sequence[str], known: Sequence[Scenario]) -> list[Scenario]:
    """The scenarios that the names mean; all of them for no name."""
    if not names:
        return list(known)
    found: list[Scenario] = []
    for name in names:
        meant = [it for it in known if it.name == name or it.name.startswith(f"{name}/")]
        if not meant:
            sys.exit(f"no scenario {name}; --list names them")
        found += [it for it in meant if it not in found]
    return found


def scenarios(arguments: argparse.Namespace, folder: Path) -> list[Scenario]:
    """What the command line asks for; a link of its own becomes a file in ``folder``."""
    found = [scenario for file in arguments.file for scenario in virtual_time.library(file)]
    if own_link.is_described(arguments):
        file = folder / "own.json"
        file.write_text(json.dumps(own_link.scenario(arguments)))
        found += virtual_time.library(file)
    if found and not arguments.scenarios:
        return found
    return found + chosen(arguments.scenarios, virtual_time.library())


def slug(name: str) -> str:
    """A scenario's name as a file's."""
    return name.replace("/", "-")


def draw(scenario: Scenario, reports: Sequence[Report], choose: Choose | None) -> list[str]:
    """Runs the seed that misses most goals again, and draws each subscriber's course; the files' names."""
    seed = verdicts.worst_seed(reports)
    report = virtual_time.run(scenario, seed, choose, "--course", str(COURSE_MS))
    folder = results.FOLDER / "adaptation"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, course in report["course"].items():
        file = folder / f"{slug(scenario.name)}-{name}.svg"
        file.write_text(svg(f"{scenario.name}: {scenario.about} ({name}, seed {seed})", course))
        files.append(file.name)
    return files


def row(scenario: Scenario, reports: Sequence[Report]) -> dict[str, Any]:
    """What is kept of a scenario."""
    names = sorted(
        {(of, metric) for report in reports for of in report["metrics"] for metric in report["metrics"][of]}
    )
    return {
        "scenario": scenario.name,
        "about": scenario.about,
        "seeds": len(reports),
        "goals": [dataclasses.asdict(verdict) for verdict in verdicts.verdicts(reports)],
        "metrics": {f"{of} {metric}": verdicts.spread(reports, of, metric) for of, metric in names},
    }


def main() -> None:
    options = parser()
    arguments = options.parse_args()
    if problem := own_link.problem(arguments):
        options.error(problem)
    if arguments.list:
        for scenario in virtual_time.library():
            print(f"{scenario.name:20} {scenario.about}")
        return
    choose = None if arguments.greedy else production
    found: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": results.machine(),
        "policy": "greedy rule of the program" if choose is None else "mediaserver.layers",
        "scenarios": [],
        "left_out": {},
    }

    def done(scenario: Scenario, reports: list[Report]) -> None:
        kept = row(scenario, reports)
        if not arguments.without_pictures:
            kept["pictures"] = draw(scenario, reports, choose)
        found["scenarios"].append(kept)
        met = sum(goal["met"] for goal in kept["goals"])
        outcome = f"{met}/{len(kept['goals'])} goals" if kept["goals"] else "measured; it has no goals"
        print(f"  {scenario.name:20} {outcome}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        try:
            asked = scenarios(arguments, Path(folder))
            found["left_out"] = {it.name: missing for it in asked if (missing := virtual_time.missing(it))}
            here = [it for it in asked if it.name not in found["left_out"]]
            virtual_time.run_all(here, range(1, arguments.seeds + 1), choose, done)
        except virtual_time.Failed as problem:
            sys.exit(str(problem))
    results.write("adaptation", found)
    print(results.adaptation_table(found))


if __name__ == "__main__":
    main()
