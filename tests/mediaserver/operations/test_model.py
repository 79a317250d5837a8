"""The interface's types: they survive the wire, and have no field that could hold a name."""

from __future__ import annotations

from typing import get_args

import msgspec

from mediaserver.operations import model
from mediaserver.operations.model import Sample, TimelineKind
from tests.mediaserver.seconds import observer, surgeon


def test_samples_survive_both_wires() -> None:
    for one in (surgeon(), observer()):
        assert msgspec.json.decode(msgspec.json.encode(one), type=Sample) == one
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Sample) == one


def test_no_type_has_a_place_for_a_person() -> None:
    types = [one for one in vars(model).values() if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    fields = {field for one in types for field in getattr(one, "__struct_fields__", ())}
    assert len(types) > 20
    assert not fields & {"name", "label", "subject", "address", "token", "patient"}


def test_kinds_are_words() -> None:
    assert all(kind.replace("_", "").isalpha() for kind in get_args(TimelineKind))
