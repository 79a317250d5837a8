"""Both languages say everything."""

from __future__ import annotations

import dataclasses
import unicodedata
from typing import get_args

from signalling.preflight.findings import Item
from signalling.preflight.texts import STEPS, WORDS


def test_every_item_has_its_words_in_both_languages() -> None:
    assert STEPS.keys() == WORDS.keys() == {"vi", "en"}
    for language, steps in STEPS.items():
        assert set(steps) == set(get_args(Item)), language
        shown = [dataclasses.astuple(step) for step in steps.values()]
        for texts in [*shown, dataclasses.astuple(WORDS[language])]:
            for text in texts:
                assert text.strip()
                assert text == unicodedata.normalize("NFC", text)


def test_requests_need_nothing_but_the_address() -> None:
    for steps in STEPS.values():
        for step in steps.values():
            assert "{" not in step.weak.format(where="x") + step.blocked.format(where="x")


def test_the_languages_differ() -> None:
    for item in get_args(Item):
        assert STEPS["vi"][item].blocked != STEPS["en"][item].blocked
