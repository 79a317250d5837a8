"""Ten million bad datagrams, and hardly a line about them (weakness W16)."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from pathlib import Path

import pytest

from tests.running import Client, Server

DATAGRAMS = 10_000_000
VOLLEY = 500_000
SECONDS = 300.0
LOG_BYTES_PER_SECOND = 1024
LENGTH, IN_ONE_CALL = 120, 64
_SOL_UDP, _UDP_SEGMENT = 17, 103  # <linux/udp.h>
_BEGINNINGS = (
    b"\x00\x01\x00\x08\x21\x12\xa4\x42",  # STUN that stops in its first attribute
    b"\x16\xfe\xfd\x00\x00",  # DTLS from an address that proved nothing
    b"\x80\x60\x12\x34",  # RTP
    b"\x81\xce\x00\x02",  # RTCP
    b"\xff\xff",  # nothing that is known
)


def bad_datagrams() -> bytes:
    """As many as one call sends, of all kinds, each of :data:`LENGTH` bytes."""
    kinds = (_BEGINNINGS[number % len(_BEGINNINGS)] for number in range(IN_ONE_CALL))
    return b"".join(kind + os.urandom(LENGTH - len(kind)) for kind in kinds)


def volley(port: int) -> None:
    """Sends :data:`VOLLEY` datagrams as quickly as the kernel takes them."""
    segments = [(_SOL_UDP, _UDP_SEGMENT, struct.pack("=H", LENGTH))]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        payload = [bad_datagrams()]
        for _ in range(0, VOLLEY, IN_ONE_CALL):
            stranger.sendmsg(payload, segments, 0, ("127.0.0.1", port))


async def refused(http: Client) -> float:
    """Datagrams that the plane read and dropped, for whatever reason; its full queue is none."""
    metrics = await http.metrics()
    start, full = 'loupe_rtp_packets_dropped_total{reason="', 'reason="queue_full"'
    return sum(count for name, count in metrics.items() if name.startswith(start) and full not in name)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(600)
async def test_ten_million_bad_datagrams_are_counted_and_not_logged(tmp_path: Path) -> None:
    server = Server.start(tmp_path)
    try:
        async with Client(server) as http:
            quiet, begun = server.log.stat().st_size, time.monotonic()
            while (counted := await refused(http)) < DATAGRAMS and time.monotonic() < begun + SECONDS:
                await asyncio.to_thread(volley, server.media_port)
            seconds, written = time.monotonic() - begun, server.log.stat().st_size - quiet
            print(f"{counted:.0f} datagrams in {seconds:.0f} s; {written} bytes of log")
            assert counted >= DATAGRAMS
            assert written <= LOG_BYTES_PER_SECOND * seconds
    finally:
        assert server.stop() == 0
