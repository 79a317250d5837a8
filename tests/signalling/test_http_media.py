"""What WHIP and WHEP share: links of ICE servers, and whose session a path names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr

from mediaserver.config import IceServer
from signalling.http_media import link_headers
from tests.signalling.conftest import House
from tests.signalling.offers import offer

SDP = {"Content-Type": "application/sdp"}


async def test_links_are_one_per_url_with_udp_first(house: House) -> None:
    servers = (
        IceServer(urls=("turns:t.example:5349", "turn:t.example?transport=tcp"), username="u"),
        IceServer(urls=("turn:t.example",), username="u", credential=SecretStr("c")),
        IceServer(urls=("stun:s.example",)),
    )
    parts = replace(house.parts, settings=house.parts.settings.model_copy(update={"ice_servers": servers}))
    links = link_headers(parts)
    assert [link.split(">")[0][1:] for link in links] == [
        "turn:t.example",
        "stun:s.example",
        "turns:t.example:5349",
        "turn:t.example?transport=tcp",
    ]
    assert all(link.startswith("<") and "," not in link and not link.endswith(";") for link in links)
    assert 'username="u"; credential="c"' in links[0]
    assert "credential" not in links[1]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/whip/7QK2/{id}", 204),
        ("/whep/7QK2/{id}", 404),
        ("/whip/other/{id}", 404),
        ("/whip/7QK2/{id}x", 404),
    ],
)
async def test_a_session_is_found_by_its_own_path_only(house: House, path: str, status: int) -> None:
    bearer = house.bearer("staff")
    async with house.http.post(f"{house.url}/whip/7QK2", data=offer(), headers={**SDP, **bearer}) as created:
        id = created.headers["Location"].rsplit("/", 1)[1]
    async with house.http.get(f"{house.url}{path.format(id=id)}", headers=bearer) as response:
        assert response.status == status


@pytest.mark.parametrize(("room", "status"), [("7QK2", 201), ("other", 403), ("-x", 404)])
async def test_the_room_is_that_of_the_token(house: House, room: str, status: int) -> None:
    headers = {**SDP, **house.bearer("staff")}
    async with house.http.post(f"{house.url}/whip/{room}", data=offer(), headers=headers) as response:
        assert response.status == status
