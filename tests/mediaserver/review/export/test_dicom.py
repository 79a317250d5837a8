"""DICOM objects as an independent validator and an independent reader see them."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from mediaserver.review.export.order import Order, Subject
from mediaserver.review.export.run import Export, plain_files
from tests.mediaserver.review.recorded import level, theatre

NAME = "Nguyễn Thị Ánh Đào"


def export(folder: Path, order: Order, *, max_part_bytes: int = 4_000_000_000) -> list[Path]:
    recorded = theatre(folder / "recordings")
    with plain_files(folder) as open_sink:
        names = Export(order, recorded, open_sink, lambda *_: None, max_part_bytes=max_part_bytes).run()
    return [folder / name for name in names if name.endswith(".dcm")]


def errors(file: Path) -> list[str]:
    """What dicom3tools' validator calls an error."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("no dciodvfy: install Debian's package dicom3tools")
    said = subprocess.run(["dciodvfy", "-new", str(file)], capture_output=True, text=True, check=False)
    return [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.parametrize(
    ("camera", "form", "sop_class", "modality"),
    [
        ("t-cam-a", "dicom-video", "1.2.840.10008.5.1.4.1.1.77.1.1.1", "ES"),
        ("t-cam-b", "dicom-video", "1.2.840.10008.5.1.4.1.1.77.1.4.1", "XC"),
        ("t-cam-a", "dicom-still", "1.2.840.10008.5.1.4.1.1.77.1.1", "ES"),
        ("t-cam-b", "dicom-still", "1.2.840.10008.5.1.4.1.1.77.1.4", "XC"),
    ],
)
def test_objects_are_valid(tmp_path: Path, camera: str, form: str, sop_class: str, modality: str) -> None:
    order = Order(
        form=form, tracks=[camera], start_seconds=1.5, end_seconds=2.5, width=320, height=240,  # type: ignore[arg-type]
        subject=Subject(patient_id="BN-001", patient_name=NAME, birth_date="19700102", sex="F"),
        labels={"t-cam-a": "Nội soi đường mật"},
    )  # fmt: skip
    [file] = export(tmp_path, order)
    assert errors(file) == []
    found = pydicom.dcmread(file)
    assert (found.SOPClassUID, found.Modality) == (sop_class, modality)
    assert found.SpecificCharacterSet == "ISO_IR 192"
    assert str(found.PatientName) == NAME
    assert found.PatientName.family_name == NAME, "one component: never split at spaces"
    assert found.ImageType[0] == "DERIVED"
    assert "SHA-256" in found.DerivationDescription
    assert found.private_block(0x99, "LOUPE PROVENANCE 1")[0x01].value.count("sha256") >= 1
    assert found.AcquisitionDateTime.startswith("20260309083001.5"), "the theatre's own time"


def test_nobody_is_named_unless_asked(tmp_path: Path) -> None:
    order = Order(form="dicom-still", tracks=["t-cam-a"], start_seconds=1.0)
    [file] = export(tmp_path, order)
    assert errors(file) == []
    found = pydicom.dcmread(file)
    assert [str(found.PatientName), found.PatientID, found.PatientBirthDate] == ["", "", ""]


def test_the_film_inside_plays_and_has_the_frames_it_says(tmp_path: Path) -> None:
    order = Order(
        form="dicom-video",
        tracks=["t-cam-a"],
        sound=False,
        end_seconds=2.0,
        width=320,
        height=240,
        frames_per_second=10,
    )
    [file] = export(tmp_path, order)
    found = pydicom.dcmread(file)
    [mp4] = generate_frames(found.PixelData, number_of_frames=1)
    with av.open(io.BytesIO(mp4), "r") as container:
        assert container.streams.video[0].codec_context.name == "h264"
        shown = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
        assert len(container.streams.audio) == 0
    assert found.NumberOfFrames == len(shown) == 20
    assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"
    assert shown[12][120, 160].mean() == pytest.approx(level(1.2), abs=6)


def test_a_long_film_becomes_several_objects_of_one_series(tmp_path: Path) -> None:
    order = Order(
        form="dicom-video",
        tracks=["t-cam-a"],
        sound=False,
        end_seconds=3.0,
        width=320,
        height=240,
        frames_per_second=30,
    )
    files = export(tmp_path, order, max_part_bytes=1_500)
    parts = [pydicom.dcmread(file) for file in files]
    assert len(parts) >= 2
    assert sum(part.NumberOfFrames for part in parts) == 90
    assert [part.InstanceNumber for part in parts] == list(range(1, len(parts) + 1))
    assert len({part.SeriesInstanceUID for part in parts}) == 1
    assert len({part.SOPInstanceUID for part in parts}) == len(parts)
    assert all(errors(file) == [] for file in files)
    assert parts[1].AcquisitionDateTime > parts[0].AcquisitionDateTime
    whens = {(part.StudyDate, part.StudyTime, part.SeriesDate, part.SeriesTime) for part in parts}
    assert len(whens) == 1, "of one study and one series"
    [(_, study, _, series)] = whens
    assert study == series == "083000.000000", "when the recording began"


def test_a_publishers_label_is_one_value_whatever_is_in_it(tmp_path: Path) -> None:
    label = "Nội soi\\đường\x00 mật\n2"
    order = Order(form="dicom-still", tracks=["t-cam-a"], start_seconds=1.0, labels={"t-cam-a": label})
    [file] = export(tmp_path, order)
    assert errors(file) == []
    assert pydicom.dcmread(file).SeriesDescription == "Nội soi đường  mật 2"


def test_a_stills_pixels_are_the_pictures(tmp_path: Path) -> None:
    [file] = export(tmp_path, Order(form="dicom-still", tracks=["t-cam-a"], start_seconds=1.0))
    pixels = pydicom.dcmread(file).pixel_array
    assert pixels.shape == (240, 320, 3)
    assert pixels.mean() == pytest.approx(level(1.0), abs=6)
    assert pixels.dtype == np.uint8
