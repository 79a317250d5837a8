"""Whoever is no party to a session changes nothing, learns nothing, and is counted (weaknesses W1 and W2)."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from fractions import Fraction
from typing import Self

import pytest
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame

from tests.media import MarkedTrack, assert_in_order, publisher, viewer
from tests.running import Client, Server

# A ClientHello of DTLS 1.2 that offers one cipher suite only (RFC 6347 section 4.2.2).
_HELLO_BODY = b"\xfe\xfd" + bytes(32) + b"\x00\x00" + b"\x00\x02%s" + b"\x01\x00"


def client_hello(suite: bytes) -> bytes:
    """One record with one whole ClientHello."""
    body = _HELLO_BODY % suite
    handshake = (
        b"\x01" + len(body).to_bytes(3, "big") + bytes(2) + bytes(3) + len(body).to_bytes(3, "big") + body
    )
    return b"\x16\xfe\xff" + bytes(8) + len(handshake).to_bytes(2, "big") + handshake


RACERS = (
    client_hello(b"\x00\x00"),  # TLS_NULL_WITH_NULL_NULL
    client_hello(b"\xc0\x2b"),  # what an honest client offers
    b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28",  # a fatal alert in plain text
    b"",
    b"\x16" + os.urandom(1199),
)


class Stranger:
    """Sends datagrams to the media port from an address of its own until told to stop."""

    def __init__(self, port: int, datagrams: Sequence[bytes], per_second: float) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._target = ("127.0.0.1", port)
        self._datagrams = datagrams
        self._interval = 1 / per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._socket.sendto(self._datagrams[self.sent % len(self._datagrams)], self._target)
            self.sent += 1

    def finish(self) -> bytes:
        """Stops; everything that came back."""
        self._stop.set()
        self._thread.join()
        time.sleep(0.5)  # the last answer's way, were there one
        self._socket.setblocking(False)
        try:
            return self._socket.recv(65_536) or b"(an empty datagram)"
        except BlockingIOError:
            return b""


class Silence(MediaStreamTrack):
    """A microphone that never says anything: its packets would blur the count."""

    kind = "audio"

    async def recv(self) -> AudioFrame:
        """One frame to begin with, so that the encoder is chosen; then none."""
        if self.readyState == "live" and not hasattr(self, "begun"):
            self.begun = True
            frame = AudioFrame(format="s16", layout="mono", samples=960)
            frame.planes[0].update(bytes(1920))
            frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
            return frame
        await asyncio.Event().wait()
        raise AssertionError("never set")


@pytest.fixture(scope="module")
def quiet_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody else speaks to: its counters are this module's alone."""
    running = Server.start(tmp_path_factory.mktemp("quiet"))
    yield running
    assert running.stop() == 0


@pytest.fixture
async def quiet(quiet_server: Server) -> AsyncIterator[Client]:
    """HTTP to it."""
    async with Client(quiet_server) as client:
        yield client


async def refused(http: Client) -> float:
    """Datagrams of strangers that were dropped."""
    metrics = await http.metrics()
    reasons = ("unvalidated_source", "short", "unknown_protocol")
    return sum(metrics.get(f'loupe_rtp_packets_dropped_total{{reason="{reason}"}}', 0) for reason in reasons)


async def settled(http: Client) -> float:
    """The same once it stands still: the snapshot is up to a second old."""
    before = -1.0
    while (now := await refused(http)) != before:
        before = now
        await asyncio.sleep(1.2)
    return now


HANDSHAKES, AT_ONCE = 50, 5


@pytest.mark.timeout(180)
async def test_a_stranger_wins_no_race_for_a_handshake(quiet: Client) -> None:
    room = quiet.server.new_room()
    async with AsyncExitStack() as stack:
        sender = await stack.enter_async_context(publisher(Silence()))
        await sender.accept(await quiet.whip(room, await sender.offer()))
        await sender.connected()
        before = await settled(quiet)
        with Stranger(quiet.server.media_port, RACERS, per_second=300) as stranger:
            for _ in range(HANDSHAKES // AT_ONCE):
                peers = [await stack.enter_async_context(viewer()) for _ in range(AT_ONCE)]
                for peer in peers:
                    await peer.accept(await quiet.whep(room, await peer.offer()))
                await asyncio.gather(*(peer.connected() for peer in peers))
            assert await asyncio.to_thread(stranger.finish) == b""
            assert stranger.sent > 100
            assert await settled(quiet) - before == stranger.sent


async def test_a_stranger_injects_nothing(quiet: Client) -> None:
    room = quiet.server.new_room()
    async with publisher(MarkedTrack()) as sender, viewer() as watcher:
        offer = await sender.offer()
        await sender.accept(await quiet.whip(room, offer))
        await watcher.accept(await quiet.whep(room, await watcher.offer()))
        await watcher.of("video").frames(15)
        ssrc = next(int(line.split()[0][7:]) for line in offer.splitlines() if line.startswith("a=ssrc:"))
        before, asked = await settled(quiet), await key_frame_requests(quiet)
        start = len(watcher.of("video").seen) - 1
        with Stranger(quiet.server.media_port, injections(ssrc), per_second=1000) as stranger:
            await watcher.of("video").frames(45)
            assert await asyncio.to_thread(stranger.finish) == b""
            assert stranger.sent > 500
            assert await settled(quiet) - before == stranger.sent
        assert_in_order(watcher.of("video").seen[start:])
        assert (await watcher.received("video"))[1] == 0
        assert await key_frame_requests(quiet) == asked


async def key_frame_requests(http: Client) -> float:
    """To publishers."""
    return (await http.metrics())['loupe_pli_total{direction="out"}']


def injections(ssrc: int) -> list[bytes]:
    """Plain RTP with the right source, the same with a random tag, and RTCP that ends, disturbs or asks."""
    packets = []
    for sequence in range(0, 65_536, 97):
        header = struct.pack("!BBHII", 0x80, 97, sequence, sequence * 3000, ssrc)
        packets += [header + b"\x10injected", header + os.urandom(64)]
    packets.append(struct.pack("!BBHI", 0x81, 203, 1, ssrc))  # BYE
    packets.append(struct.pack("!BBHII", 0x81, 206, 2, 1, ssrc))  # PLI
    packets.append(struct.pack("!BBHIIHH", 0x81, 205, 3, 1, ssrc, 0, 0xFFFF))  # NACK
    return packets


async def test_an_empty_datagram_at_any_moment_has_no_effect(quiet: Client) -> None:
    room = quiet.server.new_room()
    with Stranger(quiet.server.media_port, [b"", b"\x00", b"\x80"], per_second=200) as stranger:
        async with publisher(MarkedTrack()) as sender, viewer() as watcher:
            await sender.accept(await quiet.whip(room, await sender.offer()))
            await watcher.accept(await quiet.whep(room, await watcher.offer()))
            assert_in_order(await watcher.of("video").frames(20))
        assert await asyncio.to_thread(stranger.finish) == b""
