"""One transport: roles, early datagrams, closing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from mediaserver.config import Media
from mediaserver.errors import TransportFailed
from mediaserver.negotiation.media import Setup
from mediaserver.negotiation.offer import parse_description
from mediaserver.plane import Plane, open_plane
from mediaserver.transport.dtls import DtlsCounters
from mediaserver.transport.transport import MAX_EARLY_DATAGRAMS, HandshakeGate, Transport
from tests.mediaserver.captures import capture
from tests.mediaserver.link import certificate
from tests.mediaserver.peers import free_port


@pytest.fixture
def plane() -> Iterator[Plane]:
    made = open_plane(Media(addresses=("127.0.0.1",), port=free_port(), workers=1))
    yield made
    made.stop()


def transport(plane: Plane, counters: DtlsCounters | None = None) -> Transport:
    return Transport(plane, 0, "publish", certificate(), counters or DtlsCounters())


@pytest.mark.parametrize(
    ("name", "ours"),
    [("chromium_publish", Setup.PASSIVE), ("ffmpeg", Setup.ACTIVE), ("ffmpeg_active", Setup.PASSIVE)],
)
async def test_our_role_complements_theirs(plane: Plane, name: str, ours: Setup) -> None:
    made = transport(plane)
    assert made.description().setup is Setup.ACTPASS
    made.begin(parse_description(capture(name)))
    assert made.description().setup is ours
    assert made.description().candidates[0][0] == "127.0.0.1"


async def test_early_datagrams_are_few(plane: Plane) -> None:
    counters = DtlsCounters()
    made = transport(plane, counters)
    for _ in range(MAX_EARLY_DATAGRAMS + 3):
        made.receive(b"\x16" + bytes(100))
    assert counters.queue_full == 3
    with pytest.raises(TransportFailed):
        await made.connect(HandshakeGate(1))


async def test_new_credentials_count_a_generation(plane: Plane) -> None:
    made = transport(plane)
    before = made.description().ice
    made.restart_ice()
    assert made.description().ice != before
    assert made.generation == 2


async def test_closing_ends_the_wait_for_a_path(plane: Plane) -> None:
    made = transport(plane)
    made.begin(parse_description(capture("chromium_publish")))
    connecting = asyncio.create_task(made.connect(HandshakeGate(1)))
    await asyncio.sleep(0)
    made.close()
    made.close()
    with pytest.raises(TransportFailed):
        await connecting
    assert plane.open_handles == 0


async def test_handshakes_beyond_the_limit_wait_in_order_and_failed_ones_make_room(plane: Plane) -> None:
    gate, ended = HandshakeGate(1), list[int]()
    waiting = [transport(plane) for _ in range(3)]
    for made in waiting:
        made.begin(parse_description(capture("chromium_publish")))
        made.path_found()

    async def connect(number: int) -> None:
        with pytest.raises(TransportFailed):
            await waiting[number].connect(gate)
        ended.append(number)

    connecting = [asyncio.create_task(connect(number)) for number in range(3)]
    await asyncio.sleep(0.01)
    assert [made._association().state for made in waiting] == ["connecting", "new", "new"]
    waiting[1].close()
    waiting[0].close()
    await asyncio.wait(connecting[:2])
    await asyncio.sleep(0.01)
    assert (ended, waiting[2]._association().state) == ([0, 1], "connecting")
    waiting[2].close()
    await asyncio.wait(connecting)
