"""``loupe serve``: one process from configuration to the last closed socket."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mediaserver.addresses import default_address
from mediaserver.config import Settings
from mediaserver.errors import InvalidSettings, LoupeError
from mediaserver.lock import try_lock

if TYPE_CHECKING:
    from mediaserver.server import Server
    from mediaserver.store.store import Store
    from signalling.listener import Listener

log = logging.getLogger("loupe.signalling")

DRAIN_SECONDS = 10.0
"""How long those in rooms get to move elsewhere after SIGTERM."""
COLLECT_AFTER = 20_000
"""So many new objects, and what they leave behind in circles is looked for. With Python's own default, all
that stands is walked now and then for what one second of hundreds of viewers makes and the next lets go."""
MIN_OPEN_FILES = 65_536
FOLDER_SECONDS = 5.0
"""How long whoever is about to drain may still hold the data folder."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a hook that runs beside the server gets (``loupe demo``)."""

    server: Server
    listener: Listener
    settings: Settings


def may_use_plain_http(host: str, asked: bool) -> bool:
    """Plain HTTP is for loopback, or for whoever says so (a TLS proxy stands in front)."""
    if asked or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def tls_context(settings: Settings, plain_http: bool) -> ssl.SSLContext | None:
    """The TLS side of the listener; None for plain HTTP.

    Raises:
        InvalidSettings: plain HTTP where it may not be, or files that cannot be used.
    """
    from signalling import tls

    host = settings.listen.host
    if settings.tls.certificate is not None and settings.tls.key is not None:
        return tls.context(tls.Certificate(settings.tls.certificate, settings.tls.key))
    if settings.tls.self_made:
        names = ["localhost", "127.0.0.1", "::1", *_own_addresses(host)]
        made = tls.self_made(settings.data.folder, list(dict.fromkeys(names)))
        log.info("self-made certificate", extra={"sha256": made.fingerprint()})
        return tls.context(made)
    if not may_use_plain_http(host, plain_http):
        raise InvalidSettings(
            f"listen.host {host} is not loopback: give --tls-cert and --tls-key, or --self-made-tls, "
            "or --plain-http when a TLS proxy stands in front"
        )
    return None


def _own_addresses(host: str) -> list[str]:
    try:
        unspecified = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return [host]
    return [default_address()] if unspecified else [host]


def raise_file_limit() -> None:
    """A connection is a descriptor: takes as many as the system lets us have."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MIN_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MIN_OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Signals:
    """SIGTERM and SIGINT: the first drains, the second forces. SIGHUP reads the certificate again."""

    def __init__(self, reload: Callable[[], None]) -> None:
        self.stop = asyncio.Event()
        self.force = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked)
        loop.add_signal_handler(signal.SIGHUP, reload)

    def _asked(self) -> None:
        if self.stop.is_set():
            self.force.set()
        self.stop.set()


def _announce(url: str) -> None:
    # The line that scripts wait for; nothing else goes to stdout.
    sys.stdout.write(f"ready {url}\n")
    sys.stdout.flush()


def _open(settings: Settings) -> tuple[Store, Server]:
    """The store before the server that writes to it. Raises ``LoupeError``."""
    from mediaserver.plane import open_plane
    from mediaserver.recording.opening import open_recordings
    from mediaserver.server import Server
    from mediaserver.store.store import Store

    store = Store.open(settings)
    try:
        server = Server(settings, open_plane(settings.media), store.audit)
        server.recordings = open_recordings(server, store)
    except LoupeError:
        store.database.close()
        raise
    return store, server


def _reload(secure: ssl.SSLContext | None, settings: Settings) -> None:
    from signalling import tls

    if secure is None or settings.tls.certificate is None or settings.tls.key is None:
        return
    try:
        tls.reload(secure, tls.Certificate(settings.tls.certificate, settings.tls.key))
    except InvalidSettings as error:
        log.error("certificate not reloaded", extra={"reason": error.message})


async def sole_server(folder: Path) -> int:
    """The descriptor by which nobody else serves from this folder, until it is closed.

    Raises:
        InvalidSettings: another server does so, and goes on.
    """
    deadline = time.monotonic() + FOLDER_SECONDS
    try:
        while (descriptor := try_lock(folder / ".server.lock")) is None:
            if time.monotonic() > deadline:
                raise InvalidSettings(
                    f"another server uses the folder {folder}: end it (`loupe drain`), or give another --data"
                )
            await asyncio.sleep(0.05)
    except OSError as error:
        raise InvalidSettings(f"data.folder {folder} cannot be locked: {error.strerror}") from None
    return descriptor


async def run(
    settings: Settings,
    *,
    plain_http: bool = False,
    lenient_trickle: bool = False,
    drain_seconds: float = DRAIN_SECONDS,
    announce: Callable[[str], None] = _announce,
    started: Callable[[Running], None] | None = None,
) -> None:
    """Serves until a signal. Raises ``LoupeError`` when it cannot start."""
    from mediaserver.vault import NoMasterKey
    from signalling import app, drain, keys, listener, watchers

    token_keys = keys.load_or_create(settings)
    secure = tls_context(settings, plain_http)
    raise_file_limit()
    with contextlib.ExitStack() as folder:
        folder.callback(os.close, await sole_server(settings.data.folder))
        store, server = _open(settings)
        await server.start()
        await store.start()
        opened: Listener | None = None
        try:
            parts = app.services(server, settings, token_keys, lenient_trickle=lenient_trickle, store=store)
            opened = await listener.open_listener(
                app.build(parts), settings.listen.host, settings.listen.port, secure
            )
            signals = Signals(partial(_reload, secure, settings))
            # What stands now stands to the end: collections need not walk it, so they hold the loop up less.
            gc.freeze()
            gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
            gc.enable()
            announce(opened.url)
            if store.vault is None:
                log.info("recording is off", extra={"reason": NoMasterKey.default})
            if started is not None:
                started(Running(server, opened, settings))
            async with watchers.running(parts, drain.own_url(settings, opened.port)):
                await signals.stop.wait()
            folder.close()  # whoever takes over need not wait until the last has moved
            await _drain(server, signals, drain_seconds)
        finally:
            if opened is not None:
                await opened.close()
            await server.stop()
            await store.close()


async def _drain(server: Server, signals: Signals, seconds: float) -> None:
    """Lets no one new in, tells those inside to move, waits
    for them; a deadline or a second signal ends the wait."""
    log.info("draining", extra={"deadline_s": seconds})
    drained = asyncio.ensure_future(server.drain())
    forced = asyncio.ensure_future(signals.force.wait())
    try:
        await asyncio.wait({drained, forced}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (drained, forced):
            task.cancel()
        await asyncio.gather(drained, forced, return_exceptions=True)
