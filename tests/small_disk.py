"""A file system that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mediaserver.recording.disk import free_bytes

SIZE_MIB = 64


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """One of ``SIZE_MIB``; the test is left out where nothing may be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a file system needs a privileged user")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, *, left: int = 0) -> None:
    """Its file system, but for so many bytes."""
    descriptor = os.open(folder / "else", os.O_WRONLY | os.O_CREAT, 0o600)
    os.posix_fallocate(descriptor, 0, free_bytes(folder) - left)
    os.close(descriptor)
