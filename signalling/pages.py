"""The built browser pages, from memory: what Vite wrote to ``signalling/static`` is read once at start.

A person's invitation travels in the URL's fragment (``/theatre/7QK2#<invitation>``), which browsers
do not send, so no log and no proxy ever sees it; the page takes it out of the address bar.
"""

from __future__ import annotations

import hashlib
import logging
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from mediaserver.incident.page import STYLE_SOURCE
from signalling.tokens import ANY_ROOM, is_room_name

log = logging.getLogger("loupe.signalling")

STATIC = Path(__file__).parent / "static"
ROOM_PAGES = ("theatre", "consult", "observe", "review")
MAX_FILE_BYTES = 16 * 1024 * 1024

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # A tab in which the operations page shows a report inherits this policy.
        f"style-src 'self' {STYLE_SOURCE}",
        "connect-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "worker-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": (
        "camera=(self), microphone=(self), display-capture=(self), geolocation=(), payment=(), usb=()"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
}
IMMUTABLE = "public, max-age=31536000, immutable"
_HASHED = re.compile(r"-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$")


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent."""

    body: bytes
    content_type: str
    cache_control: str
    etag: str


class StaticFiles:
    """Every file under a folder by its URL path.

    Nothing else can be asked for: there is no path to traverse.
    """

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, StaticFile] = {}
        if not folder.is_dir():
            return
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_FILE_BYTES:
                self._files["/" + path.relative_to(folder).as_posix()] = _read(path)

    def __len__(self) -> int:
        return len(self._files)

    def get(self, path: str) -> StaticFile | None:
        """The file of this URL path."""
        return self._files.get(path)

    def page(self, name: str) -> StaticFile | None:
        """The HTML of a page, as Vite lays it out: ``name.html`` or ``name/index.html``."""
        return self._files.get(f"/{name}.html") or self._files.get(f"/{name}/index.html")


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if path.suffix in (".js", ".mjs"):
        kind = "text/javascript"
    if kind == "text/html":
        cache = "no-store"
    elif _HASHED.search(path.name):
        cache = IMMUTABLE
    else:
        cache = "no-cache"
    return StaticFile(content, kind, cache, f'"{hashlib.sha256(content).hexdigest()[:24]}"')


FILES: web.AppKey[StaticFiles] = web.AppKey("files", StaticFiles)


def _send(request: web.Request, found: StaticFile | None) -> web.Response:
    if found is None:
        if len(request.config_dict[FILES]) == 0:
            return web.Response(status=404, text="The pages are not built here. Run: make setup\n")
        raise web.HTTPNotFound
    headers = {"Cache-Control": found.cache_control, "ETag": found.etag}
    if found.content_type == "text/html":
        headers.update(PAGE_HEADERS)
    if found.cache_control != "no-store" and request.headers.get("If-None-Match") == found.etag:
        return web.Response(status=304, headers=headers)
    charset = "utf-8" if found.content_type.startswith("text/") else None
    return web.Response(body=found.body, content_type=found.content_type, charset=charset, headers=headers)


async def room_page(request: web.Request) -> web.Response:
    """``/theatre/{room}`` and the like; the room is told to the page by its own URL only."""
    page, room = request.match_info["page"], request.match_info["room"]
    if not is_room_name(room) and (page, room) != ("review", ANY_ROOM):
        raise web.HTTPNotFound
    return _send(request, request.config_dict[FILES].page(page))


async def operations_page(request: web.Request) -> web.Response:
    """``/operations``: all rooms' page; of their pictures it shows one at a time at most, where allowed."""
    return _send(request, request.config_dict[FILES].page("operations"))


async def lobby(request: web.Request) -> web.Response:
    """``/``."""
    return _send(request, request.config_dict[FILES].page("index"))


def lost(request: web.Request) -> web.Response | None:
    """For a person whose address leads nowhere: the lobby, which takes the whole link or the code; None for
    programs."""
    index = request.config_dict[FILES].page("index")
    if index is None or request.method != "GET" or "text/html" not in request.headers.get("Accept", ""):
        return None
    response = _send(request, index)
    response.set_status(404)
    return response


async def asset(request: web.Request) -> web.Response:
    """Any other built file, by its exact path."""
    return _send(request, request.config_dict[FILES].get(request.path))


def routes() -> list[web.RouteDef]:
    """Last in the application: ``asset`` takes what nobody else took."""
    names = "|".join(ROOM_PAGES)
    return [
        web.get("/", lobby),
        web.get("/operations", operations_page),
        web.get(f"/{{page:{names}}}/{{room}}", room_page),
        web.get(r"/{path:.+\.[a-z0-9]+}", asset),
    ]
