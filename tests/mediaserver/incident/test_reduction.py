"""Three hours in a report: nothing of the span is missing, no freeze is lost, and it says how coarse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mediaserver.incident.reduction import COARSEST_SECONDS, Reduction
from mediaserver.operations.model import Sample
from tests.mediaserver.seconds import AT_MS, observer, surgeon, view


def seconds(count: int) -> Iterator[Sample]:
    for second in range(count):
        now = AT_MS + second * 1000
        yield surgeon(now)
        yield observer(now, views=(view(freezes=1, freeze_seconds=0.25),))


@pytest.mark.parametrize(
    ("count", "resolution", "kept"), [(100, 1, 200), (101, 2, 102), (201, 4, 102), (800, 8, 200)]
)
def test_the_whole_span_is_covered_as_finely_as_fits(count: int, resolution: int, kept: int) -> None:
    reduction = Reduction(200)
    for sample in seconds(count):
        reduction.add([sample])
    found = reduction.samples()
    assert (reduction.resolution_seconds, len(found)) == (resolution, kept)
    assert found[0].at_ms == AT_MS
    assert AT_MS + (count - resolution) * 1000 <= found[-1].at_ms < AT_MS + count * 1000
    assert sum(view.freezes for one in found for view in one.views) == count
    assert [one.at_ms for one in found] == sorted(one.at_ms for one in found)


def test_ever_new_participants_end_it_too() -> None:
    reduction = Reduction(2)
    reduction.add(surgeon(AT_MS + index * 10**7, participant=str(index)) for index in range(5))
    assert (len(reduction.samples()), reduction.resolution_seconds) == (5, COARSEST_SECONDS)
