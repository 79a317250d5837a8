"""What the database expects of recordings: the audit's ends, the index's segments, less what was deleted."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from mediaserver.audit import SYSTEM, Event
from mediaserver.ids import RecordingId
from mediaserver.recording.manifest import Altered, End
from mediaserver.store.audit import AuditTrail
from mediaserver.store.database import Database
from mediaserver.store.expected import Expected, expected, expected_of, finalised
from mediaserver.vault import Vault
from tests.mediaserver.store.kept import keep

END = End("sealed", "ab" * 32, 2)


def note(database: Database, event: Event, subject: str, **details: object) -> None:
    trail = AuditTrail(database, None)
    database.submit(
        lambda connection: trail.within(connection, event, actor=SYSTEM, subject=subject, details=details)
    ).result()


async def test_the_first_end_that_was_told_counts(database: Database, vault: Vault, tmp_path: Path) -> None:
    kept = await keep(database, vault, tmp_path)
    note(database, Event.RECORDING_FINALISE, kept.id, **asdict(END))
    note(database, Event.RECORDING_FINALISE, kept.id, state="sealed", head="cd" * 32, segments=1)
    note(database, Event.RECORDING_FINALISE, "rold", state="sealed")
    assert await kept.recordings.finalised() == {kept.id: END, "rold": None}
    known = database.read_now(expected)
    assert known[RecordingId("rold")] == Expected(ended=True)
    assert (known[kept.id].end, len(known[kept.id].segments)) == (END, 2)
    for id in (kept.id, RecordingId("rold")):
        assert database.read_now(partial(expected_of, recording=id)) == known[id]
    assert database.read_now(partial(expected_of, recording=RecordingId("rnone"))) == Expected()
    note(database, Event.RECORDING_DELETE, kept.id, deletion=1, step="asked")
    assert kept.id in database.read_now(expected)
    note(database, Event.RECORDING_DELETE, kept.id, deletion=1, step="confirmed")
    assert list(database.read_now(expected)) == ["rold"]
    assert database.read_now(finalised).keys() == {kept.id, "rold"}


def test_what_differs_is_named() -> None:
    segment = {"type": "segment", "track": "t1", "number": 0, "sha256": "aa"}
    known = Expected(ended=True, end=END, segments={("t1", 0): "aa"})
    known.check([segment], END)
    for lines, end, told in (
        ([], END, "segment 0"),
        ([{**segment, "sha256": "bb"}], END, "segment 0"),
        ([segment], None, "end is cut"),
        ([segment], End("sealed", "cd" * 32, 2), "not the one"),
    ):
        with pytest.raises(Altered, match=told):
            known.check(lines, end)
    Expected(ended=True).check([], END)
    Expected().check([], None)
