"""The application: which paths there are, and parts made from the configuration."""

from __future__ import annotations

from mediaserver import config
from signalling import app
from signalling.context import SERVICES
from tests.signalling.conftest import House


async def test_every_path_leads_somewhere_and_files_come_last(house: House) -> None:
    resources = [resource.canonical for resource in app.build(house.parts).router.resources()]
    known = {"/ws", "/whip/{room}", "/whep/{room}/{session}", "/api/v1/rooms", "/livez", "/metrics", "/"}
    assert known <= set(resources)
    assert resources[-1].startswith("/{path"), "nothing stands behind what takes every file name"


async def test_the_parts_follow_the_configuration(house: House) -> None:
    settings = config.load(
        {
            "data": {"folder": house.parts.settings.data.folder},
            "limits": {"message_bytes": 4096, "resume_seconds": 5, "connections_per_identity": 7},
        }
    )
    parts = app.services(house.server, settings, house.keys, lenient_trickle=True)
    assert parts.limits.message_bytes == 4096
    assert parts.limits.resume_seconds == 5
    assert parts.lenient_trickle
    application = app.build(parts)
    assert application[SERVICES] is parts
