"""A whole session against the real server: nothing that names a person or opens a door leaves its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mediaserver.policy import Role
from signalling.tokens import Audience
from tests.media import MarkedTrack, viewer
from tests.member import Member
from tests.running import Client, Server

NAME, OTHER = "Trần Thị Bích", "Lê Văn Cường"
LINE = "khối u thùy gan phải"
LABEL = "Phòng mổ số 3"


def secrets_of(*descriptions: str) -> list[str]:
    """ICE credentials and addresses that descriptions carry."""
    found: list[str] = []
    for line in "\n".join(descriptions).splitlines():
        if line.startswith(("a=ice-ufrag:", "a=ice-pwd:")):
            found.append(line.partition(":")[2])
        elif line.startswith("a=candidate:"):
            found.append(line.split()[4])
    assert found
    return found


async def converse(http: Client, room: str, tokens: list[str]) -> tuple[list[str], list[str]]:
    """A surgeon is seen by a specialist and a WHEP viewer, talks, and errs: what must stay hidden, and all
    errors."""
    async with (
        Member(http, room, Role.SURGEON, NAME) as surgeon,
        Member(http, room, Role.SPECIALIST, OTHER) as specialist,
        viewer() as watching,
    ):
        (scope,) = await surgeon.publish([(MarkedTrack(), LABEL, "endoscope")])
        await specialist.do("subscribe", publications=[scope])
        await (await specialist.watch(scope)).frames(3)
        session = await http.whep(room, await watching.offer())
        await watching.accept(session)
        await watching.connected()
        await surgeon.do("chat", text=LINE)
        await specialist.event("chat_line")
        errors: list[Any] = [
            await specialist.ask("mute", publication=NAME, muted=True),
            await specialist.ask("remove", participant=OTHER),
            await specialist.ask("publish", sdp=f"v=0\r\ns={NAME}\r\n", sources=[]),
            await specialist.ask("answer", generation=99, sdp=LINE),
            await surgeon.ask("join", token=tokens[0], name=NAME),
        ]
        assert all(error["type"] == "error" for error in errors)
        for path, headers in (
            (f"/api/v1/rooms/{room}", {"Authorization": f"Bearer {tokens[0]}x"}),
            (f"/whip/{room}?token={tokens[0]}", {}),
        ):
            refused = await http.request("POST", path, data=NAME.encode(), headers=headers)
            assert refused.status >= 400
            errors.append(await refused.text())
        assert surgeon.publishing is not None
        assert specialist.subscribing is not None
        hidden = secrets_of(
            surgeon.publishing.connection.localDescription.sdp,
            surgeon.publishing.connection.remoteDescription.sdp,
            specialist.subscribing.connection.localDescription.sdp,
            specialist.subscribing.connection.remoteDescription.sdp,
            session.answer,
        )
        hidden += [surgeon.hello["resume_token"], specialist.hello["resume_token"]]
        return hidden, [json.dumps(error, ensure_ascii=False) for error in errors]


async def test_a_whole_session_names_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_LOG__LEVEL", "debug")
    server = Server.start(tmp_path)
    try:
        room = server.new_room()
        tokens = [server.token(room), server.token(room, audience=Audience.INVITE, name=NAME)]
        async with Client(server) as http:
            hidden, errors = await converse(http, room, tokens)
            page = await (await http.request("GET", "/metrics")).text()
    finally:
        assert server.stop() == 0
    log = server.log.read_text()
    assert log.count('"event": "joined"') == 3, "the log is there, at its most talkative"
    hidden += [NAME, OTHER, LINE, LABEL, "Bích", "Cường", *tokens, "eyJ", "127.0.0.1"]
    for text in hidden:
        for place, content in (("log", log), ("metrics", page), ("errors", "\n".join(errors))):
            assert text not in content, place
            assert json.dumps(text)[1:-1] not in content, place
    assert room not in page
