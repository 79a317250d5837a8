"""What WHIP and WHEP share: links of ICE servers, and whose session a path names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from mediaserver.config import IceServer
from signalling.http_media import link_headers
from tests.signalling.conftest import House, OpenHouse
from tests.signalling.offers import CANDIDATE, FRAGMENT, offer

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


# ---- The rows of docs/protocol.md, for both kinds ----

ENDPOINT, SESSION = "OPTIONS, GET, HEAD, POST", "OPTIONS, GET, HEAD, PATCH, DELETE"
EXPOSED = {"Location", "Link", "ETag", "Retry-After"}
ICE_SERVERS = [
    {"urls": ["turns:t.example:443"], "username": "u", "credential": "c"},
    {"urls": ["stun:s.example:3478"]},
]


@dataclass
class Begun:
    """A session of a kind beside one that publishes."""

    house: House
    kind: str
    url: str
    etag: str
    bearer: dict[str, str]

    async def ask(self, method: str, target: str | None = None, **more: Any) -> aiohttp.ClientResponse:
        """One request, as the holder unless ``headers`` says otherwise."""
        headers = {**self.bearer, **more.pop("headers", {})}
        async with self.house.http.request(method, target or self.url, headers=headers, **more) as response:
            await response.read()
            return response

    async def post(self, sdp: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """An offer, with this token or none."""
        async with self.house.http.post(
            f"{self.house.url}/{self.kind}/7QK2", data=sdp, headers={**SDP, **headers}
        ) as response:
            await response.read()
            return response

    @property
    def role(self) -> str:
        return "staff" if self.kind == "whip" else "observer"

    @property
    def sdp(self) -> str:
        return offer("sendonly" if self.kind == "whip" else "recvonly")


@pytest.fixture(params=["whip", "whep"])
async def begun(request: pytest.FixtureRequest, open_house: OpenHouse) -> Begun:
    house = await open_house(
        {"ice_servers": ICE_SERVERS, "limits": {"participants_per_room": 2, "viewers_per_room": 1}}
    )
    publisher = {**SDP, **house.bearer("staff", reusable=True)}
    async with house.http.post(f"{house.url}/whip/7QK2", data=offer(), headers=publisher) as response:
        assert response.status == 201
    made = Begun(house, request.param, "", "", {})
    made.bearer = house.bearer(made.role)
    response = await made.post(made.sdp, made.bearer)
    assert response.status == 201
    links = response.headers.getall("Link")
    assert [link for link in links if '"ice-server"' in link] == [
        '<stun:s.example:3478>; rel="ice-server"',
        '<turns:t.example:443>; rel="ice-server"; username="u"; credential="c"; credential-type="password"',
    ]
    made.url, made.etag = house.url + response.headers["Location"], response.headers["ETag"]
    assert made.etag.startswith('"'), "strong (RFC 9725 section 4.3.1)"
    return made


async def test_courtesies(begun: Begun) -> None:
    endpoint = f"{begun.house.url}/{begun.kind}/7QK2"
    for target, methods in ((endpoint, ENDPOINT), (begun.url, SESSION)):
        response = await begun.ask("OPTIONS", target)
        assert (response.status, response.content_length or 0) == (204, 0)
        assert response.headers["Access-Control-Allow-Methods"] == response.headers["Allow"] == methods
        allowed = response.headers["Access-Control-Allow-Headers"].split(", ")
        assert {"Authorization", "Content-Type", "If-Match"} <= set(allowed)
        if target == endpoint:
            assert response.headers["Accept-Post"] == "application/sdp"
        else:
            assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
        for method in ("GET", "HEAD"):
            response = await begun.ask(method, target)
            assert (response.status, response.content_length or 0) == (204, 0)
        refused = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"} - set(methods.split(", "))
        for method in refused:
            response = await begun.ask(method, target)
            assert response.status == 405
            assert set(response.headers["Allow"].split(",")) == set(methods.split(", "))
            assert (await response.json(content_type=None))["code"] == "method_not_allowed"
            assert set(response.headers["Access-Control-Expose-Headers"].split(", ")) >= EXPOSED


async def test_trickle_and_restart(begun: Begun) -> None:
    fragment = {"Content-Type": "application/trickle-ice-sdpfrag"}

    async def patch(
        body: str, match: str | None, headers: dict[str, str] = fragment
    ) -> aiohttp.ClientResponse:
        more = headers if match is None else {**headers, "If-Match": match}
        return await begun.ask("PATCH", data=body, headers=more)

    trickled = await patch(CANDIDATE, begun.etag)
    assert (trickled.status, "ETag" in trickled.headers) == (204, False)
    assert (await patch(CANDIDATE, None)).status == 428
    assert (await patch(CANDIDATE, '"other"')).status == 412
    assert (await patch(CANDIDATE, f"W/{begun.etag}")).status == 412, "If-Match compares strongly"
    assert (await patch(CANDIDATE, begun.etag, SDP)).status == 415
    assert (await patch("nonsense", "*")).status == 400
    restarted = await patch(FRAGMENT, "*")
    assert (restarted.status, restarted.content_type) == (200, fragment["Content-Type"])
    assert restarted.headers["ETag"] not in (begun.etag, "")
    assert "a=ice-ufrag:" in await restarted.text()
    assert (await patch(CANDIDATE, begun.etag)).status == 412
    assert (await patch(CANDIDATE, restarted.headers["ETag"])).status == 204


async def test_ending_once(begun: Begun) -> None:
    ended = await begun.ask("DELETE")
    assert (ended.status, ended.content_length) == (200, 0)
    for method in ("DELETE", "GET", "DELETE"):
        gone = await begun.ask(method)
        assert (gone.status, (await gone.json(content_type=None))["code"]) == (404, "unknown_session")


async def test_tokens_are_asked_for(begun: Begun) -> None:
    for headers, told in (({}, False), ({"Authorization": "Bearer x.y.z"}, True)):
        response = await begun.post(begun.sdp, headers)
        assert response.status == 401
        assert ("invalid_token" in response.headers["WWW-Authenticate"]) is told
        assert "WWW-Authenticate" in response.headers["Access-Control-Expose-Headers"]
    assert (await begun.post(begun.sdp, begun.house.bearer("operator"))).status == 403


async def test_full_and_draining(begun: Begun) -> None:
    response = await begun.post(begun.sdp, begun.house.bearer(begun.role))
    assert (response.status, (await response.json(content_type=None))["code"]) == (503, "room_full")
    assert int(response.headers["Retry-After"]) >= 1
    await begun.house.server.drain()
    response = await begun.post(begun.sdp, begun.house.bearer(begun.role))
    assert (response.status, (await response.json(content_type=None))["code"]) == (503, "draining")
    assert int(response.headers["Retry-After"]) >= 1


async def test_offers_that_lead_to_nothing(begun: Begun) -> None:
    """Told as a fault of the offer, not as something to wait for."""
    assert (await begun.ask("DELETE")).status == 200
    wrong_way = offer("recvonly" if begun.kind == "whip" else "sendonly")
    token = begun.house.bearer(begun.role)
    for sdp in (wrong_way, offer("inactive")):
        response = await begun.post(sdp, token)
        assert (response.status, (await response.json(content_type=None))["code"]) == (400, "malformed_sdp")
        assert "Retry-After" not in response.headers
    unknown = offer("sendonly" if begun.kind == "whip" else "recvonly", "H263/90000", audio=False)
    response = await begun.post(unknown, token)
    assert response.status == 406
    accepted = (await response.json(content_type=None))["accepted"]
    assert accepted == (["VP8"] if begun.kind == "whep" else ["VP8", "H264", "VP9", "AV1", "H265"])
