"""The values of layer choice."""

from __future__ import annotations

from mediaserver.layers import Forward, Option, Pause, Step, Still


def test_a_step_further_down_the_ladder_is_greater() -> None:
    assert sorted(Step) == [Step.FULL, Step.REDUCED, Step.STILLS, Step.SOUND, Step.SILENT]


def test_ways_to_send_compare_by_what_they_are() -> None:
    assert Forward(Option(1)) == Forward(Option(1, None, None))
    assert Still(Option(1), 1.0) != Still(Option(1), 5.0)
    assert Pause() == Pause()
