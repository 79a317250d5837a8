"""What clients and administrators do wrong, and the answer that helps them, from the running server."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from signalling.demo.tracks import VoiceTrack
from signalling.messages import PROTOCOL
from tests.media import MarkedTrack, publisher, viewer
from tests.member import Member
from tests.running import CONFIGURATION, Client, Server, loupe


async def published_offer() -> str:
    """A good offer to publish."""
    async with publisher(MarkedTrack(), VoiceTrack()) as peer:
        return await peer.offer()


async def watching_offer() -> str:
    """A good offer to watch."""
    async with viewer() as peer:
        return await peer.offer()


async def problem(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The body of a refusal (RFC 9457)."""
    assert response.content_type == "application/problem+json"
    found: dict[str, Any] = await response.json()
    return found


async def test_no_common_codec_names_what_is_accepted(http: Client) -> None:
    room = http.server.new_room()
    offer = (await published_offer()).replace("VP8/90000", "MPV/90000").replace("H264/90000", "MP4V-ES/90000")
    response = await http.post_offer("whip", room, offer, http.server.bearer(room, "staff"))
    assert response.status == 406
    accepted = {name.lower() for name in (await problem(response))["accepted"]}
    assert {"vp8", "h264", "vp9", "av1"} <= accepted


@pytest.mark.parametrize(
    ("body", "status"),
    [("", 400), ("hello", 400), ("v=0\r\nm=video nine RTP/SAVPF x\r\n", 400), ("a=x\r\n" * 20_000, 413)],
    ids=["empty", "no sdp", "broken section", "too large"],
)
@pytest.mark.parametrize("kind", ["whip", "whep"])
async def test_a_bad_body(http: Client, kind: str, body: str, status: int) -> None:
    room = http.server.new_room()
    async with publisher(VoiceTrack()) as sender:
        await sender.accept(await http.whip(room, await sender.offer()))
        response = await http.post_offer(kind, room, body, http.server.bearer(room, "staff"))
        assert response.status == status
        assert (await problem(response))["status"] == status


async def test_a_wrong_media_type(http: Client) -> None:
    room = http.server.new_room()
    headers = {**http.server.bearer(room, "staff"), "Content-Type": "text/plain"}
    response = await http.request("POST", f"/whip/{room}", data=await published_offer(), headers=headers)
    assert response.status == 415


async def test_tokens_that_do_not_hold(http: Client) -> None:
    room, other = http.server.new_room(), http.server.new_room()
    offer = await published_offer()
    for headers in ({}, {"Authorization": "Bearer x.y.z"}):
        response = await http.post_offer("whip", room, offer, headers)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await http.post_offer("whip", room, offer, http.server.bearer(room, "observer"))).status == 403
    assert (await http.post_offer("whip", room, offer, http.server.bearer(other, "staff"))).status == 403
    rooms = await http.request("GET", "/api/v1/rooms", headers=http.server.bearer(room, "surgeon"))
    assert rooms.status == 403


async def test_nobody_there(http: Client) -> None:
    room = http.server.new_room()
    offer = await watching_offer()
    assert (await http.post_offer("whep", room, offer, http.server.bearer(room, "observer"))).status == 404
    async with Member(http, room):
        response = await http.post_offer("whep", room, offer, http.server.bearer(room, "observer"))
        assert response.status == 409
        assert int(response.headers["Retry-After"]) >= 1


async def test_the_preconditions_of_patch(http: Client) -> None:
    room = http.server.new_room()
    async with publisher(VoiceTrack()) as sender:
        session = await http.whip(room, await sender.offer())
        fragment = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=end-of-candidates\r\n"
        assert (await session.patch(fragment, None)).status == 428
        assert (await session.patch(fragment, '"another"')).status == 412
        assert (await session.patch(fragment, session.etag, "application/sdp")).status == 415
        assert (await session.patch(fragment, session.etag)).status == 204
        assert (await session.patch("nonsense", "*")).status == 400
        restarted = await session.patch(fragment, "*")
        assert restarted.status == 200
        assert restarted.headers["ETag"] != session.etag
        assert (await session.patch(fragment, session.etag)).status == 412


