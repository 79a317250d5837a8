"""Publishing: whole or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mediaserver.errors import LimitReached, MalformedSdp
from mediaserver.negotiation.offer import parse_description
from mediaserver.publish_side import whip_sources
from mediaserver.server import Server, SourceSpec
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


async def test_a_section_that_sends_something_else_is_another_publication(server: Server) -> None:
    surgeon = server.join(identity(), "An")
    offer = capture("chromium_publish")
    first = dict((await server.publish(surgeon, offer, SOURCES)).sources)
    again = dict((await server.publish(surgeon, offer, SOURCES)).sources)
    assert again == first
    video = next(line for line in offer.splitlines() if line.startswith("m=video"))
    types = video.split()[3:]
    codecs = {codec.payload_type: codec for codec in parse_description(offer).media[1].codecs}
    other = next(t for t in types if codecs[int(t)].name == "VP9")
    assert codecs[int(types[0])].name == "VP8"
    preferred = [other, *(t for t in types if t != other)]
    changed = await server.publish(
        surgeon, offer.replace(video, " ".join([*video.split()[:3], *preferred])), SOURCES
    )
    assert changed.sources["0"] == first["0"], "the sound goes on"
    assert changed.sources["1"] != first["1"]
    published = server.rooms[surgeon.room].publications
    assert set(published) == set(changed.sources.values())
    assert published[changed.sources["1"]].codec.name == "VP9"
    renamed = [SOURCES[0], SourceSpec("1", "overhead", "overhead")]
    last = await server.publish(surgeon, offer, renamed)
    assert published[last.sources["1"]].label == "overhead"
    assert len(server.registry.publications) == 2


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
