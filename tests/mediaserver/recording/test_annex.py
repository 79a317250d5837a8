"""What is sealed after a recording's end: readable by its key alone, and bound to its manifest."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from mediaserver.recording.annex import Annex
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import Altered, Manifest, verify
from mediaserver.vault import Vault
from tests.mediaserver.review.recorded import theatre

CONTENT = b"what each viewer got"


@pytest.fixture
def vault() -> Vault:
    return Vault([secrets.token_bytes(32)])


@pytest.fixture
def annex(tmp_path: Path, vault: Vault) -> Annex:
    """Sealed behind a recording that has ended."""
    folder = RecordingFolder(tmp_path / theatre(tmp_path, vault).id)
    made = Annex(folder)
    made.seal(CONTENT, Manifest(folder, vault).head(), folder.open_key(vault), vault)
    return made


def test_it_follows_the_manifest_which_stays_as_it_was(annex: Annex, vault: Vault) -> None:
    found = verify(annex.folder, vault)
    assert found.closed
    annex.check(found.head, vault)
    assert annex.open(annex.folder.open_key(vault)) == CONTENT
    assert CONTENT not in annex.file.read_bytes()
    assert annex.file.stat().st_mode & 0o777 == 0o600


def test_without_one_there_is_nothing_to_check(tmp_path: Path, vault: Vault) -> None:
    folder = RecordingFolder(tmp_path / theatre(tmp_path, vault).id)
    assert Annex(folder).open(folder.open_key(vault)) is None
    Annex(folder).check("any", vault)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (lambda one: flip(one.file), "was altered"),
        (lambda one: one.file.unlink(), "is missing"),
        (lambda one: flip(one.line), "not as it was signed"),
        (lambda one: one.line.write_bytes(json.dumps({"signature": "00"}).encode()), "not as it was signed"),
    ],
)
def test_what_is_altered_is_named(
    annex: Annex, vault: Vault, alter: Callable[[Annex], None], said: str
) -> None:
    head = Manifest(annex.folder, vault).head()
    alter(annex)
    with pytest.raises(Altered, match=said):
        annex.check(head, vault)


def test_it_belongs_to_one_manifest(annex: Annex, vault: Vault) -> None:
    with pytest.raises(Altered, match="does not follow"):
        annex.check("0" * 64, vault)
