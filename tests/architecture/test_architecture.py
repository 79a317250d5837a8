"""The rules of ARCHITECTURE.md and CONTRIBUTING.md that a machine can check."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "dataplane" / "core"
MAX_LINES = 500


def sources(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def without_tests(path: Path) -> str:
    """A Rust file's text without its test module, which by convention ends it."""
    return path.read_text().split("#[cfg(test)]\nmod tests", 1)[0]


def dependencies(crate: str) -> set[str]:
    """Names of the crates that a crate of ours needs at run time, all the way down."""
    tree = subprocess.run(
        [
            *["cargo", "tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}", "-p"],
            crate,
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {line.split()[0] for line in tree.stdout.splitlines() if line.strip()} - {crate}


def test_the_core_can_open_no_socket_and_knows_nothing_above_it() -> None:
    below = dependencies("loupe-core")
    # aws-lc's own random numbers need libc; the core's sources name it nowhere (next test).
    sockets = {"socket2", "mio", "tokio", "nix", "rustix"}
    assert not below & (sockets | {"pyo3", "loupe-driver", "loupe-netem"})
    assert "loupe-python" not in dependencies("loupe-driver")
    assert "pyo3" not in dependencies("loupe-driver")


def test_the_core_names_no_socket_clock_thread_or_lock() -> None:
    banned = re.compile(r"UdpSocket|Instant::now|SystemTime|thread::|Mutex|RwLock|\blibc\b|unsafe \{")
    for path in sources("dataplane/core/src/*.rs"):
        assert not banned.search(without_tests(path)), path


def test_unsafe_code_is_in_the_socket_layer_and_in_a_hint_to_the_processor_only() -> None:
    for path in sources("dataplane/*.rs"):
        if re.search(r"\bunsafe\s*(\{|impl|fn)", path.read_text()):
            # An allocator that counts for a test is unsafe by its trait; nothing of it is shipped.
            counts_for_a_test = path.match("dataplane/core/tests/hostile_minute.rs")
            assert {"driver", "loadtest", "prefetch"} & set(path.parts) or counts_for_a_test, path


def test_wrap_around_is_known_in_one_file_only() -> None:
    banned = re.compile(r"0x8000\b|wrapping_sub|wrapping_add\(1\)|% 65_?536")
    flags = re.compile(r"& 0x8000|0x8000 \||< 0x8000|\(0x8000, 13, 1\)|FIRST_OPTIONAL: u16 = 0x8000")
    allowed = {"seq.rs"}
    for path in sources("dataplane/core/src/*.rs"):
        if path.name in allowed:
            continue
        for line in without_tests(path).splitlines():
            code = line.split("//", 1)[0]
            # Flag bits and type ranges of wire formats are not counters.
            if banned.search(code) and not flags.search(code):
                pytest.fail(f"{path.relative_to(ROOT)}: {line.strip()}")


def test_sdp_text_stands_in_the_negotiation_only() -> None:
    for path in sources("mediaserver/*.py", "signalling/*.py"):
        if "negotiation" in path.parts:
            continue
        assert not re.search(r"""["']a=|["']m=|["']v=0""", path.read_text()), path


def long_files() -> Iterator[tuple[Path, int]]:
    for path in sources("*.py", "*.rs", "*.ts", "*.tsx"):
        if "tests" in path.parts or path.name.endswith(("_tests.rs", ".d.ts")) or "generated" in path.name:
            continue
        text = without_tests(path) if path.suffix == ".rs" else path.read_text()
        lines = text.count("\n")
        if lines > MAX_LINES:
            yield path.relative_to(ROOT), lines


def test_no_file_has_more_than_one_concern_worth_of_lines() -> None:
    # The contract of the seam and the protocol are one list each.
    assert not [item for item in long_files() if item[0].name not in {"messages.py", "_dataplane.pyi"}]


def test_every_module_of_the_control_plane_has_its_own_tests() -> None:
    missing = []
    for package in ("mediaserver", "signalling"):
        for path in sources(f"{package}/*.py"):
            if path.name in {"__init__.py", "__main__.py"}:
                continue
            mirror = ROOT / "tests" / path.relative_to(ROOT).with_name(f"test_{path.name}")
            if not mirror.is_file():
                missing.append(str(mirror.relative_to(ROOT)))
    assert not missing


def test_documents_name_only_files_that_exist() -> None:
    named = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|rs|ts|tsx|md|json|toml|sh|yaml))`")
    for document in sources("*.md"):
        for name in named.findall(document.read_text()):
            # `../shared` is the test material beside a checkout.
            candidates = [ROOT / name, document.parent / name, ROOT / "dataplane" / name]
            assert any(path.exists() for path in candidates), f"{document.relative_to(ROOT)} names {name}"


def test_lock_files_name_no_registry_host() -> None:
    lock = json.loads((ROOT / "web_client" / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_nothing_that_is_kept_points_elsewhere() -> None:
    # A link into somebody's machine leads nowhere on another.
    assert not [path for path in sources("*") if path.is_symlink()]
