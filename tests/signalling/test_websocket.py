"""The WebSocket endpoint with real clients on loopback."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from mediaserver.ids import RoomId
from signalling import messages
from tests.signalling.conftest import House, OpenHouse


async def test_join_answers_hello_and_tells_the_others(house: House) -> None:
    first, hello = await house.join("surgeon")
    assert hello["role"] == "surgeon"
    assert hello["version"] == 1
    assert hello["resumed"] is False
    assert [one["id"] for one in hello["room"]["participants"]] == [hello["participant"]]
    assert hello["limits"]["message_bytes"] == 65536
    _, other = await house.join("observer")
    joined = await first.event("participant_joined")
    assert joined["participant"]["id"] == other["participant"]
    assert joined["participant"]["name"] == "Dr Ánh"
    assert joined["seq"] == hello["seq"] + 1


async def test_chat_reaches_everybody_in_order(house: House) -> None:
    surgeon, _ = await house.join("surgeon")
    specialist, _ = await house.join("specialist")
    for text in ("một", "hai", "ba"):
        assert (await surgeon.ask("chat", text=text))["type"] == "ok"
    lines = [await specialist.event("chat_line") for _ in range(3)]
    assert [line["text"] for line in lines] == ["một", "hai", "ba"]
    assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)


async def test_bidirectional_marks_and_controls_are_taken_out(house: House) -> None:
    surgeon, _ = await house.join("surgeon")
    await surgeon.ask("chat", text="a\u202eb\x07c\nd")
    assert (await surgeon.event("chat_line"))["text"] == "abc\nd"
    refused = await surgeon.ask("chat", text="\u202e\u200f")
    assert refused["code"] == "malformed_message"
    assert refused["field"] == "$.text"


async def test_ping_is_answered(house: House) -> None:
    socket, _ = await house.join()
    pong = await socket.ask("ping")
    assert pong["type"] == "pong"
    assert pong["server_time_ms"] > 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "code", "field", "request_id"),
    [
        ("{", "malformed_message", "$", None),
        ("[]", "malformed_message", "$", None),
        ('{"id": 7}', "unknown_type", "$.type", 7),
        ('{"type": "dance", "id": 7}', "unknown_type", "$.type", 7),
        ('{"type": "chat", "id": 7}', "malformed_message", "$.text", 7),
        ('{"type": "chat", "id": 7, "text": 5}', "malformed_message", "$.text", 7),
        ('{"type": "chat", "id": 7, "text": "x", "more": 1}', "malformed_message", "$.more", 7),
        ('{"type": "chat", "id": -1, "text": "x"}', "malformed_message", "$.id", None),
        (
            '{"type":"publish","id":7,"sdp":"v=0","sources":[{"mid":"0","label":"","source_type":"room"}]}',
            "malformed_message",
            "$.sources[0].label",
            7,
        ),
        ('{"type": "chat", "id": 7, "text": ' + "[" * 40 + "]" * 40 + "}", "malformed_message", "$", None),
    ],
)
async def test_a_wrong_message_is_told_with_its_field(
    house: House, text: str, code: str, field: str, request_id: int | None
) -> None:
    socket, _ = await house.join()
    await socket.ws.send_str(text)
    error = await socket.receive()
    assert (error["type"], error["code"], error["field"]) == ("error", code, field)
    assert error["id"] == request_id
    assert (await socket.ask("ping"))["type"] == "pong", "the socket goes on"


async def test_binary_frames_are_refused(house: House) -> None:
    socket, _ = await house.join()
    await socket.ws.send_bytes(b'{"type":"ping","id":1}')
    assert (await socket.receive())["code"] == "malformed_message"


async def test_the_first_message_must_be_join(house: House) -> None:
    socket = await house.socket()
    error = await socket.ask("ping")
    assert error["code"] == "out_of_order"
    assert await socket.closed() == 4402


async def test_a_malformed_first_message_closes(house: House) -> None:
    socket = await house.socket()
    await socket.ws.send_str("hello")
    assert await socket.closed() == 4400


async def test_a_second_join_is_refused_and_the_session_stays(house: House) -> None:
    socket, _ = await house.join()
    assert (await socket.ask("join", token=house.token()))["code"] == "out_of_order"
    assert (await socket.ask("ping"))["type"] == "pong"


async def test_a_bad_token_closes_with_4401(house: House) -> None:
    socket = await house.socket()
    error = await socket.ask("join", token="a.b.c")
    assert error["code"] == "unauthorized"
    assert await socket.closed() == 4401


async def test_a_token_opens_one_session(house: House) -> None:
    token = house.token()
    first = await house.socket()
    assert (await first.ask("join", token=token))["type"] == "hello"
    second = await house.socket()
    refused = await second.ask("join", token=token)
    assert (refused["code"], refused["field"]) == ("token_used", "$.token")
    assert await second.closed() == 4401


async def test_an_operator_enters_no_room(house: House) -> None:
    socket = await house.socket()
    error = await socket.ask("join", token=house.token("operator"))
    assert error["code"] == "not_permitted"
    assert await socket.closed() == 4403


async def test_a_name_in_the_token_wins(house: House) -> None:
    socket = await house.socket()
    hello = await socket.ask("join", token=house.token(name="Prof. Hà"), name="somebody else")
    assert hello["room"]["participants"][0]["name"] == "Prof. Hà"


async def test_leave_answers_and_closes(house: House) -> None:
    stays, _ = await house.join("surgeon")
    goes, hello = await house.join("staff")
    assert (await goes.ask("leave"))["type"] == "ok"
    assert await goes.closed() == 1000
    assert (await stays.event("participant_left"))["participant"] == hello["participant"]
    assert len(house.parts.sessions) == 1


async def test_at_most_three_sessions_of_one_identity(house: House) -> None:
    for _ in range(3):
        socket = await house.socket()
        assert (await socket.ask("join", token=house.token(subject="dr-anh")))["type"] == "hello"
    fourth = await house.socket()
    error = await fourth.ask("join", token=house.token(subject="dr-anh"))
    assert error["code"] == "limit_reached"
    assert await fourth.closed() == 4429


async def test_removed_by_a_moderator(house: House) -> None:
    moderator, _ = await house.join("moderator")
    observer, hello = await house.join("observer")
    assert (await observer.ask("remove", participant=hello["participant"]))["code"] == "not_permitted"
    assert (await moderator.ask("remove", participant=hello["participant"]))["type"] == "ok"
    closing = await observer.event("closing")
    assert closing["reason"] == "removed"
    assert closing["reconnect"] is False
    assert await observer.closed() == 4412
    await moderator.event("participant_left")
    assert len(house.parts.sessions) == 1


async def test_a_moderator_ends_it_for_everyone(house: House) -> None:
    moderator, _ = await house.join("moderator")
    observer, _ = await house.join("observer")
    elsewhere, _ = await house.join("observer", "other")
    assert (await observer.ask("close_room"))["code"] == "not_permitted"
    assert (await moderator.ask("close_room"))["type"] == "ok"
    for socket in (moderator, observer):
        closing = await socket.event("closing")
        assert (closing["reason"], closing["reconnect"]) == ("room_closed", False)
        assert await socket.closed() == 4412
    assert (await elsewhere.ask("ping"))["type"] == "pong"
    assert len(house.parts.sessions) == 1


async def test_the_close_code_reaches_who_reads_late(house: House) -> None:
    moderator, _ = await house.join("moderator")
    observer, hello = await house.join("observer")
    assert (await moderator.ask("remove", participant=hello["participant"]))["type"] == "ok"
    for _ in range(5):  # the server has sent its close frame long since
        async with house.http.get(f"{house.url}/livez") as response:
            assert response.status == 200
    assert await observer.closed() == 4412


async def test_draining_tells_and_closes(house: House) -> None:
    socket, _ = await house.join()
    drain = asyncio.create_task(house.server.drain())
    closing = await socket.event("closing")
    assert closing["reason"] == "server_draining"
    assert await socket.closed() == 4430
    async with house.http.get(f"{house.url}/readyz") as response:
        assert response.status == 503
    async with house.http.get(f"{house.url}/livez") as response:
        assert response.status == 200
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await house.socket()
    assert refused.value.status == 503
    await asyncio.wait_for(drain, 10)


# ---- Resuming ----


async def drop(socket: Any) -> None:
    """The network goes away: no close frame."""
    transport = socket.ws._response.connection.transport
    transport.abort()


def resume_of(hello: dict[str, Any], seq: int) -> dict[str, Any]:
    return {"session": hello["session"], "token": hello["resume_token"], "seq": seq}


async def test_resume_replays_what_was_missed(house: House) -> None:
    away, hello = await house.join("specialist")
    stays, _ = await house.join("surgeon")
    seen = (await away.event("participant_joined"))["seq"]
    await drop(away)
    changed = await stays.event("participant_changed")
    assert changed["participant"]["connected"] is False
    await stays.ask("chat", text="missed")
    back = await house.socket()
    again = await back.ask("join", token="", resume=resume_of(hello, seen))
    assert again["resumed"] is True
    assert again["participant"] == hello["participant"]
    assert again["session"] == hello["session"]
    line = await back.event("chat_line")
    assert line["text"] == "missed"
    assert line["seq"] == seen + 1
    assert (await stays.event("participant_changed"))["participant"]["connected"] is True
    assert (await back.ask("chat", text="here again"))["type"] == "ok"


async def test_a_second_socket_replaces_the_first(house: House) -> None:
    first, hello = await house.join()
    second = await house.socket()
    again = await second.ask("join", token="", resume=resume_of(hello, hello["seq"]))
    assert again["resumed"] is True
    assert await first.closed() == 4409
    assert (await second.ask("chat", text="x"))["type"] == "ok"
    assert (await second.event("chat_line"))["text"] == "x"
    assert len(house.parts.sessions) == 1


@pytest.mark.parametrize("wrong", ["session", "token", "seq"])
async def test_a_resume_that_does_not_hold(house: House, wrong: str) -> None:
    _, hello = await house.join()
    resume = resume_of(hello, hello["seq"])
    resume[wrong] = 999 if wrong == "seq" else "nonsense"
    other = await house.socket()
    error = await other.ask("join", token="", resume=resume)
    assert error["code"] == "session_gone"
    assert await other.closed() == 4410


async def test_a_session_ends_when_nobody_comes_back(open_house: OpenHouse) -> None:
    house = await open_house(resume_seconds=0.05)
    stays, _ = await house.join("surgeon")
    away, hello = await house.join("observer")
    await drop(away)
    assert (await stays.event("participant_left"))["participant"] == hello["participant"]
    late = await house.socket()
    error = await late.ask("join", token="", resume=resume_of(hello, hello["seq"]))
    assert error["code"] == "session_gone"


async def test_nothing_is_left_behind(open_house: OpenHouse) -> None:
    house = await open_house(resume_seconds=0.01)
    sockets = [(await house.join("observer"))[0] for _ in range(5)]
    for index, socket in enumerate(sockets):
        await (drop(socket) if index % 2 else socket.ws.close())
    async with asyncio.timeout(5):
        while len(house.parts.sessions):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
    info = house.server.rooms[RoomId("7QK2")].info()
    assert info.participants == ()


# ---- The upgrade ----


async def upgrade(house: House, **headers: str) -> int:
    protocols = headers.pop("protocols", messages.PROTOCOL)
    try:
        async with house.http.ws_connect(
            f"{house.url}/ws", protocols=(protocols,) if protocols else (), headers=headers
        ):
            return 101
    except aiohttp.WSServerHandshakeError as error:
        return error.status


async def test_only_pages_of_this_origin_may_connect(house: House) -> None:
    own = house.url
    assert await upgrade(house) == 101
    assert await upgrade(house, Origin=own) == 101
    assert await upgrade(house, Origin=own.upper().replace("HTTP://", "http://")) == 101
    for foreign in (
        "https://evil.example",
        "null",
        f"{own}.evil.example",
        own.replace("127.0.0.1", "127.0.0.2"),
    ):
        assert await upgrade(house, Origin=foreign) == 403


async def test_the_configured_origin_may_connect_and_other_hosts_are_refused(open_house: OpenHouse) -> None:
    house = await open_house({"public_url": "https://loupe.example"})
    assert await upgrade(house, Origin="https://loupe.example") == 101
    async with house.http.get(f"{house.url}/livez", headers={"Host": "loupe.example"}) as response:
        assert response.status == 200
    async with house.http.get(f"{house.url}/livez", headers={"Host": "rebound.example"}) as response:
        assert response.status == 421


async def test_the_subprotocol_is_required(house: House) -> None:
    assert await upgrade(house, protocols="") == 400
    assert await upgrade(house, protocols="loupe.v9.json") == 400


async def test_compression_is_never_agreed(house: House) -> None:
    async with house.http.ws_connect(f"{house.url}/ws", protocols=(messages.PROTOCOL,), compress=15) as ws:
        assert ws.compress == 0


async def test_a_message_of_64_kib_is_taken_and_one_byte_more_is_not(house: House) -> None:
    socket, _ = await house.join()
    frame = json.dumps({"type": "chat", "id": 1, "text": ""})
    await socket.ws.send_str(frame + " " * (65536 - len(frame)))
    assert (await socket.receive())["code"] == "malformed_message"
    await socket.ws.send_str(frame + " " * (65537 - len(frame)))
    assert await socket.closed() == 1009
