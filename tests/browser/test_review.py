"""The review page in Chromium over real, sealed recording: what it shows is what was recorded then."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pydicom
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from sqlalchemy import select

from mediaserver import config
from mediaserver.ids import RecordingId
from mediaserver.policy import Role
from mediaserver.recording.annex import Annex
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.indexing import LOOK_SECONDS
from mediaserver.review.kept_reception import ReceptionReport
from mediaserver.review.reception import Run, Viewer
from mediaserver.store.database import Database
from mediaserver.store.schema import FILE_NAME, MIGRATIONS, recordings
from mediaserver.vault import Vault, make_master_key
from tests.browser.test_accessibility import axe as checker
from tests.browser.test_accessibility import violations
from tests.browser.visitor import NARROW, WIDE, Visitor
from tests.mediaserver.review.export.test_archive import archive_at, free_port
from tests.mediaserver.review.recorded import MARKED, minutes
from tests.running import CONFIGURATION, Server
from tests.signalling.reviewing import add_procedure

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]
axe = checker
ROOM = "review-room"
LONG = RecordingId("rLong-1")
ARCHIVE_PORT = free_port()


@pytest.fixture(scope="module")
def reviewing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that keeps recordings, with one of ten minutes."""
    folder = tmp_path_factory.mktemp("reviewing")
    key = folder / "master.key"
    make_master_key(key)
    text = f'{CONFIGURATION}[recording]\nmaster_key_file = "{key}"\n'
    text += f'[archive]\nhost = "127.0.0.1"\nport = {ARCHIVE_PORT}\n'
    running = Server.start(folder, configuration=text)
    given = {"data": {"folder": running.data}, "recording": {"master_key_file": key}}
    vault = Vault.open(config.load(given, None))
    database = Database.open(running.data / FILE_NAME, MIGRATIONS)
    database.submit(
        lambda connection: add_procedure(
            connection, vault, "proc-1", ROOM, "Cắt túi mật nội soi", ["Lê Thị Hồng"]
        )
    ).result()
    minutes(running.data / "recordings", vault, LONG, ROOM, 10, "proc-1")
    until_indexed(database)
    database.close()
    keep_reception(running.data / "recordings", vault)
    yield running
    assert running.stop() == 0, running.log.read_text()[-4000:]


def until_indexed(database: Database) -> None:
    """The server has found the recording by itself."""
    ended = select(recordings.c.ended_at).where(recordings.c.ended_at.is_not(None))
    deadline = time.monotonic() + 4 * LOOK_SECONDS
    while database.read_now(lambda connection: connection.execute(ended).first()) is None:
        assert time.monotonic() < deadline, "not indexed"
        time.sleep(0.2)


def keep_reception(root: Path, vault: Vault) -> None:
    """What two viewers got, sealed with the recording as the server does it."""
    folder = RecordingFolder.of(root, LONG)
    report = ReceptionReport(
        viewers=[
            Viewer(
                participant="s1", role=Role.SPECIALIST,
                runs=[Run(start=0, end=600, level="full", reason=None)],
            ),
            Viewer(
                participant="o1", role=Role.OBSERVER,
                runs=[
                    Run(start=0, end=120, level="full", reason=None),
                    Run(start=120, end=300, level="reduced", reason="link"),
                ],
            ),
        ],
        known_from=0.0,
        complete=True,
    )  # fmt: skip
    Annex(folder, vault).seal(msgspec.json.encode(report))


