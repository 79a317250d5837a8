"""Settings: precedence, and errors that name the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaserver.config import first_start, load, token_secret
from mediaserver.errors import InvalidSettings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("LOUPE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_flag_wins_over_environment_over_secret_file_over_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "f.toml", '[media]\nport = 1\nworkers = 2\n[listen]\nport = 3\n[log]\nlevel = "debug"\n'
    )
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    write(secrets / "listen__port", "4")
    write(secrets / "media__workers", "5")
    monkeypatch.setenv("LOUPE_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("LOUPE_MEDIA__WORKERS", "6")
    monkeypatch.setenv("LOUPE_MEDIA__PORT", "7")
    settings = load({"media": {"port": 8}}, file)
    assert (settings.media.port, settings.media.workers) == (8, 6)
    assert (settings.listen.port, settings.log.level) == (4, "debug")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[media]\nport = 99999\n", "media.port"),
        ("[media]\nprot = 1\n", "media.prot"),
        ("[medai]\nport = 1\n", "medai"),
        ('[media]\naddresses = ["somewhere"]\n', "media.addresses"),
        ('[media]\naddresses = ["192.0.2.1"]\nannounced = ["192.0.2.2", "192.0.2.3"]\n', "media"),
        ('[tls]\nkey = "x"\n', "tls"),
        ('[tokens]\nsecret = "changeme"\n', "tokens.secret"),
        ("[tokens]\nlifetime_seconds = 6000\n", "tokens.lifetime_seconds"),
        ('trusted_proxies = ["x"]\n', "trusted_proxies"),
        ('public_url = "loupe.example"\n', "public_url"),
        ('[[ice_servers]]\nurls = ["http://x"]\n', "ice_servers.0.urls"),
        ("[media\n", "f.toml"),
    ],
)
def test_errors_name_the_key_on_one_line(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(InvalidSettings) as refusal:
        load({}, write(tmp_path / "f.toml", text))
    assert key in refusal.value.message
    assert "\n" not in refusal.value.message
    assert "changeme" not in refusal.value.message


def test_an_unknown_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_MEDAI__PORT", "1")
    with pytest.raises(InvalidSettings, match="LOUPE_MEDAI__PORT"):
        load()


def test_first_start_writes_once_and_is_read_again(tmp_path: Path) -> None:
    settings = load({"data": {"folder": str(tmp_path / "data")}})
    made = first_start(settings)
    assert [path.name for path in made] == ["loupe.toml", "token.key"]
    assert made[1].stat().st_mode & 0o777 == 0o600
    assert first_start(settings) == ()
    assert len(token_secret(settings)) >= 32
    assert load({"data": {"folder": str(tmp_path / "data")}}).media == settings.media


def test_secrets_are_masked(tmp_path: Path) -> None:
    secret = "0123456789abcdef0123456789abcdef"
    settings = load({}, write(tmp_path / "f.toml", f'[tokens]\nsecret = "{secret}"\n'))
    assert token_secret(settings) == secret.encode()
    assert secret not in settings.effective()
    assert secret not in repr(settings)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    write(tmp_path / "file", "")
    with pytest.raises(InvalidSettings, match=r"data\.folder"):
        first_start(load({"data": {"folder": str(tmp_path / "file" / "x")}}))
