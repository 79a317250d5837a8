"""``loupe drain``: asks a running server on this machine to end, under the interlock of live surgeries."""

from __future__ import annotations

import ssl
import time
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct

from mediaserver.addresses import is_own
from mediaserver.config import Settings
from mediaserver.policy import Role
from signalling import keys, tokens
from signalling.tokens import ANY_ROOM, Audience

ASK_SECONDS = 10.0
TOKEN_SECONDS = 60


class Answer(Struct, frozen=True):
    """``done`` and, if it was refused, why: the server's own words."""

    done: bool
    text: str


def own_url(settings: Settings, port: int | None = None) -> str:
    """What this machine reaches the configured server by; ``port`` where the system chose it."""
    secure = settings.tls.self_made or settings.tls.certificate is not None
    host = "127.0.0.1" if settings.listen.host in ("0.0.0.0", "::") else settings.listen.host  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{shown}:{port or settings.listen.port}"


async def ask(settings: Settings, url: str, override: str = "") -> Answer:
    """Asks by the data folder's secret. Raises ``aiohttp.ClientError``, ``TimeoutError``."""
    claims = tokens.new_claims(
        audience=Audience.JOIN,
        room=ANY_ROOM,
        role=Role.OPERATOR,
        now_seconds=time.time(),
        lifetime_seconds=TOKEN_SECONDS,
    )
    headers = {"Authorization": f"Bearer {tokens.sign(keys.load_or_create(settings), claims)}"}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ASK_SECONDS)) as http,
        http.post(
            f"{url}/api/v1/operations/drain",
            json={"override": override},
            headers=headers,
            ssl=trust(url),
        ) as response,
    ):
        if response.status == 204:
            return Answer(True, "draining")
        problem = await response.json(content_type=None)
        return Answer(False, str(problem.get("detail", response.status)))


def trust(url: str) -> ssl.SSLContext | bool:
    """Within this machine nobody stands between: any certificate is good enough there, one for the public
    name as well as one that the server signed itself. ``own_url`` gives such an address."""
    host = urlsplit(url).hostname or ""
    if host != "localhost" and not is_own(host):
        return True
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
