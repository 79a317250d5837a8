"""``loupe doctor``: what must hold on this machine before
a theatre can rely on it; each finding with its fix."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import socket
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path

import msgspec

from mediaserver.addresses import media_addresses
from mediaserver.config import Media, Settings
from mediaserver.errors import LoupeError

UDP_BUFFER_BYTES = 4 * 1024 * 1024
"""Half a second of 60 Mbit/s: what arrives while a worker is held up by the system."""
DISK_MBYTES_PER_SECOND = 20.0
"""Eight sources of 8 Mbit/s, twice over."""
DISK_TEST_BYTES = 16 * 1024 * 1024
EARLIEST_YEAR = 2026
CLOCK_STEP_SECONDS = 0.5
CERTIFICATE_WARN_DAYS = 14
UDP_ROUND_TRIP_SECONDS = 0.05


class Verdict(StrEnum):
    """How bad it is."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Check(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finding."""

    name: str
    verdict: Verdict
    detail: str
    fix: str | None = None


def _good(name: str, detail: str) -> Check:
    return Check(name=name, verdict=Verdict.GOOD, detail=detail)


def _warn(name: str, detail: str, fix: str) -> Check:
    return Check(name=name, verdict=Verdict.WARN, detail=detail, fix=fix)


def _bad(name: str, detail: str, fix: str) -> Check:
    return Check(name=name, verdict=Verdict.BAD, detail=detail, fix=fix)


def _family(address: str) -> socket.AddressFamily:
    try:
        return socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    except ValueError:
        return socket.AF_INET


def check_http_port(settings: Settings) -> Check:
    """The listening address is free."""
    host, port = settings.listen.host, settings.listen.port
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return _bad(
                "http_port",
                f"TCP {host} port {port}: {error.strerror}",
                "stop what uses it, or serve with --listen HOST:PORT",
            )
    return _good("http_port", f"TCP {host} port {port} is free")


