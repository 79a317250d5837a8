"""Text that people type and others see: NFC, without
control or direction-changing characters, bounded (W21)."""

from __future__ import annotations

import unicodedata

_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode general categories: controls, formats (with them all bidi
marks), surrogates, private, unassigned, line and paragraph separators."""
_JOINERS = frozenset("\u200c\u200d")
"""Format characters that Persian, Indic scripts and emoji need."""


def clean(text: str, max_characters: int, *, lines: bool = False) -> str:
    """``text`` fit to be shown. ``lines`` keeps line feeds (chat)."""
    kept = (
        character
        for character in unicodedata.normalize("NFC", text)
        if unicodedata.category(character) not in _UNWANTED
        or character in _JOINERS
        or (lines and character == "\n")
    )
    return "".join(kept).strip()[:max_characters]
