"""What a message means in which state: the WebSocket conversation as a table. No socket, no clock, no task.

A ``Conversation`` takes what came (a request, a fault, a signal) and gives back actions for the
adapter (``websocket.py``) to do in order. The three states and every transition stand in ``TABLE``;
``docs/protocol.md`` draws its diagram and its table from there (``python -m signalling.schema``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, TypeAlias

from mediaserver.errors import LoupeError
from signalling import messages
from signalling.close_codes import CloseCode
from signalling.errors import OutOfOrder

# ---- States ----


@dataclass(frozen=True, slots=True)
class AwaitingJoin:
    """The socket is open; only ``join`` may come, within 5 s."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A participant; ``session`` names the session this socket speaks for."""

    session: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing more is read or sent."""

    code: CloseCode


State: TypeAlias = AwaitingJoin | Joined | Closed

# ---- Inputs ----


class Signal(StrEnum):
    """What happens to a socket besides its messages."""

    MALFORMED = "malformed"
    """A message that does not follow the schema."""
    REFUSED = "refused"
    """The join was not granted."""
    SLOW_JOIN = "slow_join"
    """Five seconds without a granted join."""
    FLOODED = "flooded"
    """More messages than the bucket holds."""
    SILENT = "silent"
    """Twenty seconds without a sign of life."""
    OVERFLOWED = "overflowed"
    """The client does not read what it is sent."""
    REPLACED = "replaced"
    """A second socket resumed the session."""
    REMOVED = "removed"
    """The session ended by somebody else's will, or the room's."""
    DRAINING = "draining"
    """The server stops."""
    WORKER_FAILED = "worker_failed"
    """The room's media worker failed: join again."""