def check_media_ports(settings: Settings) -> Check:
    """Every worker's UDP port is free on every address."""
    workers = settings.media.workers or os.cpu_count() or 1
    for address in media_addresses(settings.media):
        for port in range(settings.media.port, settings.media.port + workers):
            with socket.socket(_family(address), socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind((address, port if settings.media.port else 0))
                except OSError as error:
                    return _bad(
                        "media_ports",
                        f"UDP {address} port {port}: {error.strerror}",
                        "stop what uses it, or serve with --media-port and --media-address",
                    )
    last = settings.media.port + workers - 1
    return _good("media_ports", f"UDP {settings.media.port}-{last} are free; open them in the firewall")


def check_addresses(settings: Settings) -> Check:
    """Clients elsewhere can reach what is announced."""
    told = list(settings.media.announced) or media_addresses(settings.media)
    if all(ipaddress.ip_address(address).is_loopback for address in told):
        return _warn(
            "addresses",
            "media are announced on loopback only: other computers cannot see them",
            "serve with --media-address and this machine's address",
        )
    return _good("addresses", f"{len(told)} address(es) announced for media")


def check_clock(settings: Settings) -> Check:  # noqa: ARG001 - checks have one shape
    """Tokens and recordings need a clock that is roughly right and does not jump."""
    if datetime.datetime.now(datetime.UTC).year < EARLIEST_YEAR:
        return _bad("clock", "the clock is years behind", "set it: timedatectl set-ntp true")
    wall, steady = time.time(), time.monotonic()
    time.sleep(0.05)
    drift = abs((time.time() - wall) - (time.monotonic() - steady))
    if drift > CLOCK_STEP_SECONDS:
        return _warn("clock", "the clock jumps", "check: timedatectl timesync-status")
    return _good("clock", "plausible and steady")


def check_udp(settings: Settings) -> Check:
    """A datagram to the own media address comes back."""
    for address in media_addresses(settings.media):
        family = _family(address)
        with (
            socket.socket(family, socket.SOCK_DGRAM) as here,
            socket.socket(family, socket.SOCK_DGRAM) as there,
        ):
            try:
                here.bind((address, 0))
                there.bind((address, 0))
                there.settimeout(1.0)
                start = time.monotonic()
                here.sendto(b"loupe", there.getsockname())
                there.recv(16)
            except OSError as error:
                return _bad(
                    "udp",
                    f"UDP on {address} does not work: {error.strerror or 'no answer'}",
                    "choose an address of this machine with --media-address; check the local firewall",
                )
            if time.monotonic() - start > UDP_ROUND_TRIP_SECONDS:
                return _warn("udp", f"UDP on {address} is slow", "the machine is overloaded: check its load")
    return _good("udp", "datagrams to the own addresses arrive")


def check_buffers(settings: Settings) -> Check:  # noqa: ARG001
    """The kernel lets sockets have large buffers."""
    small = []
    for name in ("rmem_max", "wmem_max"):
        path = Path("/proc/sys/net/core") / name
        with contextlib.suppress(OSError, ValueError):
            if int(path.read_text()) < UDP_BUFFER_BYTES:
                small.append(f"net.core.{name}")
    if small:
        return _warn(
            "udp_buffers",
            f"{' and '.join(small)} below {UDP_BUFFER_BYTES} bytes: bursts are lost under load",
            f"as root: sysctl -w {' '.join(f'{name}={UDP_BUFFER_BYTES}' for name in small)}",
        )
    return _good("udp_buffers", "large enough")


def check_certificate(settings: Settings) -> Check:
    """TLS files, if given, are usable for a while."""
    from signalling import tls

    given = settings.tls
    if given.certificate is None or given.key is None:
        text = "self-made" if given.self_made else "none: plain HTTP, which browsers take from localhost only"
        fix = "serve with --tls-cert and --tls-key"
        return _warn("certificate", text, fix)
    files = tls.Certificate(given.certificate, given.key)
    try:
        tls.context(files)
    except LoupeError as error:
        return _bad("certificate", error.message, "give the chain and its key as PEM files")
    left = (tls.expires(files) - datetime.datetime.now(datetime.UTC)).days
    if left < 0:
        return _bad("certificate", "expired", "renew it, then: kill -HUP the server")
    if left < CERTIFICATE_WARN_DAYS:
        return _warn("certificate", f"ends in {left} days", "renew it, then: kill -HUP the server")
    return _good("certificate", f"good for {left} days")


def check_disk(settings: Settings) -> Check:
    """The data folder takes what recordings will need."""
    folder = settings.data.folder
    while not folder.exists():
        folder = folder.parent
    probe = folder / f".loupe-doctor-{os.getpid()}"
    block = os.urandom(1024 * 1024)
    try:
        start = time.monotonic()
        with probe.open("wb") as file:
            for _ in range(DISK_TEST_BYTES // len(block)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        rate = DISK_TEST_BYTES / (time.monotonic() - start) / 1e6
    except OSError as error:
        return _bad(
            "disk", f"cannot write to {folder}: {error.strerror}", "serve with --data and a folder you own"
        )
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    if rate < DISK_MBYTES_PER_SECOND:
        return _warn(
            "disk", f"writes {rate:.0f} MB/s, flushed", "put --data on a faster disk before recording"
        )
    return _good("disk", f"writes {rate:.0f} MB/s, flushed")


def check_native_plane(settings: Settings) -> Check:  # noqa: ARG001
    """The compiled data plane loads, opens a worker, and stops."""
    try:
        from mediaserver.plane import open_plane
    except ImportError:
        return _bad("native_plane", "not installed", "build it: make setup")
    try:
        plane = open_plane(Media(addresses=("127.0.0.1",), port=0, workers=1))
        try:
            _, local = plane.open_transport(0)
            plane.stats()
        finally:
            plane.stop()
    except (LoupeError, OSError, RuntimeError, ValueError) as error:
        return _bad("native_plane", f"does not start: {error}", "build it anew: make setup")
    return _good("native_plane", f"one worker ran, {len(local.candidates)} candidate(s)")


CHECKS: tuple[Callable[[Settings], Check], ...] = (
    check_native_plane,
    check_http_port,
    check_media_ports,
    check_addresses,
    check_udp,
    check_buffers,
    check_clock,
    check_certificate,
    check_disk,
)


def examine(settings: Settings) -> list[Check]:
    """All checks, in the order in which they stop a start."""
    return [check(settings) for check in CHECKS]


def as_json(checks: Iterable[Check]) -> str:
    """One JSON array."""
    return msgspec.json.encode(list(checks)).decode()


def as_text(checks: Iterable[Check], *, colour: bool) -> str:
    """A line per check, and a line with the fix where one is needed."""
    marks = {Verdict.GOOD: ("32", "good"), Verdict.WARN: ("33", "warn"), Verdict.BAD: ("31", "BAD ")}
    lines = []
    for check in checks:
        code, mark = marks[check.verdict]
        shown = f"\x1b[{code}m{mark}\x1b[0m" if colour else mark
        lines.append(f"{shown}  {check.name}: {check.detail}")
        if check.fix:
            lines.append(f"      fix: {check.fix}")
    return "\n".join(lines)
