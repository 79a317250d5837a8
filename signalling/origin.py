"""Which pages may open a socket here, and under which host names this server answers (W22)."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from mediaserver.errors import NotPermitted


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _split(text: str) -> SplitResult:
    """An ill-formed address has no parts, so it is nobody's."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def host_is_ours(host_header: str, public_url: str | None) -> bool:
    """With a public URL set, only its host, ``localhost`` and plain addresses are answered to: a name that an
    attacker points at us (DNS rebinding) is none of these."""
    if public_url is None:
        return True
    host = _split(f"//{host_header}").hostname or ""
    return host == (urlsplit(public_url).hostname or "") or host == "localhost" or _is_address(host)


def check(request: web.Request, public_url: str | None) -> None:
    """Browsers always send Origin with a WebSocket upgrade; programs need not.

    Raises:
        NotPermitted: a page of another origin, ``null`` included.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        return
    parts = _split(origin)
    if parts.scheme in ("http", "https") and parts.netloc.lower() == request.host.lower():
        return
    if public_url is not None and origin.lower() == public_url.lower():
        return
    raise NotPermitted("pages of another origin may not connect here")