class Step(Enum):
    """What a table cell tells the adapter to do."""

    ADMIT = "check the token, answer hello"
    PERFORM = "do it, answer ok or error"
    REFUSE = "answer error, stay"
    LEAVE = "end the session, answer ok, close"
    CLOSE = "close"
    IGNORE = "nothing"


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry of the table: what to do, and the close code when it ends the conversation."""

    step: Step
    close: CloseCode | None = None


# ---- The table ----

Input: TypeAlias = type[messages.ClientMessage] | Signal

_REQUESTS: Final = (
    messages.Publish,
    messages.Subscribe,
    messages.Answer,
    messages.RestartIce,
    messages.Prefer,
    messages.Mute,
    messages.Chat,
    messages.Mark,
    messages.StartRecording,
    messages.StopRecording,
    messages.Remove,
    messages.CloseRoom,
    messages.Ping,
    messages.Statistics,
)
_AWAITING: Final[Mapping[Input, Cell]] = {
    messages.Join: Cell(Step.ADMIT),
    **{request: Cell(Step.REFUSE, CloseCode.JOIN_FIRST) for request in (*_REQUESTS, messages.Leave)},
    Signal.MALFORMED: Cell(Step.REFUSE, CloseCode.MALFORMED),
    Signal.REFUSED: Cell(Step.REFUSE, CloseCode.UNAUTHORIZED),
    Signal.SLOW_JOIN: Cell(Step.CLOSE, CloseCode.JOIN_TIMEOUT),
    Signal.FLOODED: Cell(Step.CLOSE, CloseCode.POLICY),
    Signal.SILENT: Cell(Step.CLOSE, CloseCode.SILENT),
    Signal.OVERFLOWED: Cell(Step.CLOSE, CloseCode.TRY_AGAIN_LATER),
    Signal.REPLACED: Cell(Step.IGNORE),
    Signal.REMOVED: Cell(Step.IGNORE),
    Signal.DRAINING: Cell(Step.CLOSE, CloseCode.DRAINING),
    Signal.WORKER_FAILED: Cell(Step.IGNORE),
}
_JOINED: Final[Mapping[Input, Cell]] = {
    messages.Join: Cell(Step.REFUSE),
    **{request: Cell(Step.PERFORM) for request in _REQUESTS},
    messages.Leave: Cell(Step.LEAVE, CloseCode.NORMAL),
    Signal.MALFORMED: Cell(Step.REFUSE),
    Signal.REFUSED: Cell(Step.IGNORE),
    Signal.SLOW_JOIN: Cell(Step.IGNORE),
    Signal.FLOODED: Cell(Step.CLOSE, CloseCode.POLICY),
    Signal.SILENT: Cell(Step.CLOSE, CloseCode.SILENT),
    Signal.OVERFLOWED: Cell(Step.CLOSE, CloseCode.TRY_AGAIN_LATER),
    Signal.REPLACED: Cell(Step.CLOSE, CloseCode.REPLACED),
    Signal.REMOVED: Cell(Step.CLOSE, CloseCode.REMOVED),
    Signal.DRAINING: Cell(Step.CLOSE, CloseCode.DRAINING),
    Signal.WORKER_FAILED: Cell(Step.CLOSE, CloseCode.WORKER_FAILED),
}
INPUTS: Final[tuple[Input, ...]] = (messages.Join, *_REQUESTS, messages.Leave, *Signal)
TABLE: Final[Mapping[type[State], Mapping[Input, Cell]]] = {
    AwaitingJoin: _AWAITING,
    Joined: _JOINED,
    Closed: {entry: Cell(Step.IGNORE) for entry in INPUTS},
}

# ---- Actions ----


@dataclass(frozen=True, slots=True)
class Admit:
    """Check this join; then call ``admitted`` or ``refused``."""

    join: messages.Join


@dataclass(frozen=True, slots=True)
class Perform:
    """Do this request; then send its answer, or the error it raised."""

    request: messages.Request


@dataclass(frozen=True, slots=True)
class EndSession:
    """The participant leaves for good."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this."""

    message: messages.ServerMessage


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket with this code."""

    code: CloseCode


Action: TypeAlias = Admit | Perform | EndSession | Send | Close

# ---- The conversation ----


def error_message(error: LoupeError, request_id: int | None) -> messages.Error:
    """How an error goes over the wire."""
    return messages.Error(
        id=request_id, code=error.code, message=error.message, retryable=error.retryable, field=error.field
    )


class Conversation:
    """One socket's place in the table. Every method returns what the adapter has to do, in order."""

    def __init__(self) -> None:
        self.state: State = AwaitingJoin()

    def receive(self, request: messages.Request) -> list[Action]:
        """A well-formed request."""
        cell = TABLE[type(self.state)][type(request)]
        match cell.step:
            case Step.ADMIT:
                assert isinstance(request, messages.Join), "the table admits by join only"
                return [Admit(request)]
            case Step.PERFORM:
                return [Perform(request)]
            case Step.LEAVE:
                return [EndSession(), Send(messages.Ok(id=request.id)), *self._close(cell)]
            case Step.REFUSE:
                return [Send(error_message(_misplaced(self.state), request.id)), *self._close(cell)]
            case _:
                return []

    def receive_malformed(self, error: LoupeError, request_id: int | None) -> list[Action]:
        """A message that ``messages.parse`` would not take."""
        return self._fault(Signal.MALFORMED, error, request_id)

    def admitted(self, hello: messages.Hello) -> list[Action]:
        """The join was granted."""
        if not isinstance(self.state, AwaitingJoin):
            return []
        self.state = Joined(hello.session)
        return [Send(hello)]

    def refused(self, error: LoupeError, request_id: int, close: CloseCode | None = None) -> list[Action]:
        """The join was not granted; ``close`` says more than
        the table's 4401 when the token was not to blame."""
        actions = self._fault(Signal.REFUSED, error, request_id)
        if close is not None and isinstance(self.state, Closed) and actions:
            self.state = Closed(close)
            actions[-1] = Close(close)
        return actions

    def signal(self, signal: Signal) -> list[Action]:
        """Something other than a message happened."""
        cell = TABLE[type(self.state)][signal]
        return self._close(cell) if cell.step is Step.CLOSE else []

    def _fault(self, signal: Signal, error: LoupeError, request_id: int | None) -> list[Action]:
        cell = TABLE[type(self.state)][signal]
        if cell.step is not Step.REFUSE:
            return []
        return [Send(error_message(error, request_id)), *self._close(cell)]

    def _close(self, cell: Cell) -> list[Action]:
        if cell.close is None:
            return []
        self.state = Closed(cell.close)
        return [Close(cell.close)]


def _misplaced(state: State) -> OutOfOrder:
    if isinstance(state, AwaitingJoin):
        return OutOfOrder("join first", field="$.type")
    return OutOfOrder("already joined", field="$.type")
