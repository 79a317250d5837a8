"""The real server as a process of its own, and what a test asks it: tokens, WHIP, WHEP, REST, metrics.

Nothing here reaches inside the server: it is started by its command and spoken to over its sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp

from mediaserver import config
from mediaserver.clinical import ClinicalClass
from mediaserver.policy import Right, Role
from signalling import keys, tokens
from signalling.tokens import Audience

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0
STOP_SECONDS = 30.0
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = "application/trickle-ice-sdpfrag"

# One client machine stands for many in these tests; everything else is as shipped.
CONFIGURATION = "[limits]\nconnections_per_source = 2000\n"


def loupe(*arguments: str) -> list[str]:
    """The command as installed, or from the checkout when the script is not there."""
    script = Path(sys.executable).with_name("loupe")
    return [str(script), *arguments] if script.exists() else [sys.executable, "-m", "signalling", *arguments]


def free_udp_port() -> int:
    """A UDP port on loopback that nothing holds at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """Processes that this one and its children began and that have not ended."""
    found, parents = [], [pid]
    while parents:
        for task in Path(f"/proc/{parents.pop()}/task").glob("*"):
            with contextlib.suppress(OSError):
                children = [int(child) for child in (task / "children").read_text().split()]
                parents += children
                found += children
    return found


def is_running(pid: int) -> bool:
    """Whether it has not ended; one that waits only to be noticed as dead has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class NotReady(Exception):
    """The server ended or said nothing; the text is what it wrote."""


@dataclass
class Server:
    """A running ``loupe serve``."""

    process: subprocess.Popen[str]
    url: str
    data: Path
    media_port: int
    log: Path
    rooms: itertools.count[int] = field(default_factory=itertools.count)

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        configuration: str = CONFIGURATION,
        extra: Sequence[str] = (),
        own_group: bool = False,
    ) -> Self:
        """Runs it, in a process group of its own as a shell does if so asked, and waits for its line
        ``ready``. Raises ``NotReady``."""
        data = folder / "data"
        data.mkdir(parents=True)
        (data / "loupe.toml").write_text(configuration)
        port = free_udp_port()
        log = folder / "server.log"
        command = loupe(
            "serve", "--listen", "127.0.0.1:0", "--media-address", "127.0.0.1", "--media-port", str(port),
            "--workers", "1", "--data", str(data), "--drain-seconds", "1", *extra,
        )  # fmt: skip
        with log.open("w") as errors:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                process_group=0 if own_group else None,
            )
        return cls(process, _ready_line(process, log), data, port, log)

    def stop(self) -> int:
        """SIGTERM; the exit code. Kills, and fails, when it does not end in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()

    def new_room(self) -> str:
        """A room that no other test uses."""
        return f"room-{next(self.rooms)}-{secrets.token_hex(3)}"

    def token(
        self,
        room: str,
        role: Role | str = Role.SURGEON,
        *,
        audience: Audience = Audience.JOIN,
        name: str | None = None,
        lifetime_seconds: int = 600,
        rights: frozenset[Right] | None = None,
        clinical: ClinicalClass | None = None,
    ) -> str:
        """What ``loupe token`` prints, without a process for each."""
        claims = tokens.new_claims(
            audience=audience,
            room=room,
            role=Role(role),
            now_seconds=time.time(),
            lifetime_seconds=lifetime_seconds,
            name=name,
            rights=rights,
            reusable=audience is Audience.JOIN,
            clinical=clinical,
        )
        return tokens.sign(keys.load_or_create(config.load({"data": {"folder": self.data}}, None)), claims)

    def bearer(self, room: str, role: Role | str = Role.SURGEON, **more: Any) -> dict[str, str]:
        """The header of HTTP requests."""
        return {"Authorization": f"Bearer {self.token(room, role, **more)}"}

    def page(self, page: str, room: str, role: Role | str, name: str | None = None) -> str:
        """A link as a person gets it."""
        invitation = self.token(room, role, audience=Audience.INVITE, name=name, lifetime_seconds=3600)
        return f"{self.url}/{page}/{room}#{invitation}"

    @property
    def resident_bytes(self) -> int:
        """Resident memory of the process."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def descriptors(self) -> int:
        """Open files and sockets."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 - /proc is no tree of files


