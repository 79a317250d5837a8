"""Sessions outlive their sockets: a participant, the
secret that resumes them, and the timer that ends the wait."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from mediaserver.audit import AddressClass
from mediaserver.errors import UnknownParticipant
from mediaserver.participant import Participant
from mediaserver.server import Server
from signalling.auth import Bearer
from signalling.errors import SessionGone
from signalling.tokens import Claims

ID_BYTES = 12
RESUME_TOKEN_BYTES = 32
"""256 bits: whoever holds it is the participant for the next 30 s."""


class Replaceable(Protocol):
    """The socket a session speaks through."""

    def replaced(self) -> None:
        """Another socket took over: read no more events, close with 4409."""


@dataclass(eq=False, slots=True)
class Session:
    """One joined participant. ``socket`` is None while they are away."""

    id: str
    resume_token: str = field(repr=False)
    participant: Participant
    claims: Claims
    socket: Replaceable | None = None
    away: asyncio.TimerHandle | None = None


class Sessions:
    """All WebSocket sessions of the process."""

    def __init__(self, server: Server, resume_seconds: float) -> None:
        self._server = server
        self._resume_seconds = resume_seconds
        self._by_id: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def open(
        self, bearer: Bearer, name: str, socket: Replaceable, address_class: AddressClass | None = None
    ) -> Session:
        """Joins the room of the token. Raises what ``Server.join`` raises."""
        participant = self._server.join(bearer.identity(address_class), name)
        session = Session(
            id=secrets.token_urlsafe(ID_BYTES),
            resume_token=secrets.token_urlsafe(RESUME_TOKEN_BYTES),
            participant=participant,
            claims=bearer.claims,
            socket=socket,
        )
        self._by_id[session.id] = session
        return session

    def resume(self, session_id: str, token: str, seq: int, socket: Replaceable) -> Session:
        """Gives a waiting or living session this socket; events after ``seq`` come again.

        Raises:
            SessionGone: unknown, wrong secret, over, or the events after ``seq`` are not all held any more.
        """
        session = self._by_id.get(session_id)
        known = session.resume_token if session is not None else secrets.token_urlsafe(RESUME_TOKEN_BYTES)
        # Compared even when there is no such session: the time taken tells nothing.
        if not hmac.compare_digest(known.encode(), token.encode()) or session is None:
            raise SessionGone(field="$.resume")
        if not session.participant.outbox.replay(seq):
            self.end(session)
            raise SessionGone("too much happened since; join again", field="$.resume.seq")
        if session.away is not None:
            session.away.cancel()
            session.away = None
        before, session.socket = session.socket, socket
        if before is not None:
            before.replaced()
        else:
            self._set_connected(session, True)
        return session

    def dropped(self, session: Session, socket: Replaceable) -> None:
        """The socket is gone without a farewell: wait for a resume, then leave."""
        if session.socket is not socket or session.id not in self._by_id:
            return
        session.socket = None
        outbox = session.participant.outbox
        if outbox.overflowed or outbox.closed:
            # Over for the room already: there is nothing left to resume.
            self.end(session)
            return
        self._set_connected(session, False)
        session.away = asyncio.get_running_loop().call_later(self._resume_seconds, self.end, session)

    def end(self, session: Session) -> None:
        """The participant leaves. Idempotent."""
        if self._by_id.pop(session.id, None) is None:
            return
        if session.away is not None:
            session.away.cancel()
            session.away = None
        # The room may have ended them first: removed, overflowed, drained.
        with contextlib.suppress(UnknownParticipant):
            self._server.leave(session.participant)

    def _set_connected(self, session: Session, connected: bool) -> None:
        # Over already, the client not told yet: the events that wait for it say so.
        with contextlib.suppress(UnknownParticipant):
            self._server.set_connected(session.participant, connected)

    def of_token(self, jti: str) -> list[Session]:
        """Sessions that hang on a token or invitation, for its revocation."""
        return [session for session in self._by_id.values() if session.claims.hangs_on(jti)]

    def claims(self) -> Iterator[Claims]:
        """Of every session, those away included."""
        return (session.claims for session in self._by_id.values())
