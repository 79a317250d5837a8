"""WHEP: what a viewer is given, and what fills its sections again."""

from __future__ import annotations

import pytest

from mediaserver.errors import NothingPublished
from mediaserver.policy import Role
from mediaserver.server import Server
from mediaserver.watch_side import sources
from tests.mediaserver.captures import capture
from tests.mediaserver.peers import connected, identity, publish


async def test_the_first_picture_and_sound_or_one_label(server: Server) -> None:
    surgeon = server.join(identity(), "An")
    room = server.rooms[surgeon.room]
    with pytest.raises(NothingPublished):
        sources(room, None)
    await publish(server, surgeon)
    await server.whip(identity(), "camera", capture("ffmpeg"))
    assert [publication.label for publication in sources(room, None)] == ["scope", "voice"]
    assert [publication.label for publication in sources(room, "camera")] == ["camera", "camera"]
    assert [publication.kind for publication in sources(room, "scope")] == ["video"]


async def test_a_section_waits_for_its_label_and_codec(server: Server) -> None:
    first = await server.whip(identity(), "camera", capture("ffmpeg"))
    viewer = await server.whep(identity(Role.OBSERVER), "", capture("chromium_recvonly"))
    connected(server)
    assert len(server.registry.subscriptions) == 2
    server.end(first)
    other_label = await server.whip(identity(), "elsewhere", capture("ffmpeg"))
    assert server.registry.subscriptions == {}
    other_codec = await server.whip(identity(), "camera", capture("wrtc"))
    kinds = {
        server.rooms[viewer.participant.room].publications[entry[1]].kind
        for entry in server.registry.subscriptions.values()
    }
    assert kinds == {"audio"}
    server.end(other_codec)
    server.end(other_label)
    await server.whip(identity(), "camera", capture("ffmpeg_active"))
    assert len(server.registry.subscriptions) == 2
