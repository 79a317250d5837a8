"""Jobs wait for one another, are bounded, and are forgotten in time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mediaserver import config
from mediaserver.config import Settings
from mediaserver.errors import LimitReached
from mediaserver.recording.folder import RecordingFolder
from mediaserver.review.export import jobs as jobs_module
from mediaserver.review.export.jobs import KEPT_SECONDS, Jobs, Running, Waiting
from mediaserver.review.export.order import Order
from mediaserver.review.export.worker import Finished
from mediaserver.store.recordings import UnknownRecording
from mediaserver.vault import Vault, make_master_key
from tests.mediaserver.review.recorded import RECORDING, theatre

STILL = Order(form="png", tracks=["t-cam-a"], start_seconds=1)


def settings(place: Path) -> Settings:
    recording = config.Recording(master_key_file=place / "master.key")
    return Settings(data=config.Data(folder=place / "data"), recording=recording)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    key = tmp_path / "master.key"
    make_master_key(key)
    theatre(tmp_path / "data" / "recordings", Vault([bytes.fromhex(key.read_text().strip())]))
    return tmp_path


async def test_jobs_are_done_one_after_the_other_and_forgotten(place: Path) -> None:
    now = [1000.0]
    jobs = Jobs(settings(place), now=lambda: now[0])
    folder = RecordingFolder(place / "data" / "recordings" / RECORDING)
    first, second = (jobs.start(RECORDING, folder, STILL, "u1") for _ in range(2))
    assert isinstance(second.state, Waiting)
    for job in (first, second):
        assert job.task is not None
        await asyncio.wait_for(job.task, 60)
        assert isinstance(job.state, Finished)
    source, reader = first.open("still.png")
    assert reader.read(0, 4) == b"\x89PNG"
    source.close()
    with pytest.raises(UnknownRecording):
        first.open("../../master.key")
    assert jobs.of(RECORDING) == [first, second]
    now[0] += KEPT_SECONDS + 1
    with pytest.raises(UnknownRecording):
        jobs.get(first.id)
    assert not first.folder.exists()
    await jobs.close()


async def test_there_is_an_end_to_what_is_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "MAX_JOBS", 1)
    jobs = Jobs(settings(place), now=lambda: 0.0)
    jobs.start(RECORDING, RecordingFolder(place / "data" / "recordings" / RECORDING), STILL, "u1")
    with pytest.raises(LimitReached):
        jobs.start(RECORDING, RecordingFolder(place / "data" / "recordings" / RECORDING), STILL, "u1")
    await jobs.close()


async def test_what_an_earlier_server_left_is_cleared_away(place: Path) -> None:
    old = place / "data" / "exports" / "xOld"
    old.mkdir(parents=True)
    (old / "film.mp4.enc").write_bytes(b"unreadable by now")
    jobs = Jobs(settings(place), now=lambda: 0.0)
    assert not old.exists()
    await jobs.close()


def test_time_left_follows_from_the_rate() -> None:
    assert Running(10, 40, 2.0).left_seconds == 15.0
    assert Running(0, 40, 0.0).left_seconds is None
