"""Ten seconds as one: no freeze is forgotten, no bound is left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mediaserver.events import Step
from mediaserver.operations.model import Sample
from mediaserver.quality_history.thinning import thinned
from tests.mediaserver.seconds import AT_MS, leg, observer, source, surgeon, view


def test_means_of_measures_sums_of_counts_and_the_worst_age() -> None:
    seconds = [
        surgeon(
            AT_MS + index * 1000,
            up=leg(bits_per_second=1000 * index, loss_before_ratio=index / 10),
            sources=(source(age_seconds=float(index), layers=(0, index), top_layer=index),),
            connected=index != 1,
        )
        for index in range(3)
    ]
    one = thinned(seconds)
    assert (one.at_ms, one.participant, one.connected) == (AT_MS, "surgeon-1", False)
    assert one.up is not None
    assert one.up.bits_per_second == 1000
    assert one.up.loss_before_ratio is not None
    assert abs(one.up.loss_before_ratio - 0.1) < 1e-9
    assert (one.sources[0].age_seconds, one.sources[0].layers, one.sources[0].top_layer) == (2.0, (0, 2), 2)


def test_what_came_or_went_in_between_is_kept() -> None:
    one = thinned([observer(views=(view(),), down=None), observer(views=(view(publication="overhead"),))])
    assert [part.publication for part in one.views] == ["scope", "overhead"]
    assert one.down is not None


def test_a_moment_of_silence_is_kept() -> None:
    one = thinned([observer(down=leg(silent=True)), observer(), observer()])
    assert one.down is not None
    assert one.down.silent


def test_the_worst_step_stands_for_all() -> None:
    steps: list[Step | None] = [None, "full", "sound", "reduced"]
    assert thinned([observer(step=step) for step in steps]).step == "sound"
    assert thinned([observer(), observer()]).step is None


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=10))
def test_freezes_are_never_lost_and_shares_stay_shares(parts: list[tuple[int, float, float]]) -> None:
    seconds: list[Sample] = [
        observer(views=(view(freezes=freezes, freeze_seconds=frozen),), down=leg(loss_before_ratio=loss))
        for freezes, frozen, loss in parts
    ]
    one = thinned(seconds)
    assert one.views[0].freezes == sum(part[0] for part in parts)
    assert abs(one.views[0].freeze_seconds - sum(part[1] for part in parts)) < 1e-6
    assert one.down is not None
    assert one.down.loss_before_ratio is not None
    losses = [part[2] for part in parts]
    assert min(losses) - 1e-9 <= one.down.loss_before_ratio <= max(losses) + 1e-9
