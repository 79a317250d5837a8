"""REST of review: the library, what a recording consists of, views, media by range, thumbnails, bookmarks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import partial
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, Struct

from mediaserver.audit import Event
from mediaserver.ids import RoomId
from mediaserver.policy import Right, Role, require
from mediaserver.recording.reader import Recording, Track
from mediaserver.review.desk import Asker, Desk
from mediaserver.review.errors import ReviewOff
from mediaserver.review.purposes import Use, stated
from mediaserver.review.thumbnails import thumbnail
from mediaserver.review.views import VIEW_SECONDS, View
from mediaserver.store import library
from mediaserver.store.bookmarks import MAX_LABEL_CHARACTERS
from mediaserver.store.library import Bookmark, Entry
from mediaserver.store.recordings import UnknownRecording
from signalling import body, pieces, tokens
from signalling.auth import Bearer
from signalling.context import bearer, services
from signalling.errors import MalformedMessage, Unauthorized
from signalling.names import clean
from signalling.openapi import Route, json_response

COOKIE = "loupe_view_"
"""With the view's id, so that one of several tabs neither takes over nor ends what another plays."""
RANGE_BYTES = 1024 * 1024
"""Of one response: a server may send less of a range than was asked (RFC 9110 section 15.3.7), so nobody
holds a connection while a film plays."""
BASE = "/api/v1/recordings"
MAX_DIGITS = 9
"""Of a number in a path: more than any recording has segments or seconds."""


class RecordingEntry(Struct, frozen=True, kw_only=True):
    """One line of the library."""

    id: str
    room: str
    state: str
    started_ms: int
    """Since 1970 UTC."""
    seconds: float | None
    title: str
    reference: str
    staff: list[str]


class RecordingList(Struct, frozen=True, kw_only=True):
    """What was found, newest first."""

    recordings: list[RecordingEntry]
    more: bool
    """Narrow the search to see the rest."""


class GapPart(Struct, frozen=True, kw_only=True):
    """Nothing was recorded from here to there."""

    start: float
    end: float
    reason: str


class SegmentPart(Struct, frozen=True, kw_only=True):
    """One file that plays by itself, placed on the recording's axis; in seconds and plain bytes."""

    number: int
    start: float
    seconds: float
    media_type: str
    size: int
    gaps: list[GapPart]
    dimensions: tuple[int, int] | None
    """Width and height; None for sound."""
    pictures: int
    packets: int
    lost: int
    """Never came, in spite of repair."""


class TrackPart(Struct, frozen=True, kw_only=True):
    """One camera or microphone."""

    id: str
    kind: str
    source_type: str
    label: str
    segments: list[SegmentPart]


class EventPart(Struct, frozen=True, kw_only=True):
    """Something that happened: who came or went (opaque ids), what changed."""

    seconds: float
    name: str
    track: str | None
    value: int | str | None


class BookmarkPart(Struct, frozen=True, kw_only=True):
    """A marked moment."""

    id: str
    seconds: float
    label: str
    live: bool


class RecordingDetail(Struct, frozen=True, kw_only=True):
    """Everything a player needs but the media."""

    entry: RecordingEntry
    seconds: float
    tracks: list[TrackPart]
    events: list[EventPart]
    bookmarks: list[BookmarkPart]
    rights: list[str]
    """What the asker may do with it: ``mark``, ``export``."""
    view: str
    """The view that this answer opened: to be named by ``?view=`` with whatever is read by its cookie."""
    view_seconds: float
    """How long it lasts."""
    use: Use
    """What it was opened for."""
    verified: bool
    """The manifest is as it was signed and nothing is missing that index or audit know; what is read of a
    segment proves itself. False: it was altered, and is not exported."""


class ViewRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What it is watched for. For teaching the patient must have consented to that."""

    use: Use


class MarkRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A moment and what to call it."""

    seconds: Annotated[float, Meta(ge=0, le=7 * 24 * 3600)]
    label: Annotated[str, Meta(max_length=MAX_LABEL_CHARACTERS)] = ""


