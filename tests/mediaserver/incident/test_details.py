"""Every code of evidence and events has words in both languages, with units as people read them."""

from __future__ import annotations

from typing import get_args

import pytest

from mediaserver.events import Direction, SourceType
from mediaserver.incident.details import EN, VI, detail, evidence, sized
from mediaserver.incident.words import Language
from mediaserver.layers import Reason
from mediaserver.operations.model import Evidence, LegPhase, Measure, TimelineEvent, TimelineKind
from tests.mediaserver.seconds import AT_MS


def event(kind: TimelineKind, said: str = "", found: tuple[Evidence, ...] = ()) -> TimelineEvent:
    return TimelineEvent(at_ms=AT_MS, kind=kind, detail=said, evidence=found)


LOSS = Evidence(measure="loss_before", value=0.125, limit=0.1, unit="ratio")
CUT = Evidence(measure="interrupted", value=1.0, limit=0.0, unit="")


def test_nothing_is_left_unsaid() -> None:
    for words in (VI, EN):
        for named, codes in (
            (words.measures, get_args(Measure)),
            (words.sources, get_args(SourceType)),
            (words.phases, get_args(LegPhase)),
            (words.directions, get_args(Direction)),
            (words.reasons, tuple(Reason)),
        ):
            assert set(named) == set(codes)
            assert all(named.values())
            assert len(set(named.values())) == len(named), "two codes with the same words"
    assert not {code for code in VI.measures if VI.measures[code] == EN.measures[code]}
    assert not {code for code in VI.reasons if VI.reasons[code] == EN.reasons[code]}


@pytest.mark.parametrize(
    ("value", "unit", "vi", "en"),
    [
        (0.35, "seconds", "350 ms", "350 ms"),
        (12.34, "seconds", "12,3 s", "12.3 s"),
        (1800.0, "seconds", "30 phút", "30 min"),
        (14400.0, "seconds", "4,0 giờ", "4.0 h"),
        (0.125, "ratio", "12,5 %", "12.5 %"),
        (150_000.0, "bits_per_second", "150 kbit/s", "150 kbit/s"),
        (2.5e9, "bytes", "2,5 GB", "2.5 GB"),
    ],
)
def test_values_have_their_units(value: float, unit: str, vi: str, en: str) -> None:
    assert (sized(value, unit, "vi"), sized(value, unit, "en")) == (vi, en)


def test_evidence_names_measure_value_and_limit_and_a_yes_only_itself() -> None:
    assert evidence((LOSS, CUT), "en") == "loss before repair: 12.5 % (limit 10.0 %); connection lost"
    assert evidence((LOSS, CUT), "vi") == "mất gói trước khi sửa: 12,5 % (ngưỡng 10,0 %); mất kết nối"


@pytest.mark.parametrize(
    ("of", "vi", "en"),
    [
        (event("joined", "surgeon"), "phẫu thuật viên chính", "operating surgeon"),
        (event("published", "endoscope"), "nội soi", "endoscope"),
        (event("layers_changed", "0 1 2"), "mức 0, 1, 2", "level 0, 1, 2"),
        (event("layers_changed"), "không có hình", "no picture"),
        (
            event("layer_forwarded", "1 link"),
            "mức 1 (đường truyền của người xem không tải hơn được)",
            "level 1 (the viewer's link carries no more)",
        ),
        (
            event("layer_forwarded", "none silent"),
            "không có hình (không nhận được tin từ máy người xem)",
            "no picture (nothing is heard of the viewer's device)",
        ),
        (event("layer_forwarded", "none"), "không có hình", "no picture"),
        # As servers kept it before they told why.
        (event("layer_forwarded"), "không có hình", "no picture"),
        (event("layer_forwarded", "2"), "mức 2", "level 2"),
        (event("transport", "subscribe interrupted"), "nhận về: gián đoạn", "from the server: interrupted"),
        (event("path_changed"), "", ""),
    ],
)
def test_details_are_words(of: TimelineEvent, vi: str, en: str) -> None:
    assert (detail(of, "vi"), detail(of, "en")) == (vi, en)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_finding_says_its_cause_and_what_was_measured(language: Language) -> None:
    raised = event("finding_raised", "viewer_downlink hurt", (LOSS,))
    said = detail(raised, language)
    assert "viewer_downlink" not in said
    assert evidence((LOSS,), language) in said
    assert ":" not in detail(event("finding_cleared", raised.detail), language)


def test_an_unknown_word_of_another_version_is_passed_on() -> None:
    assert detail(event("joined", "visitor"), "en") == "visitor"
