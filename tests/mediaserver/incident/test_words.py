"""Both languages have every word, and write times and numbers their way."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import get_args

from mediaserver.clinical import ClinicalClass
from mediaserver.incident.words import EN, VI, Words, clock, moment, number, zone
from mediaserver.operations.model import TimelineKind
from mediaserver.policy import Role
from tests.mediaserver.seconds import AT_MS


def test_nothing_is_left_unsaid() -> None:
    for words in (VI, EN):
        for field in fields(Words):
            assert getattr(words, field.name), field.name
        assert set(words.kinds) == set(get_args(TimelineKind))
        assert set(words.roles) == set(Role)
        assert set(words.classes) == set(ClinicalClass)
    assert VI.title != EN.title


def test_numbers_and_times_are_written_as_people_of_the_language_do() -> None:
    assert (number(1.25, 1, "vi"), number(1.25, 2, "en")) == ("1,2", "1.25")
    assert "/2027 " in moment(AT_MS, "vi")
    assert moment(AT_MS, "en").startswith("2027-")


def test_the_day_is_told_where_it_is_another() -> None:
    day_ms = 86_400_000
    assert re.fullmatch(r"\d\d:\d\d:\d\d", clock(AT_MS, AT_MS, "vi"))
    assert clock(AT_MS + day_ms, AT_MS, "en") == moment(AT_MS + day_ms, "en")
    assert re.fullmatch(r"UTC[+-]\d\d:\d\d", zone(AT_MS))
