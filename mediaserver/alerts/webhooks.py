"""Alerts to other systems: signed as by Standard Webhooks, tried again for a day, over restarts.

A delivery is kept in the history's file until the receiver took it (2xx), gave it up (410), or a day has
passed. No redirect is followed and of an answer no more than 64 KiB are read.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import aiohttp
import msgspec
import structlog
from standardwebhooks.webhooks import Webhook as Signer

from mediaserver.alerts.targets import JudgingResolver, Refused, check_url, resolve
from mediaserver.config import Alerts as AlertSettings
from mediaserver.operations.model import Alert
from mediaserver.quality_history.database import Database
from mediaserver.vault import NotAuthentic

ATTEMPT_SECONDS = 5.0
MAX_ANSWER_BYTES = 64 * 1024
BACKOFF_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200)
"""Between attempts; the last again and again."""
GIVE_UP_MS = 24 * 3600 * 1000
MAX_WAITING = 1_000
"""Deliveries that wait, over all targets: the oldest give way."""
LOOK_SECONDS = 1.0

Told = Literal["raised", "cleared"]

_log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class Delivery:
    """One alert to one target."""

    id: str
    target: str
    body: bytes
    attempts: int
    due_ms: int
    made_ms: int


@dataclass(frozen=True, slots=True)
class _Target:
    url: str
    signer: Signer


class Webhooks:
    """Sends to the targets of the configuration. ``now_ms``: Unix milliseconds; tests move it."""

    def __init__(
        self,
        settings: AlertSettings,
        database: Database,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.results: Counter[str] = Counter()
        """Deliveries by what became of them: ``delivered``, ``failed`` (to be tried again), ``given_up``."""
        self._targets = {
            hashlib.sha256(one.url.encode()).hexdigest()[:16]: _Target(
                one.url, Signer(one.secret.get_secret_value())
            )
            for one in settings.webhooks
        }
        self._allowed = tuple(ipaddress.ip_network(network) for network in settings.allowed_networks)
        self._database = database
        self._now_ms = now_ms
        self._waiting: dict[tuple[str, str], Delivery] = {}

    @property
    def waiting(self) -> int:
        """Deliveries that were not taken yet."""
        return len(self._waiting)

    def tell(self, alert: Alert, told: Told) -> None:
        """To every target, soon."""
        now_ms = self._now_ms()
        body = msgspec.json.encode(
            {
                "type": f"alert.{told}",
                "timestamp": datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(),
                "data": alert,
            }
        )
        for target in self._targets:
            # Receivers drop an id that they know: one that worsened is news.
            self._keep(Delivery(f"{alert.id}.{told}.{alert.severity}", target, body, 0, now_ms, now_ms))

    async def run(self) -> None:
        """Until cancelled: sends what is due; a receiver that hangs holds up no other."""
        async with asyncio.TaskGroup() as group:
            for target in self._targets:
                group.create_task(self._serve(target))

    async def _serve(self, target: str) -> None:
        while True:
            for delivery in [one for one in self._waiting.values() if one.target == target]:
                if delivery.due_ms <= self._now_ms():
                    await self._attempt(delivery)
            await asyncio.sleep(LOOK_SECONDS)

    def load(self) -> None:
        """Takes up what the process before left. Blocks; once, before ``run``."""
        rows = self._database.read_now(
            "SELECT id, target, body, attempts, due_ms, made_ms FROM delivery ORDER BY made_ms"
        )
        for row in rows:
            delivery = Delivery(*row)
            if delivery.target in self._targets and self._open(delivery):
                self._waiting.setdefault((delivery.id, delivery.target), delivery)
            else:
                self._forget(delivery)

    async def _attempt(self, delivery: Delivery) -> None:
        target = self._targets[delivery.target]
        try:
            status = await self._post(target, delivery)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            status = 0
            reason = str(error) if isinstance(error, Refused) else type(error).__name__
        else:
            reason = f"status {status}"
        if 200 <= status < 300:
            self.results["delivered"] += 1
            self._forget(delivery)
            return
        delivery.attempts += 1
        if status == 410 or self._now_ms() - delivery.made_ms >= GIVE_UP_MS:
            self.results["given_up"] += 1
            _log.error("webhook given up", reason=reason, attempts=delivery.attempts)
            self._forget(delivery)
            return
        self.results["failed"] += 1
        wait = BACKOFF_SECONDS[min(delivery.attempts, len(BACKOFF_SECONDS)) - 1]
        delivery.due_ms = self._now_ms() + wait * 1000
        _log.warning("webhook not taken", reason=reason, attempts=delivery.attempts, again_in_s=wait)
        self._keep(delivery)

    async def _post(self, target: _Target, delivery: Delivery) -> int:
        """The answer's status. Raises ``Refused``, ``aiohttp.ClientError``, ``OSError``, ``TimeoutError``."""
        host, secure = check_url(target.url)
        # aiohttp asks no resolver for an address written out; so it is judged here as well.
        await resolve(host, 443 if secure else 80, self._allowed, secure=secure)
        sent = datetime.fromtimestamp(self._now_ms() // 1000, UTC)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "loupe",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": target.signer.sign(delivery.id, sent, delivery.body.decode()),
        }
        connector = aiohttp.TCPConnector(
            resolver=JudgingResolver(self._allowed, secure=secure), use_dns_cache=False, force_close=True
        )
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_SECONDS)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
            session.post(target.url, data=delivery.body, headers=headers, allow_redirects=False) as response,
        ):
            await response.content.read(MAX_ANSWER_BYTES)
            return response.status

    def _keep(self, delivery: Delivery) -> None:
        self._waiting[delivery.id, delivery.target] = delivery
        self._database.write(
            "INSERT OR REPLACE INTO delivery VALUES (?, ?, ?, ?, ?, ?)",
            (
                delivery.id,
                delivery.target,
                self._sealed(delivery),
                delivery.attempts,
                delivery.due_ms,
                delivery.made_ms,
            ),
        )
        while len(self._waiting) > MAX_WAITING:
            self.results["given_up"] += 1
            self._forget(next(iter(self._waiting.values())))

    def _sealed(self, delivery: Delivery) -> bytes:
        # It names a room; without a master key it lies as it will be sent.
        vault = self._database.rooms.vault
        return delivery.body if vault is None else vault.seal_field(delivery.body.decode(), _place(delivery))

    def _open(self, delivery: Delivery) -> bool:
        vault = self._database.rooms.vault
        if vault is not None:
            try:
                delivery.body = vault.open_field(delivery.body, _place(delivery)).encode()
            except NotAuthentic:
                _log.error("webhook left by another master key given up", id=delivery.id)
                self.results["given_up"] += 1
                return False
        return True

    def _forget(self, delivery: Delivery) -> None:
        self._waiting.pop((delivery.id, delivery.target), None)
        self._database.write(
            "DELETE FROM delivery WHERE id = ? AND target = ?", (delivery.id, delivery.target)
        )


def _place(delivery: Delivery) -> str:
    return f"delivery/{delivery.id}/{delivery.target}"
