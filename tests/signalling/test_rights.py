"""Every WebSocket command x every role x own, other and
ended room (06-reliability W18), made from the schema."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from mediaserver.policy import RIGHTS, Right, Role
from signalling import messages
from tests.signalling.conftest import House, Socket
from tests.signalling.offers import offer

JOINING = [role for role in Role if RIGHTS[role] != {Right.INSPECT}]

NEEDS: dict[type[messages.ClientMessage], frozenset[Right]] = {
    messages.Publish: frozenset({Right.PUBLISH_VIDEO, Right.PUBLISH_AUDIO}),
    messages.Subscribe: frozenset({Right.SUBSCRIBE}),
    messages.Prefer: frozenset({Right.SUBSCRIBE}),
    messages.Mute: frozenset({Right.MODERATE}),
    messages.Chat: frozenset({Right.CHAT}),
    messages.Remove: frozenset({Right.MODERATE}),
}
WITHOUT_RIGHT = {messages.Join, messages.Answer, messages.RestartIce, messages.Leave, messages.Ping}


def test_the_matrix_covers_every_command() -> None:
    assert set(get_args(messages.Request)) == NEEDS.keys() | WITHOUT_RIGHT


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


def command(kind: type[messages.ClientMessage], participant: str, publication: str) -> dict[str, Any]:
    fields: dict[type[messages.ClientMessage], dict[str, Any]] = {
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
    }
    return fields[kind]


@pytest.mark.parametrize("where", ["own", "other", "ended"])
@pytest.mark.parametrize("role", JOINING)
async def test_rights_matrix(house: House, role: Role, where: str) -> None:
    _, participant, publication = await publisher(house, "own")
    socket, _ = await house.join(role, "own" if where == "own" else "other")
    if where == "ended":
        # What is known of a participant and publication that are gone opens nothing.
        await house.sockets[0].ask("leave")
    for kind, rights in NEEDS.items():
        answer = await socket.ask(str(kind.__struct_config__.tag), **command(kind, participant, publication))
        permitted = rights <= RIGHTS[role]
        addressed = kind not in (messages.Publish, messages.Chat)
        name = f"{kind.__name__} by {role} in {where} room: {answer}"
        if permitted and (where == "own" or not addressed):
            assert answer["type"] != "error", name
        elif permitted:
            assert answer["code"] in ("unknown_publication", "unknown_participant"), name
        elif where == "own" or not addressed:
            assert answer["code"] == "not_permitted", name
        else:
            assert answer["code"] in ("not_permitted", "unknown_publication", "unknown_participant"), name


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
