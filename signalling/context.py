"""What every handler needs, under one typed key of the application."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from mediaserver.config import Settings
from mediaserver.server import Server
from signalling.admission import Admission
from signalling.auth import Authenticator, Bearer
from signalling.errors import NoToken
from signalling.holders import Holders
from signalling.limits import Connections, HttpLimits
from signalling.sessions import Sessions
from signalling.tokens import Audience


@dataclass(frozen=True)
class Services:
    """One process's parts, made once by ``app.build``."""

    server: Server
    settings: Settings
    authenticator: Authenticator
    limits: HttpLimits
    sessions: Sessions
    connections: Connections
    holders: Holders
    admission: Admission
    lenient_trickle: bool = False
    """Takes a PATCH without If-Match while a session has had one ICE generation: some encoders omit it."""


SERVICES: web.AppKey[Services] = web.AppKey("services", Services)


def services(request: web.Request) -> Services:
    """The application's parts."""
    return request.config_dict[SERVICES]


def bearer_text(request: web.Request) -> str:
    """The token of the Authorization header (RFC 6750 section 2.1); never of the URL.

    Raises ``Unauthorized``.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NoToken
    return token.strip()


def bearer(request: web.Request, audience: Audience = Audience.JOIN) -> Bearer:
    """Who asks. Raises ``Unauthorized``."""
    return services(request).authenticator.check(bearer_text(request), audience)
