"""Recording as the server knows it: consent first, taps by publication, everyone told.

No recorder runs here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from mediaserver.audit import Actor
from mediaserver.config import Data
from mediaserver.errors import NotPermitted, NotRecording
from mediaserver.events import RecordingChanged
from mediaserver.ids import ProcedureId, RecordingId, RoomId
from mediaserver.plane import open_plane
from mediaserver.policy import Role
from mediaserver.recording.control import NoRecordings, Recordings
from mediaserver.recording.taking import Tapping
from mediaserver.server import Server
from mediaserver.store.audit import AuditTrail
from mediaserver.store.consents import ConsentMissing, Consents, Purpose, Revoked
from mediaserver.store.database import Database
from mediaserver.store.procedures import Procedures
from mediaserver.store.schema import MIGRATIONS
from mediaserver.store.store import recording_roots
from mediaserver.vault import Vault
from tests.mediaserver.peers import identity, publish, settings, told
from tests.recorded import Shelf

ACTOR = Actor(id="someone")
P1 = ProcedureId("p1")


class Register:
    """Consents as a test says."""

    given = True
    answering: Callable[[], None] | None = None
    """What happens once between the answer and its arrival."""

    async def permits(self, procedure: ProcedureId, purpose: str, room: RoomId) -> bool:
        answer = self.given and (procedure, purpose, room) == (P1, "recording", "theatre-1")
        if self.answering is not None:
            happens, self.answering = self.answering, None
            happens()
        return answer

    async def revoked_since(self, *_: object) -> bool:
        return not self.given

    async def revoked(self) -> AsyncIterator[Revoked]:
        nothing: tuple[Revoked, ...] = ()
        for one in nothing:
            yield one


class Listener:
    """What would go to the recorder."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.descriptors: list[int] = []

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> bool:
        self.orders.append(message)
        self.descriptors += descriptors
        return True

    async def end(self, _: float) -> None:
        pass

    pid = 1

    def did(self, kind: str) -> list[dict[str, Any]]:
        return [order for order in self.orders if order["do"] == kind]


class Entries:
    """An audit that keeps its entries."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []
        self.of: list[tuple[Any, Any]] = []

    def append(self, event: str, *, outcome: str = "success", **more: Any) -> None:
        self.entries.append((str(event), outcome))
        self.of.append((more["room"], more["procedure"]))


class World:
    def __init__(self, folder: Path) -> None:
        chosen = settings().model_copy(update={"data": Data(folder=folder)})
        self.server = Server(chosen, open_plane(chosen.media))
        self.root = recording_roots(chosen)[0]
        self.audit, self.register, self.listener = Entries(), Register(), Listener()
        self.taking = Recordings(self.server.registry, Vault([bytes(range(32))]), self.register, self.audit)
        self.taking._process = self.listener  # type: ignore[assignment]
        self.taking._recovery.order = self.listener.send
        self.taking._tapping = Tapping(self.server.registry, self.taking._vault, self.listener.send)

    async def recovered(self) -> None:
        task = self.taking._recovery._task
        assert task is not None
        await task


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.server.start()
    made.server.recordings = made.taking
    yield made
    made.server.recordings = NoRecordings()
    await made.server.stop()


async def test_without_consent_the_recorder_hears_nothing(world: World) -> None:
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    world.register.given = False
    with pytest.raises(ConsentMissing):
        await world.taking.start_by(surgeon, P1)
    with pytest.raises(ConsentMissing):
        await world.taking.start_by(surgeon, ProcedureId("other"))
    assert world.listener.orders == []
    assert world.audit.entries == [("recording.start", "denied")] * 2


@pytest.mark.parametrize("during", ["quota", "answer"])
async def test_a_withdrawal_while_a_recording_begins_is_not_missed(world: World, during: str) -> None:
    surgeon = world.server.join(identity(Role.SURGEON), "An")

    def withdraw() -> None:
        world.register.given = False
        world.taking.withdraw(P1, actor=ACTOR)

    class Index:
        async def check_quota(self) -> None:
            if during == "quota":
                withdraw()

    world.taking._rows = Index()  # type: ignore[assignment]
    world.register.answering = withdraw if during == "answer" else None
    with pytest.raises(ConsentMissing):
        await world.taking.start_by(surgeon, P1)
    assert world.taking.of(surgeon.room) is None
    assert world.listener.orders == []
    assert world.audit.entries == [("recording.start", "denied")]


async def test_who_has_no_right_is_refused_and_audited(world: World) -> None:
    observer = world.server.join(identity(Role.OBSERVER), "B")
    with pytest.raises(NotPermitted):
        await world.taking.start_by(observer, P1)
    with pytest.raises(NotPermitted):
        world.taking.stop_by(observer)
    assert world.audit.entries == [("recording.start", "denied"), ("recording.stop", "denied")]


async def test_stopping_and_withdrawing(world: World) -> None:
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    room = world.server.rooms[surgeon.room]
    with pytest.raises(NotRecording):
        world.taking.stop_by(surgeon)
    await world.taking.start_by(surgeon, P1)
    assert world.taking.of(room.id) is not None
    assert room.info().recording is not None
    world.taking.stop_by(surgeon)
    assert room.info().recording is None
    await world.taking.start(room, P1, actor=ACTOR)
    world.taking.withdraw(ProcedureId("other"), actor=ACTOR)
    world.taking.withdraw(P1, actor=ACTOR)
    assert [order["state"] for order in world.listener.did("stop")] == ["sealed", "withdrawn"]
    assert world.listener.did("event")[-1]["name"] == "consent_withdrawn"
    states = [event.state for event in told(surgeon) if isinstance(event, RecordingChanged)]
    assert states == ["recording", "sealed", "recording", "withdrawn"]


async def test_a_closed_procedure_ends_its_recording_and_the_next_has_its_own(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaserver.store.consents.WATCH_SECONDS", 0.01)
    database = Database.open(tmp_path / "loupe.db", MIGRATIONS)
    vault = world.taking._vault
    trail = AuditTrail(database, vault)
    procedures, consents = Procedures(database, vault, trail), Consents(database, vault, trail)
    world.taking._consents = consents
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    world.taking._supervision.begin("consents", world.taking._revoked, world.taking._heard)
    recorded = []
    for reference in ("BN-1", "BN-2"):
        procedure = (await procedures.open(surgeon.room, reference, "", (), ACTOR)).id
        with pytest.raises(ConsentMissing):
            await world.taking.start_by(surgeon, procedure)
        await consents.break_glass(procedure, Purpose.RECORDING, "Hôn mê", ACTOR)
        await world.taking.start_by(surgeon, procedure)
        recorded.append(world.taking.of(surgeon.room))
        await procedures.close(procedure, ACTOR)
        async with asyncio.timeout(5):
            while world.taking.of(surgeon.room) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    assert [order["state"] for order in world.listener.did("stop")] == ["sealed", "sealed"]
    assert recorded[0] != recorded[1]
    assert world.taking.supervised
    await world.taking._supervision.end()
    database.close()


async def test_a_tap_that_cannot_be_closed_keeps_nothing_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    await publish(world.server, surgeon)
    room = world.server.rooms[surgeon.room]

    async def revoked() -> AsyncIterator[Revoked]:
        for _ in range(2):
            await world.taking.start(room, P1, actor=ACTOR)
            yield Revoked(P1, Purpose.RECORDING)

    def untap(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(world.register, "revoked", revoked)
    with monkeypatch.context() as broken:
        broken.setattr(Tapping, "release", untap)
        async for one in world.taking._revoked():
            world.taking._heard(one)
    assert [order["state"] for order in world.listener.did("stop")] == ["withdrawn", "withdrawn"]
    assert world.taking.of(room.id) is None
    assert room.recording is None
    states = [event.state for event in told(surgeon) if isinstance(event, RecordingChanged)]
    assert states == ["recording", "withdrawn"] * 2
    stopped = [outcome for event, outcome in world.audit.entries if event == "recording.stop"]
    assert stopped == ["success"] * 2


async def test_an_empty_room_ends_its_recording(world: World) -> None:
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    await world.taking.start_by(surgeon, P1)
    world.server.leave(surgeon)
    assert [order["state"] for order in world.listener.did("stop")] == ["sealed"]


async def test_a_new_recorder_is_told_everything_again(world: World) -> None:
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    await publish(world.server, surgeon)
    changed = await world.taking.start(world.server.rooms[surgeon.room], P1, actor=ACTOR)
    taken = Shelf(world.root, world.taking._vault, changed.recording)
    Shelf(world.root, world.taking._vault, RecordingId("rleft"))

    async def told_anew() -> list[str]:
        before = len(world.listener.orders)
        world.taking._received({"event": "up"})
        await world.recovered()
        return [order["do"] for order in world.listener.orders[before:]]

    assert await told_anew() == ["start", "track", "track", "recover"]
    assert world.listener.did("recover")[-1]["states"] == {"rleft": "sealed"}
    world.taking.stop_by(surgeon)
    assert await told_anew() == ["start", "track", "track", "stop", "recover"]
    assert world.listener.did("recover")[-1]["states"] == {"rleft": "sealed"}
    world.taking._received({"event": "stopped", "recording": changed.recording})
    assert await told_anew() == ["recover"]
    assert world.listener.did("recover")[-1]["states"] == {"rleft": "sealed", taken.id: "sealed"}


async def test_what_was_left_of_a_procedure_is_marked_when_its_consent_is_gone(world: World) -> None:
    Shelf(world.root, world.taking._vault, RecordingId("rleft"), P1)
    world.taking._received({"event": "up"})
    await world.recovered()
    world.taking.withdraw(P1, actor=ACTOR)
    done = {
        "event": "sealed", "recording": "rleft", "state": "withdrawn", "failure": None, "room": None,
        "damaged": 0, "unreadable": 0, "unsealable": 0,
    }  # fmt: skip
    world.taking._received(done)
    world.taking.withdraw(P1, actor=ACTOR)
    states = [order["states"]["rleft"] for order in world.listener.did("recover")]
    assert states == ["sealed", "withdrawn"], "told again while it waited, not once it was sealed"
    world.register.given = False
    world.taking._received({"event": "up"})
    await world.recovered()
    assert world.listener.did("recover")[-1]["states"] == {"rleft": "withdrawn"}


async def test_what_the_recorder_tells_of_its_disk(world: World) -> None:
    world.taking._received({"event": "figures", "free_bytes": 5, "written": 3, "rate": 1, "lag_seconds": 0.1})
    world.taking._received({"event": "disk_full", "location": 0, "elsewhere": True})
    world.taking._received({"event": "disk_low", "seconds_left": 90, "free_bytes": 5})
    figures = world.taking.figures
    assert (figures.free_bytes, figures.written_bytes, figures.seconds_left) == (5, 3, 90)
    assert figures.trouble == {"full": 1}
    lost = {"damaged": 0, "unreadable": 0, "unsealable": 0}
    room = world.taking._vault.seal_field("theatre-1", "recording/r1/room").hex()
    done = {
        "event": "sealed", "recording": "r1", "state": "sealed", "failure": None, "room": room,
        "procedure": P1, "end": {"state": "sealed", "head": "ab", "segments": 3}, **lost,
    }  # fmt: skip
    world.taking._received(done)
    world.taking._received({**done, "failure": "OSError"})
    assert world.audit.entries == [("recording.finalise", "success")]
    assert world.audit.of == [("theatre-1", P1)]
    assert (world.taking.ended.get_nowait(), world.taking.ended.empty()) == ("r1", True)


async def test_what_sealing_found_damaged_is_logged_and_counted(world: World) -> None:
    done = {"event": "sealed", "recording": "r1", "state": None, "failure": None}
    with structlog.testing.capture_logs() as lines:
        world.taking._received({**done, "damaged": 2, "unreadable": 0, "unsealable": 0})
        world.taking._received({**done, "damaged": 0, "unreadable": 3, "unsealable": 0})
        world.taking._received({**done, "damaged": 0, "unreadable": 0, "unsealable": 0})
    told = [(line["event"], line.get("chunks", line.get("journals"))) for line in lines]
    assert told == [("journal damaged", 2), ("journals unreadable", 3)]
    figures = world.taking.figures
    assert (figures.damaged_chunks, figures.unreadable_journals) == (2, 3)


async def test_what_operators_ask(world: World) -> None:
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    asked = [(world.taking.lag_seconds, world.taking.failed, world.taking.clock_ms("theatre-1") is not None)]
    changed = await world.taking.start(world.server.rooms[surgeon.room], P1, actor=ACTOR)
    world.taking._received({"event": "figures", "written": 3, "rate": 1, "lag_seconds": 0.1})
    asked.append(
        (world.taking.lag_seconds, world.taking.failed, world.taking.clock_ms("theatre-1") is not None)
    )
    world.taking._received({"event": "lost", "recording": changed.recording})
    asked.append(
        (world.taking.lag_seconds, world.taking.failed, world.taking.clock_ms("theatre-2") is not None)
    )
    assert asked == [(None, False, False), (0.1, False, True), (0.1, True, False)]
    world.taking.stop(surgeon.room, actor=ACTOR)
    world.taking._received({"event": "stopped", "recording": changed.recording})
    assert not world.taking.failed


async def test_an_altered_manifest_is_no_reason_not_to_hear_the_recorder(world: World) -> None:
    done = {
        "event": "sealed", "recording": "r1", "state": "sealed", "failure": None, "procedure": P1,
        "room": "01" + "00" * 60, "damaged": 0, "unreadable": 0, "unsealable": 0,
    }  # fmt: skip
    world.taking._received(done)
    assert world.audit.entries == [("recording.finalise", "success")]
    assert world.audit.of == [(None, P1)]


async def test_what_was_decided_while_nobody_listened_is_heard(world: World) -> None:
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    await world.taking.start_by(surgeon, P1)
    world.register.given = False
    heard = [one async for one in world.taking._revoked()]
    assert heard == [Revoked(P1, Purpose.RECORDING, closed=False)]
    world.taking._heard(heard[0])
    assert world.taking.count == 0
