"""A disk that fills while something is recorded: told at once, gone on with elsewhere, nothing lost or
deleted."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path

import pytest

from mediaserver.recording.disk import free_bytes
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.journal import read_journal
from mediaserver.recording.records import RecordKind, frame, scan
from tests.feeding import Feeder
from tests.small_disk import SIZE_MIB

BATCH = 60 * 1024
ROOM = 4 << 20
"""With so much left, no write has failed yet."""


@pytest.mark.alone  # a recorder that lacks the processor leaves packets in the plane
async def test_recording_goes_on_elsewhere(tmp_path: Path, small: Path) -> None:
    second = tmp_path / "second"
    async with Feeder(tmp_path, roots=(small / "recordings", second)) as feeder:
        feeder.track("t1")
        payload = secrets.token_bytes(BATCH)
        sent, short_at, full_at, elsewhere_at = 0, 0.0, 0.0, 0.0
        place = RecordingFolder(second / feeder.recording)
        async with asyncio.timeout(60):
            while not elsewhere_at or sent * BATCH < (SIZE_MIB + 8) << 20:
                feeder.put("t1", frame(RecordKind.PACKET, payload, publication=5, arrival=sent))
                sent += 1
                await asyncio.sleep(0.003)
                if not short_at and free_bytes(small) < ROOM:
                    short_at = time.monotonic()
                if not full_at and any(m["event"] == "disk_full" for m in feeder.messages):
                    full_at = time.monotonic()
                if full_at and not elsewhere_at and place.journals():
                    elsewhere_at = time.monotonic()
        (told,) = [m for m in feeder.messages if m["event"] == "disk_full"]
        assert told == {"event": "disk_full", "location": 0, "elsewhere": True}
        assert short_at > 0.0, "the disk was seen to fill"
        assert full_at - short_at < 1.0, "told at once"
        assert elsewhere_at - full_at < 2.0
        print(f"told after {full_at - short_at:.3f} s, elsewhere {elsewhere_at - full_at:.3f} s later")
        assert feeder.dropped == 0
        await asyncio.sleep(0.5)
        first = RecordingFolder(small / "recordings" / feeder.recording)
        key = first.open_key(feeder.vault)
        arrivals = []
        for folder in (first, place):
            for _, path in folder.journals()["t1"]:  # type: ignore[index]
                for chunk in read_journal(path, key).records:
                    arrivals += [record.arrival for record in scan(chunk)]
        assert arrivals == list(range(sent)), "every record is in a journal, once"
        assert feeder.process.starts == 1
