"""What the audit log is told; into the server's own log where nothing keeps a better one."""

from __future__ import annotations

from typing import Protocol

import structlog

_log = structlog.stdlib.get_logger(__name__)


class Audit(Protocol):
    """Takes entries; never raises and never waits."""

    def denied(self, action: str, *, subject: str, role: str, room: str | None) -> None:
        """Somebody asked for what they have no right to. ``subject`` is a token's, not a name."""

    def read(self, action: str, *, subject: str, role: str, room: str | None) -> None:
        """Somebody read what is not for everybody: reports, histories."""

    def acted(self, action: str, *, subject: str, role: str, room: str | None) -> None:
        """An operator changed something for others."""


class LoggedAudit:
    """Into the server's own log, where nothing keeps a better one."""

    def denied(self, action: str, *, subject: str, role: str, room: str | None) -> None:
        """One warning."""
        _log.warning("access denied", action=action, subject=subject, role=role, room=room)

    def read(self, action: str, *, subject: str, role: str, room: str | None) -> None:
        """One line."""
        _log.info("records read", action=action, subject=subject, role=role, room=room)

    def acted(self, action: str, *, subject: str, role: str, room: str | None) -> None:
        """One line."""
        _log.info("operator acted", action=action, subject=subject, role=role, room=room)
