"""Names, labels and chat as others see them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.names import clean


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Trần Thị Bích", "Trần Thị Bích"),
        (unicodedata.normalize("NFD", "Ánh"), "Ánh"),
        ("a\u202eb\u2066c\u200f", "abc"),
        ("  a\tb\nc  ", "abc"),
        ("\U0001f468\u200d\u2695\ufe0f", "\U0001f468\u200d\u2695\ufe0f"),
        ("\ud800\ue000\u2028", ""),
    ],
)
def test_names(typed: str, shown: str) -> None:
    assert clean(typed, 64) == shown


def test_chat_keeps_its_lines() -> None:
    assert clean("one\r\ntwo\n", 64, lines=True) == "one\ntwo"


@given(st.text(), st.integers(1, 64))
def test_never_longer_and_clean_already(text: str, limit: int) -> None:
    shown = clean(text, limit)
    assert len(shown) <= limit
    assert not any(unicodedata.category(character) == "Cc" for character in shown)
