"""Both languages have every word, and write numbers their way."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

from mediaserver.clinical import ClinicalClass
from mediaserver.incident.words import EN, VI, Words, number
from mediaserver.operations.model import TimelineKind
from mediaserver.policy import Role


def test_nothing_is_left_unsaid() -> None:
    for words in (VI, EN):
        for field in fields(Words):
            assert getattr(words, field.name), field.name
        assert set(words.kinds) == set(get_args(TimelineKind))
        assert set(words.roles) == set(Role)
        assert set(words.classes) == set(ClinicalClass)
    assert VI.title != EN.title


def test_numbers_are_written_as_people_of_the_language_do() -> None:
    assert (number(1.25, 1, "vi"), number(1.25, 2, "en")) == ("1,2", "1.25")
