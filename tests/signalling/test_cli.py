"""The command line as scripts use it: real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from signalling import cli, keys, tokens
from signalling.tokens import Audience

START_SECONDS = 20


def run(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(
        [sys.executable, "-m", "signalling", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        check=False,
    )


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running server and the URL of its ready line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "signalling", "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), line + (process.stderr.read() if process.stderr else "")
        yield process, line.removeprefix("ready ").strip()
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def usual(folder: Path, listen: str = "127.0.0.1:0") -> list[str]:
    return [
        *("--listen", listen, "--media-address", "127.0.0.1", "--media-port", "0"),
        *("--workers", "1", "--data", str(folder)),
    ]


def test_serve_until_sigterm(tmp_path: Path) -> None:
    begun = time.monotonic()
    with serving(*usual(tmp_path / "data")) as (process, url):
        took = time.monotonic() - begun
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}/readyz") as response:
            assert response.status == 200
        token = run(
            "token", "--data", str(tmp_path / "data"), "--room", "r", "--role", "operator"
        ).stdout.strip()
        request = urllib.request.Request(f"{url}/api/v1/rooms", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request) as response:
            assert json.load(response) == {"rooms": []}
        process.send_signal(signal.SIGTERM)
        _, logged = process.communicate(timeout=15)
        assert process.returncode == 0, logged
        assert token not in logged
    assert took < START_SECONDS
    assert stat.S_IMODE((tmp_path / "data" / "token.key").stat().st_mode) == 0o600


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = run("serve", *usual(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}"))
    assert found.returncode == 1
    assert len(found.stderr.strip().splitlines()) == 1
    assert "--listen" in found.stderr
    assert found.stdout == ""


def test_a_taken_media_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        found = run("serve", *usual(tmp_path), "--media-port", str(port))
    assert found.returncode == 1
    assert len(found.stderr.strip().splitlines()) == 1
    assert str(port) in found.stderr
    assert "Errno" not in found.stderr


@pytest.mark.parametrize(
    "command", [["serve", "--self-made-tls", "--listen", "0.0.0.0:0"], ["demo"], ["openapi"]]
)
def test_a_missing_native_plane_is_one_line(tmp_path: Path, command: list[str]) -> None:
    without = (
        "import sys; sys.modules['mediaserver._dataplane'] = None; from signalling.cli import main; main()"
    )
    data = [] if command == ["openapi"] else ["--data", str(tmp_path)]
    found = subprocess.run(
        [sys.executable, "-c", without, *command, *data], capture_output=True, text=True, check=False
    )
    assert found.returncode == 1
    assert len(found.stderr.strip().splitlines()) == 1
    assert "make setup" in found.stderr


def test_a_configuration_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "absent.toml"):
        found = run("serve", "--config", str(file), "--data", str(tmp_path))
        assert found.returncode == 1
        assert len(found.stderr.strip().splitlines()) == 1
        assert str(file) in found.stderr


@pytest.mark.parametrize(
    ("text", "names"),
    [("[media]\nport = 99999\n", "media.port"), ("[mediaa]\n", "mediaa"), ("[media\n", "loupe.toml")],
)
def test_an_unusable_configuration_is_one_line(tmp_path: Path, text: str, names: str) -> None:
    (tmp_path / "loupe.toml").write_text(text)
    for command in (["serve", "--listen", "127.0.0.1:0"], ["config", "check"]):
        found = run(*command, "--data", str(tmp_path))
        assert found.returncode == 1
        assert len(found.stderr.strip().splitlines()) == 1
        assert names in found.stderr


def test_plain_http_is_refused_where_others_can_hear(tmp_path: Path) -> None:
    found = run("serve", *usual(tmp_path, "0.0.0.0:0"))
    assert found.returncode == 1
    assert "--plain-http" in found.stderr
    with serving(*usual(tmp_path, "0.0.0.0:0"), "--plain-http") as (_, url):
        assert url.startswith("http://0.0.0.0:")


def test_a_self_made_certificate(tmp_path: Path) -> None:
    import ssl

    with serving(*usual(tmp_path), "--self-made-tls") as (process, url):
        assert url.startswith("https://")
        trust = ssl.create_default_context(cafile=str(tmp_path / "tls-certificate.pem"))
        with urllib.request.urlopen(f"{url}/livez", context=trust) as response:
            assert response.headers["Strict-Transport-Security"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)
        assert process.returncode == 0
    assert stat.S_IMODE((tmp_path / "tls-key.pem").stat().st_mode) == 0o600


def invoke(*arguments: str) -> tuple[int, str, str]:
    found = CliRunner().invoke(cli.app, list(arguments))
    return found.exit_code, found.stdout, found.stderr


def test_token_prints_a_token_and_nothing_else(tmp_path: Path) -> None:
    from mediaserver import config

    code, out, err = invoke(
        "token",
        "--data",
        str(tmp_path),
        "--room",
        "7QK2",
        "--role",
        "surgeon",
        "--name",
        "Dr Ánh",
        "--lifetime",
        "60",
    )
    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    held = keys.load_or_create(config.load({"data": {"folder": tmp_path}}))
    claims = tokens.read(held, out.strip(), audience=Audience.JOIN, now_seconds=time.time())
    assert (claims.room, claims.role, claims.name, claims.exp - claims.iat) == (
        "7QK2",
        "surgeon",
        "Dr Ánh",
        60,
    )
    code, out, _ = invoke(
        "token", "--data", str(tmp_path), "--room", "7QK2", "--role", "observer", "--invitation"
    )
    invited = tokens.read(held, out.strip(), audience=Audience.INVITE, now_seconds=time.time())
    assert invited.exp - invited.iat == 12 * 3600


@pytest.mark.parametrize(
    "arguments",
    [
        ("--room", "../x", "--role", "surgeon"),
        ("--room", "r", "--role", "god"),
        ("--room", "*", "--role", "surgeon"),
    ],
)
def test_a_token_that_cannot_be_is_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, out, err = invoke("token", "--data", str(tmp_path), *arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1


def test_a_token_says_what_the_room_is_for(tmp_path: Path) -> None:
    from mediaserver import config

    common = ("token", "--data", str(tmp_path), "--room", "r", "--role", "surgeon")
    code, out, _ = invoke(*common, "--class", "surgery")
    held = keys.load_or_create(config.load({"data": {"folder": tmp_path}}))
    claims = tokens.read(held, out.strip(), audience=Audience.JOIN, now_seconds=time.time())
    assert (code, claims.clinical) == (0, "surgery")
    code, _, err = invoke(*common, "--class", "party")
    assert code == 2
    assert "--class: 'party' is none of surgery, emergency, consult, teaching, test" in err


def test_an_unknown_role_is_answered_with_the_roles_there_are(tmp_path: Path) -> None:
    _, _, err = invoke("token", "--data", str(tmp_path), "--room", "r", "--role", "god")
    assert "--role: 'god' is none of surgeon, staff, specialist" in err


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    invoke("token", "--data", str(tmp_path), "--room", "r", "--role", "surgeon")
    (tmp_path / "token.key").chmod(0o644)
    code, out, err = invoke("token", "--data", str(tmp_path), "--room", "r", "--role", "surgeon")
    assert (code, out) == (1, "")
    assert "chmod 600" in err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:8", ("::1", 8)),
        (":0", ("0.0.0.0", 0)),
        ("h:65535", ("h", 65535)),
    ],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert cli.split_address(text) == expected


@pytest.mark.parametrize("text", ["", "80", "h:", "h:x", "h:65536", "::1:80", "h:-1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any will do
        cli.split_address(text)


def test_version_openapi_and_schema() -> None:
    assert invoke("--version")[1].startswith("loupe ")
    assert json.loads(invoke("openapi")[1])["openapi"] == "3.1.0"
    assert json.loads(invoke("schema")[1])["title"] == "loupe.v1.json"


def test_doctor(tmp_path: Path) -> None:
    arguments = (
        "--data",
        str(tmp_path),
        "--listen",
        "127.0.0.1:0",
        "--media-address",
        "127.0.0.1",
        "--media-port",
        "0",
    )
    code, out, _ = invoke("doctor", "--json", *arguments)
    checks = {check["name"]: check for check in json.loads(out)}
    assert code == 0, checks
    assert set(checks) >= {"native_plane", "http_port", "media_ports", "udp", "clock", "disk", "certificate"}
    assert all("fix" in check for check in checks.values() if check["verdict"] != "good")
    assert list(tmp_path.iterdir()) == [], "it leaves nothing"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, _ = invoke("doctor", "--data", str(tmp_path), "--listen", f"127.0.0.1:{port}",
                              "--media-address", "127.0.0.1", "--media-port", "0")  # fmt: skip
    assert code == 1
    assert "BAD" in out
    assert "fix:" in out


def test_the_preflight_prints_one_page_and_fails_where_something_is_blocked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    page = tmp_path / "page.html"
    found = run("doctor", "--preflight", f"https://127.0.0.1:{port}/consult/R7#x", "--page", str(page))
    assert found.returncode == 1
    assert f"127.0.0.1 TCP {port}" in found.stdout
    assert "CẦN LÀM" in found.stdout
    assert page.read_text().startswith("<!doctype html>")
    with serving(*usual(tmp_path)) as (_, url):
        fine = run("doctor", "--preflight", url, "--json")
    assert fine.returncode == 0, fine.stderr
    assert [one["verdict"] for one in json.loads(fine.stdout)["findings"]][:4] == ["open"] * 4
    assert run("doctor", "--preflight", "ftp://x").returncode == 2
