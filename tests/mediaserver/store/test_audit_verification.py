"""Whoever alters, deletes, inserts, reorders or cuts is found, with the first record that does not fit."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaserver.audit import Event
from mediaserver.store.audit import AuditTrail, Record, from_row, write
from mediaserver.store.audit_verification import Anchor, Verification, newest_anchor, verify
from mediaserver.store.database import Database
from mediaserver.store.schema import MIGRATIONS, audit
from mediaserver.vault import Vault

RECORDS = 12
EVERY = 4


@pytest.fixture(autouse=True)
def frequent_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("audit", "audit_verification"):
        monkeypatch.setattr(f"mediaserver.store.{name}.CHECKPOINT_RECORDS", EVERY)


@pytest.fixture
async def trail(database: Database, vault: Vault) -> AuditTrail:
    """Twelve records, written one by one, checkpoints at 1, 5 and 9."""
    kept = AuditTrail(database, vault)
    for number in range(RECORDS):
        kept.append(Event.VIEW_START, actor="me", details={"number": number})
        await kept.flush()
    return kept


def behind_its_back(tmp_path: Path, *statements: str) -> None:
    """As somebody with the file and no scruples."""
    with sqlite3.connect(tmp_path / "data" / "loupe.db") as connection:
        for table in ("audit", "audit_checkpoints"):
            for change in ("update", "delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS {table}_never_{change}")
        for statement in statements:
            connection.execute(statement)
    connection.close()


def look(database: Database, vault: Vault | None, anchor: Anchor | None = None) -> Verification:
    return database.read_now(lambda connection: verify(connection, vault, anchor))


async def test_an_untouched_trail_fits(trail: AuditTrail, database: Database, vault: Vault) -> None:
    assert look(database, vault) == Verification(RECORDS, 3, 3, True, None)
    assert look(database, None) == Verification(RECORDS, 3, 3, False, None)
    await trail.close()
    assert look(database, vault).unsigned == 0


@pytest.mark.parametrize("column", [column.name for column in audit.c if column.name not in ("seq", "hash")])
@pytest.mark.usefixtures("trail")
async def test_every_column_is_covered(database: Database, vault: Vault, tmp_path: Path, column: str) -> None:
    value = "x'00'" if column.startswith("sealed") else "'other'"
    behind_its_back(
        tmp_path, f"UPDATE audit SET {column} = {value if 'time' not in column else 7} WHERE seq = 6"
    )
    if column == "zone_minutes":
        behind_its_back(tmp_path, "UPDATE audit SET zone_minutes = 7 WHERE seq = 6")
    found = look(database, vault)
    assert (found.intact, found.first_seq) == (False, 6)


@pytest.mark.parametrize(
    ("statements", "first"),
    [
        (["DELETE FROM audit WHERE seq = 6"], 6),
        (["DELETE FROM audit WHERE seq = 6", "UPDATE audit SET seq = seq - 1 WHERE seq > 6"], 6),
        (["UPDATE audit SET seq = 100 WHERE seq = 6", "UPDATE audit SET seq = 6 WHERE seq = 7",
          "UPDATE audit SET seq = 7 WHERE seq = 100"], 6),
        (["DELETE FROM audit WHERE seq > 8"], 9),
        (["UPDATE audit_checkpoints SET hash = x'00' WHERE seq = 5"], 5),
        (["UPDATE audit_checkpoints SET signature = x'00' WHERE seq = 5"], 5),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("trail")
async def test_deleted_moved_cut_and_forged(
    database: Database, vault: Vault, tmp_path: Path, statements: list[str], first: int
) -> None:
    behind_its_back(tmp_path, "PRAGMA foreign_keys=OFF", *statements)
    found = look(database, vault)
    assert (found.intact, found.first_seq) == (False, first), found


def put(database: Database, vault: Vault | None, records: list[Record]) -> None:
    for start in range(0, len(records), EVERY):
        some = records[start : start + EVERY]
        database.submit(lambda connection, some=some: write(connection, vault, some)).result()  # type: ignore[misc]


def rewrite(database: Database, tmp_path: Path, vault: Vault | None) -> None:
    """A whole new chain without the sixth record, as good as one without the key can make it."""
    with database._reader.connect() as connection:
        kept = [from_row(row) for row in connection.execute(audit.select())]
    behind_its_back(tmp_path, "DELETE FROM audit_checkpoints", "DELETE FROM audit")
    chosen = [replace(record, hash=b"") for record in kept if record.seq != 6]
    put(database, vault, chosen)


@pytest.mark.usefixtures("trail")
async def test_a_chain_written_anew_lacks_its_signatures(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    anchor = database.read_now(lambda connection: newest_anchor(connection, vault))
    rewrite(database, tmp_path, None)
    assert look(database, None).intact, "without the vault nobody can tell"
    found = look(database, vault)
    assert (found.problem, found.first_seq) == ("no checkpoint signs these records", 1)
    assert look(database, None, anchor).first_seq == 9
    rewrite(database, tmp_path, Vault([secrets.token_bytes(32)]))
    assert "not signed by this server" in str(look(database, vault).problem)


@pytest.mark.usefixtures("trail")
async def test_a_cut_end_is_shown_by_what_was_kept_elsewhere(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    anchor = database.read_now(lambda connection: newest_anchor(connection, vault))
    assert anchor is not None
    kept = msgspec.json.decode(msgspec.json.encode(anchor), type=Anchor)
    assert look(database, vault, kept).intact
    behind_its_back(
        tmp_path, "DELETE FROM audit_checkpoints WHERE seq > 5", "DELETE FROM audit WHERE seq > 6"
    )
    assert look(database, vault).intact, "whole in itself"
    found = look(database, vault, kept)
    assert found.first_seq == 7
    assert "cut" in str(found.problem)
    forged = msgspec.structs.replace(kept, seq=6)
    assert "itself not authentic" in str(look(database, vault, forged).problem)


def test_nothing_yet_is_intact(database: Database, vault: Vault) -> None:
    assert look(database, vault) == Verification(0, 0, 0, True, None)
    assert database.read_now(lambda connection: newest_anchor(connection, vault)) is None


@settings(max_examples=25, deadline=None)
@given(seq=st.integers(1, RECORDS), damage=st.sampled_from(["edit", "delete", "insert", "swap"]))
def test_wherever_it_is_damaged(tmp_path_factory: pytest.TempPathFactory, seq: int, damage: str) -> None:
    folder = tmp_path_factory.mktemp("trail")
    database = Database.open(folder / "data" / "loupe.db", MIGRATIONS)
    vault = Vault([secrets.token_bytes(32)])
    kept = AuditTrail(database, vault)
    records = [kept.record(Event.VIEW_START, actor="me", details={"n": n}) for n in range(RECORDS)]
    put(database, vault, records)
    columns = ", ".join(column.name for column in audit.c if column.name != "seq")
    other = seq % RECORDS + 1
    steps: dict[str, Callable[[], list[str]]] = {
        "edit": lambda: [f"UPDATE audit SET actor = 'you' WHERE seq = {seq}"],
        "delete": lambda: [f"DELETE FROM audit WHERE seq = {seq}"],
        "insert": lambda: [
            f"UPDATE audit SET seq = seq + 1000 WHERE seq >= {seq}",
            f"INSERT INTO audit (seq, {columns}) SELECT {seq}, {columns} FROM audit WHERE seq = {seq + 1000}",
            "UPDATE audit SET seq = seq - 999 WHERE seq > 1000",
        ],
        "swap": lambda: [
            f"UPDATE audit SET seq = 1000 WHERE seq = {seq}",
            f"UPDATE audit SET seq = {seq} WHERE seq = {other}",
            f"UPDATE audit SET seq = {other} WHERE seq = 1000",
        ],
    }
    behind_its_back(folder, *steps[damage]())
    found = look(database, vault)
    database.close()
    assert not found.intact
    assert found.first_seq == {"insert": seq + 1, "swap": min(seq, other)}.get(damage, seq)


async def test_what_was_kept_before_there_was_a_key_is_signed_by_the_first_with_one(
    database: Database, vault: Vault
) -> None:
    keyless = AuditTrail(database, None)
    for _ in range(4 * EVERY):
        keyless.append("session.start", actor="u1")
    await keyless.flush()
    kept = AuditTrail(database, vault)
    kept.append("audit.start", actor="system")
    await kept.flush()
    found = look(database, vault)
    assert (found.problem, found.unsigned, found.records) == (None, 0, 4 * EVERY + 1)
