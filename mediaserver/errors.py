"""The one tree of errors that the control plane raises.

``code`` is stable and goes over the wire; ``message`` is for a person and never carries a name, token or
address; ``field`` is a JSON path such as ``$.sources[0].mid`` when one input is to blame.
"""

from __future__ import annotations

from typing import ClassVar


class LoupeError(Exception):
    """Anything that a caller did wrong, or that cannot be done now."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    default: ClassVar[str] = "something went wrong"

    def __init__(self, message: str | None = None, *, field: str | None = None) -> None:
        self.message = self.default if message is None else message
        self.field = field
        super().__init__(self.message)


class NotPermitted(LoupeError):
    """The role or token lacks the right."""

    code = "not_permitted"
    default = "this role may not do that"


class UnknownRoom(LoupeError):
    """No room of this id stands."""

    code = "unknown_room"
    default = "no such room"


class UnknownPublication(LoupeError):
    """No publication of this id is in the room."""

    code = "unknown_publication"
    default = "no such publication in this room"


class UnknownLayer(LoupeError):
    """No such encoding of a picture that this session watches."""

    code = "unknown_layer"
    default = "no such layer now"


class UnknownParticipant(LoupeError):
    """No participant or session of this id is here (any more)."""

    code = "unknown_participant"
    default = "no such participant in this room"


class RoomFull(LoupeError):
    """The room holds as many as it may."""

    code = "room_full"
    retryable = True
    default = "the room is full"


class Draining(LoupeError):
    """The server takes no one new."""

    code = "draining"
    retryable = True
    default = "the server is about to stop; try again shortly"


class NothingPublished(LoupeError):
    """Nothing to watch yet."""

    code = "nothing_published"
    retryable = True
    default = "nothing is published here yet"


class MalformedSdp(LoupeError):
    """A description that cannot be read, or lacks what WebRTC demands."""

    code = "malformed_sdp"
    default = "the session description cannot be read"

    def __init__(self, message: str | None = None, *, field: str | None = "$.sdp") -> None:
        super().__init__(message, field=field)


class NoCommonCodec(LoupeError):
    """Nothing offered can be forwarded; ``accepted`` names what could."""

    code = "no_common_codec"
    default = "no offered codec can be forwarded"

    def __init__(self, accepted: list[str], message: str | None = None) -> None:
        self.accepted = accepted
        super().__init__(message or f"no offered codec can be forwarded; accepted: {', '.join(accepted)}")


class StaleGeneration(LoupeError):
    """An answer to an offer that is no longer the newest."""

    code = "stale_generation"
    default = "this answers an offer that is no longer open"

    def __init__(self, message: str | None = None, *, field: str | None = "$.generation") -> None:
        super().__init__(message, field=field)


class LimitReached(LoupeError):
    """More than the documented limit of something."""

    code = "limit_reached"
    default = "a limit is reached"


class MalformedCursor(LoupeError):
    """A page is asked for by something that no page before it gave."""

    code = "malformed_cursor"
    default = "the cursor is none of this interface; ask for the first page"


class HistoryUnavailable(LoupeError):
    """The history's file cannot be opened or read; live rooms go on without it."""

    code = "history_unavailable"
    retryable = True
    default = "the history cannot be read; see the server's log"


class ThumbnailsOff(LoupeError):
    """This server shows operators no pictures."""

    code = "thumbnails_off"
    default = "this server shows no pictures: watch.thumbnails is off"


class PictureNotWatched(LoupeError):
    """Nobody looks at this source's picture, so none can be taken of it."""

    code = "picture_not_watched"
    default = "the picture of this source is not watched"


class NoPictureYet(LoupeError):
    """A source that sends no key frame in time: muted, stopped, or behind a poor link."""

    code = "no_picture_yet"
    retryable = True
    default = "no picture came in time; the source may be paused"


class TransportFailed(LoupeError):
    """The transport ended and cannot be used any more."""

    code = "transport_failed"
    retryable = True
    default = "the transport has ended"


class WorkerGone(LoupeError):
    """The media worker of the room failed."""

    code = "worker_gone"
    retryable = True
    default = "the media worker of this room failed"


class RecordingOff(LoupeError):
    """This server records nothing: it has no master key."""

    code = "recording_off"
    default = "this server has no master key for recordings"


class AlreadyRecording(LoupeError):
    """The room is being recorded."""

    code = "already_recording"
    default = "this room is being recorded already"


class NotRecording(LoupeError):
    """The room is not being recorded."""

    code = "not_recording"
    default = "this room is not being recorded"


class InvalidSettings(LoupeError):
    """The configuration cannot be used; ``message`` is one line that names the key and what to do."""

    code = "invalid_settings"
    default = "the configuration cannot be used"
