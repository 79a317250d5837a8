"""What is to be exported, as the page, the command line and the worker process say it."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from mediaserver.recording.reader import Recording, Track
from mediaserver.review.errors import CannotExport
from mediaserver.review.purposes import Use

MAX_CAMERAS: Final = 9
"""Three by three; smaller pictures show nothing."""
MAX_LABEL_CHARACTERS: Final = 64
MAX_FRAMES_PER_SECOND: Final = 60
MAX_WIDTH: Final = 1920
MAX_HEIGHT: Final = 1080
MAX_PIXELS_PER_SECOND: Final = 1920 * 1088 * 30
"""What H.264 level 4.1 decodes (ITU-T H.264 table A-1)."""

Form = Literal["mp4", "png", "jpeg", "dicom-video", "dicom-still"]
STILLS: Final = frozenset[Form]({"png", "jpeg", "dicom-still"})
DICOM: Final = frozenset[Form]({"dicom-video", "dicom-still"})

Label = Annotated[str, Meta(max_length=MAX_LABEL_CHARACTERS)]
NOT_IN_ONE_VALUE: Final = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
"""A backslash begins the next value, and control characters are in no text (DICOM PS3.5 section 6.2)."""
_NOT_IN_ONE_NAME: Final = re.compile(r"[=^]")
"""They part a name into groups and components (DICOM PS3.5 section 6.2.1)."""


class Subject(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a DICOM object is about. Left empty, it names nobody.

    Raises ``ValueError`` for what would not be one value there, or is no day: it is for whoever typed it to
    mend.
    """

    patient_id: Label = ""
    patient_name: Label = ""
    """Family, middle and given name as written, in one field: Vietnamese names are not split at spaces."""
    birth_date: Annotated[str, Meta(pattern=r"\A(\d{8})?\Z")] = ""
    """YYYYMMDD."""
    sex: Literal["", "F", "M", "O"] = ""
    accession_number: Annotated[str, Meta(max_length=16)] = ""

    def __post_init__(self) -> None:
        if any(map(NOT_IN_ONE_VALUE.search, (self.patient_id, self.patient_name, self.accession_number))):
            raise ValueError("a backslash or control character cannot stand in DICOM text")
        if _NOT_IN_ONE_NAME.search(self.patient_name):
            raise ValueError("write the patient's name with spaces, without ^ or =")
        if self.birth_date:
            try:
                date.fromisoformat(self.birth_date)
            except ValueError:
                raise ValueError("the birth date is no day of a calendar: YYYYMMDD") from None


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One export."""

    form: Form
    use: Use = Use.CARE
    """What the copy is for."""
    tracks: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=MAX_CAMERAS)] = []
    """Cameras in the order of the grid; empty: all of them."""
    sound: bool = True
    start_seconds: Annotated[float, Meta(ge=0)] = 0.0
    end_seconds: Annotated[float, Meta(ge=0)] | None = None
    """None: the end of the recording. Stills have no end."""
    width: Annotated[int, Meta(ge=128, le=MAX_WIDTH, multiple_of=2)] = 1280
    height: Annotated[int, Meta(ge=96, le=MAX_HEIGHT, multiple_of=2)] = 720
    frames_per_second: Annotated[int, Meta(ge=1, le=MAX_FRAMES_PER_SECOND)] = 25
    language: Literal["vi", "en"] = "vi"
    labels: dict[str, Label] = {}
    """By track; without, what its publisher called it, or its type."""
    subject: Subject = Subject()

    def label(self, track: Track) -> str:
        """What the track is called in the copy."""
        return self.labels.get(track.id) or track.source_type


def cameras(order: Order, recording: Recording) -> list[Track]:
    """The video tracks that the order means. Raises ``CannotExport``."""
    known = {str(track.id): track for track in recording.tracks if track.kind == "video"}
    if any(id not in known for id in order.tracks):
        raise CannotExport("no such camera in this recording", field="$.tracks")
    chosen = [known[id] for id in order.tracks] or list(known.values())
    if not chosen:
        raise CannotExport("this recording has no picture", field="$.tracks")
    if len(chosen) > MAX_CAMERAS:
        raise CannotExport(f"at most {MAX_CAMERAS} cameras fit; name them", field="$.tracks")
    if order.form in STILLS and len(chosen) > 1:
        raise CannotExport("a still is of one camera; name it", field="$.tracks")
    return chosen


def span(order: Order, recording: Recording) -> tuple[float, float]:
    """Start and end in seconds. Raises ``CannotExport``."""
    whole = recording.duration_seconds
    end = whole if order.end_seconds is None else min(order.end_seconds, whole)
    if order.form in STILLS:
        if order.start_seconds > whole:
            raise CannotExport("behind the end of the recording", field="$.start_seconds")
        return order.start_seconds, order.start_seconds
    if order.start_seconds >= end:
        raise CannotExport("nothing lies between start and end", field="$.start_seconds")
    if order.width * order.height * order.frames_per_second > MAX_PIXELS_PER_SECOND:
        raise CannotExport(
            "too many pixels a second for H.264 level 4.1: take fewer frames or a smaller picture",
            field="$.frames_per_second",
        )
    return order.start_seconds, end
