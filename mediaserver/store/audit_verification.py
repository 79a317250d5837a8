"""Is the audit trail what was written? Walks the chain and names the first record that does not fit.

A chain whose end was cut, checkpoints and all, is whole in itself: only an *anchor*, a checkpoint kept
elsewhere (``loupe audit checkpoint``), shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, select

from mediaserver.store.audit import (
    CHECKPOINT_CONTEXT,
    CHECKPOINT_RECORDS,
    GENESIS,
    checkpoint_message,
    from_row,
)
from mediaserver.store.schema import audit, audit_checkpoints
from mediaserver.vault import NotAuthentic, Vault, check_signature


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint as it is kept elsewhere; bytes in hex."""

    seq: int
    hash: str
    signature: str
    public_key: str
    time: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found; ``problem`` is None when everything fits."""

    records: int
    checkpoints: int
    unsigned: int
    """Records behind the last checkpoint."""
    signatures_checked: bool
    problem: str | None
    first_seq: int | None = None
    """The first record that does not fit."""

    @property
    def intact(self) -> bool:
        """Everything fits."""
        return self.problem is None


@dataclass(frozen=True, slots=True)
class _Fault(Exception):
    seq: int
    text: str


def newest_anchor(connection: Connection, vault: Vault) -> Anchor | None:
    """The last checkpoint, to be kept elsewhere; None before the first."""
    row = connection.execute(
        select(audit_checkpoints).order_by(audit_checkpoints.c.seq.desc()).limit(1)
    ).first()
    if row is None:
        return None
    return Anchor(
        seq=row.seq,
        hash=row.hash.hex(),
        signature=row.signature.hex(),
        public_key=vault.public_key.hex(),
        time=row.time.isoformat(),
    )


def verify(connection: Connection, vault: Vault | None, anchor: Anchor | None = None) -> Verification:
    """Reads the whole trail once. Without a vault signatures are not checked, but for an anchor's own."""
    checkpoints = {row.seq: row for row in connection.execute(select(audit_checkpoints))}
    count = signed = 0
    try:
        if anchor is not None:
            _check_anchor(anchor)
        for seq, head in _walk(connection):
            count = seq
            checkpoint = checkpoints.get(seq)
            if checkpoint is not None:
                signed = seq
                _check(vault, seq, head, checkpoint.hash, checkpoint.signature)
            if anchor is not None and seq == anchor.seq and head.hex() != anchor.hash:
                raise _Fault(seq, "the chain is not the one whose checkpoint was kept elsewhere")
        _check_end(count, anchor, max(checkpoints, default=0))
        # A checkpoint signs all before it: also what was kept before there was a master key.
        if vault is not None and count - signed > 2 * CHECKPOINT_RECORDS:
            raise _Fault(signed + 1, "no checkpoint signs these records")
    except _Fault as fault:
        return Verification(count, len(checkpoints), count - signed, vault is not None, fault.text, fault.seq)
    return Verification(count, len(checkpoints), count - signed, vault is not None, None)


def _walk(connection: Connection) -> Iterator[tuple[int, bytes]]:
    """Every record's number and hash, once it was found to follow from the one before."""
    head, expected = GENESIS, 1
    rows = connection.execution_options(yield_per=1000).execute(select(audit).order_by(audit.c.seq))
    for row in rows:
        if row.seq != expected:
            raise _Fault(expected, f"record {expected} is missing")
        record = from_row(row)
        if record.chained(head).hash != record.hash:
            raise _Fault(expected, f"record {expected} was altered, inserted or moved")
        head = record.hash
        yield expected, head
        expected += 1


def _check(vault: Vault | None, seq: int, head: bytes, signed_head: bytes, signature: bytes) -> None:
    if signed_head != head:
        raise _Fault(seq, f"the checkpoint at record {seq} is of another chain")
    if vault is not None:
        try:
            vault.check(signature, checkpoint_message(seq, head), CHECKPOINT_CONTEXT)
        except NotAuthentic:
            raise _Fault(seq, f"the checkpoint at record {seq} is not signed by this server") from None


def _check_anchor(anchor: Anchor) -> None:
    try:
        key, signature, head = map(bytes.fromhex, (anchor.public_key, anchor.signature, anchor.hash))
        check_signature(key, signature, checkpoint_message(anchor.seq, head), CHECKPOINT_CONTEXT)
    except (ValueError, NotAuthentic):
        raise _Fault(anchor.seq, "the checkpoint that was kept elsewhere is itself not authentic") from None


def _check_end(count: int, anchor: Anchor | None, last_checkpoint: int) -> None:
    known = max(last_checkpoint, 0 if anchor is None else anchor.seq)
    if count < known:
        raise _Fault(count + 1, f"the end is cut: record {known} was signed, record {count} is the last")
