"""What can follow from the plane's word, and what is said of a viewer."""

from __future__ import annotations

import math

import pytest

from mediaserver.adaptation.viewer import LOOK_SECONDS, Viewer
from mediaserver.layers import Link, Step
from mediaserver.layers.announcing import Cause, Standing
from tests.mediaserver.adaptation.watching import Word
from tests.mediaserver.layers.viewing import ALL, picture, voice


def heard(viewer: Viewer, estimate: float, word: Word | None = None) -> bool:
    return viewer.heard(int(estimate), word or Word())  # type: ignore[arg-type]


def watching(estimate: float) -> Viewer:
    """Sound and picture, decided until it holds."""
    viewer = Viewer(3)
    for moment in range(30):
        heard(viewer, estimate)
        viewer.decide([voice(), picture()], viewer.link, moment * 0.2)
    return viewer


def test_the_first_word_always_matters() -> None:
    assert heard(Viewer(3), 1e6)


@pytest.mark.parametrize(
    ("estimate", "word", "matters"),
    [
        (4 * ALL, Word(), False),
        (1.4 * ALL, Word(), False),
        (1.2 * ALL, Word(), True),
        (4 * ALL, Word(queue_delay_seconds=0.05), True),
        (4 * ALL, Word(congestion_loss=0.03), True),
        (4 * ALL, Word(phase="drain"), True),
        (4 * ALL, Word(phase="silent"), True),
        (1.4 * ALL, Word(inherent_loss=0.2), True),
    ],
)
def test_a_link_with_room_to_spare_matters_when_it_has_none(
    estimate: float, word: Word, matters: bool
) -> None:
    viewer = watching(4 * ALL)
    assert viewer.due == math.inf
    assert heard(viewer, estimate, word) is matters


def test_where_nothing_is_to_spare_a_small_change_matters_not() -> None:
    viewer = watching(800_000)
    assert viewer.due < math.inf
    assert not heard(viewer, 805_000)
    assert heard(viewer, 850_000)
    assert heard(viewer, 805_000, Word(queue_delay_seconds=0.2))


def test_a_dearer_picture_matters_when_the_link_has_no_room_for_it() -> None:
    viewer = watching(4 * ALL)
    assert not viewer.takes(2 * ALL)
    assert not heard(viewer, 3 * ALL)
    assert heard(viewer, 2 * ALL), "less than what is sent now leaves to spare"
    assert viewer.takes(3.5 * ALL)


def test_who_is_silent_is_decided_about_once_and_when_heard_again() -> None:
    viewer, silent = watching(4 * ALL), Word(phase="silent")
    assert heard(viewer, 4 * ALL, silent)
    viewer.decide([voice(), picture()], viewer.link, 7.0)
    assert viewer.decide([voice(), picture()], viewer.link, 8.0).step == Step.SILENT
    assert viewer.due == math.inf
    assert not viewer.takes(9 * ALL)
    assert not heard(viewer, 4 * ALL, silent)
    assert heard(viewer, 4 * ALL)


def test_what_is_said_and_whose_trouble_it_is() -> None:
    viewer = watching(60_000)
    said, changed = viewer.stands(10.0, server_busy=False, upload_broken=False)
    assert (said, changed) == (Standing(Step.SOUND, Cause.LINK), True)
    assert viewer.stands(11.0, server_busy=False, upload_broken=False) == (said, False)
    assert viewer.stands(12.0, server_busy=True, upload_broken=False)[0].cause is Cause.SERVER


def test_a_broken_upload_is_not_the_viewers_trouble() -> None:
    viewer = watching(4 * ALL)
    for now in (10.0, 12.0):
        assert viewer.stands(now, server_busy=False, upload_broken=True) == (Standing(), False)
    assert viewer.stands(15.5, server_busy=False, upload_broken=True)[0] == Standing(
        Step.FULL, Cause.PUBLISHER
    )


def test_nothing_is_said_before_a_decision() -> None:
    assert Viewer(3).stands(0.0, server_busy=False, upload_broken=False) == (Standing(), False)
    assert Viewer(3).link == Link()


def test_who_rests_is_looked_at_now_and_then_and_who_cannot_be_told_of_it_never() -> None:
    for is_told, again in ((True, True), (False, False)):
        viewer = watching(4 * ALL)
        viewer.looked(6.0, is_told=is_told)
        assert viewer.rests(6.0 + LOOK_SECONDS - 0.1)
        assert viewer.rests(6.0 + 100 * LOOK_SECONDS) is not again
        viewer.decide([voice(), picture()], viewer.link, 7.0)
        assert not viewer.rests(7.0), "what is decided anew is looked at"


def test_who_is_not_at_ease_is_looked_at_each_time() -> None:
    viewer = watching(800_000)
    for is_told in (True, False):
        viewer.looked(7.0, is_told=is_told)
        assert not viewer.rests(7.0)
