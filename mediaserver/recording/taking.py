"""What is taken of one room: its sources, who is there, and the taps behind them.

Taps are pairs of sockets whose reading ends stay open here too, so a recorder that ended is started again and
goes on reading where the other stopped.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from mediaserver.events import RecordingChanged
from mediaserver.ids import (
    ParticipantId,
    ProcedureId,
    PublicationId,
    RecordingId,
    RoomId,
    TrackId,
    new_track_id,
)
from mediaserver.recording.depacketise import RECORDABLE
from mediaserver.recording.process import Message
from mediaserver.room import Publication, Room
from mediaserver.session import Registry
from mediaserver.store.bookmarks import Place
from mediaserver.vault import Vault

State = Literal["recording", "sealed", "withdrawn"]


@dataclass(slots=True)
class TakenTrack:
    """One source of a recording, over its publisher's reconnects."""

    id: TrackId
    source: dict[str, Any]
    identity: tuple[str, str, str]
    publication: PublicationId | None = None
    tap: socket.socket | None = None
    """The reading end, for the next recorder."""


@dataclass(slots=True)
class Taking:
    """A room that is being recorded."""

    id: RecordingId
    room: RoomId
    procedure: ProcedureId
    begin: dict[str, Any]
    tracks: list[TakenTrack] = field(default_factory=list)
    members: set[ParticipantId] = field(default_factory=set)
    state: State = "recording"
    risk: tuple[int | None, bool] = (None, False)
    """Minutes left on the disk, and whether it fails."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def event(self) -> RecordingChanged:
        """As the room is told."""
        return RecordingChanged(self.state, self.id, self.begin["unix_micros"] // 1000, *self.risk)

    def place(self) -> Place:
        """This moment on its axis."""
        micros = time.monotonic_ns() // 1000 - int(self.begin["monotonic_micros"])
        return Place(self.id, micros / 1_000_000)

    def clock_ms(self) -> int:
        """Unix time as it goes on from its beginning, whatever the wall clock is set to meanwhile."""
        return int(self.begin["unix_micros"]) // 1000 + round(self.place().seconds * 1000)

    def end(self) -> None:
        """The recorder has all of it."""
        for track in self.tracks:
            if track.tap is not None:
                track.tap.close()
        self.stopped.set()


@dataclass(frozen=True, slots=True)
class Tapping:
    """Brings the recorder what is taken."""

    registry: Registry
    vault: Vault
    send: Callable[..., object]
    """To the recorder: a message, and descriptors that go with it."""

    def follow(self, taking: Taking, room: Room) -> None:
        """The room may have changed: notes who came and went, taps what is new."""
        present = {id for id, member in room.members.items() if not member.viewer}
        for id in present - taking.members:
            self.note(taking, "joined", {"value": id})
        for id in taking.members - present:
            self.note(taking, "left", {"value": id})
        taking.members = present
        for track in taking.tracks:
            if track.publication is not None and track.publication not in room.publications:
                # Its tap ends by itself once the plane has handed over the last of it.
                track.publication = None
        known = {track.publication for track in taking.tracks}
        for publication in room.publications.values():
            if publication.id not in known and publication.codec.name.upper() in RECORDABLE:
                self._tap(taking, publication)

    def note(self, taking: Taking, name: str, details: Message) -> None:
        """An event of the recording, now."""
        micros = time.monotonic_ns() // 1000
        order = {"do": "event", "recording": taking.id, "name": name, "monotonic_micros": micros}
        self.send({**order, "details": details})

    def brief(self, taking: Taking) -> None:
        """A recorder that just started gets the recording and all of its taps."""
        self.send({"do": "start", "recording": taking.id, "begin": taking.begin})
        for track in taking.tracks:
            self._hand_over(taking, track)

    def release(self, taking: Taking) -> None:
        """Ends the taps; what they hold is still read."""
        for track in taking.tracks:
            self._untap(track)

    def _tap(self, taking: Taking, publication: Publication) -> None:
        track = self._track(taking, publication)
        track.publication = publication.id
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.registry.plane.tap(publication.handle, "recorder", theirs.fileno())
        publication.recorded = True
        self.registry.unsettle(publication.handle)
        if track.tap is not None:
            track.tap.close()
        track.tap = ours
        self._hand_over(taking, track)

    def _track(self, taking: Taking, publication: Publication) -> TakenTrack:
        """The one that its publisher left, or a new one."""
        identity = (publication.kind, publication.source_type, publication.label)
        free = [t for t in taking.tracks if t.identity == identity and t.publication is None]
        track = next((t for t in free if t.source["codec"] == publication.codec.name), None)
        if track is None:
            track = TakenTrack(new_track_id(), {}, identity)
            track.source = {
                "kind": publication.kind,
                "codec": publication.codec.name,
                "clock_rate": publication.codec.clock_rate,
                "source_type": publication.source_type,
                "participant": publication.participant,
                "label": self.vault.seal_field(publication.label, f"track/{track.id}/label").hex(),
            }
            taking.tracks.append(track)
        return track

    def _untap(self, track: TakenTrack) -> None:
        for handle, (room, publication) in self.registry.publications.items():
            if publication == track.publication:
                self.registry.plane.untap(handle, "recorder")
                room.publication(publication).recorded = False
                self.registry.unsettle(handle)

    def _hand_over(self, taking: Taking, track: TakenTrack) -> None:
        if track.tap is not None:
            order = {"do": "track", "recording": taking.id, "track": track.id, "source": track.source}
            self.send(order, [track.tap.fileno()])
