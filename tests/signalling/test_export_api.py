"""Exports as a page asks for them: a process of their own, sealed files, progress, cancel."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import av
import pytest

from mediaserver.policy import Role
from mediaserver.review.export.archive import Archive
from mediaserver.store.audit import AuditTrail, find
from tests.mediaserver.review.export.test_archive import free_port, scp  # noqa: F401 - a fixture
from tests.mediaserver.review.recorded import RECORDING
from tests.running import until
from tests.signalling.conftest import OpenHouse
from tests.signalling.reviewing import PROCEDURE, Reviewed, reviewed

EXPORTS = f"/{RECORDING}/exports"
SMALL = {"form": "mp4", "tracks": ["t-cam-a"], "width": 320, "height": 240, "frames_per_second": 10}
MAKING = ("begun", "finished")
"""Steps of the export itself: its end may be told of after its sending has begun."""
DICOM_STILL = {"form": "dicom-still", "tracks": ["t-cam-a"], "start_seconds": 1.0}


@pytest.fixture
async def here(open_house: OpenHouse) -> Reviewed:
    return await reviewed(open_house)


async def state(here: Reviewed, id: str) -> dict[str, Any]:
    found: dict[str, Any] = await (await here.ask("GET", f"{EXPORTS}/{id}")).json()
    return found


async def steps(here: Reviewed, id: str) -> list[tuple[str, str, str | None]]:
    """Step, outcome and procedure of every record of one export."""
    assert isinstance(here.desk.audit, AuditTrail)
    await here.desk.audit.flush()
    records = await here.desk.audit.database.read(find)
    told = [(json.loads(one.details), one) for one in records if one.event == "recording.export"]
    return [(of["step"], one.outcome, one.procedure) for of, one in told if of["export"] == id]


async def told_of(here: Reviewed, id: str, count: int) -> None:
    """The audit hears of an end once its process is over: a moment after who asks for the state."""

    async def told() -> bool:
        return len(await steps(here, id)) >= count

    await until(told, 30, "the audit")


async def test_a_film_is_made_taken_and_removed(here: Reviewed, tmp_path: Path) -> None:
    begun = await (await here.ask("POST", EXPORTS, json=SMALL)).json()
    assert begun["state"] in ("waiting", "running")

    async def finished() -> bool:
        return bool((await state(here, begun["id"]))["state"] == "finished")

    await until(finished, 30, "the export")
    done = await state(here, begun["id"])
    assert done["files"] == ["film.mp4", "provenance.json"]
    assert (await here.ask("GET", f"{EXPORTS}/{begun['id']}/files/film.mp4")).status == 401, "no view is open"
    await here.open()
    taken = await here.ask("GET", f"{EXPORTS}/{begun['id']}/files/film.mp4", role=None)
    assert taken.status == 200
    await here.open(use="quality")
    other = await here.ask("GET", f"{EXPORTS}/{begun['id']}/files/film.mp4", role=None)
    assert (other.status, (await other.json())["code"]) == (403, "not_permitted"), "it was copied for care"
    assert taken.headers["Content-Disposition"].startswith("attachment")
    with av.open(io.BytesIO(await taken.read()), "r") as container:
        assert len(list(container.decode(video=0))) == 80
    on_disk = b"".join(
        path.read_bytes() for path in (tmp_path / "data" / "exports").rglob("*") if path.is_file()
    )
    for readable in (b"ftyp", b"moov", b"avc1", RECORDING.encode(), b"Derived"):
        assert readable not in on_disk
    await told_of(here, begun["id"], 3)
    assert sorted(await steps(here, begun["id"])) == [
        ("begun", "success", PROCEDURE),
        ("finished", "success", PROCEDURE),
        ("taken", "success", PROCEDURE),
    ]
    assert (await here.ask("DELETE", f"{EXPORTS}/{begun['id']}")).status == 204
    assert (await here.ask("GET", f"{EXPORTS}/{begun['id']}")).status == 404
    assert not list((tmp_path / "data" / "exports").rglob("*.enc"))


async def test_a_long_export_tells_its_progress_and_is_cancelled(here: Reviewed) -> None:
    long = {"form": "mp4", "width": 1920, "height": 1080, "frames_per_second": 30}
    begun = await (await here.ask("POST", EXPORTS, json=long)).json()
    waiting = await (await here.ask("POST", EXPORTS, json=SMALL)).json()

    async def moving() -> bool:
        now = await state(here, begun["id"])
        return bool(now["state"] == "running" and now["percent"] > 0 and now["rate"] > 0)

    await until(moving, 60, "progress")
    now = await state(here, begun["id"])
    assert now["left_seconds"] > 0
    assert (await state(here, waiting["id"]))["state"] == "waiting", "one at a time"
    process = here.desk.jobs.get(begun["id"]).process
    assert process is not None
    assert (await here.ask("DELETE", f"{EXPORTS}/{begun['id']}")).status == 204
    assert process.returncode == 3
    assert (await steps(here, begun["id"]))[1:] == [("cancelled", "failed", PROCEDURE)]
    listed = await (await here.ask("GET", EXPORTS)).json()
    assert [one["id"] for one in listed["exports"]] == [waiting["id"]]


@pytest.mark.parametrize(
    ("order", "status", "code"),
    [
        ({"form": "mp4", "tracks": ["t-none"]}, 422, "cannot_export"),
        ({"form": "mp4", "start_seconds": 100}, 422, "cannot_export"),
        ({"form": "gif"}, 400, "malformed_message"),
        ({"form": "mp4", "width": 100_000}, 400, "malformed_message"),
        ({"form": "mp4", "folder": "/etc"}, 400, "malformed_message"),
    ],
)
async def test_what_cannot_be_is_refused_at_once(
    here: Reviewed, order: dict[str, Any], status: int, code: str
) -> None:
    response = await here.ask("POST", EXPORTS, json=order)
    assert (response.status, (await response.json())["code"]) == (status, code)


async def test_an_export_that_fails_says_why(here: Reviewed) -> None:
    still = {"form": "png", "tracks": ["t-cam-a"], "start_seconds": 4.0}
    begun = await (await here.ask("POST", EXPORTS, json=still)).json()

    async def over() -> bool:
        return bool((await state(here, begun["id"]))["state"] == "failed")

    await until(over, 30, "the failure")
    assert (await state(here, begun["id"]))["code"] == "cannot_export"
    await told_of(here, begun["id"], 2)
    assert (await steps(here, begun["id"]))[1:] == [("failed", "failed", PROCEDURE)]


@pytest.mark.parametrize("role", [Role.STAFF, Role.SPECIALIST, Role.OBSERVER])
async def test_who_may_not_export_cannot(here: Reviewed, role: Role) -> None:
    assert (await here.ask("POST", EXPORTS, role=role, json=SMALL)).status == 403
    assert (await here.ask("GET", EXPORTS, role=role)).status == 403
    if role is not Role.OBSERVER:
        await here.open(role=role)
        assert (await here.ask("GET", f"{EXPORTS}/any/files/film.mp4", role=None)).status == 403


async def test_exports_end_with_the_server(open_house: OpenHouse, tmp_path: Path) -> None:
    here = await reviewed(open_house)
    begun = await (
        await here.ask("POST", EXPORTS, json={"form": "mp4", "width": 1920, "height": 1080})
    ).json()
    job = here.desk.jobs.get(begun["id"])
    await until(lambda: job.process is not None, 10, "the export's process")
    assert job.process is not None
    await here.house.listener.close()
    assert job.process.returncode is not None
    assert not (tmp_path / "data" / "exports").exists()


async def made(here: Reviewed) -> str:
    """A DICOM still: its export's id."""
    begun = await (await here.ask("POST", EXPORTS, json=DICOM_STILL)).json()
    assert (await here.ask("POST", f"{EXPORTS}/{begun['id']}/archive")).status == 422, "it is not made yet"

    async def finished() -> bool:
        return bool((await state(here, begun["id"]))["state"] == "finished")

    await until(finished, 30, "the export")
    return str(begun["id"])


