"""OpenAPI 3.1 from a small table of routes and the ``msgspec`` types they name.

Nothing is described twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from signalling.problem import CONTENT_TYPE as PROBLEM_TYPE
from signalling.problem import Problem
from signalling.tokens import ROOM_PATTERN

REF_TEMPLATE = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation of the REST interface."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    summary: str
    response: type[Any] | None
    """The JSON body of success; None: 204."""
    binary: str | None = None
    """The content type of a body that is not JSON."""
    request: type[Any] | None = None
    bearer: str | None = "a join token"
    """Whose token is needed, in words; None: nobody's."""
    rights: str = ""
    query: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Schemas of optional query parameters."""
    problems: Sequence[int] = field(default_factory=lambda: (401, 403))


def served(routes: Iterable[Route]) -> list[web.RouteDef]:
    """For the router."""
    return [web.route(route.method, route.path, route.handler) for route in routes]


def json_response(value: object) -> web.Response:
    """A body of one of the types that the description names; never cached."""
    return web.Response(
        body=msgspec.json.encode(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


_PARAMETERS = {
    "room": {"type": "string", "pattern": ROOM_PATTERN, "description": "The room's name."},
    "participant": {"type": "string", "minLength": 1, "maxLength": 64, "description": "A participant's id."},
    "recording": {"type": "string", "minLength": 1, "maxLength": 64, "description": "A recording's id."},
    "track": {"type": "string", "minLength": 1, "maxLength": 64, "description": "A track's id."},
    "second": {"type": "integer", "minimum": 0, "description": "Whole seconds from the recording's start."},
    "bookmark": {"type": "string", "minLength": 1, "maxLength": 64, "description": "A bookmark's id."},
    "export": {"type": "string", "minLength": 1, "maxLength": 64, "description": "An export's id."},
    "file": {"type": "string", "minLength": 1, "maxLength": 64, "description": "A file's name."},
    "procedure": {"type": "string", "minLength": 1, "maxLength": 64, "description": "A procedure's id."},
    "number": {"type": "integer", "minimum": 0, "description": "Of an entry, or of a segment in its track."},
    "publication": {"type": "string", "minLength": 1, "maxLength": 64, "description": "A publication's id."},
}


def _operation(route: Route, schemas: dict[type[Any], dict[str, Any]]) -> dict[str, Any]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{route.handler.__name__}",
        "summary": route.summary,
        "responses": {},
    }
    if route.rights:
        operation["description"] = f"Needs {route.rights}."
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]} for name in names
    ] + [{"name": name, "in": "query", "schema": schema} for name, schema in route.query.items()]
    if parameters:
        operation["parameters"] = parameters
    if route.request is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[route.request]}},
        }
    if route.binary is not None:
        operation["responses"]["200"] = {"description": "Done.", "content": {route.binary: {}}}
    elif route.response is None:
        operation["responses"]["204"] = {"description": "Done."}
    else:
        operation["responses"]["200"] = {
            "description": "Done.",
            "content": {"application/json": {"schema": schemas[route.response]}},
        }
    for status in sorted({*route.problems, *((400, 408, 413, 415) if route.request is not None else ())}):
        operation["responses"][str(status)] = {
            "description": "Refused.",
            "content": {PROBLEM_TYPE: {"schema": schemas[Problem]}},
        }
    operation["security"] = [] if route.bearer is None else [{"bearer": []}]
    return operation


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The whole description."""
    types: list[type[Any]] = [Problem]
    for route in routes:
        types += [kind for kind in (route.request, route.response) if kind is not None and kind not in types]
    shown, components = msgspec.json.schema_components(types, ref_template=REF_TEMPLATE)
    schemas = dict(zip(types, shown, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Loupe",
            "version": version,
            "description": "Rooms, participants, tokens. Media go by WHIP, WHEP and the WebSocket protocol.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }
