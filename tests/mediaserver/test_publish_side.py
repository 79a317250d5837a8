"""Publishing: whole or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mediaserver.errors import LimitReached, MalformedSdp
from mediaserver.negotiation.offer import parse_description
from mediaserver.publish_side import SourceSpec, whip_sources
from mediaserver.server import Server
from tests.mediaserver.captures import capture
from tests.mediaserver.peers import SOURCES, identity, make_server, publish, running_server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running_server(publications_per_participant=2) as running:
        yield running


@pytest.mark.parametrize(
    ("sources", "field"),
    [
        (SOURCES[:1], "$.sources"),
        ([*SOURCES, SourceSpec("7", "x", "other")], "$.sources[2].mid"),
        ([*SOURCES, SOURCES[0]], "$.sources[2].mid"),
        ([SourceSpec("0", "", "other"), SOURCES[1]], "$.sources[0].label"),
        ([SourceSpec("0", "x" * 65, "other"), SOURCES[1]], "$.sources[0].label"),
    ],
)
async def test_sources_must_fit_the_offer(server: Server, sources: list[SourceSpec], field: str) -> None:
    surgeon = server.join(identity(), "An")
    with pytest.raises(MalformedSdp) as refusal:
        await server.publish(surgeon, capture("chromium_publish"), sources)
    assert refusal.value.field == field
    assert server.registry.transports == {}


async def test_another_peer_connection_takes_the_old_ones_place(server: Server) -> None:
    surgeon = server.join(identity(), "An")
    first = await publish(server, surgeon, "chromium_publish")
    second = await publish(server, surgeon, "wrtc")
    assert set(first.values()).isdisjoint(second.values())
    assert len(server.registry.transports) == 1
    assert set(server.rooms[surgeon.room].publications) == set(second.values())


async def test_too_many_publications_change_nothing() -> None:
    server = make_server(publications_per_participant=1)
    await server.start()
    surgeon = server.join(identity(), "An")
    with pytest.raises(LimitReached):
        await publish(server, surgeon)
    assert server.registry.transports == {}
    await server.stop()


def test_an_encoders_sections_share_one_label() -> None:
    specs = whip_sources(parse_description(capture("ffmpeg")), "camera")
    assert [(spec.mid, spec.label) for spec in specs] == [("0", "camera"), ("1", "camera")]
