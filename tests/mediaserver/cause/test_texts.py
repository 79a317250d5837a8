"""Every cause has a name and an action in both languages."""

from __future__ import annotations

from typing import get_args

from mediaserver.cause.texts import CAUSES, RANK
from mediaserver.operations.model import Cause


def test_every_cause_is_worded_in_both_languages() -> None:
    assert set(CAUSES) == set(RANK) == set(get_args(Cause))
    for text in CAUSES.values():
        for part in (text.title, text.action):
            assert part.vi.strip()
            assert part.en.strip()
            assert part.vi != part.en
            assert part.en.isascii()
            assert not part.vi.isascii(), part.vi
