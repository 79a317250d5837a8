"""What each event of the plane leads to: the functions behind the dispatch, called with what events carry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import structlog
from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from mediaserver.events import Closing, LayerForwarded, TransportState
from mediaserver.ids import ParticipantId, PublicationId
from mediaserver.participant import Participant
from mediaserver.policy import RIGHTS, Right, Role
from mediaserver.server import Server
from mediaserver.transport.data_channels import DataChannels
from tests.mediaserver.link import pair
from tests.mediaserver.peers import answer_to, connected, identity, publish, running_server, told


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running_server(workers=2) as running:
        yield running


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
    connected(server)
    assert len(server.registry.subscriptions) == 2
    publishing = server.registry.sessions[surgeon.id].publishing
    assert publishing is not None
    server._dispatcher._closed(publishing.transport.handle, "consent_expired")
    assert server.rooms[surgeon.room].publications == {}
    assert server.registry.subscriptions == {}
    assert TransportState("publish", "closed") in told(surgeon)
    again = await publish(server, surgeon)
    assert set(again.values()).isdisjoint(sources.values())
    server._dispatcher._closed(99_999, "consent_expired")


Ends = dict[ParticipantId, tuple[DataChannels, RTCDataChannel]]


async def talking(server: Server, *participants: Participant) -> Ends:
    """Each with the channel ``room`` open to the relay: the server's end and the client's."""
    ends: Ends = {}
    for participant in participants:
        await publish(server, participant)
        side = server.registry.sessions[participant.id].publishing
        assert side is not None
        link = pair()
        await asyncio.gather(
            link.client.connect((link.server_certificate.fingerprint,)),
            link.server.connect((link.client_certificate.fingerprint,)),
        )
        client, channels = RTCSctpTransport(link.client), DataChannels(link.server)
        side.transport.data = channels
        await asyncio.gather(
            channels.start(5000, 65536), client.start(RTCSctpCapabilities(maxMessageSize=0), 5000)
        )
        ends[participant.id] = (channels, RTCDataChannel(client, RTCDataChannelParameters(label="room")))
        session = server.registry.sessions[participant.id]
        session.run(server._dispatcher.relay(session, side.transport))
    async with asyncio.timeout(5):
        # The server's end is open when it is asked for, the client's when that is answered.
        while not all(at.is_open("room") and of.readyState == "open" for at, of in ends.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    return ends


async def test_what_is_said_on_a_data_channel_is_passed_on_by_right(server: Server) -> None:
    mute_rights = RIGHTS[Role.STAFF] - {Right.CHAT}
    silenced = replace(identity(), rights=mute_rights)
    speaker, listener = server.join(identity(), "An"), server.join(identity(), "Binh")
    quiet = server.join(silenced, "Chi")
    ends = await talking(server, speaker, listener, quiet)
    heard: asyncio.Queue[object] = asyncio.Queue()
    ends[listener.id][1].on("message", heard.put_nowait)
    ends[quiet.id][1].send("not for you")
    async with asyncio.timeout(5):
        while ends[quiet.id][0].refused != {"not_permitted": 1}:  # noqa: ASYNC110 - the relay counts it
            await asyncio.sleep(0.001)
    ends[speaker.id][1].send("here")
    assert await asyncio.wait_for(heard.get(), 5) == "here"
    assert heard.empty()


async def test_one_participant_makes_the_server_send_only_so_much(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted at each listener: three of them take the burst of six in two messages."""
    monkeypatch.setattr("mediaserver.dispatch.RELAYS_PER_SECOND", 3)
    people = [server.join(identity(), "An") for _ in range(4)]
    ends = await talking(server, *people)
    heard: list[object] = []
    for person in people[1:]:
        ends[person.id][1].on("message", heard.append)
    for word in ("one", "two", "three", "four"):
        ends[people[0].id][1].send(word)
    channels = ends[people[0].id][0]
    async with asyncio.timeout(5):
        while channels.refused["fan_out"] < 2:  # noqa: ASYNC110 - the relay counts it
            await asyncio.sleep(0.001)
        while len(heard) < 6:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert sorted(map(str, heard)) == ["one"] * 3 + ["two"] * 3


async def test_a_path_that_moved_is_logged_without_whence_and_whither(server: Server) -> None:
    surgeon = server.join(identity(), "An")
    await publish(server, surgeon)
    with structlog.testing.capture_logs() as lines:
        server._dispatcher._path_changed(next(iter(server.registry.transports)))
        server._dispatcher._path_changed(99_999)
    assert lines == [
        {"event": "path moved", "log_level": "info", "participant": surgeon.id, "direction": "publish"}
    ]


async def test_the_first_packet_forwarded_ends_the_join(server: Server) -> None:
    surgeon, viewer = server.join(identity(), "An"), server.join(identity(), "Binh")
    sources = await publish(server, surgeon)
    server.subscribe(viewer, [PublicationId(sources["1"])])
    await server.answer(viewer, 1, answer_to(getattr(told(viewer)[-1], "sdp", "")))
    connected(server)
    count = 'loupe_join_duration_seconds_count{stage="media"}'
    handle = next(iter(server.registry.subscriptions))
    server._dispatcher._layer_forwarded(handle, None)
    assert count not in server.metrics.render()[0].decode()
    for layer in (0, 1):
        server._dispatcher._layer_forwarded(handle, layer)
    assert f"{count} 1.0" in server.metrics.render()[0].decode()
    assert [event.layer for event in told(viewer) if isinstance(event, LayerForwarded)] == [None, 0, 1]