async def sent(here: Reviewed, id: str) -> dict[str, Any]:
    """Asks for its sending, and waits for what became of it."""
    asked = await here.ask("POST", f"{EXPORTS}/{id}/archive")
    assert (await asked.json())["archive"]["state"] == "sending"
    assert (await here.ask("POST", f"{EXPORTS}/{id}/archive")).status == 200, "asked twice it is sent once"

    async def over() -> bool:
        return bool((await state(here, id))["archive"]["state"] != "sending")

    await until(over, 30, "the archive's answer")
    found: dict[str, Any] = (await state(here, id))["archive"]
    return found


async def test_objects_are_sent_to_the_archive_of_the_configuration(
    open_house: OpenHouse,
    scp: tuple[Archive, Path],  # noqa: F811
) -> None:
    to, arrived = scp
    here = await reviewed(open_house, {"archive": {"title": to.title, "host": to.host, "port": to.port}})
    id = await made(here)
    assert (await here.ask("POST", f"{EXPORTS}/{id}/archive", role=Role.STAFF)).status == 403
    assert (await sent(here, id))["state"] == "stored"
    assert len(list(arrived.iterdir())) == 1
    await told_of(here, id, 4)
    told = [("sending", "success", PROCEDURE), ("stored", "success", PROCEDURE)]
    assert [step for step in await steps(here, id) if step[0] not in MAKING] == told
    assert (await (await here.ask("GET", EXPORTS)).json())["archive"] == "PACS"


async def test_an_archive_that_is_not_there_is_told_of_and_may_be_asked_again(open_house: OpenHouse) -> None:
    here = await reviewed(
        open_house, {"archive": {"title": "PACS", "host": "127.0.0.1", "port": free_port()}}
    )
    id = await made(here)
    for _ in range(2):
        assert await sent(here, id) == {"state": "failed", "percent": 0.0, "code": "archive_unreachable"}
    told = [("sending", "success", PROCEDURE), ("not_stored", "failed", PROCEDURE)]
    await told_of(here, id, 2 + len(told * 2))
    found = [step for step in await steps(here, id) if step[0] not in MAKING]
    # Whether the first is told of before the second begins is left to the processes.
    assert sorted(found) == sorted(told * 2)


async def test_without_an_archive_there_is_nothing_to_send_to(here: Reviewed) -> None:
    begun = await (await here.ask("POST", EXPORTS, json=DICOM_STILL)).json()
    response = await here.ask("POST", f"{EXPORTS}/{begun['id']}/archive")
    assert (response.status, (await response.json())["code"]) == (404, "no_archive")
    assert (await (await here.ask("GET", EXPORTS)).json())["archive"] is None
