"""A room over WebSocket, with media that really flows: publish, subscribe, mute, chat, leave, resume."""

from __future__ import annotations

import asyncio

from signalling.demo.tracks import VoiceTrack
from tests.media import MarkedTrack, assert_in_order, publisher
from tests.member import Member, Message, about
from tests.running import Client, until

Sources = list[tuple[MarkedTrack | VoiceTrack, str, str]]


def theatre() -> Sources:
    """A scope, an overhead camera that starts at a million, a voice."""
    return [
        (MarkedTrack(), "Scope", "endoscope"),
        (MarkedTrack(first=1_000_000), "Overhead", "overhead"),
        (VoiceTrack(), "Voice", "microphone"),
    ]


def all_is_sent(quality: Message) -> bool:
    """Whether every source is sent as it comes."""
    return len(quality["sources"]) == 3 and all(source["reason"] == "full" for source in quality["sources"])


async def test_two_pictures_and_a_voice_reach_a_specialist(http: Client) -> None:
    room = http.server.new_room()
    async with Member(http, room) as surgeon, Member(http, room, "specialist") as specialist:
        scope, overhead, voice = await surgeon.publish(theatre())
        for publication in (scope, overhead, voice):
            await specialist.event("published", about("publication", id=publication))
        await specialist.do("subscribe", publications=[scope, overhead, voice])
        first, second = await specialist.watch(scope), await specialist.watch(overhead)
        # The second picture waits until the link is measured; a key frame may come before.
        await specialist.event("quality", all_is_sent)
        await second.frames(5)
        seen, other = await asyncio.gather(first.frames(20), second.frames(20))
        assert_in_order(seen, loss=0.1)
        assert_in_order(other, loss=0.1)
        assert seen[-1].mark.frame < 1_000_000 <= other[0].mark.frame
        assert max(one.age_ms for one in [*seen, *other]) < 1_500
        sound = await specialist.watch(voice)
        await until(lambda: sound.sounds > 30, what="sound")


async def test_unsubscribing_stops_one_and_not_the_other(http: Client) -> None:
    room = http.server.new_room()
    async with Member(http, room) as surgeon, Member(http, room, "observer") as observer:
        scope, overhead, _ = await surgeon.publish(theatre())
        await observer.do("subscribe", publications=[scope, overhead])
        first, second = await observer.watch(scope), await observer.watch(overhead)
        await asyncio.gather(first.frames(5), second.frames(5))
        await observer.do("subscribe", publications=[overhead])
        await until(lambda: len(observer.told("offer")) == 2, what="a new offer")
        await second.frames(5)
        stopped = len(first.seen)
        assert_in_order((await second.frames(15))[-15:])
        assert len(first.seen) <= stopped + 1


async def test_automatic_adds_what_appears_later(http: Client) -> None:
    room = http.server.new_room()
    async with Member(http, room, "observer") as observer:
        await observer.do("subscribe", publications=[], automatic=True)
        async with Member(http, room) as surgeon:
            scope, _, _ = await surgeon.publish(theatre())
            await (await observer.watch(scope)).frames(10)


async def test_mute_stops_the_picture_and_unmute_brings_it_back(http: Client) -> None:
    room = http.server.new_room()
    async with Member(http, room) as surgeon, Member(http, room, "specialist") as specialist:
        [scope] = await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
        await specialist.do("subscribe", publications=[scope])
        watch = await specialist.watch(scope)
        await watch.frames(5)
        refused = await specialist.ask("mute", publication=scope, muted=True)
        assert refused["code"] == "not_permitted"
        await surgeon.do("mute", publication=scope, muted=True)
        await specialist.event("publication_changed", about("publication", muted=True))
        await asyncio.sleep(0.3)
        stopped = len(watch.seen)
        await asyncio.sleep(1)
        assert len(watch.seen) == stopped
        await surgeon.do("mute", publication=scope, muted=False)
        # The first may be one from before that aiortc held back until its successor came.
        seen = (await watch.frames(11))[1:]
        assert_in_order(seen)
        assert seen[0].mark.frame > watch.seen[stopped - 1].mark.frame + 10
        assert seen[-1].age_ms < 1_500


async def test_chat_reaches_all_and_observers_may_not(http: Client) -> None:
    room = http.server.new_room()
    async with Member(http, room) as surgeon, Member(http, room, "observer") as observer:
        await surgeon.do("chat", text="Kẹp động mạch")
        line = await observer.event("chat_line")
        assert (line["text"], line["participant"]) == ("Kẹp động mạch", surgeon.id)
        await surgeon.event("chat_line")
        refused = await observer.ask("chat", text="Hello")
        assert refused["code"] == "not_permitted"


async def test_leaving_ends_ones_sources_and_tells_the_room(http: Client) -> None:
    room = http.server.new_room()
    async with Member(http, room, "specialist") as specialist:
        async with Member(http, room) as surgeon:
            [scope] = await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
            await specialist.do("subscribe", publications=[scope])
            await (await specialist.watch(scope)).frames(3)
            await surgeon.do("leave")
            await specialist.event("unpublished", about("", publication=scope))
            await specialist.event("participant_left", about("", participant=surgeon.id))
            await until(lambda: surgeon.socket.closed)
            assert surgeon.socket.close_code == 1000
        found = await http.room(room)
        assert [one["id"] for one in found["participants"]] == [specialist.id]
        assert found["publications"] == []


async def test_a_dropped_socket_leaves_media_alone_and_resumes(http: Client) -> None:
    room = http.server.new_room()
    async with Member(http, room) as surgeon, Member(http, room, "specialist") as specialist:
        [scope] = await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
        await specialist.do("subscribe", publications=[scope])
        watch = await specialist.watch(scope)
        await watch.frames(5)
        handshakes = await dtls_handshakes(http)
        start = len(watch.seen) - 1
        for member, other in ((specialist, surgeon), (surgeon, specialist)):
            offers = len(specialist.told("offer"))
            member.drop()
            away = await other.event("participant_changed", about("participant", id=member.id))
            assert not away["participant"]["connected"]
            await other.do("chat", text=f"without {member.role}")
            await watch.frames(30)
            hello = await member.resume()
            assert hello["type"] == "hello", hello
            assert hello["resumed"]
            assert hello["participant"] == member.id
            # What was missed comes again, each event once.
            await member.event("chat_line", about("", text=f"without {member.role}"))
            numbers = [event["seq"] for event in member.events]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert len(specialist.told("offer")) == offers
            await watch.frames(15)
        assert_in_order(watch.seen[start:])
        assert await dtls_handshakes(http) == handshakes
        assert specialist.subscribing is not None
        assert (await specialist.subscribing.received("video"))[1] == 0


async def dtls_handshakes(http: Client) -> float:
    """How many the server has completed."""
    return (await http.metrics())['loupe_join_duration_seconds_count{stage="dtls"}']


async def test_a_source_of_an_encoder_and_one_of_a_page_share_a_room(http: Client) -> None:
    room = http.server.new_room()
    async with Member(http, room, "observer") as observer, publisher(MarkedTrack(first=1_000_000)) as encoder:
        await observer.do("subscribe", publications=[], automatic=True)
        await encoder.accept(await http.whip(room, await encoder.offer(), name="Tower"))
        async with Member(http, room) as surgeon:
            [scope] = await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
            await (await observer.watch(scope)).frames(5)
            tower = next(
                one["id"]
                for one in (await http.room(room))["publications"]
                if one["label"].startswith("Tower")
            )
            seen = await (await observer.watch(tower)).frames(10)
            assert seen[0].mark.frame >= 1_000_000
