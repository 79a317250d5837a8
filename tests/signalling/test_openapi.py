"""The description follows from the table of routes."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from signalling.openapi import Route, document


class Wish(msgspec.Struct):
    """What is asked for."""

    colour: str


class Thing(msgspec.Struct):
    """What is given."""

    id: str


async def make(_: web.Request) -> web.Response:
    return web.Response()


async def drop(_: web.Request) -> web.Response:
    return web.Response()


ROUTES = (
    Route(method="POST", path="/things/{room}", handler=make, summary="Makes one.", request=Wish,
          response=Thing, rights="the right `x`"),
    Route(method="DELETE", path="/things/{room}", handler=drop, summary="Drops it.", response=None,
          bearer=None, problems=(404,)),
)  # fmt: skip


def operation(method: str) -> dict[str, Any]:
    found: dict[str, Any] = document(ROUTES, "1.2.3")["paths"]["/things/{room}"][method]
    return found


def test_a_route_with_bodies_and_a_bearer() -> None:
    made = operation("post")
    assert made["operationId"] == "post_make"
    assert made["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Wish"
    }
    assert set(made["responses"]) == {"200", "400", "401", "403", "408", "413", "415"}
    assert made["security"] == [{"bearer": []}]
    assert made["parameters"][0]["name"] == "room"
    assert "the right `x`" in made["description"]


def test_a_route_without_bodies_and_without_a_bearer() -> None:
    dropped = operation("delete")
    assert set(dropped["responses"]) == {"204", "404"}
    assert dropped["security"] == []
    assert "requestBody" not in dropped


def test_the_types_are_described() -> None:
    made = document(ROUTES, "1.2.3")
    assert made["info"]["version"] == "1.2.3"
    assert {"Wish", "Thing", "Problem"} <= set(made["components"]["schemas"])
