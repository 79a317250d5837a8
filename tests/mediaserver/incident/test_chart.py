"""Charts: well-formed, within their frame, honest about gaps."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from mediaserver.incident.chart import (
    GAP_MS,
    HEIGHT,
    MAX_POINTS,
    WIDTH,
    Axis,
    Band,
    Series,
    line_chart,
    runs,
    thin,
)

POINTS = st.lists(st.tuples(st.integers(0, 3_600_000), st.floats(0, 1e7)), min_size=1, max_size=200).map(
    sorted
)


def axis(to_ms: int, from_ms: int = 0) -> Axis:
    return Axis(from_ms, to_ms, lambda at_ms: f"at {at_ms}")


@given(POINTS, st.text(max_size=20).filter(lambda text: text.isprintable()))
def test_any_points_make_a_picture_within_its_frame(points: list[tuple[int, float]], name: str) -> None:
    text = line_chart("<title> & co", [Series(name, points)], axis(3_600_000), lambda v: f"{v:.0f} <ms>")
    root = ElementTree.fromstring(text)
    assert root.attrib["aria-label"] == "<title> & co"
    for line in re.findall(r'points="([^"]*)"', text):
        for pair in line.split():
            x, y = (float(part) for part in pair.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


def test_nothing_measured_is_no_chart() -> None:
    assert line_chart("t", [Series("a", [])], axis(10), str) == ""
    assert line_chart("t", [Series("a", [(1, 1.0)])], axis(10, 10), str) == ""


def test_a_gap_breaks_the_line() -> None:
    points = [(0, 1.0), (1000, 2.0), (1000 + GAP_MS + 1, 3.0)]
    assert [len(run) for run in runs(points, GAP_MS)] == [2, 1]


def test_a_peak_is_never_thinned_away() -> None:
    points = [(index, 1.0) for index in range(10_000)]
    points[6543] = (6543, 99.0)
    kept = thin(points, 14)
    assert len(kept) <= MAX_POINTS
    assert (6543, 99.0) in kept


def test_a_whole_day_is_one_line() -> None:
    points = [(second * 1000, 1.0) for second in range(0, 86_400, 8)]
    text = line_chart("t", [Series("a", points)], axis(86_400_000), str)
    [line] = re.findall(r'points="([^"]*)"', text)
    assert MAX_POINTS / 2 < len(line.split()) <= MAX_POINTS


def test_times_stand_under_the_chart_and_trouble_behind_the_line() -> None:
    bands = [Band(25, 50, "watch"), Band(50, 10_000, "hurt"), Band(-10, 0, "hurt")]
    text = line_chart("t", [Series("a", [(0, 1.0), (100, 2.0)])], axis(100), str, bands)
    root = ElementTree.fromstring(text)
    names = [child.tag.rpartition("}")[2] for child in root]
    assert names.index("rect") < names.index("polyline")
    said = [child.text for child in root]
    assert all(moment in said for moment in ("at 0", "at 50", "at 100"))
    watched, hurt, before = (child.attrib for child in root if child.tag.endswith("rect"))
    assert float(watched["x"]) + float(watched["width"]) == float(hurt["x"])
    assert float(hurt["width"]) == 2 * float(watched["width"]), "ends with the axis"
    assert watched["fill"] != hurt["fill"]
    assert float(before["width"]) == 0
