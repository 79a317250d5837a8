"""WebSocket close codes (RFC 6455 section 7.4; 4400-4499 are ours) and what a client should do about each."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Retry(StrEnum):
    """What a client does after the socket closed."""

    NO = "no"
    RESUME = "yes, resume"
    JOIN = "yes, with a new token"
    LATER = "yes, after a pause"


class CloseCode(IntEnum):
    """Every code this server closes with."""

    NORMAL = 1000
    POLICY = 1008
    TOO_BIG = 1009
    TRY_AGAIN_LATER = 1013
    MALFORMED = 4400
    UNAUTHORIZED = 4401
    JOIN_FIRST = 4402
    NOT_PERMITTED = 4403
    JOIN_TIMEOUT = 4408
    REPLACED = 4409
    SESSION_GONE = 4410
    SILENT = 4411
    REMOVED = 4412
    TOO_MANY = 4429
    DRAINING = 4430
    ROOM_FULL = 4431
    WORKER_FAILED = 4432

    @property
    def retry(self) -> Retry:
        """Should the client try again?"""
        return MEANING[self][0]

    @property
    def meaning(self) -> str:
        """One sentence; also the close frame's reason."""
        return MEANING[self][1]


MEANING: dict[CloseCode, tuple[Retry, str]] = {
    CloseCode.NORMAL: (Retry.NO, "the client left"),
    CloseCode.POLICY: (Retry.LATER, "more messages or bytes than allowed"),
    CloseCode.TOO_BIG: (Retry.NO, "a message over 64 KiB"),
    CloseCode.TRY_AGAIN_LATER: (Retry.JOIN, "the client did not read what it was sent"),
    CloseCode.MALFORMED: (Retry.NO, "the first message was not a well-formed join"),
    CloseCode.UNAUTHORIZED: (Retry.JOIN, "the token does not hold"),
    CloseCode.JOIN_FIRST: (Retry.NO, "the first message must be join"),
    CloseCode.NOT_PERMITTED: (Retry.NO, "the token's role enters no room"),
    CloseCode.JOIN_TIMEOUT: (Retry.LATER, "no join within the time allowed"),
    CloseCode.REPLACED: (Retry.NO, "another socket resumed this session"),
    CloseCode.SESSION_GONE: (Retry.JOIN, "the session cannot be resumed"),
    CloseCode.SILENT: (Retry.RESUME, "no sign of life"),
    CloseCode.REMOVED: (Retry.NO, "removed from the room, or the room closed"),
    CloseCode.TOO_MANY: (Retry.LATER, "too many sessions of this identity"),
    CloseCode.DRAINING: (Retry.LATER, "the server is stopping"),
    CloseCode.ROOM_FULL: (Retry.LATER, "the room is full"),
    CloseCode.WORKER_FAILED: (Retry.JOIN, "the room's media worker failed"),
}
