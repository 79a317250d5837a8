"""The conversation's table: all states x all inputs, without a socket."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from mediaserver.policy import Role
from mediaserver.quality_history.claims import LinkClaim
from signalling import messages, protocol
from signalling.close_codes import MEANING, CloseCode
from signalling.errors import MalformedMessage, SessionGone, Unauthorized
from signalling.protocol import (
    INPUTS,
    TABLE,
    AwaitingJoin,
    Closed,
    Conversation,
    Input,
    Joined,
    Signal,
    State,
)

STATES: tuple[State, ...] = (AwaitingJoin(), Joined("s1"), Closed(CloseCode.NORMAL))

SAMPLES: dict[type[messages.ClientMessage], messages.Request] = {
    messages.Join: messages.Join(id=1, token="t"),
    messages.Publish: messages.Publish(id=1, sdp="v=0", sources=[]),
    messages.Subscribe: messages.Subscribe(id=1, publications=[]),
    messages.Answer: messages.Answer(id=1, generation=1, sdp="v=0"),
    messages.RestartIce: messages.RestartIce(id=1),
    messages.Prefer: messages.Prefer(id=1, publication="p"),
    messages.Mute: messages.Mute(id=1, publication="p", muted=True),
    messages.Chat: messages.Chat(id=1, text="x"),
    messages.StartRecording: messages.StartRecording(id=1, procedure="p"),
    messages.StopRecording: messages.StopRecording(id=1),
    messages.Remove: messages.Remove(id=1, participant="p"),
    messages.CloseRoom: messages.CloseRoom(id=1),
    messages.Mark: messages.Mark(id=1),
    messages.Leave: messages.Leave(id=1),
    messages.Ping: messages.Ping(id=1),
    messages.Statistics: messages.Statistics(id=1, clock_ms=1, publish=LinkClaim(loss=0.5)),
}
HELLO = messages.Hello(
    id=1,
    version=1,
    session="s1",
    resume_token="r",
    resumed=False,
    seq=0,
    participant="p1",
    role=Role.SURGEON,
    rights=[],
    room=messages.RoomInfo(id="r", participants=[], publications=[]),
    ice_servers=[],
    limits=messages.Limits(
        message_bytes=1,
        messages_per_second=1,
        sources=1,
        subscriptions=1,
        resume_seconds=1,
        heartbeat_seconds=1,
    ),
    server_time_ms=0,
)


def feed(conversation: Conversation, entry: Input) -> list[protocol.Action]:
    """Gives a conversation one input, as the adapter would."""
    if isinstance(entry, Signal):
        if entry is Signal.MALFORMED:
            return conversation.receive_malformed(MalformedMessage(), 1)
        if entry is Signal.REFUSED:
            return conversation.refused(Unauthorized(), 1)
        return conversation.signal(entry)
    return conversation.receive(SAMPLES[entry])


def in_state(state: State) -> Conversation:
    conversation = Conversation()
    conversation.state = state
    return conversation


def test_the_table_has_every_request_and_signal() -> None:
    assert set(INPUTS) == {*get_args(messages.Request), *Signal}
    for state in TABLE:
        assert set(TABLE[state]) == set(INPUTS)
    assert set(TABLE) == {type(state) for state in STATES}


@pytest.mark.parametrize("state", STATES, ids=lambda state: type(state).__name__)
@pytest.mark.parametrize("entry", INPUTS, ids=str)
def test_every_state_and_input(state: State, entry: Input) -> None:
    conversation = in_state(state)
    actions = feed(conversation, entry)
    closes = [action for action in actions if isinstance(action, protocol.Close)]
    if isinstance(state, Closed):
        assert actions == []
        assert conversation.state == state
        return
    if closes:
        assert actions[-1] is closes[0], "nothing follows a close"
        assert len(closes) == 1
        assert conversation.state == Closed(closes[0].code)
        assert feed(conversation, entry) == [], "a closed conversation does nothing more"
    else:
        assert conversation.state == state
    if isinstance(entry, type):
        answered = [action for action in actions if isinstance(action, protocol.Send)]
        passed_on = [action for action in actions if isinstance(action, protocol.Perform | protocol.Admit)]
        assert len(answered) + len(passed_on) == 1, "every request is answered once"


ALLOWED: dict[type[State], set[type[messages.ClientMessage]]] = {
    AwaitingJoin: {messages.Join},
    Joined: set(SAMPLES) - {messages.Join},
    Closed: set(),
}


@pytest.mark.parametrize("state", STATES, ids=lambda state: type(state).__name__)
@pytest.mark.parametrize("entry", list(SAMPLES), ids=lambda entry: entry.__name__)
def test_only_what_is_allowed_is_done(state: State, entry: type[messages.ClientMessage]) -> None:
    done = any(
        isinstance(action, protocol.Perform | protocol.Admit | protocol.EndSession)
        for action in feed(in_state(state), entry)
    )
    assert done is (entry in ALLOWED[type(state)])


def test_a_granted_join_makes_joined() -> None:
    conversation = Conversation()
    join = messages.Join(id=1, token="t")
    assert conversation.receive(join) == [protocol.Admit(join)]
    assert conversation.admitted(HELLO) == [protocol.Send(HELLO)]
    assert conversation.state == Joined("s1")
    assert conversation.admitted(HELLO) == [], "only once"


def test_a_refused_join_says_why() -> None:
    conversation = Conversation()
    conversation.receive(SAMPLES[messages.Join])
    sent, closed = conversation.refused(SessionGone(), 9, CloseCode.SESSION_GONE)
    assert isinstance(sent, protocol.Send)
    assert isinstance(sent.message, messages.Error)
    assert (sent.message.id, sent.message.code) == (9, "session_gone")
    assert closed == protocol.Close(CloseCode.SESSION_GONE)
    assert conversation.state == Closed(CloseCode.SESSION_GONE)


def test_every_close_code_has_a_meaning_that_fits_a_close_frame() -> None:
    assert set(MEANING) == set(CloseCode)
    for code in CloseCode:
        assert len(code.meaning.encode()) <= 123, "RFC 6455 section 5.5"
        assert code < 4000 or 4400 <= code <= 4499


def test_the_protocol_touches_no_clock_socket_or_task() -> None:
    forbidden = {"asyncio", "time", "socket", "threading", "datetime", "aiohttp"}
    for name in ("protocol", "translate", "faults", "tokens", "expiring_set"):
        source = Path(protocol.__file__).with_name(f"{name}.py").read_text()
        imported = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
        assert not imported & forbidden, name


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=lambda sample: type(sample).__name__)
def test_every_request_survives_the_wire(sample: messages.Request) -> None:
    assert messages.parse(msgspec.json.encode(sample)) == sample
