"""What a crash left is sealed only when it is known what was decided since, and marked by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mediaserver.ids import ProcedureId, RecordingId
from mediaserver.recording import leftovers as module
from mediaserver.recording.leftovers import Leftover, Recovery, leftovers
from mediaserver.store.consents import Purpose
from mediaserver.store.database import DatabaseFailed
from mediaserver.vault import Vault
from tests.recorded import Shelf

BEGUN = datetime.fromtimestamp(1_750_000_000, UTC)


@pytest.fixture
def vault() -> Vault:
    return Vault([bytes(range(32))])


class Decisions:
    """Procedures whose consent was taken back, and what happens between a question and its answer."""

    def __init__(self, *revoked: str) -> None:
        self.revoked = set(revoked)
        self.asked: list[tuple[str, str, datetime]] = []
        self.failing = 0
        self.answering: Callable[[], None] = lambda: None

    async def revoked_since(self, procedure: ProcedureId, purpose: Purpose, since: datetime) -> bool:
        self.asked.append((procedure, purpose, since))
        if self.failing:
            self.failing -= 1
            raise DatabaseFailed
        answer = procedure in self.revoked
        self.answering()
        return answer


def recovery(
    root: Path, vault: Vault, decisions: Decisions, *taken: str
) -> tuple[Recovery, list[dict[str, Any]]]:
    orders: list[dict[str, Any]] = []
    return Recovery([root], vault, decisions, orders.append, lambda id: id in taken), orders


def test_what_has_no_end_is_found(tmp_path: Path, vault: Vault) -> None:
    Shelf(tmp_path, vault, RecordingId("rleft"), "p1")
    Shelf(tmp_path, vault, RecordingId("rstopped"), "p2").manifest.append(
        {"type": "stopped", "state": "withdrawn"}
    )
    Shelf(tmp_path, vault, RecordingId("rclosed"), "p3").manifest.append({"type": "end", "state": "sealed"})
    bare = Shelf(tmp_path, vault, RecordingId("rbare"))
    bare.folder.manifest.unlink()
    assert list(leftovers([tmp_path, tmp_path / "none"], vault)) == [
        Leftover(RecordingId("rbare"), None, datetime.fromtimestamp(0, UTC), withdrawn=False),
        Leftover(RecordingId("rleft"), ProcedureId("p1"), BEGUN, withdrawn=False),
        Leftover(RecordingId("rstopped"), ProcedureId("p2"), BEGUN, withdrawn=True),
    ]


def test_what_the_audit_has_as_ended_gets_no_other_end(tmp_path: Path, vault: Vault) -> None:
    """Its lines were cut: an end that is signed now would hide it."""
    cut, ended = (Shelf(tmp_path, vault, RecordingId(id)) for id in ("rcut", "rended"))
    for shelf in (cut, ended):
        shelf.manifest.append({"type": "end", "state": "withdrawn"})
    lines = cut.folder.manifest.read_bytes().splitlines(keepends=True)
    cut.folder.manifest.write_bytes(lines[0])
    assert list(leftovers([tmp_path], vault, {RecordingId("rcut"), RecordingId("rended")})) == []
    untold = [Leftover(RecordingId("rended"), ProcedureId("p1"), BEGUN, withdrawn=True)]
    assert list(leftovers([tmp_path], vault, {RecordingId("rcut")})) == untold, (
        "a crash came before the audit had its end"
    )


def test_one_that_cannot_be_read_hides_no_other(tmp_path: Path, vault: Vault) -> None:
    broken = Shelf(tmp_path, vault, RecordingId("rbroken"))
    broken.folder.manifest.unlink()
    broken.folder.manifest.mkdir()
    Shelf(tmp_path, vault, RecordingId("rother"))
    assert [one.recording for one in leftovers([tmp_path], vault)] == ["rother"]


async def test_each_ends_as_was_decided_about_its_procedure(tmp_path: Path, vault: Vault) -> None:
    for name, procedure in (("ra", "p1"), ("rb", "p2"), ("rtaken", "p1")):
        Shelf(tmp_path, vault, RecordingId(name), procedure)
    decisions = Decisions("p2")
    made, orders = recovery(tmp_path, vault, decisions, "rtaken")
    await made.run()
    assert orders == [{"do": "recover", "states": {"ra": "sealed", "rb": "withdrawn"}}]
    assert ("p1", Purpose.RECORDING, BEGUN) in decisions.asked


async def test_nothing_is_sealed_before_the_database_answers(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0)
    Shelf(tmp_path, vault, RecordingId("ra"), "p1")
    decisions = Decisions("p1")
    decisions.failing = 3
    made, orders = recovery(tmp_path, vault, decisions)
    await made.run()
    assert len(decisions.asked) == 4
    assert orders == [{"do": "recover", "states": {"ra": "withdrawn"}}]


async def test_a_withdrawal_between_the_answer_and_the_order_is_not_missed(
    tmp_path: Path, vault: Vault
) -> None:
    Shelf(tmp_path, vault, RecordingId("ra"), "p1")
    Shelf(tmp_path, vault, RecordingId("rb"), "p2")
    decisions = Decisions()
    made, orders = recovery(tmp_path, vault, decisions)
    decisions.answering = lambda: made.revoke(ProcedureId("p1"))
    await made.run()
    assert orders == [{"do": "recover", "states": {"ra": "withdrawn", "rb": "sealed"}}]


async def test_many_are_told_in_several_messages(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ORDER_RECORDINGS", 2)
    for number in range(5):
        Shelf(tmp_path, vault, RecordingId(f"r{number}"))
    made, orders = recovery(tmp_path, vault, Decisions())
    await made.run()
    assert [list(order["states"]) for order in orders] == [["r0", "r1"], ["r2", "r3"], ["r4"]]


async def test_another_recorder_has_it_done_from_the_beginning(tmp_path: Path, vault: Vault) -> None:
    Shelf(tmp_path, vault, RecordingId("ra"), "p1")
    made, orders = recovery(tmp_path, vault, Decisions())
    made.begin()
    await asyncio.sleep(0)
    made.begin()
    assert made._task is not None
    await made._task
    assert [order["states"] for order in orders] == [{"ra": "sealed"}]
    await made.end()
    await made.end()
