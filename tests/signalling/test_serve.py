"""From configuration to the last closed socket: signals to a real process, and what refuses to start."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from mediaserver import config
from mediaserver.errors import InvalidSettings
from mediaserver.policy import Role
from signalling import serve, tls
from signalling.demo.command import join_token
from signalling.messages import PROTOCOL


@pytest.mark.parametrize(
    ("host", "asked", "fine"),
    [
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("localhost", False, True),
        ("0.0.0.0", False, False),
        ("192.0.2.1", False, False),
        ("loupe.example", False, False),
        ("0.0.0.0", True, True),
    ],
)
def test_plain_http_is_for_loopback(tmp_path: Path, host: str, asked: bool, fine: bool) -> None:
    assert serve.may_use_plain_http(host, asked) is fine
    settings = config.load({"data": {"folder": tmp_path}, "listen": {"host": host, "port": 0}})
    if fine:
        assert serve.tls_context(settings, asked) is None
    else:
        with pytest.raises(InvalidSettings, match="--self-made-tls"):
            serve.tls_context(settings, asked)


def test_as_many_descriptors_as_the_system_gives() -> None:
    serve.raise_file_limit()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft >= min(serve.MIN_OPEN_FILES, hard)


# ---- A real process ----


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running server, its log in ``folder/log``, and the URL of its ready line."""
    command = [
        *(sys.executable, "-m", "signalling", "serve", "--listen", "127.0.0.1:0", "--media-port", "0"),
        *("--media-address", "127.0.0.1", "--workers", "1", "--data", str(folder), *more),
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), (folder / "log").read_text()
        yield process, line.removeprefix("ready ").strip()
    finally:
        process.kill()
        process.communicate()


def shown_certificate(url: str) -> bytes:
    """What a new handshake is given."""
    host, port = url.removeprefix("https://").split(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, int(port)), 10) as plain, context.wrap_socket(plain) as secured:
        found = secured.getpeercert(binary_form=True)
    assert found is not None
    return found


def test_a_hang_up_reads_the_certificate_again(tmp_path: Path) -> None:
    files = tls.self_made(tmp_path, ["localhost"])
    given = ("--tls-cert", str(files.certificate), "--tls-key", str(files.key))
    with serving(tmp_path, *given) as (process, url):
        before = shown_certificate(url)
        tls.self_made(tmp_path, ["localhost", "renewed.example"])
        assert shown_certificate(url) == before, "not before it is asked to"
        process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while shown_certificate(url) == before:
            assert time.monotonic() < end
        renewed = shown_certificate(url)
        files.key.write_text("no key")
        process.send_signal(signal.SIGHUP)
        while "certificate not reloaded" not in (tmp_path / "log").read_text():
            assert time.monotonic() < end
        assert shown_certificate(url) == renewed, "what was good stays in force"
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


@pytest.mark.parametrize("signals", [(signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM)])
async def test_a_participant_is_told_and_the_process_ends_well(
    tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    """The first signal drains: everybody is told to come back elsewhere. A second one ends the wait."""
    with serving(tmp_path, "--drain-seconds", "600") as (process, url):
        token = join_token(config.load({"data": {"folder": tmp_path}}), "7QK2", Role.SURGEON)
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{url}/ws", protocols=(PROTOCOL,)) as socket,
        ):
            await socket.send_json({"type": "join", "id": 1, "token": token, "name": "An"})
            assert (await socket.receive_json(timeout=10))["type"] == "hello"
            for number in signals:
                process.send_signal(number)
            told = [json.loads(frame.data) async for frame in socket]
        assert [event["reason"] for event in told if event["type"] == "closing"] == ["server_draining"]
        assert socket.close_code == 4430
        assert await asyncio.to_thread(process.wait, 20) == 0


async def test_a_second_signal_does_not_wait_for_a_drain_that_hangs() -> None:
    class Stuck:
        """A server somebody of whom never leaves."""

        async def drain(self) -> None:
            await asyncio.Event().wait()

    signals = serve.Signals(lambda: None)
    try:
        signals._asked()
        assert signals.stop.is_set()
        assert not signals.force.is_set()
        draining = asyncio.create_task(serve._drain(Stuck(), signals, 600))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        assert not draining.done()
        signals._asked()
        await asyncio.wait_for(draining, 5)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(number)
