"""What is wrong with a message, told so that a client's
author finds it: the JSON path of the field to blame."""

from __future__ import annotations

import re

import msgspec

from signalling.errors import MalformedMessage, UnknownType

MAX_DEPTH = 16
"""Nesting of objects and arrays (06-reliability W14); the deepest real message has 3."""

MAX_FAULT_CHARACTERS = 200
"""msgspec repeats what it blames, which a client may have made as long as a message."""

_AT = re.compile(r" - at `(?P<path>\$[^`]*)`$")
_FIELD = re.compile(r"^Object (?P<fault>missing required|contains unknown) field `(?P<name>[^`]*)`")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(rb"[\[\]{}]")


class _OnlyId(msgspec.Struct, frozen=True):
    id: int | None = None


_only_id = msgspec.json.Decoder(_OnlyId)


def describe(error: Exception) -> MalformedMessage:
    """``msgspec``'s words as our error, with ``field`` such as ``$.sources[0].label``."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return MalformedMessage("not valid JSON", field="$")
    at = _AT.search(text)
    path = at["path"] if at else "$"
    words = text[: at.start()] if at else text
    field = _FIELD.match(words)
    if field is not None:
        path = f"{path}.{field['name']}"[:MAX_FAULT_CHARACTERS]
        if field["fault"] == "missing required" and field["name"] == "type":
            return UnknownType("the message has no type", field=path)
        words = "this field is missing" if field["fault"] == "missing required" else "no such field"
        return MalformedMessage(words, field=path)
    if path == "$.type":
        return UnknownType(field=path)
    return MalformedMessage(words[:MAX_FAULT_CHARACTERS], field=path)


def request_id(text: bytes) -> int | None:
    """The ``id`` of a message that is otherwise wrong, if it has one."""
    try:
        found = _only_id.decode(text).id
    except (msgspec.MsgspecError, RecursionError):
        return None
    return found if found is not None and 0 <= found <= 2**53 - 1 else None


def check_depth(text: bytes) -> None:
    """Raises ``MalformedMessage`` for JSON nested deeper than 16. Cheap for messages with few brackets."""
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", text)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise MalformedMessage(f"nested deeper than {MAX_DEPTH}", field="$")
