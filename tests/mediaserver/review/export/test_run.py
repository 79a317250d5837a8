"""Whole exports: what is decoded from them is what was recorded at each moment."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from msgspec import structs

from mediaserver.recording.manifest import Altered
from mediaserver.recording.reader import Recording
from mediaserver.review.errors import CannotExport
from mediaserver.review.export.film import Film
from mediaserver.review.export.order import Order
from mediaserver.review.export.run import Export, plain_files
from tests.mediaserver.review.recorded import level, theatre


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return theatre(tmp_path_factory.mktemp("recordings"))


def made(recording: Recording, order: Order, **more: Any) -> dict[str, bytes]:
    files: dict[str, io.BytesIO] = {}

    @contextlib.contextmanager
    def open_sink(name: str) -> Iterator[io.BytesIO]:
        files[name] = io.BytesIO()
        yield files[name]

    told: list[tuple[float, float]] = []
    names = Export(order, recording, open_sink, lambda done, of: told.append((done, of)), **more).run()
    assert names == list(files)
    assert told[-1][0] == pytest.approx(told[-1][1], abs=0.05)
    return {name: stream.getvalue() for name, stream in files.items()}


def pictures(content: bytes) -> list[np.ndarray[Any, Any]]:
    with av.open(io.BytesIO(content), "r") as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def test_one_camera_shows_each_moment_and_a_card_where_none_was_recorded(recording: Recording) -> None:
    order = Order(form="mp4", tracks=["t-cam-a"], width=320, height=240, frames_per_second=10)
    film = made(recording, order)["film.mp4"]
    shown = pictures(film)
    assert len(shown) == 80
    for number in (0, 7, 19, 29, 50, 59, 65, 79):
        assert shown[number][120, 160].mean() == pytest.approx(level(number / 10), abs=6), number
    for number in (36, 45, 60, 64):  # between the segments, and the gap that the second one marks
        corner, edge = shown[number][20, 20], shown[number][5, 5]
        assert corner.max() - corner.min() > 10, "the card is coloured, the pictures are grey"
        assert edge[2] > 180


def test_the_film_plays_everywhere(recording: Recording) -> None:
    film = made(recording, Order(form="mp4", tracks=["t-cam-a"], width=640, height=360))["film.mp4"]
    assert film.index(b"moov") < film.index(b"mdat"), "the index comes first"
    with av.open(io.BytesIO(film), "r") as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.codec_context.name == "h264"
        assert video.profile == "High"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert (video.codec_context.colorspace, video.codec_context.color_range) == (1, 1)
        assert audio.codec_context.name == "aac"
        assert float(container.duration or 0) / av.time_base == pytest.approx(8.0, abs=0.1)
        assert "Derived from Loupe recording rTheatre-1" in container.metadata["comment"]


def test_the_sound_stands_where_it_was_spoken(recording: Recording) -> None:
    film = made(recording, Order(form="mp4", tracks=["t-cam-a"], width=320, height=240))["film.mp4"]
    with av.open(io.BytesIO(film), "r") as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    sound = np.concatenate(frames, axis=1)[0]
    loud = [
        float(np.abs(sound[int(at * 48_000) : int((at + 0.2) * 48_000)]).max()) for at in (1, 2.3, 5.5, 7)
    ]
    assert loud[0] < 0.02
    assert loud[1] == pytest.approx(0.3, abs=0.06)
    assert loud[2] == pytest.approx(0.3, abs=0.06)
    assert loud[3] < 0.02


def test_a_clip_begins_and_ends_at_its_marks(recording: Recording) -> None:
    order = Order(
        form="mp4",
        tracks=["t-cam-b"],
        start_seconds=2.5,
        end_seconds=4.0,
        width=160,
        height=240,
        frames_per_second=10,
    )
    shown = pictures(made(recording, order)["film.mp4"])
    assert len(shown) == 15
    for number in (0, 7, 14):
        assert shown[number][120, 80].mean() == pytest.approx(level(2.5 + number / 10), abs=6)


def test_a_grid_shows_each_camera_in_its_cell(recording: Recording) -> None:
    order = Order(form="mp4", width=640, height=240, frames_per_second=10, start_seconds=1.5, end_seconds=2.5)
    shown = pictures(made(recording, order)["film.mp4"])
    assert shown[5][120, 160].mean() == pytest.approx(level(2.0), abs=6)
    assert shown[5][120, 480].mean() == pytest.approx(level(2.0), abs=6)


def test_colours_survive() -> None:
    """Tissue seen redder or paler than it was would mislead (H-15)."""
    stream = io.BytesIO()
    film = Film(stream, 320, 240, 10, sound=False, metadata={})
    patches = np.zeros((240, 320, 3), np.uint8)
    colours = [(40, 40, 200), (60, 180, 70), (200, 90, 40), (180, 180, 180)]
    for index, colour in enumerate(colours):
        patches[:, index * 80 : (index + 1) * 80] = colour
    for _ in range(10):
        film.show(patches)
    film.finish()
    stream.seek(0)
    with av.open(stream, "r") as container:
        frame = list(container.decode(video=0))[-1]
        assert frame.colorspace == 1
        decoded = frame.to_ndarray(format="bgr24")
    for index, colour in enumerate(colours):
        assert np.abs(decoded[120, index * 80 + 40].astype(int) - colour).max() <= 6


def test_sources_are_named_with_their_hashes(recording: Recording) -> None:
    order = Order(form="mp4", tracks=["t-cam-a"], end_seconds=2.0, width=320, height=240, frames_per_second=5)
    listed = json.loads(made(recording, order)["provenance.json"])
    assert listed["derived"] is True
    assert listed["from_utc"] == "2026-03-09T01:30:00.000Z"
    held = {str(track.id): recording.segments(track) for track in recording.tracks}
    assert [(one["track"], one["sha256"]) for one in listed["sources"]] == [
        ("t-cam-a", held["t-cam-a"][0].sha256),
        ("t-mic", held["t-mic"][0].sha256),
    ]


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (Order(form="mp4", tracks=["t-cam-z"]), "$.tracks"),
        (Order(form="mp4", tracks=["t-mic"]), "$.tracks"),
        (Order(form="png", start_seconds=1.0), "$.tracks"),
        (Order(form="png", tracks=["t-cam-a"], start_seconds=4.0), "$.start_seconds"),
        (Order(form="png", tracks=["t-cam-a"], start_seconds=9.0), "$.start_seconds"),
        (Order(form="mp4", start_seconds=5.0, end_seconds=5.0), "$.start_seconds"),
        (Order(form="mp4", width=1920, height=1080, frames_per_second=60), "$.frames_per_second"),
    ],
)
def test_what_cannot_be_is_refused(recording: Recording, order: Order, field: str) -> None:
    with pytest.raises(CannotExport) as refused:
        made(recording, order)
    assert refused.value.field == field


def test_plain_files_are_the_owners_and_vanish_on_failure(tmp_path: Any) -> None:
    with plain_files(tmp_path) as open_sink, open_sink("film.mp4") as sink:
        sink.write(b"x")
    assert (tmp_path / "film.mp4").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError), plain_files(tmp_path) as open_sink, open_sink("film.mp4"):
        pass
    assert (tmp_path / "film.mp4").exists(), "what was there before stays"

    def broken() -> None:
        with plain_files(tmp_path) as open_sink, open_sink("other.mp4") as sink:
            sink.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert not (tmp_path / "other.mp4").exists()


def test_nothing_is_made_of_a_segment_that_is_not_the_sealed_one(tmp_path: Path) -> None:
    recording = theatre(tmp_path)
    clip = Order(form="mp4", tracks=["t-cam-a"], sound=False, width=320, height=240, frames_per_second=5)
    [later] = (tmp_path / recording.id / "segments" / "t-cam-a").glob("000001.*")
    later.write_bytes(later.read_bytes() + b"x")  # what is decrypted is the same
    assert "film.mp4" in made(recording, structs.replace(clip, end_seconds=2.0)), "it is not of the other"
    with pytest.raises(Altered, match="segment 1 of track t-cam-a"):
        made(recording, clip)
    recording.altered = "manifest line 6 is not as it was signed"
    with pytest.raises(Altered, match="manifest line 6"):
        made(recording, structs.replace(clip, end_seconds=2.0))
