"""Who may do what: every path and WebSocket command x every role x own, other and ended room (W18).

The lists are held against the router and the schema: what is added there fails here until it has its row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import aiohttp
import pytest

from mediaserver.policy import RIGHTS, Right, Role
from signalling import app, messages, operations, operator_actions, schema
from signalling.tokens import Audience
from tests.signalling.conftest import House, Socket
from tests.signalling.offers import CANDIDATE, offer

JOINING = [role for role in Role if Right.SUBSCRIBE in RIGHTS[role]]
WHERE = ("own", "other", "ended")
ANY = frozenset(Right)
"""Holders of any right at all."""
SENDS_BOTH = frozenset({Right.PUBLISH_VIDEO, Right.PUBLISH_AUDIO})


async def publisher(house: House, room: str) -> tuple[Socket, str, str]:
    """A surgeon who publishes: socket, participant, publication."""
    socket, hello = await house.join("surgeon", room)
    answer = await socket.ask(
        "publish",
        sdp=offer(audio=False),
        sources=[{"mid": "0", "label": "scope", "source_type": "endoscope"}],
    )
    assert answer["type"] == "published_answer", answer
    return socket, hello["participant"], answer["sources"][0]["publication"]


# ---- WebSocket commands ----


@dataclass(frozen=True)
class Command:
    """One request: the rights it takes (all of them), and whether it names something of a room."""

    rights: frozenset[Right] = frozenset()
    addressed: bool = False
    ends_as: frozenset[str] = frozenset({"ok"})
    """``type`` of the answer, or ``code`` of the error that a newcomer gets who may do it."""


COMMANDS: dict[type[messages.ClientMessage], Command] = {
    messages.Publish: Command(SENDS_BOTH, ends_as=frozenset({"published_answer"})),
    messages.Subscribe: Command(frozenset({Right.SUBSCRIBE}), addressed=True),
    messages.Prefer: Command(frozenset({Right.SUBSCRIBE}), addressed=True),
    messages.Mute: Command(frozenset({Right.MODERATE}), addressed=True),
    messages.Chat: Command(frozenset({Right.CHAT})),
    messages.Mark: Command(frozenset({Right.MARK}), ends_as=frozenset({"nothing_to_mark"})),
    messages.Remove: Command(frozenset({Right.MODERATE}), addressed=True),
    # This server records nothing; who may is tested in test_recording.py.
    messages.StartRecording: Command(ends_as=frozenset({"recording_off"})),
    messages.StopRecording: Command(ends_as=frozenset({"recording_off"})),
    # These touch nothing but one's own session.
    messages.Join: Command(ends_as=frozenset({"out_of_order"})),
    messages.Answer: Command(ends_as=frozenset({"stale_generation"})),
    messages.RestartIce: Command(ends_as=frozenset({"ok", "transport_failed"})),  # without media: the latter
    messages.Ping: Command(ends_as=frozenset({"pong"})),
    messages.Statistics: Command(),
    # These end the conversation: last.
    messages.CloseRoom: Command(frozenset({Right.MODERATE})),
    messages.Leave: Command(),
}
NAMES = {kind: str(kind.__struct_config__.tag) for kind in COMMANDS}


def test_the_commands_are_those_of_the_schema() -> None:
    assert set(get_args(messages.Request)) == COMMANDS.keys()
    described = schema.schema()["$defs"]["Request"]["discriminator"]["mapping"]
    assert set(described) == set(NAMES.values())


def fields(
    kind: type[messages.ClientMessage], participant: str, publication: str, token: str
) -> dict[str, Any]:
    """A request of this kind about these."""
    found: dict[type[messages.ClientMessage], dict[str, Any]] = {
        messages.Publish: {
            "sdp": offer(),
            "sources": [
                {"mid": "0", "label": "a", "source_type": "room"},
                {"mid": "1", "label": "b", "source_type": "microphone"},
            ],
        },
        messages.Subscribe: {"publications": [publication]},
        messages.Prefer: {"publication": publication},
        messages.Mute: {"publication": publication, "muted": True},
        messages.Chat: {"text": "x"},
        messages.Remove: {"participant": participant},
        messages.StartRecording: {"procedure": "p"},
        messages.Join: {"token": token},
        messages.Answer: {"generation": 999, "sdp": "v=0"},
        messages.Statistics: {"clock_ms": 0, "views": [{"publication": publication}]},
    }
    return found.get(kind, {})


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("role", JOINING)
async def test_commands(house: House, role: Role, where: str) -> None:
    speaker, participant, publication = await publisher(house, "own")
    socket, _ = await house.join(role, "own" if where == "own" else "other")
    if where == "ended":
        # What is known of a participant and publication that are gone opens nothing.
        await speaker.ask("leave")
    for kind, command in COMMANDS.items():
        asked = fields(kind, participant, publication, house.token(role, "own"))
        answer = await socket.ask(NAMES[kind], **asked)
        told = answer["code"] if answer["type"] == "error" else answer["type"]
        permitted = command.rights <= RIGHTS[role]
        if permitted and (where == "own" or not command.addressed):
            expected = command.ends_as
        elif permitted:
            expected = frozenset({"unknown_publication", "unknown_participant"})
        elif where == "own" or not command.addressed:
            expected = frozenset({"not_permitted"})
        else:
            # Neither tells whether there is such a thing in a room that is none of theirs.
            expected = frozenset({"not_permitted", "unknown_publication", "unknown_participant"})
        assert told in expected, f"{kind.__name__} by {role} in {where} room: {answer}"
        if kind is messages.CloseRoom and permitted:
            socket, _ = await house.join(role, "own" if where == "own" else "other")
    if where == "other":
        assert (await speaker.ask("ping"))["type"] == "pong", "nobody there was touched"


@pytest.mark.parametrize("room", WHERE)
@pytest.mark.parametrize("role", ["operator", "auditor"])
async def test_who_stands_outside_enters_no_room(house: House, role: str, room: str) -> None:
    await publisher(house, "own")
    for token in (house.token(role, room), house.token(role, "*")):
        socket = await house.socket()
        answer = await socket.ask("join", token=token)
        assert answer["code"] in ("not_permitted", "unauthorized")
        assert await socket.closed() in (4401, 4403)


@pytest.mark.parametrize("role", JOINING)
async def test_ones_own_room_ended(house: House, role: Role) -> None:
    """Neither the socket that was in it, nor its resume, nor its token opens anything again."""
    moderator, _ = await house.join("moderator", "own")
    token, socket = house.token(role, "own"), await house.socket()
    hello = await socket.ask("join", token=token)
    assert (await moderator.ask("remove", participant=hello["participant"]))["type"] == "ok"
    assert await socket.closed() == 4412
    resume = {"session": hello["session"], "token": hello["resume_token"], "seq": hello["seq"]}
    for asked in ({"token": "", "resume": resume}, {"token": token}):
        back = await house.socket()
        answer = await back.ask("join", **asked)
        assert answer["type"] == "error", answer
        assert answer["code"] in ("session_gone", "token_used")


# ---- HTTP: every path of the router ----


@dataclass(frozen=True)
class Path:
    """What a path takes: one of these rights, in the room of the path or of the body."""

    rights: frozenset[Right]
    own: int
    ended: int
    """Statuses for those who hold a right, by where; in another room it is always 403."""
    every_right: bool = False
    """All of the rights, not one of them."""


RESTS = frozenset({Right.INSPECT, Right.MODERATE})
PATHS: dict[str, Path] = {
    "GET /api/v1/rooms/{room}": Path(RESTS, 200, 404),
    "GET /api/v1/rooms/{room}/participants": Path(RESTS, 200, 404),
    "DELETE /api/v1/rooms/{room}/participants/{participant}": Path(RESTS, 204, 404),
    "POST /api/v1/tokens": Path(frozenset({Right.MODERATE}), 200, 200),
    "POST /api/v1/revocations": Path(RESTS, 204, 204),
    "POST /api/v1/procedures": Path(frozenset({Right.CONSENT}), 200, 200),
    "GET /api/v1/rooms/{room}/procedures": Path(
        frozenset({Right.CONSENT, Right.REVIEW, Right.AUDIT}), 200, 200
    ),
    "POST /whep/{room}": Path(frozenset({Right.SUBSCRIBE}), 201, 404),
    "POST /whip/{room}": Path(SENDS_BOTH, 201, 201, every_right=True),  # makes the room: last
}
"""Where the answer hangs on role and room."""
HELD = {
    f"{method} /{kind}/{{room}}/{{session}}"
    for kind in ("whip", "whep")
    for method in ("GET", "PATCH", "DELETE")
}
HELD |= {f"POST /whep/{{room}}/{{session}}/{part}" for part in ("layer", "sse")}
"""For the token that began the session alone."""
APART = {
    "GET /api/v1/rooms": "lists what the token may see",
    "POST /api/v1/join": "takes invitations",
    "DELETE /api/v1/rooms/{room}": "ends what the others are asked about: test_api.py",
    "GET /metrics": "for loopback, and operators elsewhere",
    **{
        f"{method} /api/v1/{path}": "test_procedures_api.py, test_audit_api.py, test_keeping_api.py"
        for method, path in (
            ("GET", "procedures/{procedure}"),
            ("POST", "procedures/{procedure}/confirmation"),
            ("POST", "procedures/{procedure}/closing"),
            ("GET", "procedures/{procedure}/consents"),
            ("POST", "procedures/{procedure}/consents"),
            ("POST", "procedures/{procedure}/break-glass"),
            ("POST", "procedures/{procedure}/break-glass/{number}/review"),
            ("GET", "break-glass"),
            ("GET", "audit"),
            ("GET", "due"),
            ("GET", "recordings/{recording}/keeping"),
            ("POST", "recordings/{recording}/holds"),
            ("DELETE", "recordings/{recording}/holds/{number}"),
            ("POST", "recordings/{recording}/deletions"),
            ("POST", "recordings/{recording}/deletions/{number}/confirmation"),
            ("POST", "recordings/{recording}/deletions/{number}/refusal"),
            ("GET", "audit/verification"),
        )
    },
    "GET /api/v1/rooms/{room}/recording": "test_recording.py",
    "POST /api/v1/rooms/{room}/recording": "test_recording.py",
    **{
        f"{method} /api/v1/recordings{path}": "test_review_api.py, test_export_api.py"
        for method, path in (
            ("GET", ""),
            ("POST", "/{recording}/views"),
            ("GET", "/{recording}/views"),
            ("DELETE", "/{recording}/views"),
            ("GET", "/{recording}/reception"),
            ("GET", "/{recording}/tracks/{track}/segments/{number}"),
            ("GET", "/{recording}/tracks/{track}/thumbnails/{second}"),
            ("POST", "/{recording}/bookmarks"),
            ("DELETE", "/{recording}/bookmarks/{bookmark}"),
            ("POST", "/{recording}/exports"),
            ("GET", "/{recording}/exports"),
            ("GET", "/{recording}/exports/{export}"),
            ("DELETE", "/{recording}/exports/{export}"),
            ("POST", "/{recording}/exports/{export}/archive"),
            ("GET", "/{recording}/exports/{export}/files/{file}"),
        )
    },
    "GET /whep/{room}/{session}/sse/{stream}": "for who knows the stream's address: test_whep_layers.py",
    "DELETE /whep/{room}/{session}/sse/{stream}": "for who knows the stream's address: test_whep_layers.py",
    "GET /ws": "asks for the token in its first message: the commands above",
    **{f"GET {route.path}": "all roles: test_operations.py" for route in operations.routes()},
    **{f"{route.method} {route.path}": "test_operator_actions.py" for route in operator_actions.ROUTES},
    "POST /api/v1/precall": "test_precall_api.py",
    "GET /api/v1/precall/{room}/download": "test_precall_api.py",
}
PUBLIC = {
    "GET /api/openapi.json", "GET /livez", "GET /readyz", "GET /healthz", "GET /", "GET /{path}",
    "GET /operations", "GET /{page}/{room}", "GET /whip/{room}", "GET /whep/{room}", "OPTIONS /whip/{room}",
    "OPTIONS /whep/{room}", "OPTIONS /whip/{room}/{session}", "OPTIONS /whep/{room}/{session}",
    "OPTIONS /whep/{room}/{session}/layer", "OPTIONS /whep/{room}/{session}/sse",
    "OPTIONS /whep/{room}/{session}/sse/{stream}",
}  # fmt: skip


def test_the_paths_are_those_of_the_router(house: House) -> None:
    served = {
        f"{route.method} {route.resource.canonical}"
        for route in app.build(house.parts).router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert served == PATHS.keys() | HELD | APART.keys() | PUBLIC


async def status(
    house: House, name: str, headers: dict[str, str], names: dict[str, str], **body: Any
) -> aiohttp.ClientResponse:
    """One request of a row of the table."""
    method, path = name.split()
    for part, value in names.items():
        path = path.replace(f"{{{part}}}", value)
    kind = path.split("/")[1]
    if kind in ("whip", "whep") and method == "POST":
        body = {"data": offer("sendonly" if kind == "whip" else "recvonly")}
        headers = {**headers, "Content-Type": "application/sdp"}
    async with house.http.request(method, house.url + path, headers=headers, **body) as response:
        await response.read()
        return response


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("role", list(Role))
async def test_paths(house: House, role: Role, where: str) -> None:
    for room in ("own", "other"):
        await publisher(house, room)
    _, victim = await house.join("observer", "own")
    room = where
    of_token = "ended" if where == "ended" else "own"
    for name, path in PATHS.items():
        body: dict[str, Any] = {}
        if name.endswith("/tokens"):
            body["json"] = {"room": room, "role": "observer"}
        elif name == "POST /api/v1/procedures":
            body["json"] = {"room": room, "reference": "BN-1"}
        elif name.endswith("/revocations"):
            body["json"] = {"token": house.token("observer", room)}
        names = {"room": room, "participant": victim["participant"]}
        bearer = house.bearer(role, of_token)
        response = await status(house, name, bearer, names, **body)
        held = RIGHTS[role] & path.rights
        allowed = held == path.rights if path.every_right else bool(held)
        expected = {"own": path.own, "other": 403, "ended": path.ended}[where] if allowed else 403
        assert response.status == expected, f"{name} by {role} in {where} room: {await response.text()}"
        assert (await status(house, name, {}, names)).status == 401, "and nothing without a token"


@pytest.mark.parametrize("role", list(Role))
async def test_somebody_of_another_room_is_not_found_in_ones_own(house: House, role: Role) -> None:
    """An id of another room does not become reachable by the path of one's own."""
    _, hello = await house.join("observer", "other")
    await house.join("surgeon", "own")
    names = {"room": "own", "participant": hello["participant"]}
    name = "DELETE /api/v1/rooms/{room}/participants/{participant}"
    response = await status(house, name, house.bearer(role, "own"), names)
    assert response.status == (404 if RIGHTS[role] & RESTS else 403)


