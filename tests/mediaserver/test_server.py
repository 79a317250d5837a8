"""The server over a real data plane: joins, offers, closing orders.

Nobody connects here; media is others' test.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from mediaserver.errors import (
    Draining,
    MalformedSdp,
    NoCommonCodec,
    NothingPublished,
    NotPermitted,
    RoomFull,
    StaleGeneration,
    UnknownParticipant,
    UnknownPublication,
    UnknownRoom,
)
from mediaserver.events import Closing, Offer, Published, Unpublished
from mediaserver.ids import PublicationId
from mediaserver.participant import Participant
from mediaserver.policy import Role
from mediaserver.server import Server, SourceSpec
from tests.mediaserver.captures import capture
from tests.mediaserver.peers import answer_to, connected, identity, make_server, publish, running_server, told


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running_server(empty_room_seconds=0.01) as running:
        yield running


def offers(participant: Participant) -> list[Offer]:
    return [event for event in told(participant) if isinstance(event, Offer)]


async def nothing_left(server: Server) -> None:
    """Once tasks have ended and empty rooms have gone."""
    async with asyncio.timeout(5):
        while any(server.registry.leftovers().values()):  # noqa: ASYNC110 - tasks end by themselves
            await asyncio.sleep(0.005)


async def test_publishing_tells_the_room_and_answers_in_kind(server: Server) -> None:
    surgeon, other = server.join(identity(Role.SURGEON), "An"), server.join(identity(), "Binh")
    result = await server.publish(
        surgeon,
        capture("chromium_simulcast"),
        [SourceSpec("0", "voice", "microphone"), SourceSpec("1", "scope", "endoscope")],
    )
    assert set(result.sources) == {"0", "1"}
    assert "a=simulcast:recv l;m;h" in result.sdp
    assert "a=setup:passive" in result.sdp
    published = [event.publication for event in told(other) if isinstance(event, Published)]
    assert [(p.kind, p.codec, p.label) for p in published] == [
        ("audio", "opus", "voice"),
        ("video", "VP8", "scope"),
    ]
    assert {p.id for p in published} == set(result.sources.values())


async def test_the_same_offer_again_changes_nothing_and_new_credentials_restart(server: Server) -> None:
    surgeon = server.join(identity(), "An")
    first = await publish(server, surgeon)
    text = capture("chromium_publish")
    again = await server.publish(
        surgeon, text, [SourceSpec("0", "voice", "microphone"), SourceSpec("1", "scope", "endoscope")]
    )
    assert dict(again.sources) == first
    ufrag = next(line for line in text.splitlines() if line.startswith("a=ice-ufrag:"))
    before = next(line for line in again.sdp.splitlines() if line.startswith("a=ice-ufrag:"))
    restarted = await server.publish(
        surgeon,
        text.replace(ufrag, "a=ice-ufrag:newer"),
        [SourceSpec("0", "voice", "microphone"), SourceSpec("1", "scope", "endoscope")],
    )
    after = next(line for line in restarted.sdp.splitlines() if line.startswith("a=ice-ufrag:"))
    assert dict(restarted.sources) == first
    assert before != after


async def test_an_inactive_section_ends_its_publication(server: Server) -> None:
    surgeon, other = server.join(identity(), "An"), server.join(identity(), "Binh")
    first = await publish(server, surgeon)
    session_part, audio, rest = capture("chromium_publish").partition("m=audio")
    text = session_part + audio + rest.replace("a=sendonly", "a=inactive", 1)
    second = await server.publish(surgeon, text, [SourceSpec("1", "scope", "endoscope")])
    assert dict(second.sources) == {"1": first["1"]}
    assert [e.publication for e in told(other) if isinstance(e, Unpublished)] == [first["0"]]


async def test_a_subscriber_gets_one_offer_at_a_time(server: Server) -> None:
    surgeon, viewer = server.join(identity(), "An"), server.join(identity(Role.OBSERVER), "")
    server.subscribe(viewer, [], automatic=True)
    assert offers(viewer) == []
    await publish(server, surgeon)
    assert len(offers(viewer)) == 1
    first = offers(viewer)[0]
    assert len(first.sources) == 2
    newest = [event for event in told(viewer) if isinstance(event, Offer | Published)]
    assert isinstance(newest[-1], Offer)
    for name in ("Binh", "Chi"):
        await publish(server, server.join(identity(), name))
    assert len(offers(viewer)) == 1
    await server.answer(viewer, first.generation, answer_to(first.sdp))
    assert server.registry.subscriptions == {}, "not before the transport carries media"
    connected(server)
    assert len(server.registry.subscriptions) == 2
    second = offers(viewer)[1]
    assert len(second.sources) == 6
    assert second.generation == first.generation + 1
    await server.answer(viewer, first.generation, answer_to(first.sdp))
    assert len(server.registry.subscriptions) == 2, "said again, it changes nothing"
    await server.answer(viewer, second.generation, answer_to(second.sdp))
    assert len(offers(viewer)) == 2
    assert len(server.registry.subscriptions) == 6
    with pytest.raises(StaleGeneration):
        await server.answer(viewer, first.generation, answer_to(first.sdp))


async def test_freed_sections_rest_and_are_used_again(server: Server) -> None:
    viewer = server.join(identity(Role.OBSERVER), "")
    server.subscribe(viewer, [], automatic=True)
    for _ in range(3):
        surgeon = server.join(identity(), "An")
        await publish(server, surgeon)
        while offers(viewer) and (session := server.registry.sessions[viewer.id].subscribing) is not None:
            if session.outstanding is None:
                break
            newest = offers(viewer)[-1]
            await server.answer(viewer, newest.generation, answer_to(newest.sdp))
        server.leave(surgeon)
        newest = offers(viewer)[-1]
        assert "a=sendonly" not in newest.sdp
        await server.answer(viewer, newest.generation, answer_to(newest.sdp))
        assert newest.sdp.count("m=audio") == newest.sdp.count("m=video") == 1
    assert server.registry.subscriptions == {}


async def test_an_ice_restart_of_the_subscriber_is_a_new_offer(server: Server) -> None:
    surgeon, viewer = server.join(identity(), "An"), server.join(identity(), "Binh")
    sources = await publish(server, surgeon)
    server.subscribe(viewer, [PublicationId(sources["1"])])
    first = offers(viewer)[0]
    await server.answer(viewer, first.generation, answer_to(first.sdp))
    server.restart_ice(viewer)
    second = offers(viewer)[1]
    ufrags = [next(x for x in o.sdp.splitlines() if x.startswith("a=ice-ufrag")) for o in (first, second)]
    assert ufrags[0] != ufrags[1]


async def test_rights_are_asked_at_the_room(server: Server) -> None:
    observer, operator = server.join(identity(Role.OBSERVER), ""), server.join(identity(Role.OPERATOR), "")
    surgeon = server.join(identity(Role.SURGEON), "An")
    stranger = server.join(identity(Role.SURGEON, room="theatre-2"), "Chi")
    sources = await publish(server, surgeon)
    picture = PublicationId(sources["1"])
    with pytest.raises(NotPermitted):
        await publish(server, observer)
    with pytest.raises(NotPermitted):
        server.chat(observer, "hello")
    with pytest.raises(NotPermitted):
        server.subscribe(operator, [], automatic=True)
    with pytest.raises(NotPermitted):
        server.mute(observer, picture, True)
    with pytest.raises(NotPermitted):
        server.remove(observer, surgeon.id)
    with pytest.raises(UnknownPublication):
        server.mute(stranger, picture, True)
    with pytest.raises(UnknownPublication):
        server.subscribe(stranger, [picture])
    with pytest.raises(UnknownParticipant):
        server.remove(stranger, surgeon.id)
    server.remove(surgeon, observer.id)
    assert told(observer)[-1] == Closing("removed", reconnect=False)
    with pytest.raises(UnknownParticipant):
        server.leave(observer)
    with pytest.raises(UnknownParticipant):
        server.expel(stranger.room, surgeon.id)
    server.expel(surgeon.room, surgeon.id)
    assert told(surgeon)[-1] == Closing("removed", reconnect=False)
    assert surgeon.id not in server.registry.sessions


async def test_whip_and_whep(server: Server) -> None:
    with pytest.raises(UnknownRoom):
        await server.whep(identity(Role.OBSERVER), "", capture("chromium_recvonly"))
    watcher = server.join(identity(), "An")
    with pytest.raises(NothingPublished):
        await server.whep(identity(Role.OBSERVER), "", capture("chromium_recvonly"))
    encoder = await server.whip(identity(), "camera", capture("ffmpeg"))
    assert "a=setup:active" in encoder.answer
    assert len(encoder.answer) < 8192
    viewer = await server.whep(identity(Role.OBSERVER), "", capture("chromium_recvonly"), "camera")
    assert viewer.answer.count("a=sendonly") == 2
    assert server.registry.subscriptions == {}, "not before the transport carries media"
    connected(server)
    assert len(server.registry.subscriptions) == 2
    assert server.http_session(viewer.id) is viewer
    tag = viewer.etag
    fragment = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
    restarted = server.restart_http_ice(viewer, fragment).splitlines()
    assert "a=group:BUNDLE 0 1" in restarted
    offered = next(line for line in capture("chromium_recvonly").splitlines() if line.startswith("m="))
    sections = [line for line in restarted if line.startswith("m=")]
    assert sections == [f"{offered.split()[0]} 9 UDP/TLS/RTP/SAVPF 0"], "the session's own, once"
    assert viewer.etag != tag
    server.trickle(viewer, fragment + "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=end-of-candidates\r\n")
    with pytest.raises(MalformedSdp):
        server.trickle(viewer, "nonsense")
    server.end(encoder)
    assert server.registry.subscriptions == {}
    again = await server.whip(identity(), "camera", capture("ffmpeg_active"))
    assert "a=setup:passive" in again.answer
    assert len(server.registry.subscriptions) == 2
    server.end(viewer)
    with pytest.raises(UnknownParticipant):
        server.end(viewer)
    with pytest.raises(NothingPublished):
        await server.whep(identity(Role.OBSERVER), "", capture("chromium_recvonly"), "elsewhere")
    assert {participant.id for participant in server.rooms[watcher.room].info().participants} == {
        watcher.id,
        again.participant.id,
    }


async def test_a_refused_whip_leaves_nothing(server: Server) -> None:
    unusable = capture("ffmpeg").replace("H264/90000", "JPEG/90000")
    with pytest.raises(NoCommonCodec) as refusal:
        await server.whip(identity(), "camera", unusable)
    assert refusal.value.accepted == ["VP8", "H264", "VP9", "AV1", "H265"]
    with pytest.raises(NotPermitted):
        await server.whip(identity(Role.OBSERVER), "camera", capture("ffmpeg"))
    with pytest.raises(MalformedSdp):
        await server.whip(identity(), "camera", "v=0\r\nrubbish")
    await nothing_left(server)


async def test_limits_refuse() -> None:
    server = make_server(participants_per_room=2, viewers_per_room=1)
    await server.start()
    server.join(identity(), "An")
    server.join(identity(), "Binh")
    with pytest.raises(RoomFull):
        server.join(identity(), "Chi")
    await server.stop()
    with pytest.raises(Draining):
        server.join(identity(), "Dung")
    assert server.draining
    assert not server.ready
    assert not any(server.registry.leftovers().values())


Step = Callable[[Server, Participant, Participant], Awaitable[None]]


async def publisher_leaves(server: Server, publisher: Participant, viewer: Participant) -> None:  # noqa: ARG001
    server.leave(publisher)


async def viewer_leaves(server: Server, publisher: Participant, viewer: Participant) -> None:  # noqa: ARG001
    server.leave(viewer)


async def sessions_end(server: Server, publisher: Participant, viewer: Participant) -> None:  # noqa: ARG001
    for session in list(server.registry.http.values()):
        server.end(session)


@pytest.mark.parametrize(
    "order", list(itertools.permutations([publisher_leaves, viewer_leaves, sessions_end]))
)
async def test_nothing_is_left_after_any_closing_order(server: Server, order: tuple[Step, ...]) -> None:
    publisher, viewer = server.join(identity(), "An"), server.join(identity(), "Binh")
    server.subscribe(viewer, [], automatic=True)
    await publish(server, publisher)
    newest = offers(viewer)[-1]
    await server.answer(viewer, newest.generation, answer_to(newest.sdp))
    await server.whip(identity(), "camera", capture("libdatachannel_h264"))
    await server.whep(identity(Role.OBSERVER), "", capture("chromium_recvonly"))
    connected(server)
    assert all(server.registry.leftovers().values())
    for step in order:
        await step(server, publisher, viewer)
    await nothing_left(server)


async def test_a_server_that_stops_with_everything_open_leaves_nothing() -> None:
    server = make_server()
    await server.start()
    publisher, viewer = server.join(identity(), "An"), server.join(identity(), "Binh")
    server.subscribe(viewer, [], automatic=True)
    await publish(server, publisher)
    await server.whep(identity(Role.OBSERVER), "", capture("chromium_recvonly"))
    connected(server)
    await server.stop()
    assert not any(server.registry.leftovers().values())
    assert told(viewer)[-1] == Closing("server_draining", reconnect=True)
    own = asyncio.current_task()
    assert [task for task in asyncio.all_tasks() if task is not own] == []
