"""The index of recordings: kept for its time, held against everything, made anew without harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mediaserver.audit import Actor
from mediaserver.config import Retention
from mediaserver.ids import ProcedureId, RecordingId, RoomId, TrackId, new_recording_id
from mediaserver.policy import Role
from mediaserver.store.audit import AuditTrail, find
from mediaserver.store.database import Database
from mediaserver.store.procedures import Procedures, UnknownProcedure
from mediaserver.store.recordings import QuotaReached, Recordings, SegmentRow, UnknownRecording
from mediaserver.store.schema import now
from mediaserver.vault import Vault

ROOM = RoomId("7QK2")
AUDITOR = Actor(id="auditor", role=Role.AUDITOR)
SEGMENT = SegmentRow(
    track=TrackId("t1"), number=1, start_seconds=0.0, duration_seconds=60.0, media_type="video/webm",
    plain_bytes=1000, encrypted_bytes=1100, sha256=bytes(32),
)  # fmt: skip


@pytest.fixture
def recordings(database: Database, vault: Vault) -> Recordings:
    return Recordings(database, vault, AuditTrail(database, vault), Retention(test_days=1, quota_bytes=3000))


@pytest.fixture
async def procedure(database: Database, vault: Vault) -> ProcedureId:
    kept = Procedures(database, vault, AuditTrail(database, vault))
    return (await kept.open(ROOM, "BN-1", "", (), AUDITOR)).id


async def test_a_recording_and_its_segments(recordings: Recordings, procedure: ProcedureId) -> None:
    id, start = new_recording_id(), now()
    row = await recordings.begin(id, procedure, ROOM, start)
    assert (row.state, row.retain_until) == ("recording", start + timedelta(days=3650))
    await recordings.add(id, [SEGMENT, replace(SEGMENT, number=2)])
    await recordings.add(id, [SEGMENT])
    assert [one.number for one in await recordings.segments(id)] == [1, 2]
    assert (await recordings.segments(id))[0] == SEGMENT
    assert await recordings.used_bytes() == 2200
    await recordings.moved(id, SEGMENT.track, 2, "object")
    assert [one.location for one in await recordings.segments(id)] == ["local", "object"]
    await recordings.change(id, "withdrawn", start + timedelta(hours=1))
    await recordings.change(id, "sealed")
    kept = await recordings.get(id)
    assert (kept.state, kept.ended_at) == ("withdrawn", start + timedelta(hours=1))
    assert await recordings.begin(id, procedure, ROOM, start) == kept, "made anew from its folder"
    assert await recordings.of(procedure) == [kept]


async def test_nothing_begins_without_its_procedure_or_over_the_quota(
    recordings: Recordings, procedure: ProcedureId
) -> None:
    with pytest.raises(UnknownProcedure):
        await recordings.begin(new_recording_id(), procedure, RoomId("other"), now())
    with pytest.raises(UnknownRecording):
        await recordings.add(RecordingId("none"), [SEGMENT])
    with pytest.raises(UnknownRecording):
        await recordings.change(RecordingId("none"), "sealed")
    await recordings.check_quota()
    id = new_recording_id()
    await recordings.begin(id, procedure, ROOM, now())
    await recordings.add(id, [replace(SEGMENT, encrypted_bytes=3000)])
    with pytest.raises(QuotaReached):
        await recordings.check_quota()


async def test_a_recording_whose_procedure_was_lost_is_kept_longest(recordings: Recordings) -> None:
    start, lost = now(), ProcedureId("lost")
    row = await recordings.begin(new_recording_id(), lost, ROOM, start)
    assert (row.retention_class, row.retain_until) == ("clinical", start + timedelta(days=3650))
    assert await recordings.of(lost) == [row]


async def test_what_is_due_is_found_when_its_time_is_over_and_no_hold_stands(
    recordings: Recordings, procedure: ProcedureId, database: Database
) -> None:
    start, other = now(), RoomId("other")
    kept = Procedures(database, recordings.vault, recordings.audit)
    trial = (await kept.open(other, "BN-2", "", (), AUDITOR, "test")).id
    short, running, clinical = (new_recording_id() for _ in range(3))
    await recordings.begin(short, trial, other, start)
    await recordings.begin(running, trial, other, start)
    await recordings.begin(clinical, procedure, ROOM, start)
    await recordings.change(short, "sealed")
    await recordings.change(clinical, "sealed")

    async def due(days: float) -> list[str]:
        return [row.id for row in await recordings.due(start + timedelta(days=days))]

    assert await due(0.99) == []
    assert await due(1) == [short]
    assert await due(3650) == [short, clinical]
    first = await recordings.hold(short, "Kiện tụng", AUDITOR)
    second = await recordings.hold(short, "Thanh tra", AUDITOR)
    assert await due(10) == []
    await recordings.lift(short, first.id, AUDITOR)
    assert await due(10) == [], "the other still stands"
    await recordings.lift(short, second.id, AUDITOR)
    assert await due(10) == [short]
    with pytest.raises(UnknownRecording, match="no such hold"):
        await recordings.lift(short, second.id, AUDITOR)
    assert [one.reason.reveal() for one in await recordings.holds(short)] == ["Kiện tụng", "Thanh tra"]
    events = [record.event for record in await database.read(find)]
    assert events.count("recording.hold") == 4
