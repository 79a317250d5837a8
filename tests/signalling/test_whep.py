"""WHEP's own: which source a viewer gets."""

from __future__ import annotations

import pytest

from signalling.messages import MAX_LABEL_CHARACTERS
from tests.signalling.conftest import House
from tests.signalling.offers import offer

SDP = {"Content-Type": "application/sdp"}


async def watch(house: House, query: str, role: str = "observer") -> tuple[int, str]:
    async with house.http.post(
        f"{house.url}/whep/7QK2{query}", data=offer("recvonly"), headers={**SDP, **house.bearer(role)}
    ) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 201),
        ("?source=scope", 201),
        ("?source=elsewhere", 409),
        ("?source=", 409),
        (f"?source={'x' * (MAX_LABEL_CHARACTERS + 1)}", 409),
    ],
)
async def test_the_source(house: House, query: str, status: int) -> None:
    headers = {**SDP, **house.bearer("staff", name="scope")}
    async with house.http.post(f"{house.url}/whip/7QK2", data=offer(), headers=headers) as published:
        assert published.status == 201
    found, text = await watch(house, query)
    assert found == status
    assert (text.count("a=sendonly") == 2) is (status == 201)


async def test_who_sees_no_pictures_watches_none(house: House) -> None:
    assert (await watch(house, "", role="operator"))[0] == 403
    assert (await watch(house, ""))[0] == 404
