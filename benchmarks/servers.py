"""The servers that are measured: ours, and Janus as the yardstick."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.link import Place

ROOT = Path(__file__).resolve().parent.parent
ROOM = "bench"
HTTP_PORT, MEDIA_PORT, JANUS_PORT = 8470, 7882, 8488
START_SECONDS, STOP_SECONDS = 30.0, 15.0
_JANUS = Path("/usr/lib/x86_64-linux-gnu/janus")


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    name: str
    pid: int
    url: str
    data: Path | None

    def token(self, role: str, room: str = ROOM) -> str:
        """A fresh token of ours for the room; they live ten minutes, so each run takes its own."""
        command = [*loupe(), "token", "--data", str(self.data), "--room", room, "--role", role]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()

    def client_arguments(self, room: str = ROOM) -> list[str]:
        """What the load client needs to join a room of it."""
        if self.data is None:
            return ["--server", self.url, "--peer", "janus"]
        tokens = [
            "--token-publish",
            self.token("surgeon", room),
            "--token-view",
            self.token("observer", room),
        ]
        return ["--server", self.url, "--peer", "whip", "--room", room, *tokens]


def loupe() -> list[str]:
    """The server's command."""
    installed = ROOT / ".venv" / "bin" / "loupe"
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "signalling"]


def binary(name: str, crate: str = "loupe-loadtest") -> str:
    """A program of a crate in ``dataplane``: the newer of what is built and what is installed."""
    places = [ROOT / "target" / "release" / name, ROOT / ".venv" / "bin" / name]
    there = [place for place in places if place.exists()]
    if not there:
        sys.exit(f"{name} is not built: cargo build --release -p {crate}")
    return str(max(there, key=lambda place: place.stat().st_mtime))


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_line(process: subprocess.Popen[str], start: str, log: Path) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(start):
            return
    sys.exit(f"the server ended before it was ready:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def ours(
    place: Place, extra: tuple[str, ...] = (), program: Sequence[str] | None = None
) -> Iterator[Running]:
    """Our server with one worker. ``program``: another that takes ``loupe``'s arguments."""
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as folder:
        data, log = Path(folder) / "data", Path(folder) / "log"
        listen = f"{place.server_address}:{HTTP_PORT}"
        command = [
            *place.server_prefix,
            *(program or loupe()),
            "serve",
            "--listen",
            listen,
            "--media-address",
            place.server_address,
        ]
        command += [
            "--media-port",
            str(MEDIA_PORT),
            "--workers",
            "1",
            "--data",
            str(data),
            "--plain-http",
            "--drain-seconds",
            "0",
            *extra,
        ]
        with (
            log.open("w") as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT) as process,
        ):
            try:
                _await_line(process, "ready ", log)
                yield Running("loupe", process.pid, f"http://{listen}", data)
            finally:
                _stop(process)


def janus_installed() -> bool:
    """Whether Debian's Janus is here."""
    return shutil.which("janus") is not None and (_JANUS / "plugins" / "libjanus_videoroom.so").exists()


def _write_janus_configuration(folder: Path, address: str) -> None:
    def others(kind: str, keep: str) -> str:
        return ",".join(sorted(file.name for file in (_JANUS / kind).glob("*.so") if keep not in file.name))

    (folder / "janus.jcfg").write_text(
        f'general: {{ configs_folder = "{folder}"  plugins_folder = "{_JANUS}/plugins"\n'
        f'  transports_folder = "{_JANUS}/transports"  debug_level = 2  session_timeout = 0 }}\n'
        f'nat: {{ ice_lite = true  ice_enforce_list = "{address}"  ignore_mdns = true }}\n'
        f'plugins: {{ disable = "{others("plugins", "videoroom")}" }}\n'
        f'transports: {{ disable = "{others("transports", "http")}" }}\n'
    )
    (folder / "janus.transport.http.jcfg").write_text(
        f'general: {{ json = "compact"  base_path = "/janus"  http = true  port = {JANUS_PORT}\n'
        f'  ip = "{address}"  https = false }}\nadmin: {{ admin_http = false }}\n'
    )
    (folder / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")


@contextlib.contextmanager
def janus(place: Place) -> Iterator[Running]:
    """Janus with its video room and HTTP API only, ICE-lite as ours, on one address."""
    with tempfile.TemporaryDirectory(prefix="loupe-bench-janus-") as folder:
        _write_janus_configuration(Path(folder), place.server_address)
        command = [*place.server_prefix, "janus", "-F", folder, "-C", f"{folder}/janus.jcfg"]
        with (
            (Path(folder) / "log").open("w") as log,
            subprocess.Popen(command, stdout=log, stderr=log, text=True) as process,
        ):
            try:
                url = f"http://{place.server_address}:{JANUS_PORT}/janus"
                _await_http(place, url + "/info", process)
                yield Running("janus", process.pid, url, None)
            finally:
                _stop(process)


_FETCH = """
import os, sys, urllib.request as u
request = u.Request(sys.argv[1])
if "BEARER" in os.environ:
    request.add_header("Authorization", "Bearer " + os.environ["BEARER"])
print(u.urlopen(request, timeout=10).read().decode())
"""


def fetch(place: Place, url: str, token: str | None = None) -> str | None:
    """A page of the server, asked for from the clients' side; nothing when it does not answer."""
    command = [*place.client_prefix, sys.executable, "-c", _FETCH, url]
    environment = os.environ | ({} if token is None else {"BEARER": token})
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return answer.stdout if answer.returncode == 0 else None


def _await_http(place: Place, url: str, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + START_SECONDS
    while fetch(place, url) is None:
        if time.monotonic() > end or process.poll() is not None:
            sys.exit(f"{url} does not answer")
        time.sleep(0.2)
