"""Names of our own, modes of the owner's, and files that are whole or not there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mediaserver.ids import RecordingId, TrackId
from mediaserver.recording.folder import RecordingFolder, checked, folders, replacing, write_whole
from mediaserver.vault import NotAuthentic, Vault

VAULT = Vault([bytes(range(32))])


@pytest.mark.parametrize("id", ["", "r", "../r1", "r1/../x", "R1", "r1.0", "r" * 65, "r1\n", ".r1"])
def test_nothing_but_an_id_becomes_a_path(tmp_path: Path, id: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        RecordingFolder.of(tmp_path, RecordingId(id))
    with pytest.raises(ValueError, match="no id"):
        checked(id)


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    folder = RecordingFolder.of(tmp_path / "recordings", RecordingId("rabc"))
    folder.make()
    key = folder.create_key(VAULT)
    for path in [folder.path, *folder.path.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert folder.open_key(VAULT).raw == key.raw
    with pytest.raises(NotAuthentic):
        folder.open_key(Vault([bytes(range(1, 33))]))
    assert [found.id for found in folders(tmp_path / "recordings")] == ["rabc"]


def test_a_key_serves_in_its_own_folder_only(tmp_path: Path) -> None:
    one, other = (RecordingFolder.of(tmp_path, RecordingId(id)) for id in ("rone", "rother"))
    one.make()
    other.make()
    one.create_key(VAULT)
    (other.path / "key").write_bytes((one.path / "key").read_bytes())
    with pytest.raises(NotAuthentic):
        other.open_key(VAULT)


def test_journals_are_found_in_order(tmp_path: Path) -> None:
    folder = RecordingFolder.of(tmp_path, RecordingId("rabc"))
    folder.make()
    for number in (10, 9, 0):
        folder.journal(TrackId("t1"), number).touch()
    (folder.path / "journal" / "else").touch()
    assert [number for number, _ in folder.journals()[TrackId("t1")]] == [0, 9, 10]


def test_what_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    with pytest.raises(OSError, match="half"), replacing(path):
        raise OSError("half way")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]
