"""Rooms that were used."""

from __future__ import annotations

from mediaserver.ids import RoomId
from mediaserver.store import rooms
from mediaserver.store.database import Database


async def test_a_room_is_known_once_and_used_again(database: Database) -> None:
    for name in ("a", "b", "a"):
        await database.write(lambda connection, name=name: rooms.use(connection, RoomId(name)))  # type: ignore[misc]
    found = await database.read(rooms.known)
    assert {room.id for room in found} == {"a", "b"}
    assert all(room.created_at <= room.last_used_at for room in found)
