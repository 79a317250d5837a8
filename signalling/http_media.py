"""What WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) share: sessions over plain HTTP.

Creating one is in ``whip.py`` and ``whep.py``; PATCH,
DELETE and the courtesies (OPTIONS, GET, CORS) are the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from aiohttp import web
from multidict import CIMultiDict

from mediaserver import errors
from mediaserver.ids import SessionId
from mediaserver.participant import Identity
from mediaserver.server import HttpSession
from signalling import body
from signalling.auditing import address_class
from signalling.auth import Bearer
from signalling.context import Services, bearer, bearer_text, services
from signalling.errors import Conflict, PreconditionRequired, Unauthorized, UnknownSession
from signalling.messages import MAX_NAME_CHARACTERS
from signalling.names import clean
from signalling.tokens import is_room_name

SDP: Final = "application/sdp"
FRAGMENT: Final = "application/trickle-ice-sdpfrag"

# RFC 9725 section 4.7 and RFC 9110: a browser page of another origin reads only what is exposed.
CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "Location, Link, ETag, Retry-After, Accept-Post, Accept-Patch, WWW-Authenticate"
    ),
}
PREFLIGHT_SECONDS = 86_400
ENDPOINT_METHODS = "OPTIONS, GET, HEAD, POST"
SESSION_METHODS = "OPTIONS, GET, HEAD, PATCH, DELETE"
_ALLOWED_HEADERS = "Authorization, Content-Type, If-Match"


def room_of(request: web.Request, holder: Bearer) -> str:
    """The room of the path, when the token speaks for it.

    Raises:
        UnknownRoom: no room can have this name.
        NotPermitted: the token is for another room; whether this one stands is not told.
    """
    room = request.match_info["room"]
    if not is_room_name(room):
        raise errors.UnknownRoom
    if holder.claims.room != room:
        raise errors.NotPermitted("the token is for another room")
    return room


async def offer_of(request: web.Request) -> str:
    """The SDP offer in the body.

    Raises ``UnsupportedMediaType``, ``TooLarge``, ``TooSlow``, ``MalformedSdp``.
    """
    body.require_content_type(request, (SDP,))
    limits = services(request).limits
    text = await body.read_text(request, limits, limits.sdp_bytes)
    if not text.strip():
        raise errors.MalformedSdp("the body must be an SDP offer; this server makes none")
    return text


def link_headers(parts: Services) -> list[str]:
    """One value per ICE server URL, plain STUN and TURN over UDP first (RFC 9725 section 4.6).

    Each is a header line of its own, starts with ``<`` and holds no comma and
    no trailing semicolon: OBS splits at commas and looks only at the start.
    """
    links: list[tuple[int, str]] = []
    for server in parts.settings.ice_servers:
        for url in server.urls:
            value = f'<{url}>; rel="ice-server"'
            if server.username is not None and server.credential is not None:
                value += (
                    f'; username="{server.username}"; credential="{server.credential.get_secret_value()}"'
                    '; credential-type="password"'
                )
            plain = url.startswith("stun:") or (url.startswith("turn:") and "transport=tcp" not in url)
            links.append((0 if plain else 1, value))
    return [value for _, value in sorted(links, key=lambda link: link[0])]


Begin: TypeAlias = Callable[[Identity, str, str], Awaitable[HttpSession]]
"""Opens a session for somebody, under a name, from an offer."""


Extensions: TypeAlias = Callable[[str], tuple[str, ...]]
"""What a session of this path offers beside the standard, as ``Link`` values."""


async def create(request: web.Request, begin: Begin, extensions: Extensions = lambda _: ()) -> web.Response:
    """An offer in, 201 with the answer out; the token is used up by it unless it is reusable."""
    parts = services(request)
    holder = bearer(request)
    room = room_of(request, holder)
    offer = await offer_of(request)
    name = clean(holder.claims.name or "", MAX_NAME_CHARACTERS)
    with parts.admission.opening(holder):
        session = await begin(holder.identity(address_class(request.remote)), name, offer)
        if parts.authenticator.is_revoked(holder.claims):  # while the offer was looked at
            parts.server.end(session)
            parts.authenticator.check_standing(holder.claims)
        parts.holders.add(session.id, holder.claims)
    path = f"{parts.settings.public_url or ''}/{session.direction}/{room}/{session.id}"
    return _created(parts, session, path, extensions(path))


def _created(parts: Services, session: HttpSession, path: str, extensions: tuple[str, ...]) -> web.Response:
    headers: CIMultiDict[str] = CIMultiDict(CORS)
    headers["Location"] = path
    headers["ETag"] = session.etag
    headers["Accept-Patch"] = FRAGMENT
    headers["Cache-Control"] = "no-store"
    for link in (*link_headers(parts), *extensions):
        headers.add("Link", link)
    return web.Response(status=201, body=session.answer.encode(), content_type=SDP, headers=headers)


def _find(parts: Services, session: SessionId) -> HttpSession | None:
    try:
        return parts.server.http_session(session)
    except errors.UnknownParticipant:
        return None


def session_of(request: web.Request) -> HttpSession:
    """The session of the path, for its holder.

    The token is checked before the session is looked up, so that a stranger
    learns nothing. Raises ``Unauthorized``, ``UnknownSession``, ``NotPermitted``.
    """
    parts = services(request)
    token = bearer_text(request)
    session_id = SessionId(request.match_info["session"])
    holder = parts.holders.get(session_id)
    if holder is None:
        parts.authenticator.check(token)
        raise UnknownSession
    claims = parts.authenticator.check_holder(token, holder.jti).claims
    if claims.room != holder.room or claims.sub != holder.sub:
        raise errors.NotPermitted("the session was begun with another token")
    session = _find(parts, session_id)
    if session is None:
        parts.holders.drop(session_id)
        raise UnknownSession
    direction = request.path.split("/", 2)[1]
    if session.direction != direction or request.match_info["room"] != holder.room:
        raise UnknownSession
    return session


async def patch(request: web.Request) -> web.Response:
    """Trickle (204) or ICE restart (200 with a new ETag), RFC 9725 section 4.3."""
    parts = services(request)
    session = session_of(request)
    body.require_content_type(request, (FRAGMENT,))
    match = request.headers.get("If-Match", "").strip()
    if not match:
        if not (parts.lenient_trickle and session.generation == 1):
            raise PreconditionRequired
    elif match != "*" and session.etag not in (tag.strip() for tag in match.split(",")):
        raise Conflict
    fragment = await body.read_text(request, parts.limits, parts.limits.sdp_bytes)
    if match == "*":
        answer = parts.server.restart_http_ice(session, fragment)
        headers: CIMultiDict[str] = CIMultiDict(CORS)
        headers["ETag"] = session.etag
        headers["Cache-Control"] = "no-store"
        for link in link_headers(parts):
            headers.add("Link", link)
        return web.Response(status=200, body=answer.encode(), content_type=FRAGMENT, headers=headers)
    parts.server.trickle(session, fragment)
    return web.Response(status=204, headers=CORS)


async def delete(request: web.Request) -> web.Response:
    """Ends the session: 200 once, 404 from then on. ETags do not matter here."""
    session = session_of(request)
    parts = services(request)
    parts.server.end(session)
    parts.holders.drop(session.id)
    return web.Response(status=200, headers=CORS)


async def head_endpoint(_: web.Request) -> web.Response:
    """GET and HEAD: 2xx without content (RFC 9725 section 4.2)."""
    return web.Response(status=204, headers={**CORS, "Accept-Post": SDP})


async def head_session(request: web.Request) -> web.Response:
    """GET and HEAD of a session, for its holder."""
    session = session_of(request)
    return web.Response(status=204, headers={**CORS, "ETag": session.etag, "Accept-Patch": FRAGMENT})


def options(methods: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        parts = services(request)
        headers: CIMultiDict[str] = CIMultiDict(CORS)
        headers["Access-Control-Allow-Methods"] = methods
        headers["Access-Control-Allow-Headers"] = _ALLOWED_HEADERS
        headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        headers["Allow"] = methods
        if methods == ENDPOINT_METHODS:
            headers["Accept-Post"] = SDP
        elif methods == SESSION_METHODS:
            headers["Accept-Patch"] = FRAGMENT
        if "Authorization" in request.headers:
            # TURN credentials only for those who could have them
            # with the 201 anyway; a preflight has no token.
            try:
                parts.authenticator.check(bearer_text(request))
            except Unauthorized:
                pass
            else:
                for link in link_headers(parts):
                    headers.add("Link", link)
        return web.Response(status=204, headers=headers)

    return answer


def routes(kind: str, post: Callable[[web.Request], Awaitable[web.Response]]) -> list[web.RouteDef]:
    """All routes of ``whip`` or ``whep``."""
    endpoint = f"/{kind}/{{room}}"
    session = f"/{kind}/{{room}}/{{session}}"
    return [
        web.post(endpoint, post),
        web.get(endpoint, head_endpoint),
        web.route("OPTIONS", endpoint, options(ENDPOINT_METHODS)),
        web.patch(session, patch),
        web.delete(session, delete),
        web.get(session, head_session),
        web.route("OPTIONS", session, options(SESSION_METHODS)),
    ]
