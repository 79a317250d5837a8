"""Rooms that were used, and when: what procedures and recordings hang on.

A room's name is its users' choice and may say whom it is about, so no table holds one: rows hold it sealed,
always alike, and are found by that.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from mediaserver.ids import RoomId
from mediaserver.store.schema import now, rooms
from mediaserver.vault import KEY_BYTES, SEALED_NAME, NotAuthentic, Vault

_CONTEXT: Final = "room"


@dataclass(frozen=True, slots=True)
class RoomNames:
    """Rooms' names as tables hold them: sealed, or without a vault as keyed hashes that nobody opens."""

    vault: Vault | None
    key: bytes | None = None
    """Of the hashes; without either nothing is kept."""

    def kept(self, room: str | None) -> str | None:
        """What a new row holds; what is sealed already stays as it is."""
        if room is None or room.startswith(SEALED_NAME):
            return room
        return self._all(room)[0] if self.vault or self.key else None

    def held(self, room: str) -> tuple[str, ...]:
        """What rows may hold for it: also sealed with an older key, or in clear by an older version."""
        return (*self._all(room), room)

    def _all(self, room: str) -> tuple[str, ...]:
        sealed = () if self.vault is None else self.vault.sealed_names(room, _CONTEXT)
        return sealed if self.key is None else (*sealed, _hashed(room, self.key))

    def reveal(self, kept: str) -> RoomId:
        """The name. One that no key of ours opens stays sealed: no room is called so."""
        if self.vault is None or not kept.startswith(SEALED_NAME):
            return RoomId(kept)
        try:
            return RoomId(self.vault.open_name(kept, _CONTEXT))
        except NotAuthentic:
            return RoomId(kept)


@dataclass(frozen=True, slots=True)
class KnownRoom:
    """A room that something was kept of."""

    id: str
    """Its name as tables hold it."""
    created_at: datetime
    last_used_at: datetime


def _hashed(room: str, key: bytes) -> str:
    return f"{SEALED_NAME}-{hmac.digest(key, room.encode(), 'sha256')[:16].hex()}"


def load_or_make_key(file: Path) -> bytes:
    """Of the hashes that stand for rooms' names where there is no vault. Raises ``OSError``."""
    with contextlib.suppress(FileNotFoundError):
        return file.read_bytes()
    key = secrets.token_bytes(KEY_BYTES)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key)
    return key


def use(connection: Connection, room: str) -> None:
    """The room, by what tables hold of its name, is known from now on and used at this moment."""
    moment = now()
    statement = insert(rooms).values(id=room, created_at=moment, last_used_at=moment)
    connection.execute(statement.on_conflict_do_update(["id"], set_={"last_used_at": moment}))


def known(connection: Connection) -> list[KnownRoom]:
    """Those used last come first."""
    rows = connection.execute(select(rooms).order_by(rooms.c.last_used_at.desc(), rooms.c.id))
    return [KnownRoom(row.id, row.created_at, row.last_used_at) for row in rows]
