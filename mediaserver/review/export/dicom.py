"""DICOM objects of films and stills (PS3.3 A.32): Video Endoscopic/Photographic, VL Endoscopic/Photographic.

Films are MP4 files in one fragment (PS3.5 section 8.2.7 and A.4.4), transfer syntax MPEG-4 AVC/H.264 High
Profile / Level 4.1. Text is UTF-8 (``ISO_IR 192``), names stand in one component. Every object says that it
is derived, from what, and with which hashes. Needs the extra ``dicom``.
"""

from __future__ import annotations

import io
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Final
from zoneinfo import ZoneInfo

from mediaserver import __version__
from mediaserver.errors import InvalidSettings
from mediaserver.review.export.faststart import Sink
from mediaserver.review.export.order import NOT_IN_ONE_VALUE, Subject
from mediaserver.review.export.pictures import Picture
from mediaserver.review.export.provenance import Provenance

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_FRAGMENT_BYTES: Final = 2**32 - 2
"""An item's length is an even 32-bit number, and all ones means "unknown" (PS3.5 section 7.5)."""
LOCAL: Final = ZoneInfo("Asia/Ho_Chi_Minh")
H264_HIGH_4_1: Final = "1.2.840.10008.1.2.4.102"
EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
PRIVATE_GROUP: Final = 0x0099
PRIVATE_CREATOR: Final = "LOUPE PROVENANCE 1"
_UNKNOWN_LENGTH: Final = b"\xff\xff\xff\xff"
MAX_LONG_STRING_CHARACTERS: Final = 64
"""Of a value of representation LO (PS3.5 section 6.2)."""
_SPACE: Final = uuid.UUID("5f0c3e1e-8d3c-4f0e-9c57-0d6f3a1f6f0b")
"""For ids that follow from a recording, so that all its objects meet in one study."""


@dataclass(frozen=True, slots=True)
class Kind:
    """SOP class and modality."""

    sop_class: str
    modality: str


