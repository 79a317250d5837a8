"""Chromium plays what was sealed, of every codec, to its end."""

from __future__ import annotations

import asyncio
import base64
import random
from pathlib import Path

import pytest
from playwright.async_api import Browser

from mediaserver.policy import Role
from mediaserver.recording.reader import Recording, Segment
from tests.browser.visitor import Visitor
from tests.recorded import Shelf, Source, encoded
from tests.recording_room import RecordingServer, procedure
from tests.running import Client
from tests.server_kills import Chain, check_playable

KILLS = 10
RECORDED_SECONDS = 6.0
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PLAY = """async ([source, kind]) => {
  const player = document.createElement(kind);
  player.muted = true;
  player.src = source;
  player.playbackRate = 4;
  document.body.append(player);
  const over = new Promise((done, failed) => {
    player.onended = done;
    player.onerror = () => failed(new Error(player.error.message));
  });
  await player.play();
  await over;
  const frames = player.getVideoPlaybackQuality?.().totalVideoFrames ?? 0;
  return { width: player.videoWidth, duration: player.duration, at: player.currentTime, frames };
}"""


@pytest.mark.parametrize("codec", ["VP8", "VP9", "AV1", "H264", "OPUS"])
async def test_a_sealed_segment_plays(chromium: Browser, tmp_path: Path, codec: str) -> None:
    shelf = Shelf(tmp_path)
    shelf.track("t1", codec)
    source = Source(codec)
    sound = codec == "OPUS"
    units = encoded(codec, 100 if sound else 60, every=1_000)
    shelf.journal("t1", [source.begin(), *source.stream(units, step=0.02 if sound else 1 / 30)])
    shelf.seal(state="sealed")
    reader = shelf.open()
    (segment,) = reader.segments(reader.tracks[0])
    content = base64.b64encode(reader.read(segment, 0, segment.size)).decode()
    page = await chromium.new_page()
    try:
        kind = "audio" if sound else "video"
        played = await page.evaluate(PLAY, [f"data:{segment.media_type};base64,{content}", kind])
    finally:
        await page.close()
    assert played["duration"] == pytest.approx(2.0, abs=0.05)
    assert played["at"] == pytest.approx(played["duration"], abs=0.05)
    assert (played["width"] or 0) == (0 if sound else 160)
    if not sound:
        assert played["frames"] > 50


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_what_killed_servers_left_plays(chromium: Browser, tmp_path: Path) -> None:
    chain = Chain(tmp_path, random.Random(7))
    await chain.start()
    try:
        for number in range(KILLS):
            reader = (await chain.kill()).reader
            for segment in reader.segments(reader.tracks[0]):
                await plays(chromium, reader, segment, number)
    finally:
        chain.stop()


async def plays(chromium: Browser, reader: Recording, segment: Segment, number: int) -> None:
    content = base64.b64encode(reader.read(segment, 0, segment.size)).decode()
    page = await chromium.new_page()
    try:
        played = await page.evaluate(PLAY, [f"data:{segment.media_type};base64,{content}", "video"])
    finally:
        await page.close()
    print(
        f"kill {number}: {segment.pictures} pictures sealed, {played['frames']} shown, "
        f"{played['at']:.3f} of {played['duration']:.3f} s"
    )
    assert played["at"] == pytest.approx(played["duration"], abs=0.05)
    assert played["frames"] >= 0.8 * segment.pictures


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["VP8", "VP9", "AV1", "H264"])
async def test_what_chromium_publishes_is_recorded_and_plays(
    chromium: Browser, tmp_path: Path, codec: str
) -> None:
    server = await asyncio.to_thread(RecordingServer.begin, tmp_path)
    visitor = await Visitor.open(chromium, server, "/", language="vi", wide=True, pictures=tmp_path)
    try:
        room = server.new_room()
        await visitor.publish(room, width=640, height=360, framesPerSecond=15, codec=f"video/{codec}")
        async with Client(server) as http:
            wish: dict[str, str] = {"action": "start", "procedure": await procedure(http, room)}
            await record(http, room, wish)
            await asyncio.sleep(RECORDED_SECONDS)
            await record(http, room, {"action": "stop"})
        reader = await server.sealed()
        assert sorted((track.kind, track.codec.upper()) for track in reader.tracks) == [
            ("audio", "OPUS"),
            ("video", codec),
        ]
        for track in reader.tracks:
            segments = reader.segments(track)
            assert sum(one.duration_seconds for one in segments) > 0.7 * RECORDED_SECONDS
            assert sum(one.lost for one in segments) == 0
            for number, segment in enumerate(segments):
                if track.kind == "video":
                    await plays(chromium, reader, segment, number)
                await asyncio.to_thread(check_playable, reader, segment, tmp_path)
    finally:
        await visitor.close()
        server.stop()


async def record(http: Client, room: str, wish: dict[str, str]) -> None:
    headers = http.server.bearer(room, Role.STAFF)
    answer = await http.request("POST", f"/api/v1/rooms/{room}/recording", json=wish, headers=headers)
    assert answer.status == 200, await answer.text()
