"""A thousand authorised peers begin handshakes that they never end (06-reliability W12)."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.histogram import buckets, quantile
from mediaserver.transport.dtls import HANDSHAKE_SECONDS
from tests.media import MarkedTrack, assert_in_order, publisher, viewer
from tests.running import Client, HttpSession, Server
from tests.seam.ice_client import nominating_check
from tests.signalling.offers import offer

PEERS = 1000
AT_ONCE = 200
"""Handshakes, as shipped; the others wait their turn."""
PER_PEER_BYTES = 32 * 1024
MESSAGE_BYTES = 12_000
FRAGMENT_BYTES = 900
FRAGMENT_SECONDS = 0.25
"""Between two fragments of one peer: four thousand a second from all."""


def fragment(number: int, offset: int, length: int) -> bytes:
    """One record with a piece of a ClientHello that is never whole (RFC 6347 section 4.2.2)."""
    header = struct.pack("!B3sH3s3s", 1, _uint24(MESSAGE_BYTES), 0, _uint24(offset), _uint24(length))
    body = header + bytes(length)
    return b"\x16\xfe\xff" + struct.pack("!HHIH", 0, 0, number, len(body)) + body


def _uint24(value: int) -> bytes:
    return value.to_bytes(3, "big")


def empty(number: int) -> bytes:
    """Of no bytes."""
    return fragment(number, 0, 0)


def overlapping(number: int) -> bytes:
    """Each begins in the middle of the one before."""
    return fragment(number, number * FRAGMENT_BYTES // 2 % (MESSAGE_BYTES // 2), FRAGMENT_BYTES)


def reordered(number: int) -> bytes:
    """From the end towards the beginning, and never the first."""
    return fragment(number, MESSAGE_BYTES - FRAGMENT_BYTES * (1 + number % 12), FRAGMENT_BYTES)


KINDS: tuple[Callable[[int], bytes], ...] = (empty, overlapping, reordered)


@dataclass
class Hostile:
    """A viewer by WHEP that is entitled to its path, and to no more."""

    udp: socket.socket
    server: tuple[str, int]
    ufrag: str
    pwd: str
    piece: Callable[[int], bytes]
    sent: int = 0

    @classmethod
    def of(cls, session: HttpSession, port: int, piece: Callable[[int], bytes]) -> Hostile:
        """With a socket of its own."""
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        found = [re.search(rf"a=ice-{part}:(\S+)", session.answer) for part in ("ufrag", "pwd")]
        assert all(found)
        ufrag, pwd = (match[1] for match in found if match)
        return cls(udp, ("127.0.0.1", port), ufrag, pwd, piece)

    def check(self) -> None:
        """Proves its path."""
        self.udp.sendto(bytes(nominating_check(f"{self.ufrag}:abcd", self.pwd)), self.server)

    def strike(self) -> None:
        """One more fragment."""
        self.udp.sendto(self.piece(self.sent), self.server)
        self.sent += 1


async def hostile_peers(http: Client, room: str) -> list[Hostile]:
    """A thousand sessions, opened a few at a time."""
    doors = asyncio.Semaphore(20)

    async def one(number: int) -> Hostile:
        async with doors:
            session = await http.whep(room, offer("recvonly"))
        return Hostile.of(session, http.server.media_port, KINDS[number % len(KINDS)])

    return await asyncio.gather(*(one(number) for number in range(PEERS)))


async def strike(peers: Iterable[Hostile]) -> None:
    """Paths first, then fragments without end; consent is kept alive."""
    for peer in peers:
        peer.check()
        await asyncio.sleep(0)
    while True:
        begun = time.monotonic()
        for number, peer in enumerate(peers):
            peer.strike()
            if peer.sent % 16 == 0:
                peer.check()
            if number % 50 == 0:
                await asyncio.sleep(FRAGMENT_SECONDS * 50 / PEERS)
        await asyncio.sleep(max(0.0, begun + FRAGMENT_SECONDS - time.monotonic()))


async def given_up(http: Client) -> float:
    """Handshakes that the server has ended."""
    metrics = await http.metrics()
    reasons = ("handshake_flood", "handshake_timeout", "handshake_failed")
    return sum(metrics[f'loupe_dtls_datagrams_dropped_total{{reason="{reason}"}}'] for reason in reasons)


async def delays(http: Client) -> dict[float, float]:
    """Of forwarded packets so far, by bucket."""
    return buckets(await (await http.request("GET", "/metrics")).text(), "loupe_forward_delay_seconds")


def p99_seconds(start: dict[float, float], end: dict[float, float]) -> float:
    """Of what was forwarded between the two."""
    found = quantile({bound: count - start.get(bound, 0.0) for bound, count in end.items()}, 0.99)
    assert found is not None
    return found


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(300)
async def test_handshakes_that_never_end(tmp_path: Path) -> None:
    server = Server.start(
        tmp_path, configuration="[limits]\nconnections_per_source = 2000\nviewers_per_room = 1001\n"
    )
    try:
        async with Client(server) as http, publisher(MarkedTrack()) as sender, viewer() as watcher:
            room = server.new_room()
            await sender.accept(await http.whip(room, await sender.offer()))
            await watcher.accept(await http.whep(room, await watcher.offer()))
            await watcher.of("video").frames(15)
            peers = await hostile_peers(http, room)
            resident, first = server.resident_bytes, await delays(http)
            await watcher.of("video").frames(75)
            start, second = len(watcher.of("video").seen) - 1, await delays(http)
            striking, begun = asyncio.create_task(strike(peers)), time.monotonic()
            turns: dict[int, float] = {}
            grown, worst = 0, (PEERS // AT_ONCE) * HANDSHAKE_SECONDS + 10
            while len(turns) < PEERS // AT_ONCE and time.monotonic() - begun < worst:
                ended = int(await given_up(http)) // AT_ONCE
                for turn in range(len(turns), ended):
                    turns[turn] = time.monotonic() - begun
                grown = max(grown, server.resident_bytes - resident)
                await asyncio.sleep(0.2)
            assert not striking.done()
            striking.cancel()
            third = await delays(http)
            print(
                f"ended by turns of {AT_ONCE}: {turns}; {grown / PEERS / 1024:.1f} KiB each; "
                f"p99 {p99_seconds(first, second):.4f} s before, {p99_seconds(second, third):.4f} s meanwhile"
            )
            for turn in range(PEERS // AT_ONCE):
                assert turns[turn] <= (turn + 1) * (HANDSHAKE_SECONDS + 1), turns
            assert grown / PEERS <= PER_PEER_BYTES
            assert p99_seconds(second, third) <= p99_seconds(first, second) + 0.005
            assert_in_order(watcher.of("video").seen[start:])
            assert (await watcher.received("video"))[1] == 0
            for peer in peers:
                peer.udp.close()
    finally:
        assert server.stop() == 0
