"""Around every request: request id, errors as problems, security headers, the host's name."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from mediaserver.errors import LoupeError
from signalling import auditing, http_media, origin, pages, problem
from signalling.context import services
from signalling.limits import exchange_began

log = logging.getLogger("loupe.signalling")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
HSTS_SECONDS = 365 * 24 * 60 * 60
_BARE_POLICY = "default-src 'none'; frame-ancestors 'none'"


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost: tells the connection's timer that the headers are here, names the request."""
    exchange_began(request)
    request[REQUEST_ID] = secrets.token_hex(8)
    response = await handler(request)
    if not response.prepared:
        _dress(request, response)
    return response


async def name_server(_: web.Request, response: web.StreamResponse) -> None:
    """Before every response is sent, an upgrade's too."""
    response.headers["Server"] = problem.SERVER_NAME


def _dress(request: web.Request, response: web.StreamResponse) -> None:
    headers = response.headers
    headers["X-Request-Id"] = request[REQUEST_ID]
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers.setdefault("Content-Security-Policy", _BARE_POLICY)
    headers.setdefault(
        "Cross-Origin-Resource-Policy", "cross-origin" if _is_media(request) else "same-origin"
    )
    if request.secure:
        headers["Strict-Transport-Security"] = f"max-age={HSTS_SECONDS}"


def _is_media(request: web.Request) -> bool:
    return request.path.startswith(("/whip/", "/whep/"))


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong becomes ``application/problem+json``;
    what is our fault is logged, once, with its id."""
    try:
        if not origin.host_is_ours(request.host, services(request).settings.public_url):
            return problem.from_status(421)
        return await handler(request)
    except LoupeError as error:
        auditing.denied_request(request, error)
        response = problem.from_error(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        if error.status == 404 and (page := pages.lost(request)) is not None:
            return page
        response = problem.from_status(error.status, allow=error.headers.get("Allow"))
    except (ConnectionError, TimeoutError):
        raise
    except Exception:
        route = request.match_info.route.resource
        log.exception(
            "request failed",
            extra={"request_id": request[REQUEST_ID], "route": route.canonical if route else None},
        )
        response = problem.from_status(HTTPStatus.INTERNAL_SERVER_ERROR)
    if _is_media(request):
        response.headers.update(http_media.CORS)
    return response
