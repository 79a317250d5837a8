"""The README's commands work as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from signalling.cli import app

ROOT = Path(__file__).resolve().parents[2]


def commands() -> list[str]:
    """Every line of the README's shell blocks, continued lines joined, comments cut off."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split("  #")[0].split("   #")[0].strip() for line in lines if line.strip()]


LOUPE = [line for line in commands() if line.startswith(".venv/bin/loupe ")]
MAKE = [line for line in commands() if line.startswith("make ")]


def test_the_two_commands_that_do_everything_are_named() -> None:
    assert [shlex.split(line, comments=True) for line in MAKE[:2]] == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize("line", MAKE)
def test_make_targets_exist(line: str) -> None:
    target = shlex.split(line, comments=True)[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", LOUPE)
def test_commands_and_options_exist(line: str) -> None:
    name, *arguments = shlex.split(line, comments=True)[1:]
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined] # a group of commands
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known


@pytest.mark.parametrize("line", [line for line in LOUPE if " token " in line])
def test_tokens_are_printed_and_nothing_else(line: str, tmp_path: Path) -> None:
    arguments = shlex.split(line.replace("/var/lib/loupe", str(tmp_path)), comments=True)[1:]
    printed = subprocess.run(
        [sys.executable, "-m", "signalling", *arguments], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", printed.stdout)
