"""Whatever knows the recordings can be the library: the shelf over folders, and the store over its index."""

from __future__ import annotations

import inspect

import pytest

from mediaserver.review.library import Library
from mediaserver.review.shelf import Shelf
from mediaserver.store.library import StoredLibrary


@pytest.mark.parametrize("kind", [Shelf, StoredLibrary])
def test_it_answers_what_review_asks(kind: type) -> None:
    asked = {name: one for name, one in vars(Library).items() if inspect.iscoroutinefunction(one)}
    assert len(asked) == 6
    for name, one in asked.items():
        assert list(inspect.signature(getattr(kind, name)).parameters) == list(
            inspect.signature(one).parameters
        )
