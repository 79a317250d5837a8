"""Recording as the server knows it: who may, what is being taken, and what became of it.

No file comes into being without consent to recording for the procedure: consent is asked for here, before the
recorder hears anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog

from mediaserver.audit import SYSTEM, Actor, Audit, Details, NoAudit
from mediaserver.audit import Event as Audited
from mediaserver.config import Settings
from mediaserver.errors import AlreadyRecording, NotRecording, UnknownRoom
from mediaserver.events import RecordingChanged, RecordingInterrupted
from mediaserver.ids import ProcedureId, RecordingId, RoomId, new_recording_id
from mediaserver.participant import Participant
from mediaserver.policy import Right, require
from mediaserver.recording.disk import WATCH_SECONDS
from mediaserver.recording.figures import Figures
from mediaserver.recording.interruption import Register, Watch
from mediaserver.recording.leftovers import Recovery
from mediaserver.recording.process import Message, RecorderProcess
from mediaserver.recording.supervision import Supervision
from mediaserver.recording.taking import State, Taking, Tapping
from mediaserver.room import Room
from mediaserver.session import Registry
from mediaserver.store.bookmarks import Place
from mediaserver.store.consents import ConsentMissing, Purpose, Revoked
from mediaserver.store.recordings import Recordings as Rows
from mediaserver.store.store import recording_roots
from mediaserver.vault import NotAuthentic, Vault

END_SECONDS: Final = 15.0
"""How long the recorder may take to seal at the server's end; the next start does the rest."""
MAX_ENDED: Final = 10_000
"""Ends that wait to be heard of: more than a restart after a crash may find."""

_log = structlog.stdlib.get_logger(__name__)


class Consents(Protocol):
    """Who consented to what."""

    async def permits(self, procedure: ProcedureId, purpose: str, room: RoomId) -> bool:
        """Whether the procedure is this room's and a valid consent of it covers this purpose now."""

    def revoked(self) -> AsyncIterator[Revoked]:
        """Purposes that stop being permitted from now on."""

    async def revoked_since(self, procedure: ProcedureId, purpose: Purpose, since: datetime) -> bool:
        """Whether a consent was refused or taken back since then, or is so now."""


class NoRecordings:
    """Where nothing is recorded: the server has no master key."""

    supervised = True
    """There is nothing to hear."""

    def __init__(self) -> None:
        self.ended: asyncio.Queue[RecordingId] = asyncio.Queue(MAX_ENDED)

    def start_recorder(self) -> None:
        """There is none."""

    def follow(self, room: Room) -> None:
        """Nobody watches."""

    def place(self, _: RoomId) -> None:
        """No axis."""

    def clock_ms(self, _: str) -> None:
        """Nor any clock of one."""

    async def end(self) -> None:
        """Nothing was begun."""


class Index(Protocol):
    """What is known of recordings that were made."""

    async def check_quota(self) -> None:
        """Raises ``QuotaReached``."""


class Recordings:
    """All recordings of a server. Calls that change anything are made on its event loop."""

    def __init__(
        self,
        registry: Registry,
        vault: Vault,
        consents: Consents,
        audit: Audit | None = None,
        rows: Rows | None = None,
        interrupted: Register | None = None,
    ) -> None:
        self._registry = registry
        self._vault = vault
        self._consents = consents
        self._audit: Audit = audit or NoAudit()
        self._rows = rows
        self._taking: dict[RoomId, Taking] = {}
        self._ending: dict[RecordingId, Taking] = {}
        self._process = RecorderProcess(recorder_arguments(registry.settings))
        self._tapping = Tapping(registry, vault, self._process.send)
        self._recovery = Recovery(
            recording_roots(registry.settings),
            vault,
            consents,
            self._process.send,
            lambda id: id in self._ending or any(taking.id == id for taking in self._taking.values()),
            None if rows is None else rows.finalised,
        )
        self._interruptions = Watch(interrupted, self._tell_room)
        self._supervision = Supervision()
        self._revocations = 0
        """How many were heard of."""
        self.figures = Figures()
        self.ended: asyncio.Queue[RecordingId] = asyncio.Queue(MAX_ENDED)
        """Recordings sealed to their end, for whoever adds to them; full, the next start finds the rest."""

    # ---- Life ----

    def start_recorder(self) -> None:
        """Starts the recorder process, which is told to seal what an earlier one left."""
        self._supervision.begin("recorder", self._process.messages, self._received)
        self._supervision.begin("consents", self._revoked, self._heard)
        self._supervision.begin("silence", _moments, lambda _: self._warn())

    async def end(self) -> None:
        """Stops all recordings and the recorder; what is not sealed then, the next start seals.
        Idempotent."""
        for taking in list(self._taking.values()):
            self._stop(taking, "sealed", actor=SYSTEM)
        ending = list(self._ending.values())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_all_stopped(ending), END_SECONDS)
        await self._interruptions.end()
        await self._recovery.end()
        await self._process.end(END_SECONDS)
        await self._supervision.end()

    # ---- What is known of it ----

    @property
    def count(self) -> int:
        """Rooms being recorded."""
        return len(self._taking)

    def clock_ms(self, room: str) -> int | None:
        """Unix time in milliseconds by the clock of what is recorded there, which no setting moves; None:
        nothing is."""
        taking = self._taking.get(RoomId(room))
        return None if taking is None else taking.clock_ms()

    @property
    def lag_seconds(self) -> float | None:
        """How far the disk is behind the media; None while nothing is recorded."""
        return self.figures.lag_seconds() if self._taking else None

    @property
    def failed(self) -> bool:
        """Something that should be recorded is not."""
        return bool(self._taking) and (self._process.pid is None or self.figures.failed())

    @property
    def supervised(self) -> bool:
        """The recorder and decisions about consents are heard."""
        return self._supervision.whole

    @property
    def recorder_pid(self) -> int | None:
        """Of the recorder process; for supervision and tests."""
        return self._process.pid

    # ---- Starting and stopping ----

    def of(self, room: RoomId) -> RecordingChanged | None:
        """What is being recorded there now."""
        taking = self._taking.get(room)
        return taking.event() if taking is not None else None

    def place(self, room: RoomId) -> Place | None:
        """This moment in what is being recorded there."""
        taking = self._taking.get(room)
        return taking.place() if taking is not None else None

    async def start(self, room: Room, procedure: ProcedureId, *, actor: Actor) -> RecordingChanged:
        """Begins to record a room.

        Raises ``ConsentMissing``, ``AlreadyRecording``, ``UnknownRoom``, ``QuotaReached``.
        """
        if room.id in self._taking:
            raise AlreadyRecording
        if self._rows is not None:
            await self._rows.check_quota()
        if not await self._permitted(procedure, room.id):
            self._note(Audited.RECORDING_START, actor, room.id, procedure, None, outcome="denied")
            raise ConsentMissing
        # From here to the recording nothing is waited for: a withdrawal finds it, or was seen.
        if room.id in self._taking:
            raise AlreadyRecording
        if self._registry.rooms.get(room.id) is not room:
            raise UnknownRoom
        id = new_recording_id()
        begin: dict[str, Any] = {
            # A room's name is its users' choice and may say whom it is about.
            "room": self._vault.seal_field(room.id, f"recording/{id}/room").hex(),
            "procedure": procedure,
            "monotonic_micros": time.monotonic_ns() // 1000,
            "unix_micros": time.time_ns() // 1000,
            "key_id": self._vault.key_id,
        }
        taking = self._taking[room.id] = Taking(id, room.id, procedure, begin)
        self._process.send({"do": "start", "recording": taking.id, "begin": begin})
        self._note(Audited.RECORDING_START, actor, room.id, procedure, taking.id)
        _log.info("recording started", room=room.id, recording=taking.id)
        self._interruptions.settle(room)
        self.follow(room)
        room.recording = taking.event()
        self._tell_room(room, taking.event())
        return taking.event()

    async def _permitted(self, procedure: ProcedureId, room: RoomId) -> bool:
        """What was answered before a withdrawal was heard of is asked again."""
        while True:
            heard = self._revocations
            permitted = await self._consents.permits(procedure, Purpose.RECORDING, room)
            if not permitted or heard == self._revocations:
                return permitted

    def stop(self, room: RoomId, *, actor: Actor) -> RecordingChanged | None:
        """Ends a room's recording; None where one had been interrupted, and shall not go on. Raises
        ``NotRecording``."""
        taking = self._taking.get(room)
        if taking is None:
            self._leave(room, actor)
            return None
        return self._stop(taking, "sealed", actor=actor)

    def _leave(self, room: RoomId, actor: Actor) -> None:
        interruption = self._interruptions.settle(self._registry.rooms.get(room))
        if interruption is None:
            raise NotRecording
        told = (room, interruption.procedure, interruption.recording)
        self._note(Audited.RECORDING_STOP, actor, *told, details={"state": "left_interrupted"})

    def withdraw(self, procedure: ProcedureId, *, actor: Actor) -> None:
        """Consent is withdrawn: what records this procedure stops now, is sealed and marked."""
        self._revoke(procedure, "withdrawn", actor=actor)

    def _revoke(self, procedure: ProcedureId, state: State, *, actor: Actor) -> None:
        self._revocations += 1
        self._interruptions.revoke(procedure)
        if state == "withdrawn":
            self._recovery.revoke(procedure)
        for taking in [taking for taking in self._taking.values() if taking.procedure == procedure]:
            try:
                self._stop(taking, state, actor=actor)
            except Exception as error:  # one that cannot be stopped well must not keep the others running
                _log.error("recording not stopped well", recording=taking.id, reason=type(error).__name__)

    def _stop(self, taking: Taking, state: State, *, actor: Actor) -> RecordingChanged:
        del self._taking[taking.room]
        self._interruptions.settle(self._registry.rooms.get(taking.room))
        self._ending[taking.id] = taking
        taking.state = state
        if state == "withdrawn":
            self._tapping.note(taking, "consent_withdrawn", {})
        self._process.send({"do": "stop", "recording": taking.id, "state": state})
        self._note(
            Audited.RECORDING_STOP, actor, taking.room, taking.procedure, taking.id, details={"state": state}
        )
        _log.info("recording stopped", room=taking.room, recording=taking.id, state=state)
        if (room := self._registry.rooms.get(taking.room)) is not None:
            room.recording = None
            self._tell_room(room, taking.event())
        # At last: the recorder ends whatever becomes of its taps.
        self._tapping.release(taking)
        return taking.event()

    async def start_by(self, participant: Participant, procedure: ProcedureId) -> None:
        """As ``start``, for somebody in the room. Raises ``NotPermitted`` without the right to record too."""
        room = self._registry.session(participant).room
        actor = _actor(participant)
        if Right.RECORD not in participant.rights:
            self._note(Audited.RECORDING_START, actor, room.id, procedure, None, outcome="denied")
        require(participant.rights, Right.RECORD)
        await self.start(room, procedure, actor=actor)

    def stop_by(self, participant: Participant) -> None:
        """As ``stop``, for somebody in the room. Raises ``NotPermitted``, ``NotRecording``."""
        room = self._registry.session(participant).room
        actor = _actor(participant)
        if Right.RECORD not in participant.rights:
            taking = self._taking.get(room.id)
            procedure, recording = (None, None) if taking is None else (taking.procedure, taking.id)
            self._note(Audited.RECORDING_STOP, actor, room.id, procedure, recording, outcome="denied")
        require(participant.rights, Right.RECORD)
        self.stop(room.id, actor=actor)

    # ---- Following a room ----

    def follow(self, room: Room) -> None:
        """The room may have changed: taps what is new, notes who came and went. Cheap where nothing is
        recorded."""
        self._interruptions.follow(room)
        taking = self._taking.get(room.id)
        if taking is None:
            return
        self._tapping.follow(taking, room)
        if room.empty:
            self._stop(taking, "sealed", actor=SYSTEM)

    # ---- The recorder ----

    async def _revoked(self) -> AsyncIterator[Revoked]:
        """What was decided while nobody listened comes first."""
        for taking in list(self._taking.values()):
            if not await self._permitted(taking.procedure, taking.room):
                since = datetime.fromtimestamp(taking.begin["unix_micros"] / 1_000_000, UTC)
                taken_back = await self._consents.revoked_since(taking.procedure, Purpose.RECORDING, since)
                yield Revoked(taking.procedure, Purpose.RECORDING, closed=not taken_back)
        async for revoked in self._consents.revoked():
            yield revoked

    def _heard(self, revoked: Revoked) -> None:
        if revoked.purpose == Purpose.RECORDING:
            state: State = "sealed" if revoked.closed else "withdrawn"
            self._revoke(revoked.procedure, state, actor=SYSTEM)

    def _received(self, message: Message) -> None:
        self.figures.take(message)
        self._warn()
        match message["event"]:
            case "up":
                self._brief()
            case "stopped":
                self._stopped(RecordingId(message["recording"]))
            case "sealed":
                self._sealed(message)
            case "disk_full" | "disk_stalled" | "disk_failed":
                _log.error("recording disk unusable", what=message["event"], elsewhere=message["elsewhere"])
            case "disk_back":
                _log.info("recording disk used again", location=message["location"])
            case "disk_low":
                _log.warning("recording disk low", minutes=message["seconds_left"] // 60)
            case "failed" | "lost" | "missed":
                _log.error("recording failed", recording=message["recording"], what=message["event"])
            case _:
                pass

    def _warn(self) -> None:
        risk = (self.figures.minutes_left(), self.failed)
        for taking in self._taking.values():
            if taking.risk != risk and (room := self._registry.rooms.get(taking.room)) is not None:
                taking.risk = risk
                room.recording = taking.event()
                self._tell_room(room, room.recording)

    def _stopped(self, recording: RecordingId) -> None:
        taking = self._ending.pop(recording, None)
        if taking is None:
            return
        self.figures.forget(recording)
        taking.end()

    def _sealed(self, message: Message) -> None:
        if message["failure"] is not None:
            _log.error("sealing failed", recording=message["recording"], reason=message["failure"])
            return
        if message["damaged"]:
            _log.error("journal damaged", recording=message["recording"], chunks=message["damaged"])
        if message["unreadable"]:
            _log.error("journals unreadable", recording=message["recording"], journals=message["unreadable"])
        if message["unsealable"]:
            _log.error("recording not sealable", recording=message["recording"], spans=message["unsealable"])
        if message["state"] is not None:
            recording = RecordingId(message["recording"])
            self._recovery.sealed(recording)
            with contextlib.suppress(asyncio.QueueFull):
                self.ended.put_nowait(recording)
            room = procedure = None
            if message["room"] is not None:
                room = self._room(recording, message["room"])
                procedure = ProcedureId(message["procedure"])
            details = message.get("end") or {"state": message["state"]}
            self._note(Audited.RECORDING_FINALISE, SYSTEM, room, procedure, recording, details=details)

    def _room(self, recording: RecordingId, sealed: str) -> RoomId | None:
        """As its manifest says; None where somebody altered that."""
        try:
            return RoomId(self._vault.open_field(bytes.fromhex(sealed), f"recording/{recording}/room"))
        except (NotAuthentic, ValueError):
            _log.error("manifest altered", recording=recording)
            return None

    def _brief(self) -> None:
        """A recorder that just started learns what is being taken, and gets the taps again."""
        self._recovery.begin()
        for taking in (*self._taking.values(), *self._ending.values()):
            self._tapping.brief(taking)
        for taking in self._ending.values():
            self._process.send({"do": "stop", "recording": taking.id, "state": taking.state})

    def _tell_room(self, room: Room, event: RecordingChanged | RecordingInterrupted) -> None:
        for id in room.members:
            session = self._registry.sessions.get(id)
            if session is not None and session.http is None:
                session.participant.outbox.put(event)

    def _note(
        self,
        event: Audited,
        actor: Actor,
        room: RoomId | None,
        procedure: ProcedureId | None,
        recording: RecordingId | None,
        *,
        outcome: str = "success",
        details: Details | None = None,
    ) -> None:
        self._audit.append(
            event,
            actor=actor,
            room=room,
            procedure=procedure,
            subject=recording,
            outcome=outcome,
            details=details,
        )


def _actor(participant: Participant) -> Actor:
    return Actor(id=participant.id, role=participant.role, name=participant.name)


async def _moments() -> AsyncIterator[None]:
    """When to look at what rooms are warned of, since a recorder that hangs says nothing."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        yield None


async def _all_stopped(takings: list[Taking]) -> None:
    for taking in takings:
        await taking.stopped.wait()


def recorder_arguments(settings: Settings) -> list[str]:
    """Of the recorder process: folders and the file of the master key; an environment's key is inherited."""
    arguments = ["--data", str(settings.data.folder)]
    for root in recording_roots(settings):
        arguments += ["--root", str(root)]
    if settings.recording.master_key_file is not None:
        arguments += ["--master-key-file", str(settings.recording.master_key_file)]
    return arguments
