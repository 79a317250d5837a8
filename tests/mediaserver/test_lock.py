from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mediaserver.lock import try_lock


def test_one_at_a_time_until_it_is_given_back(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    held = try_lock(file)
    assert held is not None
    assert try_lock(file) is None
    os.close(held)
    again = try_lock(file)
    assert again is not None
    os.close(again)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_child_does_not_keep_it(tmp_path: Path) -> None:
    held = try_lock(tmp_path / "lock")
    assert held is not None
    child = subprocess.Popen(
        [sys.executable, "-c", "input(1)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False
    )
    try:
        # The kernel lets the parent go on a moment before it closes what the child shall not have.
        assert child.stdout is not None
        assert child.stdout.read(1) == b"1"
        os.close(held)
        again = try_lock(tmp_path / "lock")
        assert again is not None
        os.close(again)
    finally:
        child.communicate()


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        try_lock(tmp_path / "none" / "lock")
