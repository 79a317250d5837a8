"""Where a token may stand in a request."""

from __future__ import annotations

import pytest

from signalling.tokens import Audience
from tests.signalling.conftest import House

ROOMS = "/api/v1/rooms"


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER   {}"])
async def test_a_bearer_header(house: House, form: str) -> None:
    headers = {"Authorization": form.format(house.token("operator"))}
    async with house.http.get(f"{house.url}{ROOMS}", headers=headers) as response:
        assert response.status == 200


@pytest.mark.parametrize("form", ["Basic {}", "{}", "Bearer", "Bearer ", "Bearer {} {}"])
async def test_anything_else_is_no_token(house: House, form: str) -> None:
    token = house.token("operator")
    async with house.http.get(
        f"{house.url}{ROOMS}", headers={"Authorization": form.format(token, token)}
    ) as response:
        assert response.status == 401
        assert token not in await response.text()


async def test_a_token_in_the_url_opens_nothing(house: House) -> None:
    token = house.token("operator")
    for name in ("token", "access_token", "bearer"):
        async with house.http.get(f"{house.url}{ROOMS}", params={name: token}) as response:
            assert response.status == 401


async def test_a_token_for_another_use(house: House) -> None:
    headers = house.bearer("operator", audience=Audience.INVITE)
    async with house.http.get(f"{house.url}{ROOMS}", headers=headers) as response:
        assert response.status == 401
