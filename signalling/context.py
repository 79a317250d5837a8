"""What every handler needs, under one typed key of the application."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from mediaserver.audit import Audit, NoAudit
from mediaserver.config import Settings
from mediaserver.operations.desk import Desk as OperationsDesk
from mediaserver.review.desk import Desk
from mediaserver.server import Server
from mediaserver.store.database import DatabaseFailed
from mediaserver.store.store import Store
from signalling.admission import Admission
from signalling.auth import Authenticator, Bearer
from signalling.errors import NoToken
from signalling.holders import Holders
from signalling.limits import Connections, HttpLimits
from signalling.precall import Precalls
from signalling.sessions import Sessions
from signalling.tokens import Audience


def end_process() -> None:
    """As SIGTERM from outside does: drains first."""
    signal.raise_signal(signal.SIGTERM)


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
    precalls: Precalls
    operations: OperationsDesk
    desk: Desk | None = None
    """Where recordings are studied; None: this server keeps none."""
    store: Store | None = None
    """What survives a restart; None: this server keeps nothing."""
    stop: Callable[[], None] = end_process
    lenient_trickle: bool = False
    """Takes a PATCH without If-Match while a session has had one ICE generation: some encoders omit it."""

    @property
    def audit(self) -> Audit:
        """Takes what happens."""
        return NoAudit() if self.store is None else self.store.audit

    @property
    def kept(self) -> Store:
        """Raises ``DatabaseFailed`` where nothing is kept."""
        if self.store is None:
            raise DatabaseFailed("this server keeps nothing")
        return self.store


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
