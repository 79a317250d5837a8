"""Every message: read strictly, written whole."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from signalling import messages
from tests.signalling.test_protocol import SAMPLES

KINDS = get_args(messages.Request)


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_reads_back_as_itself(kind: type[messages.ClientMessage]) -> None:
    sample = SAMPLES[kind]
    text = msgspec.json.encode(sample)
    assert messages.parse(text) == sample
    stranger = msgspec.json.encode({**msgspec.json.decode(text), "stranger": 1})
    with pytest.raises(msgspec.ValidationError, match="stranger"):
        messages.parse(stranger)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "chat", "text": ""},
        {"type": "chat", "text": "x" * (messages.MAX_CHAT_CHARACTERS + 1)},
        {"type": "join", "token": "x" * 4097},
        {"type": "join", "token": "", "name": "x" * (messages.MAX_NAME_CHARACTERS + 1)},
        {"type": "subscribe", "publications": ["x"] * (messages.MAX_SUBSCRIPTIONS + 1)},
        {"type": "subscribe", "publications": [""]},
        {"type": "answer", "generation": 0, "sdp": ""},
        {"type": "prefer", "publication": "p", "layer": 4},
        {"type": "publish", "sdp": "x" * (messages.MAX_SDP_BYTES + 1), "sources": []},
        {"type": "ping", "id": -1},
        {"type": "ping", "id": 2**53},
        {"type": "ping", "id": None},
    ],
)
def test_bounds(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        messages.parse(msgspec.json.encode({"id": 1, **fields}))


def test_nothing_is_left_out_of_what_is_sent() -> None:
    sent = msgspec.json.decode(
        messages.render(messages.Error(id=None, code="x", message="y", retryable=False, field=None))
    )
    assert sent == {
        "type": "error",
        "id": None,
        "code": "x",
        "message": "y",
        "retryable": False,
        "field": None,
    }
