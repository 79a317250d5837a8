"""The programs' own side of the protocol against a real server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from signalling.client import Client, Refused
from signalling.messages import PROTOCOL
from tests.signalling.conftest import House


async def test_answers_come_to_who_asked_and_events_in_order(house: House) -> None:
    told: list[Any] = []
    async with house.http.ws_connect(f"{house.url}/ws", protocols=(PROTOCOL,)) as socket:
        client = Client(socket, told.append)
        reading = asyncio.create_task(client.read())
        hello = await client.request("join", token=house.token("surgeon"), name="a")
        assert hello["type"] == "hello"
        assert (await client.request("ping"))["type"] == "pong"
        with pytest.raises(Refused, match="unknown_publication"):
            await client.request("mute", publication="none", muted=True)
        await house.join("observer")
        await client.request("chat", text="xin chào")
        await client.request("ping")
        assert [event["type"] for event in told] == ["participant_joined", "chat_line"]
        assert [event["seq"] for event in told] == [1, 2]
        await socket.close()
        await reading


async def test_whoever_waits_when_the_socket_closes_waits_no_longer(house: House) -> None:
    async with house.http.ws_connect(f"{house.url}/ws", protocols=(PROTOCOL,)) as socket:
        client = Client(socket)
        reading = asyncio.create_task(client.read())
        await client.request("join", token=house.token("surgeon"), name="a")
        leaving = asyncio.create_task(client.request("leave"))
        await reading
        async with asyncio.timeout(5):
            await asyncio.gather(leaving, return_exceptions=True)
