"""Text as people type it in a hurry: without diacritics, in small letters, for finding only."""

from __future__ import annotations

import unicodedata

_STROKES = str.maketrans({"đ": "d", "Đ": "D"})
"""Unicode does not decompose them."""


def fold(text: str) -> str:
    """``Đặng Thị Hồng`` becomes ``dang thi hong``."""
    decomposed = unicodedata.normalize("NFD", text.translate(_STROKES))
    return "".join(one for one in decomposed if not unicodedata.combining(one)).casefold()


def holds(text: str, wanted: str) -> bool:
    """Whether every word that is looked for is in the text.

    A word written with diacritics is found as written only, one without also where they are.
    """
    composed = unicodedata.normalize("NFC", text).casefold()
    folded = fold(text)
    words = unicodedata.normalize("NFC", wanted).casefold().split()
    return all(word in (folded if word == fold(word) else composed) for word in words)
