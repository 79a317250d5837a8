"""The secret that signs: made once, kept from others, never weak."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from mediaserver import config
from mediaserver.errors import InvalidSettings
from signalling import keys


def settings(folder: Path) -> config.Settings:
    return config.load({"data": {"folder": folder}})


def test_the_secret_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    first = keys.load_or_create(settings(folder))
    assert keys.load_or_create(settings(folder)).signing == first.signing
    assert stat.S_IMODE((folder / "token.key").stat().st_mode) == 0o600
    assert list(first.by_kid) == [first.signing]
    assert keys.load_or_create(settings(tmp_path / "other")).signing != first.signing
    assert (folder / "token.key").read_text() not in repr(first)


def test_a_secret_that_others_can_read_is_refused_unless_another_is_used(tmp_path: Path) -> None:
    keys.load_or_create(settings(tmp_path))
    (tmp_path / "token.key").chmod(0o640)
    with pytest.raises(InvalidSettings, match="chmod 600"):
        keys.load_or_create(settings(tmp_path))
    given = config.Tokens(secret=SecretStr("0123456789abcdefghijklmnopqrstuvwxyz"))
    configured = settings(tmp_path).model_copy(update={"tokens": given})
    made = keys.load_or_create(configured)
    assert made.signing == keys.from_secret(b"0123456789abcdefghijklmnopqrstuvwxyz").signing


def test_a_data_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSettings, match="choose a folder"):
        keys.load_or_create(settings(tmp_path / "file" / "data"))


@pytest.mark.parametrize("secret", [b"", b"short", b"a" * 64, b"secret" * 3])
def test_a_weak_secret_is_refused(secret: bytes) -> None:
    with pytest.raises(InvalidSettings):
        keys.from_secret(secret)
