"""``/metrics``: numbers of this process in the Prometheus
text formats, without anybody's name, room or address.

For loopback, or for a token with the right ``inspect``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mediaserver.errors import NotPermitted
from mediaserver.policy import Right
from signalling.context import bearer, services
from signalling.limits import Connections
from signalling.sessions import Sessions

FORWARDED_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-IP")


class HttpCollector(Collector):
    """Reads what stands when asked; keeps nothing."""

    def __init__(self, sessions: Sessions, connections: Connections) -> None:
        self._sessions = sessions
        self._connections = connections

    def describe(self) -> list[Metric]:
        """Nothing before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Prometheus calls this."""
        yield GaugeMetricFamily(
            "loupe_signalling_sessions", "WebSocket sessions, those away included.", value=len(self._sessions)
        )
        yield GaugeMetricFamily(
            "loupe_http_connections", "Open HTTP and WebSocket connections.", value=len(self._connections)
        )
        ended = CounterMetricFamily(
            "loupe_http_connections_ended", "Connections ended by a limit.", labels=["reason"]
        )
        for reason, count in sorted(self._connections.ended.items()):
            ended.add_metric([reason], count)
        yield ended


def _is_local(request: web.Request) -> bool:
    # Behind a proxy on the same machine everybody seems local; its headers give it away.
    if any(name in request.headers for name in FORWARDED_HEADERS):
        return False
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


async def show(request: web.Request) -> web.Response:
    """OpenMetrics when asked for, else the older text format."""
    if not _is_local(request) and Right.INSPECT not in bearer(request).rights:
        raise NotPermitted
    page, content_type = services(request).server.metrics.render(request.headers.get("Accept", ""))
    return web.Response(body=page, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


def routes() -> list[web.RouteDef]:
    """For the router."""
    return [web.get("/metrics", show)]
