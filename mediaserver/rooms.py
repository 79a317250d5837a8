"""Rooms come into being with their first participant, on a worker, and go a minute after their last."""

from __future__ import annotations

import asyncio

from mediaserver.clinical import ClinicalClass
from mediaserver.errors import LimitReached
from mediaserver.ids import RoomId
from mediaserver.room import Room
from mediaserver.session import Registry


class Rooms:
    """Opens and expires the rooms of a registry. One timer per empty room."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._expiries: dict[RoomId, asyncio.TimerHandle] = {}

    def get_or_open(self, id: RoomId) -> Room:
        """The room of this id; a new one expires unless somebody enters.

        Raises ``LimitReached``, ``WorkerGone``.
        """
        room = self._registry.rooms.get(id)
        if room is not None:
            return room
        limits = self._registry.settings.limits
        if len(self._registry.rooms) >= limits.rooms:
            raise LimitReached(f"at most {limits.rooms} rooms")
        room = Room(
            id=id,
            worker=self._registry.plane.place(),
            max_participants=limits.participants_per_room,
            max_viewers=limits.viewers_per_room,
            max_publications=limits.publications_per_participant,
        )
        self._registry.rooms[id] = room
        self.left(room)
        return room

    def entered(self, room: Room, named: ClinicalClass | None = None) -> None:
        """Somebody is in it: it stays. Their token may say what it is used for."""
        room.used_for(named)
        self._cancel(room.id)

    def left(self, room: Room) -> None:
        """Lets the room wait for somebody to come back, if it is empty and still stands."""
        if not room.empty or self._registry.rooms.get(room.id) is not room:
            return
        self._cancel(room.id)
        delay = self._registry.settings.limits.empty_room_seconds
        self._expiries[room.id] = asyncio.get_running_loop().call_later(delay, self.expire, room.id)

    def expire(self, id: RoomId) -> None:
        """Ends an empty room now. Idempotent."""
        room = self._registry.rooms.get(id)
        if room is None or not room.empty:
            return
        self.forget(room)
        self._registry.plane.release(room.worker)

    def forget(self, room: Room) -> None:
        """Takes the room out of the map; its worker is no concern any more. Idempotent."""
        self._registry.rooms.pop(room.id, None)
        self._cancel(room.id)

    def _cancel(self, id: RoomId) -> None:
        if (expiry := self._expiries.pop(id, None)) is not None:
            expiry.cancel()