class Reader(Visitor):
    """A visitor of the review page."""

    async def watching(self) -> None:
        """Until every picture is there."""
        await self.page.wait_for_function("() => window.loupeReview?.player.settled === true")

    async def seek(self, seconds: float) -> None:
        await self.page.evaluate("(s) => loupeReview.player.seek(s)", seconds)
        await self.page.wait_for_function(
            """() => loupeReview.player.settled
                && [...document.querySelectorAll('.tile[data-state=shown] video:not([hidden])')]
                    .every((video) => !video.seeking && video.readyState >= 2)"""
        )

    async def shown_ms(self) -> dict[str, int | None]:
        """What each camera's picture says of its time within its minute."""
        found: dict[str, int | None] = await self.page.evaluate(
            """(width) => Object.fromEntries([...document.querySelectorAll('[data-track]')].map((tile) => {
                const video = tile.querySelector('video:not([hidden])');
                const shown = tile.dataset.state === 'gap' ? null : media.read(video, width)?.frame ?? -1;
                return [tile.dataset.track, shown];
            }))""",
            MARKED[0],
        )
        return found

    async def position(self) -> float:
        found: float = await self.page.evaluate("() => loupeReview.player.position.value")
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def reader(chromium: Browser, reviewing: Server, tmp_path: Path) -> AsyncIterator[Reader]:
    """On the library's page; at the end nothing may have gone wrong in it."""
    visitor = await Reader.open(
        chromium,
        reviewing,
        reviewing.page("review", ROOM, "surgeon"),
        language="vi",
        wide=True,
        pictures=tmp_path,
    )
    yield visitor
    problems = visitor.problems
    await visitor.close()
    assert problems == []


async def opened(reader: Reader) -> None:
    await reader.page.click(".entry .button.main")
    await reader.page.click("[data-use=care]")
    await reader.watching()


async def test_a_recording_is_found_opened_and_plays_in_step(reader: Reader) -> None:
    page = reader.page
    await page.wait_for_selector(".entry")
    await page.fill("#search-text", "tui mat")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".entry")
    assert "Cắt túi mật nội soi" in await page.inner_text(".entry")
    await opened(reader)
    await page.keyboard.press("Space")
    apart: list[float] = []
    for _ in range(30):
        await page.wait_for_timeout(100)
        shown = await reader.shown_ms()
        assert None not in shown.values()
        apart.append(abs((shown["t-scope"] or 0) - (shown["t-room"] or 0)))
    assert await reader.position() > 1.0, "it plays"
    assert statistics.median(apart) <= 80, apart
    await reader.picture("review")


async def test_every_moment_shows_its_own_picture(reader: Reader) -> None:
    await reader.page.wait_for_selector(".entry")
    await opened(reader)
    for seconds in (234.56, 59.9, 599.0, 12.0, 405.0):
        await reader.seek(seconds)
        shown = await reader.shown_ms()
        for camera, ms in shown.items():
            assert ms is not None
            assert abs(ms / 1000 - seconds % 60) <= 0.081, (camera, seconds)
    before = await reader.shown_ms()
    await reader.page.keyboard.press(".")
    await reader.seek(await reader.position())
    after = await reader.shown_ms()
    assert (after["t-scope"] or 0) - (before["t-scope"] or 0) == pytest.approx(40, abs=1), "one frame"


async def test_a_gap_is_a_card_and_not_a_picture(reader: Reader) -> None:
    await reader.page.wait_for_selector(".entry")
    await opened(reader)
    await reader.seek(35.0)
    await reader.page.wait_for_selector(".tile[data-track=t-room][data-state=gap]")
    shown = await reader.shown_ms()
    assert shown["t-room"] is None
    assert shown["t-scope"] == pytest.approx(35_000, abs=81)
    assert "KHÔNG CÓ HÌNH" in await reader.page.inner_text(".tile[data-track=t-room]")


async def test_segments_follow_one_another_and_any_speed_is_held(reader: Reader) -> None:
    await reader.page.wait_for_selector(".entry")
    await opened(reader)
    for speed in (0.25, 2.0, 4.0):
        await reader.page.select_option("#speed", f"{speed:g}")
        await reader.seek(58.0)
        await reader.page.evaluate(
            "() => { if (!loupeReview.player.playing.value) loupeReview.player.toggle(); }"
        )
        end = 58.2 if speed < 1 else 62.5
        await reader.page.wait_for_function(f"() => loupeReview.player.position.value > {end}")
        shown = await reader.shown_ms()
        at = await reader.position()
        for camera, ms in shown.items():
            assert ms is not None
            assert abs(ms / 1000 - at % 60) < 0.5 * max(1.0, speed), (camera, speed)