def desk(request: web.Request) -> Desk:
    """Raises ``ReviewOff``."""
    found = services(request).desk
    if found is None:
        raise ReviewOff
    return found


def holder(request: web.Request, right: Right) -> Bearer:
    """Who asks, with this right. Raises ``Unauthorized``, ``NotPermitted``."""
    asking = bearer(request)
    require(asking.rights, right)
    return asking


async def permitted(request: web.Request, right: Right) -> tuple[Desk, Bearer, Entry]:
    """The desk, the asker and the recording of the URL. Raises as ``holder``, and ``UnknownRecording``."""
    asking = holder(request, right)
    at = desk(request)
    return at, asking, await at.entry(request.match_info["recording"], asker(request, asking))


def asker(request: web.Request, asking: Bearer) -> Asker:
    """Whose recordings the holder may study: of the room, and a specialist's of the case they were invited
    to, or that the room serves; unless their token was made to study the room."""
    claims = asking.claims
    room = None if claims.room == tokens.ANY_ROOM else RoomId(claims.room)
    if claims.role is not Role.SPECIALIST or claims.studies:
        return Asker(claims.role, room)
    serves = None if room is None else services(request).server.audience.serves(room)
    return Asker(claims.role, room, frozenset(filter(None, [claims.procedure or serves])))


# ---- The library ----


