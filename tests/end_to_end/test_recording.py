"""Recording by the server as it is shipped, with media that really flows: consent, kills, withdrawal, what
lies on the disk."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediaserver.config import Data, Recording, Settings
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import verify
from mediaserver.store.store import Store
from signalling.demo.tracks import VoiceTrack
from tests.media import FRAMES_PER_SECOND, MarkedTrack, assert_in_order, now_ms
from tests.member import Member, about
from tests.recording_room import RecordingServer, decide, procedure
from tests.running import Client, until
from tests.server_kills import marks_of

ALLOWED_MS = 300


@pytest.fixture
async def theatre(tmp_path: Path) -> AsyncIterator[tuple[RecordingServer, Client]]:
    server = RecordingServer.begin(tmp_path)
    try:
        async with Client(server) as client:
            yield server, client
    finally:
        if server.process.poll() is None:
            server.stop()


async def test_without_consent_nothing_is_recorded_and_no_byte_written(
    theatre: tuple[RecordingServer, Client],
) -> None:
    server, http = theatre
    room = server.new_room()
    async with Member(http, room) as surgeon:
        await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
        refused = await procedure(http, room, "refused")
        answer = await surgeon.ask("start_recording", procedure=refused)
        assert (answer["type"], answer["code"]) == ("error", "consent_missing")
        path = f"/api/v1/rooms/{room}/recording"
        wish = {"action": "start", "procedure": refused}
        response = await http.request("POST", path, json=wish, headers=server.bearer(room))
        assert response.status == 403
        denied = await http.request("POST", path, json=wish, headers=server.bearer(room, "observer"))
        assert denied.status == 403
    root = server.data / "recordings"
    assert not root.exists() or not [path for path in root.iterdir() if path.is_dir()]


async def test_a_room_is_recorded_in_step_and_everyone_is_told(
    theatre: tuple[RecordingServer, Client],
) -> None:
    server, http = theatre
    room = server.new_room()
    async with Member(http, room) as surgeon, Member(http, room, "observer") as observer:
        await surgeon.publish([(MarkedTrack(), "Scope", "endoscope"), (VoiceTrack(), "Voice", "microphone")])
        await surgeon.do("start_recording", procedure=await procedure(http, room))
        told = await observer.event("recording", about("", state="recording"))
        assert abs(told["since_ms"] - now_ms()) < 5_000
        async with Member(http, room, "specialist") as late:
            assert late.hello["room"]["recording"]["since_ms"] == told["since_ms"]
            await late.do("leave")
        await asyncio.sleep(3)
        await surgeon.do("stop_recording")
        await observer.event("recording", about("", state="sealed"))
    reader = await server.sealed()
    assert reader.room == room
    video = next(track for track in reader.tracks if track.kind == "video")
    audio = next(track for track in reader.tracks if track.kind == "audio")
    (picture,), (sound,) = reader.segments(video), reader.segments(audio)
    assert (picture.media_type, sound.media_type) == ("video/webm", "audio/webm")
    assert picture.duration_seconds > 2
    assert sound.duration_seconds > 2
    seen = marks_of(reader)
    frames = [mark.frame for mark in seen]
    assert frames == sorted(set(frames))
    assert len(frames) > 2 * FRAMES_PER_SECOND
    names = [event.name for event in reader.events]
    assert names.count("joined") == 3
    assert "left" in names
    assert verify(RecordingFolder(server.data / "recordings" / reader.id), server.vault).closed
    store = Store.open(
        Settings(data=Data(folder=server.data), recording=Recording(master_key_file=server.key))
    )
    try:
        row = await store.recordings.get(reader.id)
        assert (row.room, row.state) == (room, "sealed")
        assert len(await store.recordings.segments(reader.id)) == 2
    finally:
        await store.close()


async def test_a_withdrawal_stops_within_two_seconds(theatre: tuple[RecordingServer, Client]) -> None:
    server, http = theatre
    room = server.new_room()
    async with Member(http, room) as surgeon:
        await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
        id = await procedure(http, room)
        await surgeon.do("start_recording", procedure=id)
        await asyncio.sleep(1.5)
        begun = now_ms()
        await decide(http, room, id, "withdrawn")
        await surgeon.event("recording", about("", state="withdrawn"))
        assert now_ms() - begun < 2_000
        reader = await server.sealed()
        assert reader.state == "withdrawn"
        assert "consent_withdrawn" in [event.name for event in reader.events]
        last = marks_of(reader)[-1]
        assert last.age_ms(begun) >= -2_000, "nothing was taken two seconds after the withdrawal"
        assert (await surgeon.ask("start_recording", procedure=id))["code"] == "consent_missing"


async def test_live_viewers_lose_nothing_when_the_recorder_is_killed(
    theatre: tuple[RecordingServer, Client],
) -> None:
    server, http = theatre
    room = server.new_room()
    async with Member(http, room) as surgeon, Member(http, room, "observer") as observer:
        (scope,) = await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
        await observer.do("subscribe", publications=[scope])
        watch = await observer.watch(scope)
        await surgeon.do("start_recording", procedure=await procedure(http, room))
        await watch.frames(15)
        first = server.recorder
        os.kill(first, signal.SIGKILL)
        seen = await watch.frames(30)
        assert_in_order(seen)
        await until(lambda: server.recorder not in (0, first), 10, "another recorder")
        await watch.frames(10)
        await surgeon.do("stop_recording")
        reader = await server.sealed()
    frames = [mark.frame for mark in marks_of(reader)]
    missing = frames[-1] - frames[0] + 1 - len(frames)
    assert missing * 1_000 / FRAMES_PER_SECOND <= ALLOWED_MS


# EBML, an MP4's first box, Opus's header. A codec's start code of three bytes is in any file of some
# megabytes by chance.
MAGIC = (b"\x1aE\xdf\xa3", b"ftyp", b"OpusHead", b"matroska", b"V_VP8")


async def test_nothing_that_lies_on_the_disk_can_be_read(theatre: tuple[RecordingServer, Client]) -> None:
    server, http = theatre
    room = server.new_room()
    label, name, patient = "Nguyễn Văn Ẩn 1957", "Dr Ánh", "BN-1957-042"
    async with Member(http, room) as surgeon:
        await surgeon.publish([(MarkedTrack(), label, "endoscope"), (VoiceTrack(), "Voice", "microphone")])
        await surgeon.do("start_recording", procedure=await procedure(http, room))
        await asyncio.sleep(1.5)
        while_recording = contents(server.data)
        await surgeon.do("stop_recording")
    await server.sealed()
    for path, content in [*while_recording, *contents(server.data)]:
        for text in (label.encode(), name.encode(), patient.encode(), *MAGIC):
            assert text not in content, f"{text!r} in {path.name}"
    journals = [path for path, _ in while_recording if path.suffix == ".journal"]
    assert journals


def contents(folder: Path) -> list[tuple[Path, bytes]]:
    return [
        (path, path.read_bytes()) for path in folder.rglob("*") if path.is_file() and path.name != "ballast"
    ]
