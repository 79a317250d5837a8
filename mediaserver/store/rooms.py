"""Rooms that were used, and when: what procedures and recordings hang on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from mediaserver.ids import RoomId
from mediaserver.store.schema import now, rooms


@dataclass(frozen=True, slots=True)
class KnownRoom:
    """A room that something was kept of."""

    id: RoomId
    created_at: datetime
    last_used_at: datetime


def use(connection: Connection, room: RoomId) -> None:
    """The room is known from now on, and used at this moment."""
    moment = now()
    statement = insert(rooms).values(id=room, created_at=moment, last_used_at=moment)
    connection.execute(statement.on_conflict_do_update(["id"], set_={"last_used_at": moment}))


def known(connection: Connection) -> list[KnownRoom]:
    """Those used last come first."""
    rows = connection.execute(select(rooms).order_by(rooms.c.last_used_at.desc(), rooms.c.id))
    return [KnownRoom(RoomId(row.id), row.created_at, row.last_used_at) for row in rows]
