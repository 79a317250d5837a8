"""What an encoder publishes by WHIP reaches a viewer by WHEP: in order, whole, now; and ends when it ends."""

from __future__ import annotations

import pytest

from signalling.demo.tracks import VoiceTrack
from tests.media import MarkedTrack, Peer, assert_in_order, publisher, viewer
from tests.running import Client, until


async def test_pictures_arrive_in_order_whole_and_young(http: Client) -> None:
    room = http.server.new_room()
    async with publisher(MarkedTrack(), VoiceTrack()) as sender, viewer() as watcher:
        await sender.accept(await http.whip(room, await sender.offer(), name="Scope"))
        await watcher.accept(await http.whep(room, await watcher.offer()))
        seen = await watcher.of("video").frames(45)
        assert_in_order(seen)
        assert max(one.age_ms for one in seen) < 1_500
        assert sum(one.smeared for one in seen) < 5
        await until(lambda: watcher.of("audio").sounds > 50, what="sound")
        assert watcher.of("audio").loudest > 1_000, "the voice was silence"


async def test_a_late_viewer_starts_with_a_key_frame_of_its_own(http: Client) -> None:
    room = http.server.new_room()
    async with publisher(MarkedTrack()) as sender:
        await sender.accept(await http.whip(room, await sender.offer()))
        await sender.connected()
        for _ in range(3):
            async with viewer() as watcher:
                await watcher.accept(await http.whep(room, await watcher.offer()))
                # The encoder of aiortc makes a key frame only when asked: these frames prove the request.
                assert_in_order(await watcher.of("video").frames(8, seconds=8))


async def test_source_chooses_one_label(http: Client) -> None:
    room = http.server.new_room()
    async with (
        publisher(MarkedTrack()) as first,
        publisher(MarkedTrack(first=1_000_000)) as second,
        viewer() as watcher,
    ):
        await first.accept(await http.whip(room, await first.offer(), name="Scope"))
        await second.accept(await http.whip(room, await second.offer(), name="Overhead"))
        labels = {one["label"] for one in (await http.room(room))["publications"]}
        chosen = next(label for label in labels if label.startswith("Overhead"))
        await watcher.accept(await http.whep(room, await watcher.offer(), source=chosen))
        seen = await watcher.of("video").frames(10)
        assert all(one.mark.frame >= 1_000_000 for one in seen)


async def test_deleting_ends_it_once_and_leaves_nothing(http: Client) -> None:
    room = http.server.new_room()
    async with publisher(MarkedTrack(), VoiceTrack()) as sender, viewer() as watcher:
        publishing = await sender.accept(await http.whip(room, await sender.offer()))
        watching = await watcher.accept(await http.whep(room, await watcher.offer()))
        await watcher.of("video").frames(5)
        assert await watching.delete() == 200
        assert await watching.delete() == 404
        assert (await http.room(room))["publications"] != []
        assert await publishing.delete() == 200
        assert await publishing.delete() == 404
        left = await http.room(room)
        assert (left["participants"], left["publications"]) == ([], [])
        assert (left["recording"], left["interruption"]) == (None, None)
    async with viewer() as late:
        response = await http.post_offer(
            "whep", room, await late.offer(), http.server.bearer(room, "observer")
        )
        assert response.status == 409
        assert int(response.headers["Retry-After"]) >= 1


async def test_a_publisher_that_goes_away_ends_the_viewers_picture(http: Client) -> None:
    room = http.server.new_room()
    async with viewer() as watcher:
        async with publisher(MarkedTrack()) as sender:
            await sender.accept(await http.whip(room, await sender.offer()))
            await watcher.accept(await http.whep(room, await watcher.offer()))
            await watcher.of("video").frames(5)
        # aiortc's close sends a DTLS alert: the server need not wait for consent to expire.

        async def gone() -> bool:
            return not (await http.room(room))["publications"]

        await until(gone, 5)


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_one_kind_alone_is_published_and_the_other_section_stays_inactive(
    http: Client, kind: str
) -> None:
    room = http.server.new_room()
    track = VoiceTrack() if kind == "audio" else MarkedTrack()
    async with publisher(track) as sender, viewer() as watcher:
        await sender.accept(await http.whip(room, await sender.offer()))
        session = await http.whep(room, await watcher.offer())
        assert session.answer.count("a=inactive") == 1
        await watcher.accept(session)
        await _flows(watcher, kind)


async def _flows(watcher: Peer, kind: str) -> None:
    if kind == "video":
        await watcher.of("video").frames(5)
    else:
        await until(lambda: watcher.of("audio").sounds > 20, what="sound")
