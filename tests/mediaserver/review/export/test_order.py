"""Orders are bounded when they are read, and checked against the recording before any work is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mediaserver.review.errors import CannotExport
from mediaserver.review.export.order import Order, cameras, span
from tests.mediaserver.review.recorded import theatre


@pytest.mark.parametrize(
    "wrong",
    [
        {"form": "avi"},
        {"form": "mp4", "tracks": ["x"] * 10},
        {"form": "mp4", "width": 127},
        {"form": "mp4", "width": 641},
        {"form": "mp4", "height": 1082},
        {"form": "mp4", "frames_per_second": 0},
        {"form": "mp4", "start_seconds": -1},
        {"form": "mp4", "language": "fr"},
        {"form": "mp4", "path": "/tmp"},
        {"form": "mp4", "subject": {"patient_name": "x" * 65}},
        {"form": "mp4", "subject": {"birth_date": "1970-01-02"}},
        {"form": "mp4", "subject": {"birth_date": "99999999"}},
        {"form": "mp4", "subject": {"birth_date": "19700229"}},
        {"form": "mp4", "subject": {"patient_name": "Lê\\Anh"}},
        {"form": "mp4", "subject": {"patient_name": "Lê^Anh"}},
        {"form": "mp4", "subject": {"patient_id": "BN\n17"}},
        {"form": "mp4", "subject": {"accession_number": "1\\2"}},
    ],
)
def test_what_no_recording_could_give_is_no_order(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Order)


def test_the_order_of_cameras_is_kept_and_all_is_the_default(tmp_path: Path) -> None:
    recording = theatre(tmp_path)
    assert [one.id for one in cameras(Order(form="mp4"), recording)] == ["t-cam-a", "t-cam-b"]
    chosen = cameras(Order(form="mp4", tracks=["t-cam-b", "t-cam-a"]), recording)
    assert [one.id for one in chosen] == ["t-cam-b", "t-cam-a"]


def test_spans_end_with_the_recording(tmp_path: Path) -> None:
    recording = theatre(tmp_path)
    assert span(Order(form="mp4"), recording) == (0.0, 8.0)
    assert span(Order(form="mp4", start_seconds=2, end_seconds=99), recording) == (2.0, 8.0)
    assert span(Order(form="png", start_seconds=2, end_seconds=5), recording) == (2.0, 2.0)
    with pytest.raises(CannotExport):
        span(Order(form="mp4", start_seconds=8), recording)


def test_labels_fall_back_to_the_kind_of_source(tmp_path: Path) -> None:
    scope = theatre(tmp_path).tracks[0]
    assert Order(form="mp4").label(scope) == "endoscope"
    assert Order(form="mp4", labels={"t-cam-a": "Nội soi"}).label(scope) == "Nội soi"
