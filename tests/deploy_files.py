"""What several tests need of the deployment's files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.running import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"


def tool(name: str) -> str:
    """A program of Debian's package prometheus."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: install Debian's package prometheus")
    return found


def promtool(*arguments: str | Path, given: bytes | None = None) -> str:
    """Runs it; fails with what it says when it is not content."""
    ran = subprocess.run([tool("promtool"), *arguments], input=given, capture_output=True, check=False)
    said = (ran.stdout + ran.stderr).decode()
    assert ran.returncode == 0, said
    return said
