"""A server over a real data plane on loopback, and what a browser would answer to its offers."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from mediaserver.config import Data, Limits, Listen, Log, Media, Settings, Tls, Tokens
from mediaserver.events import Event
from mediaserver.ids import RoomId
from mediaserver.participant import Identity, Participant
from mediaserver.plane import open_plane
from mediaserver.policy import RIGHTS, Role
from mediaserver.server import Server, SourceSpec
from tests.mediaserver.captures import capture


def free_port(count: int = 1) -> int:
    """A UDP port on loopback that is free now, with ``count - 1`` free ones after it."""
    while True:
        held: list[socket.socket] = []
        try:
            first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            held.append(first)
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            for offset in range(1, count):
                held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                held[-1].bind(("127.0.0.1", port + offset))
            return port
        except OSError:
            continue
        finally:
            for one in held:
                one.close()


def settings(workers: int = 1, **limits: object) -> Settings:
    """Loopback, a free port, small worlds."""
    return Settings.model_construct(
        listen=Listen(),
        tls=Tls(),
        media=Media(addresses=("127.0.0.1",), port=free_port(workers), workers=workers),
        data=Data(folder=Path("unused")),
        limits=Limits.model_validate(limits),
        tokens=Tokens(),
        ice_servers=(),
        trusted_proxies=(),
        public_url=None,
        log=Log(),
    )


def make_server(workers: int = 1, **limits: object) -> Server:
    """Not started yet."""
    chosen = settings(workers, **limits)
    return Server(chosen, open_plane(chosen.media))


@asynccontextmanager
async def running_server(workers: int = 1, **limits: object) -> AsyncIterator[Server]:
    """From its start to its stop."""
    server = make_server(workers, **limits)
    await server.start()
    yield server
    await server.stop()


def identity(role: Role = Role.STAFF, room: str = "theatre-1") -> Identity:
    """As a token would say."""
    return Identity(subject="someone", room=RoomId(room), role=role, rights=RIGHTS[role])


def connected(server: Server) -> None:
    """What follows when the handshakes of all transports that stand have ended well."""
    for session, transport in list(server.registry.transports.values()):
        server._dispatcher.connected(session, transport)


SOURCES = [SourceSpec("0", "voice", "microphone"), SourceSpec("1", "scope", "endoscope")]


async def publish(server: Server, participant: Participant, name: str = "chromium_publish") -> dict[str, str]:
    """Publishes sound and picture of a captured offer."""
    return dict((await server.publish(participant, capture(name), SOURCES)).sources)


def told(participant: Participant) -> list[Event]:
    """Everything the participant has been told so far, as the socket would have read it."""
    return [item.event for item in participant.outbox._events]


def answer_to(offer: str, *, drop: Iterable[str] = ()) -> str:
    """What a browser answers to an offer of ours: active, receiving, its own credentials."""
    kept: list[str] = []
    skip = ("a=ice-lite", "a=candidate", "a=end-of-candidates", "a=msid", "a=ssrc", "a=ice-", "a=setup")
    mid = ""
    for line in offer.splitlines():
        if line.startswith("a=mid:"):
            mid = line[6:]
        if line.startswith(skip):
            continue
        if line == "a=sendonly":
            line = "a=inactive" if mid in set(drop) else "a=recvonly"  # noqa: PLW2901
        if line.startswith("a=fingerprint"):
            line = re.sub(r"[0-9A-F]{2}(:[0-9A-F]{2})+", ":".join(["AB"] * 32), line)  # noqa: PLW2901
        kept.append(line)
        if line.startswith("c="):
            kept += ["a=ice-ufrag:browser1", "a=ice-pwd:browserbrowserbrowser123", "a=setup:active"]
    return "\r\n".join(kept) + "\r\n"
