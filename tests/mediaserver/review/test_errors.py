"""Every refusal of review has a code of its own and a status."""

from __future__ import annotations

from mediaserver.errors import LoupeError
from mediaserver.review import errors
from signalling.errors import http_status


def test_codes_are_distinct_and_have_a_status() -> None:
    leaves = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, LoupeError)]
    kinds = [one for one in leaves if one is not LoupeError]
    assert len({one.code for one in kinds}) == len(kinds) == 5
    assert all(400 <= http_status(one()) < 503 for one in kinds)
