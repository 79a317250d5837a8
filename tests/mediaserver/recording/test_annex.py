"""What is sealed after a recording's end: readable by its key alone, and missed when it is gone."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from mediaserver.recording.annex import RECEPTION, Annex
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import Altered, verify
from mediaserver.vault import Vault
from tests.mediaserver.review.recorded import theatre

CONTENT = b"what each viewer got"


@pytest.fixture
def vault() -> Vault:
    return Vault([secrets.token_bytes(32)])


@pytest.fixture
def annex(tmp_path: Path, vault: Vault) -> Annex:
    """Of a recording that has ended."""
    return Annex(RecordingFolder(tmp_path / theatre(tmp_path, vault).id), vault)


def test_the_manifest_names_what_follows_its_end(annex: Annex, vault: Vault) -> None:
    before = verify(annex.folder, vault)
    assert (before.closed, before.awaited, annex.settled(), annex.open()) == (True, (RECEPTION,), False, None)
    annex.seal(CONTENT)
    after = verify(annex.folder, vault)
    assert (after.closed, after.awaited, annex.settled(), annex.open()) == (True, (), True, CONTENT)
    assert after.head != before.head
    file = annex.folder.annex(RECEPTION)
    assert CONTENT not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600


def test_that_there_is_nothing_is_said_too(annex: Annex, vault: Vault) -> None:
    annex.seal(None)
    assert (verify(annex.folder, vault).awaited, annex.settled(), annex.open()) == ((), True, None)
    assert not annex.folder.annex(RECEPTION).exists()


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def forge(annex: Annex) -> None:
    """Names another file than was signed."""
    manifest = annex.folder.manifest
    head, name, digest = manifest.read_bytes().rpartition(b'"sha256":"')
    manifest.write_bytes(head + name + bytes([digest[0] ^ 1]) + digest[1:])


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (lambda one: flip(one.folder.annex(RECEPTION)), "was altered"),
        (lambda one: one.folder.annex(RECEPTION).unlink(), "is missing"),
        (forge, "not as it was signed"),
    ],
)
def test_what_is_altered_is_named(
    annex: Annex, vault: Vault, alter: Callable[[Annex], None], said: str
) -> None:
    annex.seal(CONTENT)
    alter(annex)
    with pytest.raises(Altered, match=said):
        verify(annex.folder, vault)


def test_one_that_is_cut_off_with_its_line_is_missed(annex: Annex, vault: Vault) -> None:
    annex.seal(CONTENT)
    lines = annex.folder.manifest.read_bytes().splitlines(keepends=True)
    annex.folder.manifest.write_bytes(b"".join(lines[:-1]))
    annex.folder.annex(RECEPTION).unlink()
    assert verify(annex.folder, vault).awaited == (RECEPTION,)
