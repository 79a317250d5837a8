"""What each event of the plane leads to: the functions behind the dispatch, called with what events carry."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mediaserver.events import Closing, TransportState
from mediaserver.ids import PublicationId
from mediaserver.server import Server
from tests.mediaserver.peers import answer_to, identity, make_server, publish, told


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = make_server(workers=2)
    await running.start()
    yield running
    await running.stop()


async def test_a_failed_worker_ends_its_rooms_alone(server: Server) -> None:
    here, there = server.join(identity(room="one"), "An"), server.join(identity(room="two"), "Binh")
    await publish(server, here)
    await publish(server, there)
    assert {room.worker for room in server.rooms.values()} == {0, 1}
    server._dispatcher._worker_failed(server.rooms[here.room].worker, "panic")
    assert told(here)[-1] == Closing("worker_failed", reconnect=True)
    assert not any(isinstance(event, Closing) for event in told(there))
    assert list(server.rooms) == ["two"]
    back = server.join(identity(room="one"), "An")
    assert server.rooms[back.room].worker == server.rooms[there.room].worker
    assert server.ready


async def test_consent_lost_and_found_is_told(server: Server) -> None:
    surgeon = server.join(identity(), "An")
    await publish(server, surgeon)
    handle, (session, transport) = next(iter(server.registry.transports.items()))
    server._dispatcher._consent_lost(handle)
    assert told(surgeon)[-1] == TransportState("publish", "connecting")
    server._dispatcher.connected(session, transport)
    server._dispatcher._consent_lost(handle)
    assert told(surgeon)[-1] == TransportState("publish", "interrupted")
    server._dispatcher._path_found(handle)
    assert told(surgeon)[-1] == TransportState("publish", "connected")


async def test_a_publish_transport_that_expires_ends_its_publications(server: Server) -> None:
    surgeon, viewer = server.join(identity(), "An"), server.join(identity(), "Binh")
    sources = await publish(server, surgeon)
    server.subscribe(viewer, [PublicationId(id) for id in sources.values()])
    offer = getattr(told(viewer)[-1], "sdp", "")
    await server.answer(viewer, 1, answer_to(offer))
    publishing = server.registry.sessions[surgeon.id].publishing
    assert publishing is not None
    server._dispatcher._closed(publishing.transport.handle, "consent_expired")
    assert server.rooms[surgeon.room].publications == {}
    assert server.registry.subscriptions == {}
    assert TransportState("publish", "closed") in told(surgeon)
    again = await publish(server, surgeon)
    assert set(again.values()).isdisjoint(sources.values())
    server._dispatcher._closed(99_999, "consent_expired")