FILM_KINDS: Final = {
    "endoscope": Kind("1.2.840.10008.5.1.4.1.1.77.1.1.1", "ES"),
    "other": Kind("1.2.840.10008.5.1.4.1.1.77.1.4.1", "XC"),
}
STILL_KINDS: Final = {
    "endoscope": Kind("1.2.840.10008.5.1.4.1.1.77.1.1", "ES"),
    "other": Kind("1.2.840.10008.5.1.4.1.1.77.1.4", "XC"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What an object says of itself besides its pixels."""

    provenance: Provenance
    began: datetime
    """When the recording did: one study and one series, however many objects, have one time."""
    acquired: datetime
    source_type: str
    label: str
    subject: Subject
    instance: int = 1


def uid(*names: object) -> str:
    """A UID made of a UUID (PS3.5 B.2) that follows from these names."""
    return f"2.25.{uuid.uuid5(_SPACE, '/'.join(map(str, names))).int}"


def film(
    mp4: BinaryIO,
    size: tuple[int, int],
    frames: int,
    frames_per_second: int,
    about: Description,
    sink: Sink,
    *,
    plain_bytes_a_frame: int = 3,
) -> None:
    """Wraps a finished MP4 as one object. Raises ``ValueError`` when it is too long for one fragment."""
    length = mp4.seek(0, io.SEEK_END)
    if length > MAX_FRAGMENT_BYTES:
        raise ValueError("too long for one object")
    width, height = size
    dataset = _dataset(about, FILM_KINDS, H264_HIGH_4_1, size)
    dataset.PhotometricInterpretation = "YBR_PARTIAL_420"
    dataset.NumberOfFrames = frames
    dataset.CineRate = dataset.RecommendedDisplayFrameRate = frames_per_second
    dataset.FrameTime = round(1000 / frames_per_second, 6)
    dataset.FrameIncrementPointer = 0x00181063
    dataset.StartTrim, dataset.StopTrim = 1, frames
    dataset.EffectiveDuration = round(frames / frames_per_second, 3)
    dataset.PreferredPlaybackSequencing = 0
    dataset.LossyImageCompressionMethod = "ISO_14496_10"
    dataset.LossyImageCompressionRatio = round(
        max(1.0, width * height * plain_bytes_a_frame * frames / length), 2
    )
    _write_header(dataset, sink)
    sink.write(b"\xe0\x7f\x10\x00OB\x00\x00" + _UNKNOWN_LENGTH)
    sink.write(b"\xfe\xff\x00\xe0\x00\x00\x00\x00")  # an empty offset table
    sink.write(b"\xfe\xff\x00\xe0" + (length + length % 2).to_bytes(4, "little"))
    mp4.seek(0)
    while content := mp4.read(1024 * 1024):
        sink.write(content)
    sink.write(b"\x00" * (length % 2) + b"\xfe\xff\xdd\xe0\x00\x00\x00\x00")


def still(picture: Picture, about: Description, sink: Sink) -> None:
    """One picture, its pixels as decoded: nothing is lost beyond what the camera's encoder lost."""
    height, width = picture.shape[:2]
    dataset = _dataset(about, STILL_KINDS, EXPLICIT_LITTLE_ENDIAN, (width, height))
    dataset.PhotometricInterpretation = "RGB"
    _write_header(dataset, sink)
    pixels = picture[:, :, ::-1].tobytes()
    padding = len(pixels) % 2
    sink.write(b"\xe0\x7f\x10\x00OB\x00\x00" + (len(pixels) + padding).to_bytes(4, "little"))
    sink.write(pixels + b"\x00" * padding)


def _dataset(about: Description, kinds: dict[str, Kind], syntax: str, size: tuple[int, int]) -> Dataset:
    try:
        from pydicom.dataset import Dataset, FileMetaDataset
        from pydicom.uid import UID
    except ImportError:
        raise InvalidSettings("DICOM needs the extra 'dicom': pip install 'loupe[dicom]'") from None
    kind = kinds.get(about.source_type, kinds["other"])
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = UID(kind.sop_class)
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.ImplementationClassUID = UID(uid("implementation"))
    dataset.file_meta.ImplementationVersionName = f"LOUPE_{__version__}"[:16]
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.Modality = UID(kind.sop_class), kind.modality
    _identify(dataset, about)
    _say_when(dataset, about)
    _say_derived(dataset, about)
    width, height = size
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.Rows, dataset.Columns = height, width
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    return dataset


def _identify(dataset: Dataset, about: Description) -> None:
    from pydicom.uid import UID

    provenance, subject = about.provenance, about.subject
    dataset.StudyInstanceUID = uid("study", provenance.recording)
    dataset.SeriesInstanceUID = uid("series", provenance.recording, about.label, provenance.made_utc)
    instance = UID(uid("instance", dataset.SeriesInstanceUID, provenance.digest, about.instance))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = instance
    dataset.PatientName = unicodedata.normalize("NFC", subject.patient_name)
    dataset.PatientID, dataset.PatientBirthDate = subject.patient_id, subject.birth_date
    dataset.PatientSex, dataset.AccessionNumber = subject.sex, subject.accession_number
    dataset.PatientOrientation = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "", 1, about.instance
    dataset.Manufacturer, dataset.ManufacturerModelName = "Loupe", "Loupe"
    dataset.SoftwareVersions = __version__
    dataset.SeriesDescription = _one_value(about.label)


def _say_when(dataset: Dataset, about: Description) -> None:
    began, local = about.began.astimezone(LOCAL), about.acquired.astimezone(LOCAL)
    dataset.StudyDate = dataset.SeriesDate = began.strftime("%Y%m%d")
    dataset.StudyTime = dataset.SeriesTime = began.strftime("%H%M%S.%f")
    date, time = local.strftime("%Y%m%d"), local.strftime("%H%M%S.%f")
    dataset.ContentDate, dataset.ContentTime = date, time
    dataset.AcquisitionDateTime = f"{date}{time}{local.strftime('%z')}"
    dataset.TimezoneOffsetFromUTC = local.strftime("%z")


def _one_value(text: str) -> str:
    """What a publisher called a source, as one value: a backslash would begin the next."""
    normal = unicodedata.normalize("NFC", NOT_IN_ONE_VALUE.sub(" ", text))
    return normal[:MAX_LONG_STRING_CHARACTERS].strip()


def _say_derived(dataset: Dataset, about: Description) -> None:
    """PS3.3 C.7.6.1.1.2 and C.7.6.1.1.5: derived, and compressed with loss at least once, by the camera."""
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.LossyImageCompression = "01"
    dataset.DerivationDescription = about.provenance.sentence
    dataset.DerivationCodeSequence = [_code("DCM", "113040", "Lossy Compression")]
    # Demanded of films (PS3.3 C.8.12.1); a camera does not know where it looks.
    dataset.AnatomicRegionSequence = [_code("SCT", "38266002", "Entire body")]
    dataset.AcquisitionContextSequence = []
    private = dataset.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    private.add_new(0x01, "UT", about.provenance.as_json().decode())


def _code(scheme: str, value: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _write_header(dataset: Dataset, sink: Sink) -> None:
    """Everything before the pixel data, which has the highest tag and so comes last."""
    from pydicom import dcmwrite

    header = io.BytesIO()
    dcmwrite(header, dataset, enforce_file_format=True)
    sink.write(header.getvalue())
