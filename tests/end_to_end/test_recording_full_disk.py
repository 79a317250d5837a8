"""The data folder's disk fills while a room is recorded: those who watch lose nothing, and neither does the
recording."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import verify
from tests.media import MarkedTrack, assert_in_order
from tests.member import Member
from tests.recording_room import RecordingServer, procedure
from tests.running import Client, until
from tests.server_kills import marks_of
from tests.small_disk import fill

EVENT_SECONDS, ELSEWHERE_SECONDS = 1.0, 2.0
"""After there was no room: until operators can see it, until recording goes on at the second location."""

pytestmark = pytest.mark.slow


async def test_viewers_and_recording_go_on(tmp_path: Path, small: Path) -> None:
    second = tmp_path / "second"
    server = RecordingServer.begin(small, second)
    room = server.new_room()
    try:
        async with Client(server) as http, Member(http, room) as surgeon:
            case = await procedure(http, room)
            async with Member(http, room, "observer") as observer:
                (scope,) = await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
                await observer.do("subscribe", publications=[scope])
                watch = await observer.watch(scope)
                await surgeon.do("start_recording", procedure=case)
                await watch.frames(15)
                begun = len(watch.seen)
                fill(small)
                full = time.monotonic()

                async def told() -> bool:
                    metrics = await http.metrics()
                    return metrics['loupe_recorder_disk_trouble_total{reason="full"}'] == 1

                await until(told, EVENT_SECONDS, "the disk is full")
                seen = time.monotonic() - full
                (folder,) = server.recordings()
                place = RecordingFolder(second / folder.id)
                left = full + ELSEWHERE_SECONDS - time.monotonic()
                await until(lambda: bool(place.journals()), left, "it goes on at the second location")
                went_on = time.monotonic() - full
                print(f"told after {seen:.2f} s, goes on elsewhere after {went_on:.2f} s")
                await watch.frames(30)
                assert_in_order(watch.seen[begun:])
                await surgeon.do("stop_recording")
            reader = await server.sealed()
        segments = reader.segments(reader.tracks[0])
        assert sum(one.lost for one in segments) == 0
        # Before the first key frame there is nothing to show yet, and a busy publisher may pause.
        assert {reason for one in segments for _, _, reason in one.gaps} <= {"no_keyframe", "paused"}
        assert len(marks_of(reader)) > 30
        whole = RecordingFolder.find((small / "data" / "recordings", second), reader.id)
        assert verify(whole, server.vault).closed
    finally:
        server.stop()
