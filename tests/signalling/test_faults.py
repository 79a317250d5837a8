"""A client's author is told which field is to blame."""

from __future__ import annotations

import msgspec
import pytest

from signalling import messages
from signalling.api import TokenRequest
from signalling.errors import MalformedMessage, UnknownType
from signalling.faults import MAX_FAULT_CHARACTERS, check_depth, describe, request_id


@pytest.mark.parametrize(
    ("text", "kind", "field"),
    [
        ('{"id":1,"type":"dance"}', UnknownType, "$.type"),
        ('{"id":1}', UnknownType, "$.type"),
        ('{"id":1,"type":"chat"}', MalformedMessage, "$.text"),
        ('{"id":1,"type":"ping","more":1}', MalformedMessage, "$.more"),
        ('{"id":1,"type":"chat","text":5}', MalformedMessage, "$.text"),
        (
            '{"id":1,"type":"publish","sdp":"","sources":[{"mid":"0"}]}',
            MalformedMessage,
            "$.sources[0].label",
        ),
        ("{", MalformedMessage, "$"),
        ("[]", MalformedMessage, "$"),
        ('{"id":1,"type":"join","token":"","resume":{}}', MalformedMessage, "$.resume.session"),
    ],
)
def test_the_field_to_blame(text: str, kind: type[MalformedMessage], field: str) -> None:
    with pytest.raises(msgspec.MsgspecError) as raised:
        messages.parse(text)
    told = describe(raised.value)
    assert type(told) is kind
    assert told.field == field


@pytest.mark.parametrize("sent", [{"role": "x" * 50_000}, {"role": "staff", "y" * 50_000: 1}])
def test_a_fault_does_not_repeat_a_long_input(sent: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(msgspec.json.encode({"room": "r", **sent}), type=TokenRequest)
    told = describe(raised.value)
    assert len(told.message) <= MAX_FAULT_CHARACTERS
    assert told.field is not None
    assert told.field == "$.role" or len(told.field) == MAX_FAULT_CHARACTERS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"id":7,"type":"?"}', 7),
        (b'{"id":-1}', None),
        (b'{"id":"7"}', None),
        (b'{"id":9007199254740992}', None),
        (b"nonsense", None),
        (b"{}", None),
    ],
)
def test_the_id_of_a_message_that_is_otherwise_wrong(text: bytes, found: int | None) -> None:
    assert request_id(text) == found


def test_depth_counts_brackets_outside_of_texts_only() -> None:
    check_depth(b'{"a":"' + b"[" * 1000 + b'\\"{{{"}')
    check_depth(b"[" * 16 + b"]" * 16)
    check_depth(b"[" + b"[]," * 1000 + b"[]]")
    with pytest.raises(MalformedMessage):
        check_depth(b"[" * 17 + b"]" * 17)