async def test_a_camera_is_pinned_beside_the_others_and_let_go(reader: Reader) -> None:
    page = reader.page
    await page.wait_for_selector(".entry")
    await opened(reader)

    async def areas() -> tuple[float, float]:
        boxes = [await page.locator(f"[data-track={one}]").bounding_box() for one in ("t-room", "t-scope")]
        room, scope = (box["width"] * box["height"] for box in boxes if box is not None)
        return room, scope

    room, scope = await areas()
    assert room == pytest.approx(scope, rel=0.02), "side by side"
    await page.locator("[data-track=t-room] .tile-actions .button").click()
    await page.wait_for_selector("[data-track=t-room].pinned")
    room, scope = await areas()
    assert room > 3 * scope, "one large, the other still to be seen"
    await reader.seek(20.0)
    shown = await reader.shown_ms()
    assert [shown[one] for one in ("t-room", "t-scope")] == pytest.approx([20_000, 20_000], abs=81)
    await page.locator("[data-track=t-room] .tile-actions .button").click()
    await page.wait_for_selector("[data-track=t-room]:not(.pinned)")
    room, scope = await areas()
    assert room == pytest.approx(scope, rel=0.02)


async def test_small_pictures_of_the_timeline_lead_to_their_moments(reader: Reader) -> None:
    page = reader.page
    await page.wait_for_selector(".entry")
    await opened(reader)
    await page.click(".timeline .button")
    strip = page.locator(".filmstrip img")
    await strip.first.wait_for()
    await page.wait_for_function(
        "() => [...document.querySelectorAll('.filmstrip img')].every((one) => one.naturalWidth > 0)"
    )
    assert await strip.count() > 5
    await page.locator(".filmstrip button").nth(3).click()
    assert await reader.position() == pytest.approx(175.0, abs=0.5), "in the midst of the fourth of twelve"


async def test_moments_are_marked_kept_and_linked(
    reader: Reader,
) -> None:
    page = reader.page
    await page.wait_for_selector(".entry")
    await opened(reader)
    await reader.seek(100.0)
    await page.keyboard.press("b")
    await page.fill("#bookmark-label", "Kẹp động mạch túi mật")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".chapter:has-text('Kẹp động mạch túi mật')")
    await reader.seek(5.0)
    await page.click(".chapter:has-text('Kẹp động mạch túi mật')")
    assert await reader.position() == pytest.approx(100.0, abs=0.1)
    await page.keyboard.press("c")
    await page.wait_for_function("() => location.hash.startsWith('#recording=')")
    await page.reload()
    await page.click("[data-use=quality]")
    await reader.watching()
    assert await reader.position() == pytest.approx(100.0, abs=0.2)
    assert await page.evaluate("() => location.hash") == "", "no link stays in the address bar"
    await page.click(".bookmarks li:has-text('Kẹp') .button.compact")
    await page.wait_for_selector(".chapter:has-text('Kẹp')", state="detached")


async def test_an_export_runs_beside_it(reader: Reader) -> None:
    page = reader.page
    await page.wait_for_selector(".entry")
    await opened(reader)
    await reader.seek(20.0)
    await page.select_option("#export-form", "png")
    await page.click(".exports .button.main")
    await page.wait_for_selector(".exports li[data-export=finished]", timeout=30_000)
    async with page.expect_download() as started:
        await page.click(".exports a:has-text('still.png')")
    content = await asyncio.to_thread(Path(await (await started.value).path()).read_bytes)
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert "Nội soi".encode() in content


async def test_a_dicom_object_names_whom_was_typed_and_goes_to_the_archive(
    reader: Reader, tmp_path: Path
) -> None:
    page = reader.page
    await page.wait_for_selector(".entry")
    await opened(reader)
    await reader.seek(20.0)
    await page.select_option("#export-form", "dicom-still")
    subject = page.locator(".subject")
    await subject.get_by_label("Mã người bệnh").fill("BN-2026-17")
    await subject.get_by_label("Họ và tên").fill("Nguyễn^Thị Ánh Đào")
    await page.click(".exports .button.main")
    await expect(page.locator(".notices")).to_contain_text("họ tên không được có dấu")
    await subject.get_by_label("Họ và tên").fill("Nguyễn Thị Ánh Đào")
    await subject.get_by_label("Ngày sinh").fill("1970-01-02")
    await subject.get_by_label("Giới tính").select_option("F")
    await page.click(".exports .button.main")
    send = page.locator(".exports li[data-export=finished] .button:has-text('Gửi tới kho ảnh (PACS: PACS)')")
    await send.click(timeout=30_000)
    fault = page.locator(".exports .fault")
    await fault.wait_for(timeout=30_000)
    assert "Không nối được tới kho ảnh" in await fault.inner_text()
    assert "archive_unreachable" in await fault.inner_text()
    await fault.scroll_into_view_if_needed()
    await reader.picture("review-archive-unreachable")
    with archive_at(ARCHIVE_PORT, tmp_path / "archive"):
        await page.click(".exports .button:has-text('Gửi lại tới kho ảnh')")
        await page.wait_for_selector(".exports .stored:has-text('Kho ảnh đã nhận và lưu')", timeout=30_000)
    (arrived,) = map(pydicom.dcmread, (tmp_path / "archive").iterdir())
    assert (str(arrived.PatientName), arrived.PatientID) == ("Nguyễn Thị Ánh Đào", "BN-2026-17")
    assert (arrived.PatientBirthDate, arrived.PatientSex) == ("19700102", "F")
    await reader.picture("review-archive-stored")


