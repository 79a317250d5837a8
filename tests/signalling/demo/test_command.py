"""The demo: its names and tokens, and the whole of it as a process."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from mediaserver import config
from mediaserver.policy import Role
from mediaserver.vault import Vault
from signalling import keys, tokens
from signalling.demo import command
from signalling.tokens import Audience
from tests.running import descendants, free_udp_port, is_running


def test_a_room_can_be_read_aloud() -> None:
    names = {command.new_room() for _ in range(200)}
    assert len(names) > 190
    assert not set("".join(names)) & set("01IO")
    assert all(tokens.is_room_name(name) for name in names)


def test_tokens_and_invitations_open_this_room_only(tmp_path: Path) -> None:
    settings = config.load({"data": {"folder": tmp_path}})
    held = keys.load_or_create(settings)
    now = time.time()
    join = tokens.read(
        held, command.join_token(settings, "7QK2", Role.STAFF), audience=Audience.JOIN, now_seconds=now
    )
    assert (join.room, join.role, join.exp - join.iat) == ("7QK2", Role.STAFF, 600)
    invited = tokens.read(
        held, command.invitation(settings, "7QK2", Role.OBSERVER), audience=Audience.INVITE, now_seconds=now
    )
    assert (invited.room, invited.role, invited.exp - invited.iat) == ("7QK2", Role.OBSERVER, 12 * 3600)


def refused(folder: Path, *arguments: str) -> str:
    """What a demo that cannot begin says: one line that is no log."""
    result = subprocess.run(
        [sys.executable, "-m", "signalling", "demo", "--workers", "1", "--media-port", str(free_udp_port()),
         "--data", str(folder / "data"), *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (1, "")
    [line] = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    return line


def test_a_port_already_taken_is_told_the_one_for_this_computer_too(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        said = refused(tmp_path, "--port", str(taken + command.LOCAL_PORT_BELOW))
    assert str(taken) in said
    assert "--port" in said


def test_a_film_that_is_none_is_told_before_anything_begins(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("no film")
    said = refused(tmp_path, "--video", str(tmp_path / "film.mp4"))
    assert f"--video {tmp_path / 'film.mp4'}" in said
    assert "Errno" not in said


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_the_demo_shows_links_to_a_room_with_a_theatre_in_it_and_ends_whole(
    tmp_path: Path, sent: signal.Signals
) -> None:
    https_port = free_udp_port() % 20_000 + 20_000
    output = tmp_path / "output"
    told = tmp_path / "told"
    with output.open("w") as stdout, told.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "signalling", "demo", "--port", str(https_port), "--workers", "1",
             "--media-port", str(free_udp_port()), "--data", str(tmp_path), "--room", "7QK2", "--no-qr"],
            stdout=stdout, stderr=stderr, process_group=0,
        )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while "Trouble?" not in (shown := output.read_text()):
            assert time.monotonic() < end, shown
            time.sleep(0.1)
        local = f"http://localhost:{https_port - command.LOCAL_PORT_BELOW}"
        assert re.search(rf"{local}/theatre/7QK2#eyJ\S+", shown)
        operator = command.join_token(config.load({"data": {"folder": tmp_path}}), "7QK2", Role.OPERATOR)
        request = urllib.request.Request(
            f"{local.replace('localhost', '127.0.0.1')}/api/v1/rooms",
            headers={"Authorization": f"Bearer {operator}"},
        )
        published, end = 0, time.monotonic() + 60
        while published < 3 and time.monotonic() < end:
            with urllib.request.urlopen(request) as response:
                rooms = json.load(response)["rooms"]
            published = rooms[0]["publications"] if rooms else 0
            time.sleep(0.2)
        assert published == 3
        helpers = descendants(process.pid)
        assert helpers
        # As a terminal's Ctrl-C does, to the whole group.
        os.killpg(process.pid, sent)
        assert process.wait(30) == (0 if sent is signal.SIGINT else -sent)
        end = time.monotonic() + 15
        while any(map(is_running, helpers)):
            assert time.monotonic() < end, "what the demo began goes on without it"
            time.sleep(0.1)
        assert "Traceback" not in told.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("surroundings", "arguments", "opened"),
    [
        ({"DISPLAY": ":77"}, (), True),
        ({"WAYLAND_DISPLAY": "wayland-7"}, (), True),
        ({"DISPLAY": ":77"}, ("--no-browser",), False),
        ({}, (), False),
    ],
)
def test_a_desktop_is_shown_the_observers_page(
    tmp_path: Path, surroundings: dict[str, str], arguments: tuple[str, ...], opened: bool
) -> None:
    """In a terminal, and with what stands for a browser: it notes the link that it was given."""
    browser, noted = tmp_path / "browser", tmp_path / "noted"
    browser.write_text(f'#!/bin/sh\necho "$1" >{noted}.part\nmv {noted}.part {noted}\n')
    browser.chmod(0o700)
    others = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "signalling", "demo", "--port", str(free_udp_port() % 20_000 + 20_000),
         "--workers", "1", "--media-port", str(free_udp_port()), "--data", str(tmp_path / "data"),
         "--room", "7QK2", "--no-qr", *arguments],
        stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, close_fds=True,
        env={**others, "BROWSER": f"{browser} %s", **surroundings},
    )  # fmt: skip
    os.close(theirs)
    try:
        shown = b""
        while b"Trouble?" not in shown:
            shown += os.read(ours, 4096)
        end = time.monotonic() + (15 if opened else 1)
        while not noted.exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert noted.exists() is opened
        if opened:
            assert re.fullmatch(r"http://localhost:\d+/observe/7QK2#eyJ\S+\n", noted.read_text())
            assert noted.read_bytes().strip() in shown
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        os.close(ours)


def test_the_master_key_lies_beside_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOUPE_RECORDING_MASTER_KEY", raising=False)
    chosen = command.recording_beside(tmp_path / "data")
    assert chosen == {"master_key_file": tmp_path / "data.master.key"}
    content = chosen["master_key_file"].read_text()
    assert command.recording_beside(tmp_path / "data") == chosen
    assert chosen["master_key_file"].read_text() == content
    Vault.open(config.load({"data": {"folder": str(tmp_path / "data")}, "recording": chosen}))
    monkeypatch.setenv("LOUPE_RECORDING_MASTER_KEY", "00")
    assert command.recording_beside(tmp_path / "data") == {}
