"""What a publisher is asked for follows from who watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mediaserver.adaptation.meters import Meters
from mediaserver.adaptation.uplinks import Looking, Uplinks
from mediaserver.events import EncodingWanted
from mediaserver.layers import Choice, Forward, Option, Reason
from tests.mediaserver.adaptation.watching import publication
from tests.mediaserver.layers.viewing import picture

WHOLE = EncodingWanted(True, None)
SOURCE = publication()


def looking(share: float, *, cap: int | None = None, taken: int = 0, known: bool = True) -> Looking:
    choice = Choice(Forward(Option(taken)), Reason.FULL, share, share, taken)
    return Looking(picture(cap=cap), choice, known)


def fit(
    uplinks: Uplinks, viewers: Sequence[Looking], *moments: float
) -> list[tuple[EncodingWanted, ...] | None]:
    return [uplinks.fit(SOURCE, viewers, Meters(), now) for now in moments]


def test_what_nobody_needs_is_left_out_after_a_while_and_told_once() -> None:
    uplinks = Uplinks()
    small = [looking(5e6, cap=0)]
    assert fit(uplinks, small, 0.0, 5.0, 9.9) == [None, None, None]
    only_lowest = (WHOLE, EncodingWanted(False, None), EncodingWanted(False, None))
    assert fit(uplinks, small, 10.0, 11.0) == [only_lowest, None]
    assert uplinks.active(SOURCE.handle) == [True, False, False]
    assert fit(uplinks, [looking(5e6)], 12.0)[0] == (WHOLE, EncodingWanted(False, None), WHOLE)


def test_with_nobody_there_only_the_lowest_comes() -> None:
    uplinks = Uplinks()
    assert fit(uplinks, [], 0.0, 10.0)[1] == (WHOLE, EncodingWanted(False, None), EncodingWanted(False, None))


def test_what_somebody_watches_stays_whatever_the_figures_say() -> None:
    uplinks = Uplinks()
    told = fit(uplinks, [looking(10_000.0, taken=2)], 0.0, 60.0)
    assert told == [None, (WHOLE, EncodingWanted(False, None), WHOLE)]


def test_a_link_that_is_not_measured_yet_restrains_nothing() -> None:
    uplinks = Uplinks()
    assert fit(uplinks, [looking(90_000.0, known=False)], 0.0, 5.0) == [None, None]
    told = fit(uplinks, [looking(90_000.0)], 8.0)[0]
    assert told is not None
    assert told[0].max_bitrate is not None
    assert told[0].max_bitrate < 90_000


def test_the_top_is_fitted_to_the_only_viewer_and_released_for_a_recording() -> None:
    uplinks = Uplinks()
    told = fit(uplinks, [looking(1_200_000.0, taken=2)], 0.0, 3.0)
    last = [one for one in told if one is not None][-1]
    assert last[2].active
    assert last[2].max_bitrate is not None
    assert 900_000 < last[2].max_bitrate < 1_200_000
    assert uplinks.release(SOURCE.handle) == (WHOLE,) * 3
    assert uplinks.release(SOURCE.handle) is None


def test_what_ended_is_forgotten() -> None:
    uplinks = Uplinks()
    fit(uplinks, [looking(5e6, cap=0)], 0.0, 10.0)
    uplinks.forget({SOURCE.handle: None})
    assert uplinks.active(SOURCE.handle) is not None
    uplinks.forget({})
    assert uplinks.active(SOURCE.handle) is None


def test_a_hidden_picture_needs_nothing() -> None:
    uplinks = Uplinks()
    hidden = looking(5e6)
    hidden = replace(hidden, demand=replace(hidden.demand, hidden=True))
    assert fit(uplinks, [hidden], 0.0, 10.0)[1] == (
        WHOLE,
        EncodingWanted(False, None),
        EncodingWanted(False, None),
    )