def _day(request: web.Request, name: str) -> date | None:
    text = request.query.get(name, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise MalformedMessage("give a day as YYYY-MM-DD", field=f"?{name}") from None


async def find_recordings(request: web.Request) -> web.Response:
    """Recordings of every room that the asker may see; text is found with and without diacritics."""
    asking = holder(request, Right.REVIEW)
    at = desk(request)
    mine = asker(request, asking)
    found = await at.search(
        mine,
        library.Query(
            text=clean(request.query.get("text", ""), MAX_LABEL_CHARACTERS),
            staff=clean(request.query.get("staff", ""), MAX_LABEL_CHARACTERS),
            room_text=clean(request.query.get("room", ""), MAX_LABEL_CHARACTERS),
            first_day=_day(request, "from"),
            last_day=_day(request, "to"),
        ),
    )
    shown = [_entry(one) for one in found[: library.MAX_FOUND]]
    at.audit.append(
        Event.RECORDING_SEARCH, actor=asking.claims.sub, room=mine.room, details={"found": len(shown)}
    )
    return json_response(RecordingList(recordings=shown, more=len(found) >= library.MAX_FOUND))


def _entry(entry: Entry) -> RecordingEntry:
    return RecordingEntry(
        id=entry.id,
        room=entry.room,
        state=entry.state,
        started_ms=round(entry.started_at.timestamp() * 1000),
        seconds=entry.seconds,
        title=entry.title,
        reference=entry.reference,
        staff=list(entry.staff),
    )


# ---- Views ----


async def open_view(request: web.Request) -> web.Response:
    """Opens a recording: the answer describes it, its cookie lets this browser's players read the media."""
    at, asking, entry = await permitted(request, Right.REVIEW)
    wish = await body.read_json(request, services(request).limits, ViewRequest)
    use = stated(wish.use, asking.claims.clinical)
    at.end_expired()
    recording = await at.open(entry.id)
    await at.will.check(asking.role, use, recording.procedure)
    view = at.views.open(asking.claims, asking.claims.sub, asking.role, entry.room, recording, use)
    at.audit.append(
        Event.VIEW_START, actor=view.subject, room=entry.room, procedure=recording.procedure,
        subject=entry.id, details={"view": view.id, "use": use.value, "verified": recording.altered is None},
    )  # fmt: skip
    response = json_response(await _detail(at, asking, entry, view))
    response.set_cookie(
        COOKIE + view.id, view.secret, path=f"{BASE}/{entry.id}/", httponly=True, samesite="Strict",
        secure=request.secure, max_age=round(VIEW_SECONDS),
    )  # fmt: skip
    return response


async def show_view(request: web.Request) -> web.Response:
    """Whether the view that the cookie names stands; a page that is told it does not shows no more of it."""
    viewing(request)
    return web.Response(status=204)


async def close_view(request: web.Request) -> web.Response:
    """Ends the view that the query names and its cookie opens."""
    at = desk(request)
    name = _cookie(request)
    view = at.views.close(request.cookies.get(name, ""))
    response = web.Response(status=204)
    if view is not None:
        at.end_view(view)
        response.del_cookie(name, path=f"{BASE}/{view.recording.id}/")
    return response


async def _detail(at: Desk, asking: Bearer, entry: Entry, view: View[tokens.Claims]) -> RecordingDetail:
    recording = view.recording
    bookmarks = await at.library.bookmarks(entry)
    tracks, events, seconds = await at.in_reader(_parts, recording, at.labels(recording))
    return RecordingDetail(
        entry=_entry(entry),
        seconds=seconds,
        tracks=tracks,
        events=events,
        bookmarks=[_bookmark(one) for one in bookmarks],
        rights=[right.value for right in (Right.MARK, Right.EXPORT) if right in asking.rights],
        view=view.id,
        view_seconds=VIEW_SECONDS,
        use=view.use,
        verified=recording.altered is None,
    )


def _parts(recording: Recording, labels: dict[str, str]) -> tuple[list[TrackPart], list[EventPart], float]:
    tracks = [
        TrackPart(
            id=track.id,
            kind=track.kind,
            source_type=track.source_type,
            label=labels[track.id],
            segments=list(_segments(recording, track)),
        )
        for track in recording.tracks
    ]
    events = [
        EventPart(seconds=one.at_seconds, name=one.name, track=one.track, value=one.value)
        for one in recording.events
    ]
    return tracks, events, recording.duration_seconds


def _segments(recording: Recording, track: Track) -> Iterable[SegmentPart]:
    for one in recording.segments(track):
        yield SegmentPart(
            number=one.number,
            start=one.start_seconds,
            seconds=one.duration_seconds,
            media_type=one.media_type,
            size=one.size,
            gaps=[GapPart(start=start, end=end, reason=reason) for start, end, reason in one.gaps],
            dimensions=one.dimensions,
            pictures=one.pictures,
            packets=one.packets,
            lost=one.lost,
        )


def viewing(request: web.Request) -> tuple[Desk, View[tokens.Claims]]:
    """The view that the query names and its cookie opens.

    Raises ``Unauthorized`` without one, and once it is over or its token is withdrawn.
    """
    at = desk(request)
    try:
        view = at.views.get(request.cookies.get(_cookie(request), ""), request.match_info["recording"])
    except UnknownRecording as error:
        raise Unauthorized(error.message) from None
    services(request).authenticator.check_standing(view.holder)
    return at, view


def _cookie(request: web.Request) -> str:
    return COOKIE + request.query.get("view", "")


# ---- Media ----


def _number(request: web.Request, name: str) -> int:
    text = request.match_info[name]
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise UnknownRecording
    return int(text)


async def read_segment(request: web.Request) -> web.StreamResponse:
    """A range of a segment's plain bytes; only the chunks it lies in are decrypted."""
    at, view = viewing(request)
    track = view.track(request.match_info["track"])
    segment = view.segment(track, _number(request, "number"))
    try:
        asked = request.http_range
    except ValueError:
        asked = slice(0, None, 1)  # RFC 9110 section 14.2: what cannot be understood is ignored
    start, stop, _ = asked.indices(segment.size)
    headers = {"Cache-Control": "no-store", "Accept-Ranges": "bytes"}
    if start >= stop:
        headers["Content-Range"] = f"bytes */{segment.size}"
        return web.Response(status=416, headers=headers)
    whole = "Range" not in request.headers
    if not whole:
        stop = min(stop, start + RANGE_BYTES)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{segment.size}"

    async def read(offset: int, length: int) -> bytes:
        content = await at.in_reader(view.recording.read, segment, offset, length)
        view.note(track, segment)
        return content

    response = web.StreamResponse(status=200 if whole else 206, headers=headers)
    response.content_type = segment.media_type
    return await pieces.send(request, response, range(start, stop), read, partial(viewing, request))


async def read_thumbnail(request: web.Request) -> web.Response:
    """A small picture of one camera at one second."""
    at, view = viewing(request)
    track = view.track(request.match_info["track"])
    if track.kind != "video":
        raise UnknownRecording("this track has no picture")
    second = _number(request, "second")
    made = await at.in_reader(thumbnail, view.recording, track, float(second))
    view.note_picture(track, second)
    return web.Response(body=made, content_type="image/jpeg", headers={"Cache-Control": "no-store"})


# ---- Bookmarks ----


def _bookmark(one: Bookmark) -> BookmarkPart:
    return BookmarkPart(id=one.id, seconds=one.seconds, label=one.label, live=one.live)


async def add_bookmark(request: web.Request) -> web.Response:
    """Marks a moment."""
    at, asking, entry = await permitted(request, Right.MARK)
    wish = await body.read_json(request, services(request).limits, MarkRequest)
    label = clean(wish.label, MAX_LABEL_CHARACTERS)
    return json_response(_bookmark(await at.library.mark(entry, wish.seconds, label, asking.claims.sub)))


async def remove_bookmark(request: web.Request) -> web.Response:
    """Takes a mark away."""
    at, asking, entry = await permitted(request, Right.MARK)
    await at.library.unmark(entry, request.match_info["bookmark"], asking.claims.sub)
    return web.Response(status=204)


_REVIEW = "the right `review` in the recording's room"
_MARK = "the right `mark` in the recording's room"
_VIEW = "the cookie of a view"
VIEW_QUERY: dict[str, dict[str, Any]] = {"view": {"type": "string", "maxLength": 64}}
_SEARCH: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "maxLength": MAX_LABEL_CHARACTERS},
    "staff": {"type": "string", "maxLength": MAX_LABEL_CHARACTERS},
    "room": {"type": "string", "maxLength": MAX_LABEL_CHARACTERS},
    "from": {"type": "string", "format": "date"},
    "to": {"type": "string", "format": "date"},
}

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET", path=BASE, handler=find_recordings, summary="Searches recordings.",
        query=_SEARCH, response=RecordingList, rights=_REVIEW, problems=(400, 401, 403, 404),
    ),
    Route(
        method="POST", path=f"{BASE}/{{recording}}/views", handler=open_view,
        summary="Opens a recording; sets the cookie by which its media are read.",
        request=ViewRequest, response=RecordingDetail, rights=_REVIEW, problems=(400, 401, 403, 404, 429),
    ),
    Route(
        method="GET", path=f"{BASE}/{{recording}}/views", handler=show_view, summary="Whether a view stands.",
        query=VIEW_QUERY, response=None, bearer=None, rights=_VIEW, problems=(401,),
    ),
    Route(
        method="DELETE", path=f"{BASE}/{{recording}}/views", handler=close_view, summary="Ends a view.",
        query=VIEW_QUERY, response=None, bearer=None, problems=(404,),
    ),
    Route(
        method="GET", path=f"{BASE}/{{recording}}/tracks/{{track}}/segments/{{number}}", handler=read_segment,
        summary="A segment, or a range of it.", query=VIEW_QUERY, response=None, binary="video/webm",
        bearer=None, rights=_VIEW, problems=(401, 404, 416),
    ),
    Route(
        method="GET", path=f"{BASE}/{{recording}}/tracks/{{track}}/thumbnails/{{second}}",
        handler=read_thumbnail, summary="A small picture.", query=VIEW_QUERY, response=None,
        binary="image/jpeg", bearer=None,
        rights=_VIEW, problems=(401, 404),
    ),
    Route(
        method="POST", path=f"{BASE}/{{recording}}/bookmarks", handler=add_bookmark,
        summary="Marks a moment.", request=MarkRequest, response=BookmarkPart, rights=_MARK,
        problems=(401, 403, 404),
    ),
    Route(
        method="DELETE", path=f"{BASE}/{{recording}}/bookmarks/{{bookmark}}", handler=remove_bookmark,
        summary="Takes a mark away.", response=None, rights=_MARK, problems=(401, 403, 404),
    ),
)  # fmt: skip
