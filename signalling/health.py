"""``/livez``, ``/readyz``, ``/healthz``: is the process alive, and may new people be sent here."""

from __future__ import annotations

import msgspec
from aiohttp import web

from signalling.context import services


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that readiness hangs on."""

    name: str
    ok: bool
    detail: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The answer with ``?verbose``."""

    ok: bool
    checks: list[Check]


async def live(_: web.Request) -> web.Response:
    """Says only that the process answers: a dependency
    that is down must not get running surgery restarted."""
    return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})


async def ready(request: web.Request) -> web.Response:
    """503 from the moment a drain begins, before the media plane runs, and while nobody hears the
    recorder."""
    server = services(request).server
    checks = [
        Check(
            name="media",
            ok=server.ready,
            detail="workers run" if server.ready else "not started, failed, or stopping",
        ),
        Check(
            name="admission",
            ok=not server.draining,
            detail="draining: no one new is let in" if server.draining else "open",
        ),
    ]
    heard = server.recordings.supervised
    checks.append(
        Check(name="recording", ok=heard, detail="supervised" if heard else "the recorder is not supervised")
    )
    health = Health(ok=all(check.ok for check in checks), checks=checks)
    status = 200 if health.ok else 503
    headers = {"Cache-Control": "no-store"}
    if "verbose" in request.query:
        return web.Response(
            status=status, body=msgspec.json.encode(health), content_type="application/json", headers=headers
        )
    return web.Response(status=status, text="ok\n" if health.ok else "not ready\n", headers=headers)


def routes() -> list[web.RouteDef]:
    """Also HEAD, which aiohttp adds to GET."""
    return [web.get("/livez", live), web.get("/readyz", ready), web.get("/healthz", live)]
