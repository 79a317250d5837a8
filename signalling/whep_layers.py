"""WHEP's extensions: a player learns which layers flow (server-sent events) and chooses one.

draft-ietf-wish-whep, "Server Sent Events extension" and "Video Layer Selection extension". A choice is a
ceiling: less is sent while the viewer's link carries no more. Encodings are named by their place, "0" the
lowest, as players never see the publisher's own names.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from mediaserver.errors import UnknownParticipant
from mediaserver.ids import SessionId
from mediaserver.server import HttpSession
from signalling import body
from signalling.context import Services, services
from signalling.errors import UnknownSession
from signalling.http_media import CORS, options, session_of
from signalling.limits import exchange_began

PREFIX: Final = "urn:ietf:params:whep:ext:core:"
LOOK_SECONDS: Final = 1.0
"""Between looks at the layers: rates are metered once a second."""
BEAT_SECONDS: Final = 15.0
"""A comment at least so often keeps intermediaries from ending the stream (WHATWG, server-sent events)."""
NOTICEABLE: Final = 0.25
"""A rate that changed by less is not told."""

_Place = Annotated[str, Meta(pattern=r"^[0-9]{1,2}$")]
EventName = Literal["active", "inactive", "layers"]
EVENTS: Final[tuple[EventName, ...]] = ("active", "inactive", "layers")


class Selection(msgspec.Struct, forbid_unknown_fields=True):
    """What a player asks for; without ``rid`` layer choice is free again."""

    media_id: _Place | None = msgspec.field(default=None, name="mediaId")
    """The picture's place in the offer; the first picture by default."""
    rid: _Place | None = None
    encoding_id: _Place | None = msgspec.field(default=None, name="encodingId")
    """``rid`` in older drafts."""


class Layer(msgspec.Struct, frozen=True):
    """An encoding as players are told of it."""

    rid: str
    bitrate: int


Layers = dict[str, list[Layer]]


def links(session: str) -> tuple[str, ...]:
    """``Link`` values of what a session at this path offers."""
    return (
        f'<{session}/layer>; rel="{PREFIX}layer"',
        f'<{session}/sse>; rel="{PREFIX}server-sent-events"; events="{",".join(EVENTS)}"',
    )


class Stream:
    """What one player follows. Its address is the secret: an ``EventSource`` can send no token."""

    def __init__(self, session: HttpSession, wanted: frozenset[EventName]) -> None:
        self.session = session
        self.secret = secrets.token_urlsafe(16)
        self.readings = 0
        """A later reader takes the place of an earlier one."""
        self._wanted = wanted
        self._told: Layers = {}

    def begin(self) -> int:
        """Another reader: it is told everything."""
        self.readings += 1
        self._told = {}
        return self.readings

    def news(self, layers: Layers) -> bytes:
        """The events that follow from what flows now."""
        events: list[tuple[EventName, object]] = []
        if bool(layers) != bool(self._told):
            events.append(("active" if layers else "inactive", {}))
        if layers and _differ(layers, self._told):
            events.append(("layers", layers))
        if events:
            self._told = layers
        encoded = (
            b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))
            for name, data in events
            if name in self._wanted
        )
        return b"".join(encoded)


STREAMS: web.AppKey[dict[SessionId, Stream]] = web.AppKey("whep_streams", dict[SessionId, Stream])


async def choose(request: web.Request) -> web.Response:
    """No layer above this one, from now on."""
    parts = services(request)
    session = session_of(request)
    wish = await body.read_json(request, parts.limits, Selection)
    rid = wish.encoding_id if wish.rid is None else wish.rid
    parts.server.watched_layers.choose(
        session,
        None if wish.media_id is None else int(wish.media_id),
        None if rid is None else int(rid),
    )
    return web.Response(status=200, headers=CORS)


async def open_stream(request: web.Request) -> web.Response:
    """201 with the address to follow. One for each session: an earlier one ends."""
    parts = services(request)
    session = session_of(request)
    wanted: list[str] = list(EVENTS)
    if request.body_exists:
        wanted = await body.read_json(request, parts.limits, list[str])
    streams = request.config_dict[STREAMS]
    for gone in [id for id in streams if not parts.server.has_http_session(id)]:
        del streams[gone]
    stream = streams[session.id] = Stream(session, frozenset(name for name in EVENTS if name in wanted))
    location = f"{parts.settings.public_url or ''}{request.path}/{stream.secret}"
    return web.Response(status=201, headers={**CORS, "Location": location, "Cache-Control": "no-store"})


async def follow(request: web.Request) -> web.StreamResponse:
    """The events, until the session or the stream ends, or another reader comes."""
    parts = services(request)
    stream = _stream(request)
    reading = stream.begin()
    response = web.StreamResponse(
        headers={**CORS, "Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    await response.prepare(request)
    silent = 0.0
    while _stands(request, stream) and stream.readings == reading:
        news = stream.news(_layers(parts, stream.session))
        silent += LOOK_SECONDS
        if not news and silent >= BEAT_SECONDS:
            news = b":\n\n"
        if news:
            silent = 0.0
            await response.write(news)
            # Who does not read is let go.
            exchange_began(request)
        await asyncio.sleep(LOOK_SECONDS)
    return response


async def close_stream(request: web.Request) -> web.Response:
    """Ends it; its address is unknown from then on."""
    del request.config_dict[STREAMS][_stream(request).session.id]
    return web.Response(status=200, headers=CORS)


def _stream(request: web.Request) -> Stream:
    stream = request.config_dict[STREAMS].get(SessionId(request.match_info["session"]))
    if (
        stream is None
        or not secrets.compare_digest(stream.secret.encode(), request.match_info["stream"].encode())
        or not _stands(request, stream)
    ):
        raise UnknownSession("no such event stream")
    return stream


def _stands(request: web.Request, stream: Stream) -> bool:
    return request.config_dict[STREAMS].get(stream.session.id) is stream and services(
        request
    ).server.has_http_session(stream.session.id)


def _layers(parts: Services, session: HttpSession) -> Layers:
    try:
        found = parts.server.watched_layers.of(session)
    except UnknownParticipant:
        return {}
    return {
        str(section): [Layer(str(one.index), one.bitrate) for one in layers]
        for section, layers in found.items()
    }


def _differ(new: Layers, old: Layers) -> bool:
    if new.keys() != old.keys() or any(len(new[key]) != len(old[key]) for key in new):
        return True
    pairs = (pair for key in new for pair in zip(new[key], old[key], strict=True))
    return any(abs(a.bitrate - b.bitrate) > NOTICEABLE * max(a.bitrate, b.bitrate) for a, b in pairs)


def routes() -> list[web.RouteDef]:
    """Of both extensions."""
    session = "/whep/{room}/{session}"
    return [
        web.post(f"{session}/layer", choose),
        web.route("OPTIONS", f"{session}/layer", options("OPTIONS, POST")),
        web.post(f"{session}/sse", open_stream),
        web.route("OPTIONS", f"{session}/sse", options("OPTIONS, POST")),
        web.get(f"{session}/sse/{{stream}}", follow),
        web.delete(f"{session}/sse/{{stream}}", close_stream),
        web.route("OPTIONS", f"{session}/sse/{{stream}}", options("OPTIONS, GET, DELETE")),
    ]
