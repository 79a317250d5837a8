"""Errors of the signalling layer, leaves of the one tree
in ``mediaserver/errors.py``; and their HTTP status."""

from __future__ import annotations

from mediaserver import errors
from mediaserver.errors import LoupeError
from mediaserver.recording.manifest import Altered
from mediaserver.review import errors as review
from mediaserver.store.bookmarks import UnknownBookmark
from mediaserver.store.consents import NothingToWithdraw
from mediaserver.store.database import DatabaseFailed
from mediaserver.store.deletions import RecordingKept, UnknownDeletion
from mediaserver.store.library import NothingToMark
from mediaserver.store.migration import MigrationFailed
from mediaserver.store.objects import StorageFailed
from mediaserver.store.procedures import ProcedureClosed, ProcedureOpen, UnknownProcedure
from mediaserver.store.recordings import QuotaReached, UnknownRecording
from mediaserver.vault import NoMasterKey


class Unauthorized(LoupeError):
    """No token, or one that does not hold."""

    code = "unauthorized"
    default = "a valid token is needed"


class NoToken(Unauthorized):
    """No token at all: nothing is wrong yet (RFC 6750 section 3.1)."""

    default = "an Authorization: Bearer header is needed"


class TokenUsed(Unauthorized):
    """A join token opens one session; this one has."""

    code = "token_used"
    default = "this token has opened its session already; ask for a new one, or exchange the invitation again"


class MalformedMessage(LoupeError):
    """A request that is not what the schema says; ``field`` is the JSON path to blame."""

    code = "malformed_message"
    default = "the message does not follow the schema"


class UnknownType(MalformedMessage):
    """A WebSocket message whose ``type`` the protocol does not have."""

    code = "unknown_type"
    default = "no message of this type"


class OutOfOrder(LoupeError):
    """A message that this state does not allow."""

    code = "out_of_order"
    default = "this message is not allowed now"


class SessionGone(LoupeError):
    """A resume that comes too late, or does not know the session's token."""

    code = "session_gone"
    default = "this session cannot be resumed; join again"


class RateLimited(LoupeError):
    """Too many, too fast."""

    code = "rate_limited"
    retryable = True
    default = "too many requests; slow down"


class TooLarge(LoupeError):
    """A body or message over its limit."""

    code = "too_large"
    default = "too large"


class TooSlow(LoupeError):
    """A body that does not arrive in time."""

    code = "too_slow"
    retryable = True
    default = "the request did not arrive in time"


class UnsupportedMediaType(LoupeError):
    """A body of another content type."""

    code = "unsupported_media_type"
    default = "this content type is not accepted here"


class Conflict(LoupeError):
    """The addressed thing is in another state than the request supposes (ETag)."""

    code = "precondition_failed"
    default = "the session has changed since; read its newest ETag"


class PreconditionRequired(LoupeError):
    """RFC 6585 section 3: the request must say which state it means."""

    code = "precondition_required"
    default = "an If-Match header is required"


class LiveSurgeries(LoupeError):
    """A restart while an operation is on the air (05-clinical H-13)."""

    code = "live_surgeries"
    default = "surgeries live: restart refused"


class UnknownSession(errors.UnknownParticipant):
    """No such WHIP or WHEP session (any more)."""

    code = "unknown_session"
    default = "no such session"


_STATUS: dict[type[LoupeError], int] = {
    Unauthorized: 401,
    MalformedMessage: 400,
    OutOfOrder: 409,
    SessionGone: 410,
    RateLimited: 429,
    TooLarge: 413,
    TooSlow: 408,
    UnsupportedMediaType: 415,
    Conflict: 412,
    PreconditionRequired: 428,
    LiveSurgeries: 409,
    errors.NotPermitted: 403,
    UnknownProcedure: 404,
    ProcedureOpen: 409,
    ProcedureClosed: 409,
    NothingToWithdraw: 409,
    RecordingKept: 409,
    UnknownRecording: 404,
    UnknownDeletion: 404,
    UnknownBookmark: 404,
    QuotaReached: 507,
    StorageFailed: 503,
    DatabaseFailed: 503,
    MigrationFailed: 503,
    NoMasterKey: 503,
    errors.UnknownRoom: 404,
    errors.UnknownPublication: 404,
    errors.UnknownLayer: 404,
    errors.UnknownParticipant: 404,
    errors.RoomFull: 503,
    errors.Draining: 503,
    errors.NothingPublished: 409,
    errors.MalformedSdp: 400,
    errors.MalformedCursor: 400,
    errors.HistoryUnavailable: 503,
    errors.NoCommonCodec: 406,
    errors.StaleGeneration: 409,
    errors.LimitReached: 429,
    errors.ThumbnailsOff: 404,
    errors.PictureNotWatched: 409,
    errors.NoPictureYet: 504,
    errors.TransportFailed: 503,
    errors.WorkerGone: 503,
    review.CannotExport: 422,
    Altered: 409,
    review.NotAccepted: 502,
    review.NoArchive: 404,
    review.ReviewOff: 404,
    NothingToMark: 409,
    errors.RecordingOff: 503,
    errors.AlreadyRecording: 409,
    errors.NotRecording: 409,
}


def http_status(error: LoupeError) -> int:
    """The status of the nearest ancestor that has one;
    500 for an error this table forgot (a test finds it)."""
    for ancestor in type(error).__mro__:
        status = _STATUS.get(ancestor)
        if status is not None:
            return status
    return 500
