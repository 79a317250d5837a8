"""The contract `_dataplane.pyi` says what the built module is, and only mediaserver imports that module."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_stub_is_true_of_the_built_module() -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "mediaserver._dataplane"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_signalling_does_not_reach_past_mediaserver() -> None:
    sources = sorted((ROOT / "signalling").rglob("*.py"))
    assert sources
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            match node:
                case ast.ImportFrom(module=str(module), names=names):
                    imported = [module, *(f"{module}.{name.name}" for name in names)]
                case ast.Import(names=names):
                    imported = [name.name for name in names]
                case _:
                    continue
            assert "mediaserver._dataplane" not in imported, f"{source}:{node.lineno}"
