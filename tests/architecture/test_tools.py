"""What set-up lacks is said in one line each, with what to do about it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = {"cargo": "Rust", "cc": "C compiler"}


def check(folder: Path, without: set[str]) -> subprocess.CompletedProcess[str]:
    """Runs the check where only the shell, awk and these tools can be found."""
    said = {"cargo": "cargo 1.93.0", "cc": ""}
    for name, text in said.items():
        if name not in without:
            (folder / name).write_text(f"#!/bin/sh\necho '{text}'\n")
            (folder / name).chmod(0o755)
    for name in ("bash", "sh", "awk"):
        found = next(Path(place, name) for place in os.defpath.split(":") if Path(place, name).exists())
        (folder / name).symlink_to(found)
    return subprocess.run(
        [str(folder / "bash"), str(ROOT / "deploy" / "check-tools"), sys.executable],
        env={"PATH": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("tool", TOOLS)
def test_a_missing_tool_is_one_line(tmp_path: Path, tool: str) -> None:
    found = check(tmp_path, {tool})
    assert found.returncode == 1
    [line] = found.stderr.splitlines()
    assert TOOLS[tool] in line
    assert "->" in line, "and what to do about it"


def test_with_everything_there_it_says_nothing(tmp_path: Path) -> None:
    found = check(tmp_path, set())
    assert (found.returncode, found.stderr) == (0, "")


def test_each_missing_tool_has_its_line(tmp_path: Path) -> None:
    assert len(check(tmp_path, set(TOOLS)).stderr.splitlines()) == len(TOOLS)