@pytest.mark.parametrize(
    ("message", "code", "field"),
    [
        ({"type": "dance", "id": 7}, "unknown_type", "$.type"),
        ({"type": "chat", "id": 7, "text": 5}, "malformed_message", "$.text"),
        ({"type": "chat", "id": 7, "text": "x", "colour": "red"}, "malformed_message", "$.colour"),
        (
            {"type": "subscribe", "id": 7, "publications": ["ok", ""]},
            "malformed_message",
            "$.publications[1]",
        ),
        ({"type": "subscribe", "id": 7, "publications": ["nobody"]}, "unknown_publication", None),
        ({"type": "answer", "id": 7, "generation": 9, "sdp": "v=0"}, "stale_generation", None),
    ],
)
async def test_a_bad_message_names_its_field(
    http: Client, message: dict[str, Any], code: str, field: str | None
) -> None:
    async with http.session.ws_connect(f"{http.server.url}/ws", protocols=(PROTOCOL,)) as socket:
        room = http.server.new_room()
        await socket.send_json({"type": "join", "id": 1, "token": http.server.token(room)})
        assert (await socket.receive_json())["type"] == "hello"
        await socket.send_json(message)
        answer = await socket.receive_json()
        assert (answer["type"], answer["code"]) == ("error", code), answer
        if field is not None:
            assert answer["field"] == field
        await socket.send_json({"type": "ping", "id": 8})
        assert (await socket.receive_json())["type"] == "pong"


async def test_a_full_room_says_when_to_try_again(tmp_path: Path) -> None:
    server = Server.start(tmp_path, configuration=CONFIGURATION + "participants_per_room = 1\n")
    try:
        async with Client(server) as http, Member(http, "full"):
            response = await http.post_offer(
                "whip", "full", await published_offer(), server.bearer("full", "staff")
            )
            assert response.status == 503
            assert int(response.headers["Retry-After"]) >= 1
    finally:
        assert server.stop() == 0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, to its end."""
    return subprocess.run(loupe(*arguments), capture_output=True, text=True, timeout=30, check=False)


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed told; one line, on stderr."""
    assert result.returncode not in (0, None)
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_port_already_taken(kind: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        if kind == "tcp":
            holder.listen()
        port = holder.getsockname()[1]
        listen, media = (port, 0) if kind == "tcp" else (0, port)
        where = [
            "--listen",
            f"127.0.0.1:{listen}",
            "--media-address",
            "127.0.0.1",
            "--media-port",
            str(media),
        ]
        said = one_line(run("serve", *where, "--workers", "1", "--data", str(tmp_path)))
        assert str(port) in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[limits]\nrooms = 0\n", "limits.rooms"),
        ("[limits]\nroms = 5\n", "roms"),
        ("[limits\n", "loupe.toml is no TOML"),
    ],
)
def test_a_configuration_that_cannot_be_used(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "loupe.toml").write_text(text)
    assert told in one_line(run("serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path)))


@pytest.mark.parametrize("content", [None, b"[limits\n", b"\xff\xfe"], ids=["absent", "no TOML", "no text"])
def test_an_unreadable_configuration_says_what_to_do(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    if content is not None:
        file.write_bytes(content)
    said = one_line(run("serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path), "--config", str(file)))
    assert str(file) in said
    assert said.endswith("or name another with --config")


@pytest.mark.parametrize("below", ["token.key", "proc"])
def test_a_data_folder_that_cannot_be_used(below: str, tmp_path: Path) -> None:
    """A file in its way, and a place where nobody, root included, may write."""
    (tmp_path / "token.key").touch()
    folder = tmp_path / "token.key" / "data" if below == "token.key" else Path("/proc/loupe")
    where = ["--listen", "127.0.0.1:0", "--media-address", "127.0.0.1", "--media-port", "0"]
    for command in (["serve", *where], ["token", "--room", "r", "--role", "staff"]):
        said = one_line(run(*command, "--data", str(folder)))
        assert str(folder) in said
        assert "Errno" not in said
