"""Errors over HTTP: ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from mediaserver.errors import LoupeError, NoCommonCodec
from signalling.errors import NoToken, Unauthorized, http_status

CONTENT_TYPE = "application/problem+json"
SERVER_NAME = "loupe"
"""aiohttp would add its own name and version."""
_CHALLENGE = 'Bearer realm="loupe"'
_CHALLENGE_ANEW = f'{_CHALLENGE}, error="invalid_token"'
RETRY_AFTER_SECONDS = 2
"""A viewer that waits for a publisher, or a client that
a draining node turned away, asks again this often."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457 section 3.1, and our own members from ``code`` on."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    field: str | None = None
    accepted: list[str] | None = None
    """With 406: the codecs that would be taken."""


def _response(body: Problem, headers: CIMultiDict[str]) -> web.Response:
    headers["Cache-Control"] = "no-store"
    return web.Response(
        status=body.status, body=msgspec.json.encode(body), content_type=CONTENT_TYPE, headers=headers
    )


def from_error(error: LoupeError) -> web.Response:
    """An error of the tree as a response, with the headers its status asks for."""
    status = http_status(error)
    headers: CIMultiDict[str] = CIMultiDict()
    if isinstance(error, Unauthorized):
        # RFC 6750 section 3: the error is told to who had a token.
        headers["WWW-Authenticate"] = _CHALLENGE if isinstance(error, NoToken) else _CHALLENGE_ANEW
    if error.retryable or status in (409, 429, 503):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    response = _response(
        Problem(
            type=f"urn:loupe:problem:{error.code}",
            title=HTTPStatus(status).phrase,
            status=status,
            detail=error.message,
            code=error.code,
            retryable=error.retryable,
            field=error.field,
            accepted=error.accepted if isinstance(error, NoCommonCodec) else None,
        ),
        headers,
    )
    if status in (408, 413):
        response.force_close()  # what is left of the body is no request
    return response


def from_status(status: int, *, allow: str | None = None, detail: str | None = None) -> web.Response:
    """For what aiohttp itself refuses: no such path, no such method, a body or header it cannot read."""
    headers: CIMultiDict[str] = CIMultiDict()
    if allow is not None:
        headers["Allow"] = allow
    phrase = HTTPStatus(status).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    return _response(
        Problem(
            type="about:blank",
            title=phrase,
            status=status,
            detail=detail or phrase,
            code=code,
            retryable=status >= 500,
        ),
        headers,
    )
