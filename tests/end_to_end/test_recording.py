"""Recording by the server as it is shipped, with media that really flows: consent, kills, withdrawal, what
lies on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediaserver.audit import Actor
from mediaserver.cause.thresholds import RECORDING_LAG
from mediaserver.config import Data, Recording, Settings
from mediaserver.ids import ProcedureId
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.indexing import LOOK_SECONDS
from mediaserver.recording.manifest import verify
from mediaserver.recording.reader import Recording as Reader
from mediaserver.store.consents import Decision
from mediaserver.store.recordings import UnknownRecording
from mediaserver.store.store import Store
from signalling.demo.tracks import VoiceTrack
from tests.media import FRAMES_PER_SECOND, HEIGHT, WIDTH, MarkedTrack, assert_in_order, now_ms
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
    case = await procedure(http, room)
    async with Member(http, room) as surgeon, Member(http, room, "observer") as observer:
        await surgeon.publish([(MarkedTrack(), "Scope", "endoscope"), (VoiceTrack(), "Voice", "microphone")])
        await surgeon.do("start_recording", procedure=case)
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

    async def indexed() -> bool:
        with contextlib.suppress(UnknownRecording):
            return (await store.recordings.get(reader.id)).state == "sealed"
        return False

    try:
        await until(indexed, 3 * LOOK_SECONDS, "the sealed recording is in the index")
        assert (await store.recordings.get(reader.id)).room == room
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


async def test_what_a_crash_left_is_marked_when_its_consent_was_withdrawn_before_the_restart(
    tmp_path: Path,
) -> None:
    server = RecordingServer.begin(tmp_path)
    ids: list[ProcedureId] = []
    async with Client(server) as http, contextlib.AsyncExitStack() as members:
        for _ in range(2):
            surgeon = await members.enter_async_context(Member(http, server.new_room()))
            await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
            ids.append(ProcedureId(await procedure(http, surgeon.room)))
            await surgeon.do("start_recording", procedure=ids[-1])
        await asyncio.sleep(1.0)
        server.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(server.process.wait)
    assert server.process.stdout is not None
    server.process.stdout.close()
    settings = Settings(data=Data(folder=server.data), recording=Recording(master_key_file=server.key))
    store = Store.open(settings)
    given = (await store.consents.history(ids[0]))[0]
    withdrawn = dataclasses.replace(given, decision=Decision.WITHDRAWN)
    await store.consents.decide(ids[0], withdrawn, Actor(id="nurse"))
    await store.close()
    server = RecordingServer.begin(tmp_path)
    try:
        await server.sealed(2)
        readers = [Reader.open(folder.path, server.vault) for folder in server.recordings()]
        states = {reader.procedure: reader.state for reader in readers}
        assert states == {ids[0]: "withdrawn", ids[1]: "sealed"}
        assert all(marks_of(reader) for reader in readers), "what there was is kept"
    finally:
        server.stop()


async def test_live_viewers_lose_nothing_when_the_recorder_is_killed(
    theatre: tuple[RecordingServer, Client],
) -> None:
    server, http = theatre
    room = server.new_room()
    case = await procedure(http, room)
    async with Member(http, room) as surgeon, Member(http, room, "observer") as observer:
        (scope,) = await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
        await observer.do("subscribe", publications=[scope])
        watch = await observer.watch(scope)
        await surgeon.do("start_recording", procedure=case)
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


async def test_operators_see_a_recorder_that_falls_behind(theatre: tuple[RecordingServer, Client]) -> None:
    server, http = theatre
    room = server.new_room()

    async def board() -> dict[str, Any]:
        headers = server.bearer("*", "operator")
        found = await (await http.request("GET", "/api/v1/operations/board", headers=headers)).json()
        assert isinstance(found, dict)
        return found

    async def lag() -> float:
        return float((await board())["server"]["recording_lag_seconds"] or 0.0)

    async def late() -> bool:
        measures = [
            evidence["measure"]
            for row in (await board())["rows"]
            for finding in row["findings"]
            for evidence in finding["evidence"]
        ]
        return "recording_lag" in measures

    async def keeps_up() -> bool:
        return await lag() < RECORDING_LAG.watch and not await late()

    async with Member(http, room) as surgeon:

        def warned() -> object:
            return surgeon.told("recording")[-1]["failing"]

        await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
        assert await lag() == 0
        await surgeon.do("start_recording", procedure=await procedure(http, room))
        await until(keeps_up, 10, "what is taken reaches the disk")
        recorder = server.recorder
        os.kill(recorder, signal.SIGSTOP)
        try:
            await until(late, 30, "the lag is named as the room's trouble")
            assert await lag() > RECORDING_LAG.watch
            await until(lambda: warned() is True, 20, "the room is told that nothing is recorded")
        finally:
            os.kill(recorder, signal.SIGCONT)
        await until(keeps_up, 20, "it caught up")
        await until(lambda: warned() is False, 20, "the room is told that it is recorded again")


MAGIC = (
    b"\x1aE\xdf\xa3",  # EBML
    b"matroska",
    b"V_VP8",
    b"ftyp",
    b"OpusHead",
    b"OpusTags",
    # The start code of a VP8 key frame of these pictures (RFC 6386 section 9.1); three bytes alone are in any
    # file of some megabytes by chance.
    b"\x9d\x01\x2a" + struct.pack("<HH", WIDTH, HEIGHT),
    b"\x00\x00\x00\x01\x67",  # H.264: a sequence parameter set
    b"\x00\x00\x00\x01\x65",
)
LABEL, NAME, ROOM = "Nguyễn Văn Ẩn 1957", "Dr Ánh", "Nguyen-Van-An-1957"
REFERENCE, TITLE, SURGEON, MARK = "BN-1957-042", "Cắt túi mật nội soi", "Đặng Thị Hồng", "Chảy máu động mạch"
WORDS = (LABEL, NAME, ROOM, REFERENCE, TITLE, SURGEON, MARK, "Nguyễn Văn Ẩn")


async def test_nothing_of_a_whole_procedure_that_lies_on_the_disk_can_be_read(
    theatre: tuple[RecordingServer, Client],
) -> None:
    server, http = theatre
    staff = server.bearer(ROOM)
    opening = {
        "room": ROOM, "reference": REFERENCE, "title": TITLE, "staff": [{"role": "surgeon", "name": SURGEON}],
    }  # fmt: skip
    opened = await (await http.request("POST", "/api/v1/procedures", json=opening, headers=staff)).json()
    await decide(http, ROOM, opened["id"], "given")
    async with Member(http, ROOM, name=NAME) as surgeon:
        await surgeon.publish([(MarkedTrack(), LABEL, "endoscope"), (VoiceTrack(), "Voice", "microphone")])
        await surgeon.do("start_recording", procedure=opened["id"])
        await asyncio.sleep(1.5)
        await surgeon.do("mark", label=MARK)
        while_recording = contents(server.data)
        await surgeon.do("stop_recording")
    reader = await server.sealed()
    await study(http, reader.id)
    lying = [*while_recording, *contents(server.data), (server.log, server.log.read_bytes())]
    for path, content in lying:
        for text in (*(word.encode() for word in WORDS), *MAGIC):
            assert text not in content, f"{text!r} in {path.name}"
    suffixes = {path.suffix for path, _ in lying}
    assert {".journal", ".enc", ".db", ".db-wal"} <= suffixes, "all that it must hold was looked at"
    assert any("exports" in path.parts for path, _ in lying)


async def study(http: Client, recording: str) -> None:
    """Finds, opens and exports it as somebody of the room."""
    headers = http.server.bearer(ROOM)

    async def found() -> bool:
        answer = await http.request("GET", "/api/v1/recordings", params={"text": "tui mat"}, headers=headers)
        return [one["id"] for one in (await answer.json())["recordings"]] == [recording]

    await until(found, 3 * LOOK_SECONDS, "the recording is in the library")
    path = f"/api/v1/recordings/{recording}"
    detail = await (await http.request("POST", f"{path}/views", json={"use": "care"}, headers=headers)).json()
    assert [one["label"] for one in detail["bookmarks"]] == [MARK]
    camera = next(track for track in detail["tracks"] if track["kind"] == "video")
    assert camera["label"] == LABEL
    start = camera["segments"][0]["start"]
    order = {"form": "png", "tracks": [camera["id"]], "start_seconds": start + 0.5}
    made = await (await http.request("POST", f"{path}/exports", json=order, headers=headers)).json()

    async def exported() -> bool:
        answer = await http.request("GET", f"{path}/exports/{made['id']}", headers=headers)
        state: str = (await answer.json())["state"]
        assert state != "failed"
        return state == "finished"

    await until(exported, 30, "the still is exported")


def contents(folder: Path) -> list[tuple[Path, bytes]]:
    return [
        (path, path.read_bytes()) for path in folder.rglob("*") if path.is_file() and path.name != "ballast"
    ]
