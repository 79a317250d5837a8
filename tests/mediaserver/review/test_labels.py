"""Labels are opened by the vault that sealed them and by no other."""

from __future__ import annotations

from pathlib import Path

from mediaserver.review.labels import labels
from mediaserver.vault import Vault
from tests.mediaserver.review.recorded import VAULT, theatre


def test_labels_are_sealed_on_the_disk_and_open_here(tmp_path: Path) -> None:
    recording = theatre(tmp_path)
    assert labels(recording, VAULT) == {"t-cam-a": "Nội soi đường mật", "t-cam-b": "", "t-mic": "Bác sĩ Ánh"}
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "Bác sĩ".encode() not in on_disk
    assert labels(recording, Vault([bytes(range(1, 33))])) == {"t-cam-a": "", "t-cam-b": "", "t-mic": ""}
