"""Every file of the corpora, from a stranger and inside an encrypted transport; a bystander loses nothing."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from av import VideoFrame
from pylibsrtp import Error as SrtpError

from tests.media import MarkedTrack, Peer, Watch, assert_in_order, publisher, viewer
from tests.running import ROOT, Client, Server

SHARED = Path(os.environ.get("LOUPE_SHARED", ROOT.parent / "shared"))
LARGEST_DATAGRAM = 65_000
LARGEST_PACKET = 1_100
LOG_BYTES_PER_SECOND = 1_024
Order = Callable[[list[bytes]], object]
"""Puts files in it, in place."""
ORDERS: dict[str, Order] = {
    "as they are": lambda _: None,
    "backwards": list.reverse,
    "shuffled": lambda files: random.Random(3).shuffle(files),  # anew: the same in every test
}
each_order = pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())


def corpora(order: Order) -> list[bytes]:
    """All files that fit into a datagram, in this order."""
    folder = SHARED / "corpora"
    if not folder.is_dir():
        pytest.skip(f"no corpora at {folder}: set LOUPE_SHARED")
    files = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
    found = [content for content in files if len(content) <= LARGEST_DATAGRAM]
    order(found)
    return found


@contextmanager
def quiet_log(server: Server) -> Iterator[None]:
    """Whoever sends rubbish must not fill the disk: at most a kibibyte a second, one at once."""
    before, start = server.log.stat().st_size, time.monotonic()
    yield
    grown = server.log.stat().st_size - before
    assert grown <= LOG_BYTES_PER_SECOND * (1 + time.monotonic() - start)


@asynccontextmanager
async def bystander(http: Client) -> AsyncIterator[Watch]:
    """An honest picture in a room of its own; at the end not one packet of it may be missing."""
    room = http.server.new_room()
    async with publisher(MarkedTrack()) as sender, viewer() as watcher:
        await sender.accept(await http.whip(room, await sender.offer()))
        await watcher.accept(await http.whep(room, await watcher.offer()))
        watch = watcher.of("video")
        await watch.frames(5)
        start = len(watch.seen) - 1
        yield watch
        await watch.frames(10)
        assert_in_order(watch.seen[start:])
        assert (await watcher.received("video"))[1] == 0


@each_order
async def test_a_stranger_sends_every_file(http: Client, order: Order) -> None:
    files = corpora(order)
    async with bystander(http):
        with quiet_log(http.server), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))
            stranger.setblocking(False)
            for content in files:
                stranger.sendto(content, ("127.0.0.1", http.server.media_port))
                await asyncio.sleep(0.002)
            await asyncio.sleep(0.5)
            with pytest.raises(BlockingIOError):
                stranger.recv(2048)
    assert len(files) > 300


class NoPicture(MarkedTrack):
    """Never a frame: libsrtp refuses sequence numbers far behind those that a real one would have used."""

    async def recv(self) -> VideoFrame:
        """Waits for ever."""
        await asyncio.Event().wait()
        raise AssertionError("never set")


@each_order
async def test_a_valid_peer_sends_every_file(http: Client, order: Order) -> None:
    files = corpora(order)
    room = http.server.new_room()
    async with bystander(http), publisher(NoPicture()) as hostile:
        offer = await hostile.offer()
        await hostile.accept(await http.whip(room, offer))
        await hostile.connected()
        ssrc = next(int(line.split()[0][7:]) for line in offer.splitlines() if line.startswith("a=ssrc:"))
        sent = 0
        with quiet_log(http.server):
            for number, content in enumerate(files):
                for packet in disguises(number, ssrc, content[:LARGEST_PACKET]):
                    sent += await protect_and_send(hostile, packet)
                await asyncio.sleep(0.002)
        assert sent > 3 * len(files)
        # The peer itself is still served: what it sent was dropped packet by packet.
        assert len((await http.room(room))["publications"]) == 1
        assert hostile.connection.connectionState == "connected"


def disguises(number: int, ssrc: int, content: bytes) -> list[bytes]:
    """A file as the packet itself, as the payload of a picture, as header extensions, as feedback."""
    sequence = (0x4000 + number) & 0xFFFF
    padded = content + bytes(-len(content) % 4)
    words = min(len(padded) // 4, 200)
    return [
        content,
        struct.pack("!BBHII", 0x80, 97, sequence, number * 3000, ssrc) + content,
        struct.pack("!BBHIIHH", 0x90, 97, sequence, number * 3000, ssrc, 0xBEDE, words)
        + padded[: 4 * words]
        + b"x",
        struct.pack("!BBHI", 0x8F, 205, words + 1, ssrc) + padded[: 4 * words],
    ]


async def protect_and_send(peer: Peer, packet: bytes) -> bool:
    """Encrypts as this peer may; False for what its own SRTP library will not touch."""
    dtls = peer.connection.getSenders()[0].transport
    try:
        await dtls._send_rtp(packet)
    except (SrtpError, IndexError, ValueError):
        return False
    return True
