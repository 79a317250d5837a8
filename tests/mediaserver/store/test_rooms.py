"""Rooms that were used."""

from __future__ import annotations

import secrets
from pathlib import Path

from mediaserver.ids import RoomId
from mediaserver.store import rooms
from mediaserver.store.database import Database
from mediaserver.store.rooms import RoomNames
from mediaserver.vault import Vault


async def test_a_room_is_known_once_and_used_again(database: Database) -> None:
    for name in ("a", "b", "a"):
        await database.write(lambda connection, name=name: rooms.use(connection, RoomId(name)))  # type: ignore[misc]
    found = await database.read(rooms.known)
    assert {room.id for room in found} == {"a", "b"}
    assert all(room.created_at <= room.last_used_at for room in found)


def test_a_name_is_held_sealed_always_alike_and_under_any_key() -> None:
    old, new = (secrets.token_bytes(32) for _ in range(2))
    before, after = RoomNames(Vault([old])), RoomNames(Vault([new, old]))
    kept = before.kept("Nguyen-Van-An")
    assert kept is not None
    assert "Nguyen" not in kept
    assert before.kept("Nguyen-Van-An") == kept == before.kept(kept)
    assert before.kept("Nguyen-Van-Anh") != kept
    assert kept in after.held("Nguyen-Van-An")
    assert after.held("Nguyen-Van-An")[0] == after.kept("Nguyen-Van-An") != kept
    assert after.reveal(kept) == "Nguyen-Van-An"
    assert RoomNames(Vault([new])).reveal(kept) == kept, "what no key opens is no room's name"
    assert after.reveal("written-before") == "written-before"
    assert "written-before" in after.held("written-before")


def test_without_a_vault_a_name_is_a_hash_that_is_found_again(tmp_path: Path) -> None:
    key = rooms.load_or_make_key(tmp_path / "rooms.key")
    assert rooms.load_or_make_key(tmp_path / "rooms.key") == key
    assert (tmp_path / "rooms.key").stat().st_mode & 0o077 == 0
    hashed = RoomNames(None, key).kept("theatre-1")
    assert hashed is not None
    assert "theatre" not in hashed
    later = RoomNames(Vault([secrets.token_bytes(32)]), key)
    assert hashed in later.held("theatre-1")
    assert later.kept("theatre-1") != hashed
    assert RoomNames(None).kept("theatre-1") is None
    assert RoomNames(None).kept(None) is None