async def test_a_class_ends_in_words_when_its_patient_takes_the_consent_back(
    reader: Reader, reviewing: Server
) -> None:
    async def decide(decision: str) -> None:
        wish = {
            "purpose": "teaching", "decision": decision, "by": "Người bệnh", "relation": "patient",
            "form": "written", "text_version": "1", "language": "vi",
        }  # fmt: skip
        async with aiohttp.ClientSession() as http:
            path = f"{reviewing.url}/api/v1/procedures/proc-1/consents"
            answer = await http.post(path, json=wish, headers=reviewing.bearer(ROOM, Role.STAFF))
            assert answer.status == 200, await answer.text()

    page = reader.page
    await decide("given")
    await page.click(".entry .button.main")
    await page.click("[data-use=teaching]")
    await reader.watching()
    await page.keyboard.press("Space")
    await decide("withdrawn")
    card = page.locator(".card.error")
    await card.wait_for(timeout=15_000)
    assert "đã rút lại đồng ý giảng dạy" in await card.inner_text()
    assert await page.locator("video").count() == 0, "no picture stays"
    await reader.picture("review-withdrawn")
    await page.click(".languages [lang=en]")
    assert "taken back the consent to teaching" in await card.inner_text()
    reader.problems[:] = [one for one in reader.problems if "401" not in one and "403" not in one]


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_the_page_is_accessible(
    chromium: Browser,
    reviewing: Server,
    tmp_path: Path,
    axe: str,
    language: str,
) -> None:
    link = reviewing.page("review", ROOM, "moderator")
    visitor = await Reader.open(chromium, reviewing, link, language=language, wide=True, pictures=tmp_path)
    try:
        await visitor.page.wait_for_selector(".entry")
        assert await violations(visitor, axe) == []
        await opened(visitor)
        await visitor.page.click(".timeline .button")
        await visitor.page.wait_for_selector(".filmstrip img")
        for width, height in (WIDE, NARROW):
            await visitor.page.set_viewport_size({"width": width, "height": height})
            assert await violations(visitor, axe) == []
            await visitor.picture(f"review-{language}-{width}")
    finally:
        problems = visitor.problems
        await visitor.close()
    assert problems == []


@pytest.mark.parametrize(("page", "role"), [("theatre", "staff"), ("consult", "specialist")])
async def test_a_moment_is_marked_while_it_happens(
    chromium: Browser, reviewing: Server, tmp_path: Path, page: str, role: str
) -> None:
    link = reviewing.page(page, ROOM, role)
    visitor = await Reader.open(chromium, reviewing, link, language="vi", wide=True, pictures=tmp_path)
    try:
        await visitor.page.click(".button.main.big")
        await visitor.page.wait_for_selector(".shell[data-standing=connected]")
        await visitor.page.keyboard.press("b")
        await visitor.page.wait_for_selector(".notices:has-text('Đã đánh dấu lúc này')")
        await visitor.page.click(".button:has-text('Đánh dấu')")
        await visitor.page.wait_for_selector(".notices:has-text('Đã đánh dấu lúc này')")
    finally:
        await visitor.close()


