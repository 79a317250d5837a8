"""Every field of every request, made ill-formed in every way its type knows: the fault names that very field.

What can be wrong is read from the models themselves: a new message or field is covered once it is written.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, TypeAlias, get_args

import msgspec
import pytest
from msgspec import inspect

from signalling import messages
from signalling.errors import UnknownType
from signalling.faults import describe, request_id

REQUESTS = get_args(messages.Request)
Ill: TypeAlias = tuple[str, Any]
"""A JSON path relative to a value, and the value with what stands there made ill-formed."""
OF_EACH_KIND: dict[str, Any] = {
    "null": None,
    "boolean": True,
    "integer": 7,
    "fraction": 1.5,
    "text": "no such word",
    "array": [[]],
    "object": {"stranger": 1},
}
ACCEPTED: dict[type[inspect.Type], set[str]] = {
    inspect.NoneType: {"null"},
    inspect.BoolType: {"boolean"},
    inspect.IntType: {"integer"},
    inspect.FloatType: {"integer", "fraction"},
    inspect.StrType: {"text"},
    inspect.ListType: {"array"},
    inspect.VarTupleType: {"array"},
    inspect.StructType: {"object"},
    inspect.LiteralType: set(),
    inspect.EnumType: set(),
}


def well_formed(kind: inspect.Type) -> Any:  # noqa: PLR0911 - one return for each type
    """A value of this type with nothing left out."""
    match kind:
        case inspect.Metadata(type=inner):
            return well_formed(inner)
        case inspect.StructType(fields=fields, tag_field=tag_field, tag=tag):
            named = {field.encode_name: well_formed(field.type) for field in fields}
            return named if tag_field is None else {tag_field: tag, **named}
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return [well_formed(item)]
        case inspect.UnionType(types=types):
            return well_formed(next(one for one in types if not isinstance(one, inspect.NoneType)))
        case inspect.StrType(min_length=least):
            return "x" * (least or 0)
        case inspect.IntType(ge=least) | inspect.FloatType(ge=least):
            return least or 0
        case inspect.BoolType():
            return True
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.EnumType(cls=words):
            return next(iter(words)).value
    raise AssertionError(f"a type that this test does not know: {kind}")


def ill_formed(kind: inspect.Type, good: Any) -> Iterator[Ill]:
    """All that is wrong with a value of this type, one thing at a time."""
    if isinstance(kind, inspect.Metadata):
        yield from ill_formed(kind.type, good)
        return
    types = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    bare = [one.type if isinstance(one, inspect.Metadata) else one for one in types]
    accepted = set().union(*(ACCEPTED[type(one)] for one in bare))
    yield from (("", value) for name, value in OF_EACH_KIND.items() if name not in accepted)
    for one in bare:
        yield from beyond(one)
        yield from within(one, good)


def beyond(kind: inspect.Type) -> Iterator[Ill]:
    """Outside the bounds of the type."""
    match kind:
        case inspect.StrType(min_length=least, max_length=most):
            yield from ((("", "x" * (least - 1)),) if least else ())
            yield from ((("", "x" * (most + 1)),) if most is not None else ())
        case inspect.IntType(ge=least, le=most) | inspect.FloatType(ge=least, le=most):
            yield from ((("", least - 1),) if least is not None else ())
            yield from ((("", most + 1),) if most is not None else ())
        case inspect.ListType(item_type=item, max_length=most) if most is not None:
            yield "", [well_formed(item)] * (most + 1)


def within(kind: inspect.Type, good: Any) -> Iterator[Ill]:
    """Wrong further down."""
    match kind:
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            for path, bad in ill_formed(item, good[0]):
                yield f"[1]{path}", [good[0], bad]
        case inspect.StructType(fields=fields, forbid_unknown_fields=strict):
            assert strict, f"{kind.cls.__name__} takes unknown fields"
            yield ".stranger", {**good, "stranger": 1}
            for field in fields:
                name = field.encode_name
                if field.required:
                    yield f".{name}", {other: value for other, value in good.items() if other != name}
                for path, bad in ill_formed(field.type, good[name]):
                    yield f".{name}{path}", {**good, name: bad}


@pytest.mark.parametrize("request_type", REQUESTS, ids=lambda kind: kind.__name__)
def test_the_fault_names_the_field(request_type: type[messages.ClientMessage]) -> None:
    kind = inspect.type_info(request_type)
    good = well_formed(kind)
    messages.parse(msgspec.json.encode(good))
    tried = 0
    for path, bad in ill_formed(kind, copy.deepcopy(good)):
        if path == "":
            continue  # no object at all: told below
        text = msgspec.json.encode(bad)
        with pytest.raises(msgspec.ValidationError) as raised:
            messages.parse(text)
        told = describe(raised.value)
        assert told.field == f"${path}", f"{text[:200]!r}: {raised.value}"
        assert told.code == "malformed_message"
        assert request_id(text) == (None if path == ".id" else good["id"])
        tried += 1
    assert tried >= 8, "at least its id has these ways to be wrong"


@pytest.mark.parametrize("value", OF_EACH_KIND.values(), ids=OF_EACH_KIND)
def test_what_is_no_request_at_all(value: Any) -> None:
    without_type = "$.type" if isinstance(value, dict) else "$"
    for document, field in ((value, without_type), ({"id": 1, "type": value}, "$.type")):
        with pytest.raises(msgspec.ValidationError) as raised:
            messages.parse(msgspec.json.encode(document))
        told = describe(raised.value)
        assert told.field == field
        assert isinstance(told, UnknownType) == (field == "$.type")
