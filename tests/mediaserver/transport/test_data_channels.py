"""Data channels over the real handshake: aiortc's own SCTP as the honest client, and as a hostile one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import (
    DataChunk,
    ForwardTsnChunk,
    RTCSctpCapabilities,
    RTCSctpTransport,
    StreamResetOutgoingParam,
)

from mediaserver.transport.data_channels import (
    BYTES_BURST,
    MAX_MESSAGE_BYTES,
    MAX_RECONFIG_REQUESTS,
    MAX_SEND_BYTES,
    MESSAGES_PER_SECOND,
    ChannelMessage,
    DataChannels,
)
from tests.mediaserver.link import Pair, pair

Joined = tuple[Pair, DataChannels, RTCSctpTransport]


@pytest.fixture
async def joined() -> AsyncIterator[Joined]:
    link = pair()
    await asyncio.gather(
        link.client.connect((link.server_certificate.fingerprint,)),
        link.server.connect((link.client_certificate.fingerprint,)),
    )
    channels = DataChannels(link.server, max_channels=4)
    client = RTCSctpTransport(link.client)
    await asyncio.gather(
        channels.start(5000, 65536), client.start(RTCSctpCapabilities(maxMessageSize=0), 5000)
    )
    yield link, channels, client
    await client.stop()
    channels.close()
    link.client.close_now()
    link.server.close_now()


def open_channel(client: RTCSctpTransport, label: str) -> RTCDataChannel:
    reliable = label != "pointer"
    return RTCDataChannel(
        client,
        RTCDataChannelParameters(label=label, ordered=reliable, maxRetransmits=None if reliable else 0),
    )


async def opened(channels: DataChannels, label: str) -> None:
    async with asyncio.timeout(5):
        while label not in channels.labels:  # noqa: ASYNC110 - the peer opens it
            await asyncio.sleep(0.001)


async def test_messages_pass_both_ways(joined: Joined) -> None:
    _, channels, client = joined
    room, pointer = open_channel(client, "room"), open_channel(client, "pointer")
    heard: asyncio.Queue[object] = asyncio.Queue()
    room.on("message", heard.put_nowait)
    await opened(channels, "room")
    await opened(channels, "pointer")
    room.send("hello")
    assert await asyncio.wait_for(channels.get(), 5) == ChannelMessage("room", "hello")
    pointer.send(b"\x01\x02")
    assert await asyncio.wait_for(channels.get(), 5) == ChannelMessage("pointer", b"\x01\x02")
    assert channels.send("room", "back")
    assert await asyncio.wait_for(heard.get(), 5) == "back"


async def test_unknown_labels_are_closed(joined: Joined) -> None:
    _, channels, client = joined
    open_channel(client, "files")
    open_channel(client, "room")
    await opened(channels, "room")
    assert channels.labels == {"room"}
    assert channels.refused == {"label": 1}


async def test_too_many_streams_end_the_association_not_the_transport(joined: Joined) -> None:
    link, channels, client = joined
    for index in range(10):
        open_channel(client, f"room{index}")
    assert await asyncio.wait_for(channels.get(), 5) is None
    assert channels.refused["channels"] == 1
    assert link.server.state == "connected"


async def test_a_message_of_a_gigabyte_is_cut_short(joined: Joined) -> None:
    _, channels, client = joined
    room = open_channel(client, "room")
    await opened(channels, "room")
    room.send("x" * (MAX_MESSAGE_BYTES + 1))
    room.send("after")
    assert await asyncio.wait_for(channels.get(), 5) == ChannelMessage("room", "after")
    assert channels.refused["message_bytes"] == 1


async def test_fragments_never_completed_are_bounded(joined: Joined) -> None:
    link, channels, client = joined
    open_channel(client, "room")
    await opened(channels, "room")
    for number in range(2000):
        chunk = DataChunk(flags=0x02)  # a beginning, never an end
        chunk.tsn = (client._local_tsn + 10 + 2 * number) % 2**32
        chunk.stream_id, chunk.stream_seq, chunk.protocol, chunk.user_data = 0, 5, 51, b"z" * 200
        await client._send_chunk(chunk)
        if channels.refused:
            break
        await asyncio.sleep(0)
    assert await asyncio.wait_for(channels.get(), 5) is None
    assert set(channels.refused) & {"reassembly_chunks", "reassembly_bytes"}
    assert link.server.state == "connected"


async def test_a_storm_of_forward_tsn_is_refused(joined: Joined) -> None:
    link, channels, client = joined
    open_channel(client, "room")
    await opened(channels, "room")
    chunk = ForwardTsnChunk()
    chunk.cumulative_tsn = (client._local_tsn + 5) % 2**32
    chunk.streams = [(number, 1) for number in range(200)]
    await client._send_chunk(chunk)
    assert await asyncio.wait_for(channels.get(), 5) is None
    assert channels.refused == {"forward_tsn": 1}
    assert link.server.state == "connected"


async def test_resets_that_are_never_acknowledged_are_bounded() -> None:
    link = pair()
    await asyncio.gather(
        link.client.connect((link.server_certificate.fingerprint,)),
        link.server.connect((link.client_certificate.fingerprint,)),
    )
    channels, client = DataChannels(link.server, max_channels=64), RTCSctpTransport(link.client)
    await asyncio.gather(
        channels.start(5000, 65536), client.start(RTCSctpCapabilities(maxMessageSize=0), 5000)
    )
    open_channel(client, "room")
    await opened(channels, "room")
    # From here on the client hears nothing, so it acknowledges none of the resets that refusing it causes.
    link.server_end.lose = lambda _: True
    for _ in range(MAX_RECONFIG_REQUESTS + 2):
        open_channel(client, "files")
    async with asyncio.timeout(5):
        while channels.refused.get("label", 0) < MAX_RECONFIG_REQUESTS + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    reset = StreamResetOutgoingParam(
        request_sequence=client._reconfig_request_seq,
        response_sequence=0,
        last_tsn=client._local_tsn,
        streams=[1],
    )
    await client._send_reconfig_param(reset)
    assert await asyncio.wait_for(channels.get(), 5) is None
    assert channels.refused["reconfig"] == 1
    assert link.server.state == "connected"
    await client.stop()
    link.client.close_now()
    link.server.close_now()


async def test_junk_ends_the_association_alone(joined: Joined) -> None:
    link, channels, client = joined
    open_channel(client, "room")
    await opened(channels, "room")
    for junk in (b"", b"\x00", b"\xff" * 40, bytes(12) + b"\x00\x00\x00\x00"):
        await channels._handle_data(junk)
    assert link.server.state == "connected"


async def test_a_slow_reliable_channel_is_closed(joined: Joined) -> None:
    link, channels, client = joined
    open_channel(client, "room")
    await opened(channels, "room")
    link.server_end.lose = lambda _: True
    sent = 0
    while channels.send("room", "x" * 60_000):
        sent += 60_000
        assert sent <= MAX_SEND_BYTES
    assert channels.refused == {"send_buffer": 1}


async def test_a_flood_is_dropped_and_costs_the_other_channel_nothing(joined: Joined) -> None:
    link, channels, client = joined
    room, pointer = open_channel(client, "room"), open_channel(client, "pointer")
    await opened(channels, "room")
    await opened(channels, "pointer")
    taken: list[ChannelMessage] = []

    async def read() -> None:
        while (message := await channels.get()) is not None:
            taken.append(message)

    reader = asyncio.create_task(read())
    rate, sent = MESSAGES_PER_SECOND["pointer"], 600
    began = asyncio.get_running_loop().time()
    for number in range(sent):
        pointer.send(f"{number}")
        await asyncio.sleep(0)
    room.send("still here")
    async with asyncio.timeout(10):
        while len(taken) + channels.refused["rate"] < sent + 1:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    took = asyncio.get_running_loop().time() - began
    pointers = sum(message.label == "pointer" for message in taken)
    assert 2 * rate <= pointers <= 2 * rate + rate * took + 1
    assert channels.refused == {"rate": sent - pointers}
    assert ChannelMessage("room", "still here") in taken
    assert link.server.state == "connected"
    channels.close()
    await reader


async def test_reopening_a_channel_earns_no_second_burst(joined: Joined) -> None:
    _, channels, client = joined
    burst = 2 * MESSAGES_PER_SECOND["room"]
    channels._rates[
        "room"
    ]._rate_per_second = 0.0  # however slow this machine is, nothing is earned meanwhile
    first = open_channel(client, "room")
    await opened(channels, "room")
    for number in range(burst):
        first.send(f"{number}")
        assert await asyncio.wait_for(channels.get(), 5)
    first.close()
    async with asyncio.timeout(5):
        while channels.is_open("room"):  # noqa: ASYNC110 - the peer closes it
            await asyncio.sleep(0.001)
    second = open_channel(client, "room")
    await opened(channels, "room")
    before = channels.refused["rate"]
    second.send("again")
    second.send("and again")
    async with asyncio.timeout(5):
        while channels.refused["rate"] < before + 2:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)


async def test_large_messages_are_bounded_by_their_bytes(joined: Joined) -> None:
    _, channels, client = joined
    room = open_channel(client, "room")
    await opened(channels, "room")
    channels._bytes._rate_per_second = 0.0
    whole = BYTES_BURST // 60_000
    for _ in range(whole + 3):
        room.send("x" * 60_000)
    room.send("small")
    taken = [await asyncio.wait_for(channels.get(), 10) for _ in range(whole + 1)]
    assert taken[-1] == ChannelMessage("room", "small")
    assert channels.refused == {"rate": 3}
