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


class Right(StrEnum):
    """What a token may let its holder do in its room."""

    PUBLISH_VIDEO = "publish_video"
    PUBLISH_AUDIO = "publish_audio"
    SUBSCRIBE = "subscribe"
    CHAT = "chat"
    MODERATE = "moderate"
    """Mute and remove others, invite, withdraw what was given out."""
    INSPECT = "inspect"
    """Read rooms and participants by REST; never pictures."""


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.SURGEON: frozenset(
        {Right.PUBLISH_VIDEO, Right.PUBLISH_AUDIO, Right.SUBSCRIBE, Right.CHAT, Right.MODERATE}
    ),
    Role.STAFF: frozenset({Right.PUBLISH_VIDEO, Right.PUBLISH_AUDIO, Right.SUBSCRIBE, Right.CHAT}),
    Role.SPECIALIST: frozenset({Right.PUBLISH_VIDEO, Right.PUBLISH_AUDIO, Right.SUBSCRIBE, Right.CHAT}),
    Role.MODERATOR: frozenset({Right.PUBLISH_AUDIO, Right.SUBSCRIBE, Right.CHAT, Right.MODERATE}),
    Role.OBSERVER: frozenset({Right.SUBSCRIBE}),
    Role.OPERATOR: frozenset({Right.INSPECT}),
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
