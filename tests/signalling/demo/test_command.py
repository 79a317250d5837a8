"""The demo: its names and tokens, and the whole of it as a process."""

from __future__ import annotations

import json
import re
import signal
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


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_the_demo_shows_links_to_a_room_with_a_theatre_in_it_and_ends_whole(
    tmp_path: Path, sent: signal.Signals
) -> None:
    https_port = free_udp_port() % 20_000 + 20_000
    output = tmp_path / "output"
    with output.open("w") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "signalling", "demo", "--port", str(https_port), "--workers", "1",
             "--media-port", str(free_udp_port()), "--data", str(tmp_path), "--room", "7QK2", "--no-qr"],
            stdout=stdout,
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
        process.send_signal(sent)
        assert process.wait(30) == (0 if sent is signal.SIGINT else -sent)
        end = time.monotonic() + 15
        while any(map(is_running, helpers)):
            assert time.monotonic() < end, "what the demo began goes on without it"
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()


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
