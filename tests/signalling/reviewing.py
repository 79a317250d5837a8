"""A house with a recording in it, the procedure around it, and what a test asks of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
from sqlalchemy import Connection, insert

from mediaserver.ids import RecordingId
from mediaserver.policy import Role
from mediaserver.recording.indexing import Indexing
from mediaserver.review.desk import Desk
from mediaserver.store import schema
from mediaserver.store.audit import AuditTrail, find
from mediaserver.vault import Vault
from tests.mediaserver.review.recorded import RECORDING, STARTED_AT, theatre
from tests.signalling.conftest import House, OpenHouse

BASE = "/api/v1/recordings"
PROCEDURE = "proc-1"


def add_procedure(
    connection: Connection, vault: Vault, id: str, room: str, title: str, names: list[str]
) -> None:
    """As the procedures' own module writes it."""
    at = STARTED_AT - timedelta(minutes=5)
    connection.execute(
        insert(schema.rooms).prefix_with("OR IGNORE").values(id=room, created_at=at, last_used_at=at)
    )
    connection.execute(
        insert(schema.procedures).values(
            id=id, room=room, opened_at=at, opened_by="u1",
            sealed_reference=vault.seal_field("BN-2026-17", f"procedure/{id}/reference"),
            sealed_title=vault.seal_field(title, f"procedure/{id}/title"),
        )
    )  # fmt: skip
    for position, name in enumerate(names):
        sealed = vault.seal_field(name, f"procedure/{id}/staff/{position}")
        connection.execute(
            insert(schema.staff).values(procedure=id, position=position, role="surgeon", sealed_name=sealed)
        )


@dataclass
class Reviewed:
    """The house, its desk, and one recording of room 7QK2."""

    house: House
    desk: Desk
    recording: str = RECORDING
    view: str = ""
    """The one opened last: what is asked without a token is read by it."""

    async def ask(
        self,
        method: str,
        path: str,
        *,
        role: Role | str | None = Role.SURGEON,
        room: str = "7QK2",
        procedure: str | None = PROCEDURE,
        **more: Any,
    ) -> aiohttp.ClientResponse:
        headers = dict(more.pop("headers", {}))
        if role is not None:
            headers |= self.house.bearer(role, room, procedure=procedure)
        elif self.view:
            more["params"] = {"view": self.view, **more.get("params", {})}
        response = await self.house.http.request(
            method, f"{self.house.url}{BASE}{path}", headers=headers, **more
        )
        await response.read()
        if (method, response.status) == ("POST", 200) and path.endswith("/views"):
            self.view = (await response.json())["view"]
        return response

    async def open(self, **more: Any) -> dict[str, Any]:
        """Opens the recording; the session's cookie jar keeps the view."""
        wish = {"use": more.pop("use", "care")}
        response = await self.ask("POST", f"/{self.recording}/views", json=wish, **more)
        assert response.status == 200, await response.text()
        found: dict[str, Any] = await response.json()
        return found

    async def audited(self) -> list[tuple[str, str, str | None]]:
        """Event, outcome and subject of every record."""
        assert isinstance(self.desk.audit, AuditTrail)
        await self.desk.audit.flush()
        records = await self.desk.audit.database.read(find)
        return [(record.event, record.outcome, record.subject) for record in records]


async def index(house: House) -> None:
    """As the running server does every few seconds."""
    desk = house.parts.desk
    assert desk is not None
    await Indexing(desk.roots, desk.vault, house.store.recordings).step()


async def reviewed(open_house: OpenHouse, settings: dict[str, Any] | None = None) -> Reviewed:
    """Everything real: vault, database, audit, folders, HTTP."""
    house = await open_house(settings)
    desk = house.parts.desk
    assert desk is not None
    theatre(desk.roots[0], desk.vault, RecordingId(RECORDING), procedure=PROCEDURE)
    await desk.library.database.write(
        lambda connection: add_procedure(
            connection,
            desk.vault,
            PROCEDURE,
            "7QK2",
            "Cắt túi mật nội soi",
            ["Nguyễn Đức Đạt", "Lê Thị Hồng"],
        )
    )
    await index(house)
    await house.http.close()
    house.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))  # of an address, not a name
    return Reviewed(house, desk)
