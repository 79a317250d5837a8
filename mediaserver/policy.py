"""Who may do what: roles and rights, in one pure table."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from mediaserver.errors import NotPermitted


class Role(StrEnum):
    """What a participant is in a room."""

    SURGEON = "surgeon"
    STAFF = "staff"
    SPECIALIST = "specialist"
    MODERATOR = "moderator"
    OBSERVER = "observer"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class Right(StrEnum):
    """What a token may let its holder do in its room."""

    PUBLISH_VIDEO = "publish_video"
    PUBLISH_AUDIO = "publish_audio"
    SUBSCRIBE = "subscribe"
    CHAT = "chat"
    MODERATE = "moderate"
    """Mute and remove others, end the meeting for everyone, invite, withdraw what was given out."""
    CONSENT = "consent"
    """Open procedures and write down what was consented to."""
    RECORD = "record"
    """Start and stop recording."""
    REVIEW = "review"
    """Study recordings of the room."""
    EXPORT = "export"
    """Take copies of recordings out of the server."""
    MARK = "mark"
    """Mark moments, live or later."""
    DELETE = "delete"
    """Ask for the deletion of a recording, or confirm another's; never both."""
    AUDIT = "audit"
    """Read the audit and the register of consents; place legal holds."""
    INSPECT = "inspect"
    """Read rooms and participants by REST; never pictures."""


_SPEAK = frozenset({Right.PUBLISH_AUDIO, Right.SUBSCRIBE, Right.CHAT})
_SHOW = _SPEAK | {Right.PUBLISH_VIDEO}
_STUDY = frozenset({Right.REVIEW, Right.MARK})
_KEEP = frozenset({Right.CONSENT, Right.RECORD})

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.SURGEON: _SHOW | _STUDY | _KEEP | {Right.MODERATE, Right.EXPORT},
    Role.STAFF: _SHOW | _STUDY | _KEEP,
    Role.SPECIALIST: _SHOW | _STUDY,
    Role.MODERATOR: _SPEAK | _STUDY | _KEEP | {Right.MODERATE, Right.EXPORT, Right.DELETE},
    Role.OBSERVER: frozenset({Right.SUBSCRIBE}),
    Role.OPERATOR: frozenset({Right.INSPECT}),
    Role.AUDITOR: frozenset({Right.REVIEW, Right.AUDIT, Right.DELETE}),
}
"""Rights of each role; a token may narrow them, never widen them."""


PUBLISHING = frozenset({Right.PUBLISH_VIDEO, Right.PUBLISH_AUDIO})
"""Who holds neither publishes nothing."""


def require(rights: frozenset[Right], right: Right) -> None:
    """Raises ``NotPermitted`` naming the right."""
    if right not in rights:
        raise NotPermitted(f"this needs the right {right.value}")


def granted(role: Role, asked: Iterable[Right] | None = None) -> frozenset[Right]:
    """A role's rights, narrowed to those asked for; asking for more gives no more."""
    return RIGHTS[role] if asked is None else RIGHTS[role] & frozenset(asked)
