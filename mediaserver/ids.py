"""Identifiers, and the type that keeps what names a person out of logs."""

from __future__ import annotations

import re
import secrets
from typing import Generic, NewType, TypeVar

RoomId = NewType("RoomId", str)
ParticipantId = NewType("ParticipantId", str)
PublicationId = NewType("PublicationId", str)
SessionId = NewType("SessionId", str)
ProcedureId = NewType("ProcedureId", str)
RecordingId = NewType("RecordingId", str)
TrackId = NewType("TrackId", str)

T = TypeVar("T")

ID_BYTES = 12
"""96 random bits: unguessable, though no right ever hangs on knowing an id."""

_ROOM = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


def _new() -> str:
    return secrets.token_urlsafe(ID_BYTES)


def new_participant_id() -> ParticipantId:
    """A fresh, random, URL-safe id."""
    return ParticipantId(_new())


def new_publication_id() -> PublicationId:
    """A fresh, random, URL-safe id."""
    return PublicationId(_new())


def new_session_id() -> SessionId:
    """A fresh, random, URL-safe id."""
    return SessionId(_new())


def new_procedure_id() -> ProcedureId:
    """A fresh, random, URL-safe id."""
    return ProcedureId(_new())


def new_recording_id() -> RecordingId:
    """A fresh, random id; also a folder's name, so it starts with a letter."""
    return RecordingId(f"r{_new()}")


def new_track_id() -> TrackId:
    """A fresh, random id; also part of files' names, so it starts with a letter."""
    return TrackId(f"t{_new()}")


def room_id(text: str) -> RoomId:
    """Checks a room's name: 1 to 64 of letters, digits, ``_``, ``.``, ``-``. Raises ``ValueError``."""
    if not _ROOM.match(text):
        raise ValueError("a room's id has 1 to 64 characters of A-Z a-z 0-9 _ . -")
    return RoomId(text)


class Redacted(Generic[T]):
    """A value that names a person or opens a door: prints as ``<redacted>`` until ``reveal`` is called."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value; only for those who are meant to see it, never for a log."""
        return self._value

    def __repr__(self) -> str:
        return "<redacted>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<redacted>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Redacted) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(self._value)
