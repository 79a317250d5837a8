"""What is audited, and by whom it was done: words that every part uses, whatever keeps the record.

Ids only; a name travels redacted and is sealed before it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeAlias

from mediaserver.ids import Redacted
from mediaserver.policy import Role

AddressClass: TypeAlias = Literal["loopback", "private", "public"]
Details: TypeAlias = Mapping[str, Any]
"""Ids and figures that JSON can hold; never free text."""


class Event(StrEnum):
    """Everything that leaves a record."""

    AUDIT_START = "audit.start"
    """The server began to keep it."""
    AUDIT_GAP = "audit.gap"
    """Events were lost while the database could not take them: ``lost`` says how many."""
    AUDIT_READ = "audit.read"
    AUDIT_EXPORT = "audit.export"
    SESSION_CREATE = "session.create"
    SESSION_START = "session.start"
    SESSION_END = "session.end"
    PARTICIPANT_ADMIT = "participant.admit"
    PARTICIPANT_DENY = "participant.deny"
    PARTICIPANT_LEAVE = "participant.leave"
    PARTICIPANT_REMOVE = "participant.remove"
    ROOM_CLOSE = "room.close"
    """Somebody ended it for everyone."""
    VIEW_START = "view.start"
    VIEW_CONTINUE = "view.continue"
    """Somebody still studies a recording: what they saw since the record before."""
    VIEW_STOP = "view.stop"
    PUBLISH_START = "publish.start"
    PUBLISH_STOP = "publish.stop"
    PUBLISH_MUTE = "publish.mute"
    ANNOTATION_CREATE = "annotation.create"
    ANNOTATION_CLEAR = "annotation.clear"
    FREEZE_BEGIN = "freeze.begin"
    FREEZE_END = "freeze.end"
    RECORDING_START = "recording.start"
    RECORDING_PAUSE = "recording.pause"
    RECORDING_STOP = "recording.stop"
    RECORDING_FINALISE = "recording.finalise"
    RECORDING_REVIEW = "recording.review"
    RECORDING_SEARCH = "recording.search"
    """Somebody looked through the library; what they looked for is not kept."""
    RECORDING_EXPORT = "recording.export"
    RECORDING_DELETE = "recording.delete"
    RECORDING_HOLD = "recording.hold"
    BOOKMARK_CREATE = "bookmark.create"
    BOOKMARK_REMOVE = "bookmark.remove"
    CONSENT_GIVE = "consent.give"
    CONSENT_REFUSE = "consent.refuse"
    CONSENT_WITHDRAW = "consent.withdraw"
    PATIENT_BIND = "patient.bind"
    PATIENT_CONFIRM = "patient.confirm"
    ROLE_CHANGE = "role.change"
    """A token or invitation was made or withdrawn."""
    BREAK_GLASS = "breakglass"
    BREAK_GLASS_REVIEW = "breakglass.review"
    ACCESS_DENY = "access.deny"
    """A request that the asker's rights do not cover."""
    CONFIG_CHANGE = "config.change"
    OPERATIONS_READ = "operations.read"
    """An operator read a history or a report."""
    OPERATIONS_ACT = "operations.act"
    """An operator asked for a key frame or a picture, limited layers, had somebody come back, or drained the
    server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it: an opaque id, and what is known of its holder."""

    id: str
    role: Role | None = None
    name: Redacted[str] | None = None
    address_class: AddressClass | None = None


SYSTEM = Actor(id="system")
"""The server itself."""


class Audit(Protocol):
    """Takes events at once and never fails its caller: what cannot be kept is counted."""

    def append(
        self,
        event: str,
        *,
        actor: Actor | str,
        room: str | None = None,
        procedure: str | None = None,
        subject: str | None = None,
        outcome: str = "success",
        details: Details | None = None,
    ) -> None:
        """``subject``: the id of what it was done to; ``outcome``: success, denied or failed."""


class NoAudit:
    """Keeps nothing: for tests, and for a server that was told to keep nothing."""

    def append(
        self,
        event: str,
        *,
        actor: Actor | str,
        room: str | None = None,
        procedure: str | None = None,
        subject: str | None = None,
        outcome: str = "success",
        details: Details | None = None,
    ) -> None:
        """Forgets it."""
