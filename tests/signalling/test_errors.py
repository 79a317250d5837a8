"""Every error has a code of its own and a status."""

from __future__ import annotations

import pytest

from mediaserver.errors import LoupeError
from signalling import errors
from signalling.errors import http_status


def test_every_error_of_the_tree_has_a_status() -> None:
    from mediaserver import errors as tree
    from signalling import errors as leaves

    seen = set()
    for module in (tree, leaves):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, tree.LoupeError) and kind is not tree.LoupeError:
                made = kind([]) if kind is tree.NoCommonCodec else kind()
                seen.add(kind.code)
                if kind is not tree.InvalidSettings:
                    assert http_status(made) != 500, kind
    assert len(seen) > 20


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.TokenUsed(), 401),
        (errors.UnknownType(), 400),
        (errors.UnknownSession(), 404),
        (errors.Conflict(), 412),
        (LoupeError(), 500),
    ],
)
def test_a_leaf_has_the_status_of_its_nearest_ancestor(error: LoupeError, status: int) -> None:
    assert http_status(error) == status


def test_what_may_be_tried_again() -> None:
    assert errors.RateLimited.retryable
    assert errors.TooSlow.retryable
    assert not errors.Unauthorized.retryable
