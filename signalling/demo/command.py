"""``loupe demo``: the server, a room, a synthetic theatre in it, and the links to look at it."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
import threading
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from mediaserver.addresses import default_address
from mediaserver.clinical import ClinicalClass
from mediaserver.config import Settings
from mediaserver.errors import InvalidSettings
from mediaserver.policy import Role
from mediaserver.tasks import end_tasks
from mediaserver.vault import MASTER_KEY_VARIABLE, make_master_key
from signalling import keys, tls, tokens
from signalling.demo.links import Links, show
from signalling.serve import Running, run

log = logging.getLogger("loupe.signalling")

LOCAL_PORT_BELOW = 363
"""Plain HTTP for this computer is this far below the HTTPS port: 8080 beside 8443."""
ROOM_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""No letter or digit that could be taken for another when read aloud."""


def new_room() -> str:
    """A short name such as ``7QK2``."""
    return "".join(secrets.choice(ROOM_LETTERS) for _ in range(4))


def recording_beside(data: Path) -> dict[str, Path]:
    """Settings with a master key beside the data folder, made if it is missing; nothing where one is given.

    Raises ``InvalidSettings``.
    """
    if os.environ.get(MASTER_KEY_VARIABLE):
        return {}
    file = data.resolve().with_name(f"{data.resolve().name}.master.key")
    if not file.exists():
        make_master_key(file)
    return {"master_key_file": file}


def invitation(settings: Settings, room: str, role: Role) -> str:
    """What a link carries after its ``#``, good for twelve hours."""
    claims = tokens.new_claims(
        audience=tokens.Audience.INVITE,
        room=room,
        role=role,
        now_seconds=time.time(),
        lifetime_seconds=tokens.INVITATION_LIFETIME_SECONDS,
        clinical=ClinicalClass.TEST,
    )
    return tokens.sign(keys.load_or_create(settings), claims)


def join_token(settings: Settings, room: str, role: Role, *, reusable: bool = False) -> str:
    """A token for one session; a reusable one lets an encoder come back for ten minutes."""
    claims = tokens.new_claims(
        audience=tokens.Audience.JOIN,
        room=room,
        role=role,
        now_seconds=time.time(),
        lifetime_seconds=tokens.JOIN_LIFETIME_SECONDS,
        reusable=reusable,
        clinical=ClinicalClass.TEST,
    )
    return tokens.sign(keys.load_or_create(settings), claims)


def check_film(video: Path) -> None:
    """Raises ``InvalidSettings`` for a file that shows nothing."""
    import av

    try:
        with av.open(video) as container:
            if container.streams.video:
                return
            reason = "there is no picture in it"
    except (OSError, av.FFmpegError) as error:
        reason = error.strerror or "it cannot be read"
    raise InvalidSettings(f"--video {video}: {reason}; give a film, MP4 or WebM for example")


class Theatre:
    """The publisher's process, started again if it should end."""

    def __init__(self, url: str, settings: Settings, room: str, video: Path | None) -> None:
        self._url = url
        self._settings = settings
        self._room = room
        self._video = video

    async def keep(self) -> None:
        """Runs until cancelled."""
        while True:
            process = await self._start()
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                process.terminate()
                await process.wait()
                raise
            log.warning("the synthetic theatre ended and is started again", extra={"exit_code": code})
            await asyncio.sleep(1)

    async def _start(self) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "signalling.demo.publisher", self._url]
        if self._video is not None:
            command += ["--video", str(self._video)]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            # Ctrl-C in a terminal is the server's alone, which ends what it began.
            start_new_session=True,
        )
        assert process.stdin is not None, "asked for"
        # The pipe stays open: its end tells the publisher that we are gone.
        process.stdin.write(join_token(self._settings, self._room, Role.SURGEON).encode() + b"\n")
        await process.stdin.drain()
        return process


@dataclass(frozen=True)
class Shows:
    """What is shown beside the links."""

    codes: bool
    browser: bool


def on_desktop() -> bool:
    """Somebody would see a browser that opens here."""
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def open_browser(link: str) -> None:
    """Begins to; some browsers return only when they are closed again, and nobody waits for that."""
    threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()


def run_demo(settings: Settings, room: str, video: Path | None, shows: Shows) -> None:
    """Serves until a signal. Raises ``LoupeError`` when it cannot start, or the film cannot be shown."""
    import uvloop

    from mediaserver import log

    log.configure(settings.log.level, settings.log.format)
    if video is not None:
        check_film(video)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, room, video, shows))


async def _serve(settings: Settings, room: str, video: Path | None, shows: Shows) -> None:
    tasks: set[asyncio.Task[None]] = set()

    def started(running: Running) -> None:
        https_port = running.listener.port
        local = running.listener.also("127.0.0.1", https_port - LOCAL_PORT_BELOW)
        links = _links(settings, room, local, https_port)
        show(links, shows.codes)
        if shows.browser:
            open_browser(links.page(links.local, "observe", Role.OBSERVER))
        theatre = Theatre(local, settings, room, video)
        tasks.add(asyncio.get_running_loop().create_task(theatre.keep()))

    try:
        await run(settings, drain_seconds=0, announce=lambda _: None, started=started)
    finally:
        await end_tasks(tasks)


def _links(settings: Settings, room: str, local: str, https_port: int) -> Links:
    folder = settings.data.folder
    workers = settings.media.workers or os.cpu_count() or 1
    return Links(
        local=local.replace("127.0.0.1", "localhost"),
        public=f"https://{default_address()}:{https_port}",
        room=room,
        invitations={
            # An operator sees all rooms, and no picture of any.
            role: invitation(settings, tokens.ANY_ROOM if role is Role.OPERATOR else room, role)
            for role in Role
        },
        whip_token=join_token(settings, room, Role.STAFF, reusable=True),
        fingerprint=tls.Certificate(folder / tls.CERTIFICATE_FILE, folder / tls.KEY_FILE).fingerprint(),
        data=folder,
        media_ports=(settings.media.port, settings.media.port + workers - 1),
        https_port=https_port,
    )