@pytest.mark.parametrize("kind", ["whip", "whep"])
@pytest.mark.parametrize("role", list(Role))
async def test_sessions_are_for_who_began_them(house: House, role: Role, kind: str) -> None:
    await publisher(house, "own")
    began = house.bearer("surgeon", "own")
    made = await status(house, f"POST /{kind}/{{room}}", began, {"room": "own"})
    session = made.headers["Location"].rsplit("/", 1)[1]
    bodies: dict[str, dict[str, Any]] = {"PATCH": {"data": CANDIDATE}}
    for room_of_path in ("own", "other"):
        names = {"room": room_of_path, "session": session}
        for method in ("GET", "PATCH", "DELETE"):
            name = f"{method} /{kind}/{{room}}/{{session}}"
            more = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": made.headers["ETag"]}
            body = bodies.get(method, {})
            assert (await status(house, name, more, names, **body)).status == 401
            for room_of_token in ("own", "other"):
                stranger = {**house.bearer(role, room_of_token), **more}
                assert (await status(house, name, stranger, names, **body)).status == 403
            if room_of_path == "other":
                assert (await status(house, name, {**began, **more}, names, **body)).status == 404
    names = {"room": "own", "session": session}
    for method, expected in (("GET", 204), ("PATCH", 204), ("DELETE", 200), ("GET", 404), ("DELETE", 404)):
        more = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": made.headers["ETag"]}
        name = f"{method} /{kind}/{{room}}/{{session}}"
        response = await status(house, name, {**began, **more}, names, **bodies.get(method, {}))
        assert response.status == expected, f"{method} by its holder"