async def test_teaching_is_refused_in_words_where_nobody_consented(reader: Reader) -> None:
    page = reader.page
    await page.click(".entry .button.main")
    assert await page.evaluate("() => document.activeElement?.dataset.use") == "care"
    await reader.picture("review-use")
    await page.click("[data-use=teaching]")
    await page.wait_for_selector(".card.error")
    assert "chưa đồng ý dùng ca này để giảng dạy" in await page.inner_text(".card.error")
    assert "teaching_not_consented" in await page.inner_text(".card.error")
    reader.problems[:] = [one for one in reader.problems if "403" not in one]


async def test_who_may_see_all_rooms_looks_through_them(
    chromium: Browser, reviewing: Server, tmp_path: Path
) -> None:
    link = reviewing.page("review", "*", "auditor")
    visitor = await Reader.open(chromium, reviewing, link, language="vi", wide=True, pictures=tmp_path)
    try:
        await visitor.page.wait_for_selector(".entry")
        assert ROOM in await visitor.page.inner_text(".entry")
        await visitor.page.fill("#search-room", "VIEW-ROOM")
        await visitor.page.keyboard.press("Enter")
        await visitor.page.wait_for_function("() => document.querySelectorAll('.entry').length === 1")
        await visitor.page.fill("#search-room", "elsewhere")
        await visitor.page.keyboard.press("Enter")
        await visitor.page.wait_for_selector(".library .empty")
        await visitor.picture("review-all-rooms")
    finally:
        await visitor.close()


async def test_each_viewer_has_a_row_that_says_what_they_got(reader: Reader) -> None:
    page = reader.page
    await page.wait_for_selector(".entry")
    await opened(reader)
    rows = page.locator(".reception [data-viewer]")
    await rows.first.wait_for()
    assert await rows.count() == 2
    await reader.seek(30.0)
    assert await rows.nth(0).get_attribute("data-level") == "full"
    assert await rows.nth(1).get_attribute("data-level") == "full"
    await reader.seek(200.0)
    assert await rows.nth(1).get_attribute("data-level") == "reduced"
    assert "đường truyền" in (await rows.nth(1).inner_text()).lower()
    await rows.nth(1).get_by_role("slider").focus()
    await page.keyboard.press("ArrowLeft")
    assert await reader.position() == pytest.approx(120.0, abs=1), "where it began"
    assert await rows.nth(0).get_attribute("data-level") == "full"
    await reader.seek(400.0)
    assert await rows.nth(1).get_attribute("data-level") == "unknown", "they had gone"
    await reader.picture("review-viewers")


async def test_an_observer_is_refused_in_words(chromium: Browser, reviewing: Server, tmp_path: Path) -> None:
    link = reviewing.page("review", ROOM, "observer")
    visitor: Any = await Reader.open(chromium, reviewing, link, language="vi", wide=True, pictures=tmp_path)
    await visitor.page.wait_for_selector(".card.error")
    told = await visitor.page.inner_text(".card.error")
    # Once the server knows whom the room serves, it is the patient who keeps observers out.
    assert "không được xem lại" in told or "chưa đồng ý cho người ngoài xem" in told
    await visitor.close()


async def test_what_was_altered_is_shown_as_such_and_not_exported(reader: Reader, reviewing: Server) -> None:
    page, manifest = reader.page, reviewing.data / "recordings" / LONG / "manifest"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole.replace(b'"lost":3', b'"lost":0', 1))
    try:
        await opened(reader)
        told = page.locator(".evidence")
        await expect(told).to_contain_text("KHÔNG KIỂM CHỨNG ĐƯỢC")
        for width, height in (WIDE, NARROW):
            await page.set_viewport_size({"width": width, "height": height})
            await page.evaluate("() => window.scrollTo(0, 0)")
            await expect(told).to_be_in_viewport()
            await reader.picture(f"review-altered-{width}")
        await page.click(".button:has-text('Bắt đầu xuất')")
        await expect(page.locator(".notices")).to_contain_text("Bản ghi đã bị sửa sau khi niêm phong")
    finally:
        manifest.write_bytes(whole)
    reader.problems[:] = [one for one in reader.problems if "409" not in one]
    await page.reload()
    await opened(reader)
    await expect(told).to_contain_text("Đã kiểm chứng: nguyên vẹn")
    await reader.picture("review-verified")
