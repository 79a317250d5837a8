"""The aiohttp application: which path leads where, and the one place where its parts are put together."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from mediaserver.config import Settings
from mediaserver.operations.desk import Desk
from mediaserver.operations.measures import DeskCollector
from mediaserver.recording.control import Recordings
from mediaserver.server import Server
from mediaserver.store.metrics import StoreCollector
from mediaserver.store.rooms import RoomNames
from mediaserver.store.store import Store
from signalling import (
    api,
    decisions,
    health,
    metrics,
    middleware,
    operations,
    operator_actions,
    pages,
    review_desk,
    websocket,
    whep,
    whep_layers,
    whip,
)
from signalling.admission import Admission
from signalling.auth import Authenticator
from signalling.context import SERVICES, Services
from signalling.exports import Exports
from signalling.holders import Holders
from signalling.keys import TokenKeys
from signalling.limits import Connections, HttpLimits, from_settings
from signalling.precall import Precalls
from signalling.readings import READINGS, Readings
from signalling.sessions import Sessions


def services(
    server: Server,
    settings: Settings,
    keys: TokenKeys,
    *,
    limits: HttpLimits | None = None,
    now: Callable[[], float] = time.time,
    lenient_trickle: bool = False,
    store: Store | None = None,
) -> Services:
    """The parts of one process.

    ``limits`` and ``now`` differ from the configuration's and the clock in tests.
    """
    bounds = limits or from_settings(settings)
    authenticator = Authenticator(keys, now, join_lifetime_seconds=settings.tokens.lifetime_seconds)
    sessions = Sessions(server, bounds.resume_seconds)
    holders = Holders(server.has_http_session)
    connections = Connections(bounds.connections_per_source, settings.trusted_proxies)
    server.metrics.registry.register(metrics.HttpCollector(sessions, connections))
    if store is not None:
        server.metrics.registry.register(StoreCollector(store))
    # Without a store nothing outlives the process: nor need the names of rooms.
    rooms = RoomNames(None, secrets.token_bytes(32)) if store is None else store.audit.rooms
    desk = Desk(server.registry, rooms, draining=lambda: server.draining, decided=server.adaptation.decision)
    decisions.follow_decisions(server, store)
    if isinstance(server.recordings, Recordings):
        desk.recorder = server.recordings
    server.metrics.registry.register(DeskCollector(desk, server.registry))
    return Services(
        server=server,
        settings=settings,
        authenticator=authenticator,
        limits=bounds,
        sessions=sessions,
        connections=connections,
        holders=holders,
        admission=Admission(
            authenticator,
            sessions,
            holders,
            per_identity=bounds.connections_per_identity,
            per_invitation=bounds.sessions_per_invitation,
        ),
        store=store,
        precalls=Precalls(server, authenticator, time.monotonic),
        operations=desk,
        lenient_trickle=lenient_trickle,
        desk=review_desk.open_desk(settings, store, now),
    )


def build(parts: Services, *, static: Path = pages.STATIC) -> web.Application:
    """The application over these parts."""
    application = web.Application(
        middlewares=[middleware.guard, middleware.errors],
        client_max_size=max(parts.limits.sdp_bytes, parts.limits.api_body_bytes),
    )
    application.on_response_prepare.append(middleware.name_server)
    application.cleanup_ctx.append(decisions.running)
    application.cleanup_ctx.append(review_desk.running)
    application[SERVICES] = parts
    application.on_shutdown.append(_stop_tests)
    application[whep_layers.STREAMS] = {}
    application[READINGS] = Readings()
    application[operations.EXPORTS] = Exports()
    application[pages.FILES] = pages.StaticFiles(static)
    application.add_routes([web.get("/ws", websocket.handle)])
    application.add_routes(whip.routes())
    application.add_routes(whep.routes())
    application.add_routes(api.routes())
    application.add_routes(operations.routes())
    application.add_routes(operator_actions.routes())
    application.cleanup_ctx.append(operations.running)
    application.add_routes(health.routes())
    application.add_routes(metrics.routes())
    application.add_routes(pages.routes())
    return application


async def _stop_tests(application: web.Application) -> None:
    application[SERVICES].precalls.stop()