@pytest.mark.parametrize("role", list(Role))
async def test_what_is_listed_exchanged_and_counted(house: House, role: Role) -> None:
    for room in ("own", "other"):
        await house.join("surgeon", room)
    inspects = Right.INSPECT in RIGHTS[role]
    response = await house.http.get(f"{house.url}/api/v1/rooms", headers=house.bearer(role, "own"))
    assert response.status == (200 if inspects else 403)
    if inspects:
        assert [room["id"] for room in (await response.json())["rooms"]] == ["own"]
    proxied = {"X-Forwarded-For": "203.0.113.9", **house.bearer(role, "own")}
    assert (await house.http.get(f"{house.url}/metrics", headers=proxied)).status == (
        200 if inspects else 403
    )
    # An invitation gives its own role in its own room, and opens nothing else.
    invitation = house.bearer(role, "own", audience=Audience.INVITE)
    async with house.http.post(f"{house.url}/api/v1/join", headers=invitation, json={}) as response:
        made = await response.json()
        assert (response.status, made["room"], made["role"]) == (200, "own", role.value)
    async with house.http.post(f"{house.url}/api/v1/join", headers=house.bearer(role), json={}) as response:
        assert response.status == 401, "a join token is no invitation"
    for name in PATHS:
        names = {"room": "own", "participant": "x"}
        assert (await status(house, name, invitation, names)).status == 401


# ---- Narrowed and one's own ----


async def test_a_narrowed_token_does_less(house: House) -> None:
    socket = await house.socket()
    hello = await socket.ask("join", token=house.token("surgeon", rights=frozenset({Right.CHAT})))
    assert hello["rights"] == ["chat"]
    assert (await socket.ask("chat", text="x"))["type"] == "ok"
    assert (await socket.ask("subscribe", publications=[], automatic=True))["code"] == "not_permitted"


async def test_everybody_may_mute_their_own_source(house: House) -> None:
    socket, hello = await house.join("specialist", "own")
    answer = await socket.ask(
        "publish", sdp=offer(audio=False), sources=[{"mid": "0", "label": "x", "source_type": "room"}]
    )
    publication = answer["sources"][0]["publication"]
    assert (await socket.ask("mute", publication=publication, muted=True))["type"] == "ok"
    changed = await socket.event("publication_changed")
    assert changed["publication"]["muted"] is True
    assert changed["publication"]["participant"] == hello["participant"]
