"""A run's course becomes a well-formed picture, whatever is missing from it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from benchmarks.course import svg

NAMESPACE = "{http://www.w3.org/2000/svg}"


def course(**more: object) -> dict[str, Any]:
    return {
        "slot_s": 0.1,
        "capacity_kbps": [2000.0] * 10,
        "estimate_kbps": [None, None, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 950.0],
        "sent_kbps": [200.0] * 10,
        "queue_ms": [1.0, 5.0, None, 80.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        "layer": [None, 0, 0, 0, 1, 1, 2, 2, 2, 2],
        "freezes": [[0.3, 0.25]],
        **more,
    }


def test_lines_are_broken_where_there_is_nothing_and_freezes_are_red() -> None:
    root = ET.fromstring(svg("s1: <3G> & loss", course()))
    lines = [line.attrib["points"].split() for line in root.iter(f"{NAMESPACE}polyline")]
    # Capacity, sent, estimate; the queue in two parts; the layer with two points for each step.
    assert [len(points) for points in lines] == [10, 10, 8, 2, 7, 18]
    red = [it for it in root.iter(f"{NAMESPACE}rect") if it.attrib["fill"] == "#dc2626"]
    assert len(red) == 1
    # 0.25 s of the 1 s that is 880 wide.
    assert float(red[0].attrib["width"]) == pytest.approx(220, abs=1)
    assert any(text.text == "s1: <3G> & loss" for text in root.iter(f"{NAMESPACE}text"))


def test_everything_stays_inside() -> None:
    spiky = course(sent_kbps=[200.0] * 9 + [90000.0], queue_ms=[None] * 10, estimate_kbps=[None] * 10)
    root = ET.fromstring(svg("spikes", spiky))
    bottom = float(root.attrib["viewBox"].split()[3])
    for line in root.iter(f"{NAMESPACE}polyline"):
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 960
            assert 0 <= y <= bottom


def test_a_link_without_bound_and_a_subscriber_that_got_nothing_can_be_drawn() -> None:
    nothing = course(
        capacity_kbps=[None] * 10,
        estimate_kbps=[None] * 10,
        sent_kbps=[0.0] * 10,
        queue_ms=[None] * 10,
        layer=[None] * 10,
        freezes=[],
    )
    ET.fromstring(svg("nothing", nothing))
