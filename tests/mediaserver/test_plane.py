"""The data plane as asyncio sees it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from mediaserver.config import Media
from mediaserver.errors import InvalidSettings, WorkerGone
from mediaserver.plane import open_plane
from tests.mediaserver.peers import free_port


def test_rooms_go_to_the_worker_with_the_fewest() -> None:
    plane = open_plane(Media(addresses=("127.0.0.1",), port=free_port(3), workers=3))
    try:
        assert [plane.place() for _ in range(4)] == [0, 1, 2, 0]
        plane.release(1)
        assert plane.place() == 1
        plane.lost(0)
        assert sorted(plane.place() for _ in range(2)) == [1, 2]
        plane.lost(1)
        plane.lost(2)
        with pytest.raises(WorkerGone):
            plane.place()
    finally:
        plane.stop()


async def test_handles_are_numbered_and_forgotten() -> None:
    plane = open_plane(Media(addresses=("127.0.0.1",), port=free_port(), workers=1))
    plane.watch()
    try:
        first, ice = plane.open_transport(0)
        second, other = plane.open_transport(0)
        assert (first, second, plane.open_handles) == (1, 2, 2)
        assert ice.ufrag != other.ufrag
        assert len(ice.pwd) >= 22
        assert ice.candidates[0][0] == "127.0.0.1"
        with pytest.raises(WorkerGone):
            plane.open_transport(9)
        plane.close(first)
        plane.close(first)
        plane.close(second)
        assert plane.open_handles == 0
    finally:
        plane.stop()
        plane.stop()


async def test_waiting_for_events_can_be_cancelled() -> None:
    plane = open_plane(Media(addresses=("127.0.0.1",), port=free_port(), workers=1))
    plane.watch()
    try:
        waiting = asyncio.create_task(plane.events())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    finally:
        plane.stop()


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = int(holder.getsockname()[1])
        with pytest.raises(InvalidSettings, match=r"media\.port") as refusal:
            open_plane(Media(addresses=("127.0.0.1",), port=port, workers=1))
        assert "\n" not in refusal.value.message
