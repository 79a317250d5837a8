"""Close codes: each has a meaning that fits a close frame."""

from __future__ import annotations

import pytest

from signalling.close_codes import MEANING, CloseCode, Retry


def test_every_code_has_its_meaning() -> None:
    assert list(MEANING) == list(CloseCode)


@pytest.mark.parametrize("code", CloseCode)
def test_codes_and_reasons_fit_the_frame(code: CloseCode) -> None:
    # RFC 6455 section 5.5: 125 bytes with the code; section 7.4.2: 4000-4999 are for applications.
    assert len(code.meaning.encode()) <= 123
    assert code in {1000, 1008, 1009, 1013} or 4400 <= code < 4500


def test_who_was_sent_away_does_not_come_back() -> None:
    assert CloseCode.REMOVED.retry is Retry.NO
    assert CloseCode.REPLACED.retry is Retry.NO
    assert CloseCode.SILENT.retry is Retry.RESUME
