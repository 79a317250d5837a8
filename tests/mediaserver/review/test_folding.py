"""Names are found as people type them in a hurry, and as they are written."""

from __future__ import annotations

import pytest

from mediaserver.review.folding import fold, holds


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Đặng Thị Hồng", "dang thi hong"),
        ("NGUYỄN ĐỨC ĐẠT", "nguyen duc dat"),
        ("Straße", "strasse"),
        ("", ""),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("", True),
        ("dang hong", True),
        ("hong dang", True),
        ("Đặng", True),
        ("đặng", True),
        ("\u0110a\u0306\u0323ng", True),  # decomposed, as some keyboards send it
        ("đăng", False),
        ("dan", True),
        ("danh", False),
    ],
)
def test_a_text_holds_what_is_looked_for(wanted: str, found: bool) -> None:
    assert holds("Đặng Thị Hồng", wanted) == found
