"""Data planes on loopback, on ports that the kernel chooses."""

from collections.abc import Iterator

import pytest

from mediaserver._dataplane import DataPlane


@pytest.fixture
def plane() -> Iterator[DataPlane]:
    plane = DataPlane(["127.0.0.1", "::1"], 0, 2)
    yield plane
    plane.stop()