def _ready_line(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(START_SECONDS) else ""
    found = re.fullmatch(r"ready (https?://\S+)\n", line)
    if found is None:
        process.kill()
        process.wait()
        process.stdout.close()
        raise NotReady(f"{line!r}; its log ends: {log.read_text()[-2000:]}")
    return found[1]


@dataclass
class HttpSession:
    """A WHIP or WHEP session as its 201 described it."""

    http: Client
    location: str
    etag: str
    answer: str
    headers: dict[str, str]

    async def patch(
        self, fragment: str, match: str | None, content_type: str = FRAGMENT
    ) -> aiohttp.ClientResponse:
        """Trickle or ICE restart."""
        headers = {**self.headers, "Content-Type": content_type}
        if match is not None:
            headers["If-Match"] = match
        return await self.http.request("PATCH", self.location, data=fragment, headers=headers)

    async def delete(self) -> int:
        """Ends it; the status."""
        return (await self.http.request("DELETE", self.location, headers=self.headers)).status


class Client:
    """HTTP to a server; an async context."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def request(self, method: str, path: str, **more: Any) -> aiohttp.ClientResponse:
        """One request, its body read."""
        async with self.session.request(method, self.server.url + path, **more) as response:
            await response.read()
            return response

    async def post_offer(
        self,
        kind: str,
        room: str,
        sdp: str | bytes,
        headers: dict[str, str],
        query: dict[str, str] | None = None,
    ) -> aiohttp.ClientResponse:
        """The raw answer to an offer."""
        return await self.request(
            "POST", f"/{kind}/{room}", data=sdp, headers={**SDP, **headers}, params=query or {}
        )

    async def whip(self, room: str, sdp: str, *, name: str | None = None) -> HttpSession:
        """Publishes; ``name`` becomes the sources' label."""
        headers = self.server.bearer(room, Role.STAFF, name=name)
        return await self._session(await self.post_offer("whip", room, sdp, headers), headers)

    async def whep(self, room: str, sdp: str, *, source: str | None = None) -> HttpSession:
        """Watches."""
        headers = self.server.bearer(room, Role.OBSERVER)
        query = {} if source is None else {"source": source}
        return await self._session(await self.post_offer("whep", room, sdp, headers, query), headers)

    async def _session(self, response: aiohttp.ClientResponse, headers: dict[str, str]) -> HttpSession:
        answer = await response.text()
        assert response.status == 201, f"{response.status} {answer}"
        location = response.headers["Location"]
        assert location.startswith("/"), location
        return HttpSession(self, location, response.headers["ETag"], answer, headers)

    async def room(self, room: str) -> dict[str, Any]:
        """What REST says of a room."""
        response = await self.request(
            "GET", f"/api/v1/rooms/{room}", headers=self.server.bearer(room, Role.MODERATOR)
        )
        assert response.status == 200, response.status
        found: dict[str, Any] = await response.json()
        return found

    async def metrics(self) -> dict[str, float]:
        """Every sample by its text, such as ``loupe_rtp_packets_total{direction="in"}``."""
        text = await (await self.request("GET", "/metrics")).text()
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}


async def until(
    condition: Callable[[], Awaitable[bool]] | Callable[[], bool], seconds: float = 10.0, what: str = ""
) -> None:
    """Asks again and again until it holds. Fails after ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        holds = condition()
        if isinstance(holds, Awaitable):
            holds = await holds
        if holds:
            return
        assert time.monotonic() < end, f"not within {seconds} s: {what or condition}"
        await asyncio.sleep(0.05)
