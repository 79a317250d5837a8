"""Ids and what is redacted."""

from __future__ import annotations

import pytest

from mediaserver.ids import (
    Redacted,
    new_participant_id,
    new_procedure_id,
    new_publication_id,
    new_recording_id,
    new_session_id,
    new_track_id,
    room_id,
)


def test_ids_are_random_and_url_safe() -> None:
    made = {make() for make in (new_participant_id, new_publication_id, new_session_id) for _ in range(100)}
    assert len(made) == 300
    assert all(len(id) == 16 and id.replace("-", "").replace("_", "").isalnum() for id in made)


def test_ids_that_name_files_start_with_a_letter() -> None:
    made = [make() for make in (new_recording_id, new_track_id) for _ in range(100)]
    assert len(set(made)) == 200
    assert all(id[0] in "rt" and "/" not in id for id in made)
    assert new_procedure_id() != new_procedure_id()


@pytest.mark.parametrize("text", ["a", "theatre-1", "A_b.c", "x" * 64])
def test_good_room_ids(text: str) -> None:
    assert room_id(text) == text


@pytest.mark.parametrize("text", ["", "a b", "a/b", "x" * 65, "ä", "a\n"])
def test_bad_room_ids(text: str) -> None:
    with pytest.raises(ValueError, match="room"):
        room_id(text)


def test_redacted_prints_nothing() -> None:
    name = Redacted("An")
    assert "An" not in f"{name} {name!r} {name:>5} {[name]}"
    assert name.reveal() == "An"
    assert name == Redacted("An")
    assert hash(name) == hash(Redacted("An"))
