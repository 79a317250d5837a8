"""Errors as RFC 9457 has them."""

from __future__ import annotations

import msgspec
import pytest
from aiohttp import web

from mediaserver import errors as tree
from signalling import errors, problem
from signalling.problem import Problem


def read(response: web.Response) -> Problem:
    assert response.content_type == problem.CONTENT_TYPE
    assert isinstance(response.body, bytes)
    return msgspec.json.decode(response.body, type=Problem)


def test_an_error_tells_code_field_and_whether_to_try_again() -> None:
    told = problem.from_error(tree.MalformedSdp("no", field="$.sdp"))
    body = read(told)
    assert (body.status, body.code, body.field, body.detail) == (400, "malformed_sdp", "$.sdp", "no")
    assert not body.retryable
    assert "Retry-After" not in told.headers
    assert body.accepted is None


@pytest.mark.parametrize(
    "error",
    [tree.RoomFull(), tree.Draining(), tree.NothingPublished(), tree.LimitReached(), errors.RateLimited()],
)
def test_what_may_be_tried_again_says_when(error: tree.LoupeError) -> None:
    assert int(problem.from_error(error).headers["Retry-After"]) == problem.RETRY_AFTER_SECONDS


@pytest.mark.parametrize("error", [errors.NoToken(), errors.Unauthorized(), errors.TokenUsed()])
def test_a_token_is_asked_for(error: errors.Unauthorized) -> None:
    told = problem.from_error(error)
    assert told.status == 401
    challenge = told.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="loupe"')
    had_one = not isinstance(error, errors.NoToken)
    assert ('error="invalid_token"' in challenge) is had_one, "RFC 6750 section 3.1"


def test_accepted_codecs_are_named() -> None:
    assert read(problem.from_error(tree.NoCommonCodec(["VP8", "H264"]))).accepted == ["VP8", "H264"]


def test_what_aiohttp_refuses() -> None:
    told = problem.from_status(405, allow="GET")
    assert (read(told).code, told.headers["Allow"]) == ("method_not_allowed", "GET")
    assert read(problem.from_status(500)).retryable
