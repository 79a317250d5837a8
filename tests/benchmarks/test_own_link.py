"""A link on the command line becomes the scenario that it means."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from benchmarks import own_link


def described(*options: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    own_link.add_options(parser)
    arguments = parser.parse_args(options)
    assert own_link.is_described(arguments)
    return own_link.scenario(arguments)


def test_a_trace_with_everything_about_it(tmp_path: Path) -> None:
    trace = tmp_path / "drive.csv"
    trace.write_text("t_ms,kbps\n0,900\n")
    scenario = described(
        *("--capacity", str(trace), "--offset-s", "30", "--duration-s", "60", "--rtt-ms", "80"),
        *("--queue-bytes", "250000", "--loss", "ge:0.01,0.3", "--jitter", "nrbpdv:10"),
    )
    both = {"delay-ms": 40.0, "loss": "ge:0.01,0.3", "jitter": "nrbpdv:10"}
    assert scenario["links"]["up"] == both
    assert scenario["links"]["down"] == both | {
        "capacity": str(trace),
        "offset-s": 30.0,
        "queue-bytes": 250000,
    }
    assert scenario["duration_s"] == 60
    assert scenario["about"] == "drive.csv, RTT 80 ms"


def test_a_constant_rate_has_a_queue_of_300_ms_unless_told_otherwise() -> None:
    assert described("--rate-kbps", "600")["links"] == {
        "down": {"delay-ms": 50.0, "rate": 600.0, "queue-ms": 300},
        "up": {"delay-ms": 50.0},
    }
    assert described("--rate-kbps", "600", "--queue-ms", "1000")["links"]["down"]["queue-ms"] == 1000


def test_a_file_of_jitter_is_found_wherever_the_program_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jitter.csv").write_text("t_ms,extra_ms\n0,5\n")
    monkeypatch.chdir(tmp_path)
    jitter = described("--rate-kbps", "600", "--jitter", "jitter.csv")["links"]["down"]["jitter"]
    assert jitter == str(tmp_path / "jitter.csv")


@pytest.mark.parametrize(
    "options",
    [
        ("--capacity", "a.csv", "--rate-kbps", "5"),
        ("--rate-kbps", "5", "--queue-ms", "1", "--queue-bytes", "1"),
        ("--rate-kbps", "fast"),
        ("--rate-kbps", "nan"),
        ("--duration-s", "0"),
        ("--duration-s", "1e12"),
        ("--rtt-ms", "-5"),
        ("--queue-ms", "inf"),
    ],
)
def test_what_contradicts_itself_or_makes_no_sense_is_refused(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        described(*options)
    assert refused.value.code == 2
    assert options[-2] in capsys.readouterr().err


def test_nothing_is_described_without_a_capacity() -> None:
    parser = argparse.ArgumentParser()
    own_link.add_options(parser)
    assert not own_link.is_described(parser.parse_args(["--rtt-ms", "5"]))


def test_what_would_be_passed_over_is_a_problem(tmp_path: Path) -> None:
    trace = tmp_path / "drive.csv"

    def problem(*options: str) -> str | None:
        parser = argparse.ArgumentParser()
        own_link.add_options(parser)
        return own_link.problem(parser.parse_args(options))

    assert problem() is None
    assert problem("--rate-kbps", "600", "--loss", "iid:0.1", "--queue-bytes", "0") is None
    assert (
        problem("--loss", "iid:0.1", "--rtt-ms", "0") == "--rtt-ms, --loss without --capacity or --rate-kbps"
    )
    assert problem("--rate-kbps", "600", "--offset-s", "5") == "--offset-s without --capacity"
    assert problem("--capacity", str(trace), "--offset-s", "5") == f"no file {trace}"
    trace.write_text("t_ms,kbps\n0,900\n")
    assert problem("--capacity", str(trace), "--offset-s", "5") is None
