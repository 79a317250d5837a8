"""Sockets open and close in order."""

from __future__ import annotations

import aiohttp
import pytest

from signalling import app, listener
from signalling.listener import CannotListen
from tests.signalling.conftest import House


async def test_the_same_application_at_a_second_address(house: House) -> None:
    url = house.listener.also("127.0.0.1", 0)
    assert url != house.url
    async with house.http.get(f"{url}/livez") as response:
        assert response.status == 200
    house.listener.stop_accepting()
    for address in (url, house.url):
        async with aiohttp.ClientSession() as new:
            with pytest.raises(aiohttp.ClientConnectorError):
                await new.get(f"{address}/livez")
    async with house.http.get(f"{url}/livez") as response:
        assert response.status == 200, "connections that stand go on"


async def test_a_taken_port_is_said_in_one_line(house: House) -> None:
    with pytest.raises(CannotListen) as raised:
        await listener.open_listener(app.build(house.parts), "127.0.0.1", house.listener.port)
    assert str(house.listener.port) in raised.value.message
    assert "--listen" in raised.value.message
    with pytest.raises(CannotListen):
        house.listener.also("192.0.2.1", 0)


async def test_an_address_of_version_6_is_put_in_brackets(house: House) -> None:
    try:
        opened = await listener.open_listener(app.build(house.parts), "::1", 0)
    except CannotListen:
        pytest.skip("no IPv6 here")
    assert opened.url == f"http://[::1]:{opened.port}"
    await opened.close()
