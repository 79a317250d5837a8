"""A view opens one recording for one holder until its time is over, and remembers what was watched."""

from __future__ import annotations

import pytest

from mediaserver.errors import LimitReached
from mediaserver.policy import Role
from mediaserver.recording.reader import Recording
from mediaserver.review.purposes import Use
from mediaserver.review.views import MAX_SPANS, MAX_VIEWS_OF_ONE, VIEW_SECONDS, Views
from mediaserver.store.recordings import UnknownRecording
from tests.mediaserver.review.recorded import RECORDING, theatre


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return theatre(tmp_path_factory.mktemp("recordings"))


def test_a_secret_opens_its_own_recording_until_its_time(recording: Recording) -> None:
    now = [0.0]
    views: Views[str] = Views(lambda: now[0])
    view = views.open("claims", "u1", Role.SURGEON, "7QK2", recording, Use.CARE)
    assert views.get(view.secret, RECORDING) is view
    for secret, of in ((view.secret, "rOther"), ("guess", RECORDING), ("", RECORDING)):
        with pytest.raises(UnknownRecording):
            views.get(secret, of)
    now[0] = VIEW_SECONDS
    with pytest.raises(UnknownRecording):
        views.get(view.secret, RECORDING)
    assert views.expired() == [view]
    assert len(views) == 0
    assert views.close(view.secret) is None


def test_one_holder_has_so_many_at_once(recording: Recording) -> None:
    views: Views[str] = Views(lambda: 0.0)
    for _ in range(MAX_VIEWS_OF_ONE):
        views.open("claims", "u1", Role.SURGEON, "7QK2", recording, Use.CARE)
    with pytest.raises(LimitReached):
        views.open("claims", "u1", Role.SURGEON, "7QK2", recording, Use.CARE)
    views.open("claims", "u2", Role.SURGEON, "7QK2", recording, Use.CARE)


def test_what_was_watched_is_told_in_spans(recording: Recording) -> None:
    views: Views[str] = Views(lambda: 0.0)
    view = views.open("claims", "u1", Role.SURGEON, "7QK2", recording, Use.CARE)
    scope, mic = view.track("t-cam-a"), view.track("t-mic")
    for track, number in ((scope, 1), (scope, 0), (scope, 0), (mic, 0)):
        view.note(track, view.segment(track, number))
    for second in (7, 1, 2):
        view.note_picture(scope, second)
    assert view.spans() == {
        "watched.t-cam-a": "0-3,5-8",
        "watched.t-mic": "2-6",
        "pictures.t-cam-a": "1-3,7-8",
    }
    assert view.take_fresh() == view.spans()
    assert view.take_fresh() == {}, "nothing since"
    view.note(scope, view.segment(scope, 0))
    assert view.take_fresh() == {"watched.t-cam-a": "0-3"}, "seen again"
    for wrong in (lambda: view.track("t-none"), lambda: view.segment(scope, 9)):
        with pytest.raises(UnknownRecording):
            wrong()


def test_what_is_told_has_a_bound_and_hides_nothing(recording: Recording) -> None:
    view = Views[str](lambda: 0.0).open("claims", "u1", Role.SURGEON, "7QK2", recording, Use.CARE)
    seconds = [*range(0, 40_000, 4), 90_000]
    for second in seconds:
        view.note_picture(view.track("t-cam-a"), second)
    spans = [tuple(map(int, one.split("-"))) for one in view.spans()["pictures.t-cam-a"].split(",")]
    assert len(spans) <= MAX_SPANS
    assert all(any(start <= second < end for start, end in spans) for second in seconds)
    assert spans[-1] == (90_000, 90_001)
