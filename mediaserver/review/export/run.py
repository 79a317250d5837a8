"""Carries out one order: decodes, composes, encodes, and hands each finished file to where it shall go."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

from mediaserver.recording.reader import Recording, Track
from mediaserver.review.errors import CannotExport
from mediaserver.review.export import dicom, faststart, grid, provenance, still
from mediaserver.review.export.faststart import Sink
from mediaserver.review.export.film import SOUND_FRAME_SAMPLES, Film
from mediaserver.review.export.order import DICOM, STILLS, Order, cameras, span
from mediaserver.review.export.pictures import Missing, Picture, TrackPictures
from mediaserver.review.export.provenance import Provenance
from mediaserver.review.export.sound import SAMPLES_PER_SECOND, TrackSound, mix
from mediaserver.review.export.spool import Spool

MAX_PART_BYTES: Final = 4_000_000_000
"""Of media in one DICOM object: what the container adds stays below the 2^32 bytes of a fragment."""

OpenSink = Callable[[str], contextlib.AbstractContextManager[Sink]]
"""Where a file of this (server-made) name goes; leaving it with an error leaves no file that looks whole."""
Tell = Callable[[float, float], None]
"""Seconds of film done, and in all; called at every frame."""


class Cancelled(BaseException):
    """Nobody wants it any more; files half made are taken away."""


@dataclass(slots=True)
class Export:
    """One order being carried out."""

    order: Order
    recording: Recording
    open_sink: OpenSink
    tell: Tell
    cancelled: Callable[[], bool] = lambda: False
    """Asked before every frame: an exception raised by a signal could be lost in a callback of a codec."""
    scratch: Path | None = None
    """Folder of the spools; None: the system's."""
    max_part_bytes: int = MAX_PART_BYTES
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    files: list[str] = field(default_factory=list)

    def run(self) -> list[str]:
        """The names of the files made.

        Raises ``CannotExport``, ``Altered`` if the recording or a segment used is not as it was sealed,
        ``OSError``, ``Cancelled``.
        """
        self.recording.check_manifest()
        chosen = cameras(self.order, self.recording)
        start, end = span(self.order, self.recording)
        if self.order.form in STILLS:
            self._still(chosen[0], start)
        else:
            self._film(chosen, start, end)
        return self.files

    # ---- Stills ----

    def _still(self, track: Track, seconds: float) -> None:
        pictures = TrackPictures(self.recording, track, seconds, seconds + 1)
        with contextlib.closing(pictures):
            picture = pictures.at(seconds)
        if isinstance(picture, Missing):
            raise CannotExport("no picture was recorded at this moment", field="$.start_seconds")
        made = self._trace([track], seconds, seconds)
        label = self.order.label(track)
        match self.order.form:
            case "png":
                self._put("still.png", lambda sink: sink.write(still.png(picture, made, label)))
            case "jpeg":
                self._put("still.jpg", lambda sink: sink.write(still.jpeg(picture, made, label)))
            case _:
                about = self._description(made, [track], seconds, 1)
                self._put("still.dcm", lambda sink: dicom.still(picture, about, sink))
        self._put_provenance(made)
        self.tell(1, 1)

    # ---- Films ----

    def _film(self, chosen: list[Track], start: float, end: float) -> None:
        sounds = [track for track in self.recording.tracks if track.kind == "audio" and self.order.sound]
        made = self._trace([*chosen, *sounds], start, end)
        frames = max(1, round((end - start) * self.order.frames_per_second))
        with contextlib.ExitStack() as stack:
            pictures = [
                stack.enter_context(contextlib.closing(TrackPictures(self.recording, track, start, end)))
                for track in chosen
            ]
            voices = [
                stack.enter_context(contextlib.closing(TrackSound(self.recording, track, start, end)))
                for track in sounds
            ]
            course = _Course(self.order, [self.order.label(t) for t in chosen], pictures, voices, start, end)
            first = 0
            while first < frames:
                first += self._part(course, chosen, made, first, frames)
        self._put_provenance(made)

    def _part(self, course: _Course, chosen: list[Track], made: Provenance, first: int, frames: int) -> int:
        """One file: all frames left, or as many as a DICOM object holds. Gives how many."""
        number = len(self.files) + 1
        order = self.order
        with contextlib.closing(_spool(self.scratch)) as spool:
            film = Film(
                spool, order.width, order.height, order.frames_per_second,
                sound=bool(course.voices), metadata=_metadata(made),
            )  # fmt: skip
            is_dicom = order.form in DICOM
            while first + film.frames < frames:
                if is_dicom and film.bytes >= self.max_part_bytes:
                    break
                if self.cancelled():
                    raise Cancelled
                course.write_frame(film, first + film.frames)
                self.tell((first + film.frames) / order.frames_per_second, course.end - course.start)
            film.finish()
            if not is_dicom:
                self._put("film.mp4", lambda sink: faststart.copy(spool, sink))
            else:
                seconds = course.start + first / order.frames_per_second
                about = self._description(made, chosen, seconds, number)
                self._put_object(f"film-{number}.dcm", spool, film, about)
        self.tell((first + film.frames) / order.frames_per_second, course.end - course.start)
        return film.frames

    def _put_object(self, name: str, spool: BinaryIO, film: Film, about: dicom.Description) -> None:
        with contextlib.closing(_spool(self.scratch)) as ordered:
            faststart.copy(spool, ordered)
            order = self.order
            size = (order.width, order.height)
            self._put(
                name,
                lambda sink: dicom.film(ordered, size, film.frames, order.frames_per_second, about, sink),
            )

    # ---- Both ----

    def _trace(self, tracks: list[Track], start: float, end: float) -> Provenance:
        """Each segment used is read whole before the copy says what it is derived from."""
        ids = [track.id for track in tracks]
        for _, segment in provenance.used(self.recording, ids, start, end):
            if self.cancelled():
                raise Cancelled
            self.recording.check(segment)
        return provenance.trace(self.recording, ids, start, end, self.now, self.order.use)

    def _description(
        self, made: Provenance, tracks: list[Track], seconds: float, instance: int
    ) -> dicom.Description:
        # A grid shows more than the inside of a body.
        source_type = tracks[0].source_type if len(tracks) == 1 else "other"
        return dicom.Description(
            provenance=made,
            began=self.recording.started_at,
            acquired=provenance.moment(self.recording, seconds),
            source_type=source_type,
            label=" + ".join(self.order.label(track) for track in tracks),
            subject=self.order.subject,
            instance=instance,
        )

    def _put_provenance(self, made: Provenance) -> None:
        self._put("provenance.json", lambda sink: sink.write(made.as_json()))

    def _put(self, name: str, write: Callable[[Sink], object]) -> None:
        with self.open_sink(name) as sink:
            write(sink)
        self.files.append(name)


@dataclass(slots=True)
class _Course:
    """What is shown and heard, moment by moment; asked for frames in order."""

    order: Order
    labels: list[str]
    pictures: list[TrackPictures]
    voices: list[TrackSound]
    start: float
    end: float
    _sounded: int = field(init=False)

    def __post_init__(self) -> None:
        self._sounded = round(self.start * SAMPLES_PER_SECOND)

    def write_frame(self, film: Film, number: int) -> None:
        """Frame ``number`` from the start of the order, and the sound until the next."""
        seconds = self.start + number / self.order.frames_per_second
        shown = [camera.at(seconds) for camera in self.pictures]
        film.show(self._composed(shown))
        until = round((seconds + 1 / self.order.frames_per_second) * SAMPLES_PER_SECOND)
        while self.voices and self._sounded + SOUND_FRAME_SAMPLES <= until:
            film.sound(mix(self.voices, self._sounded, SOUND_FRAME_SAMPLES))
            self._sounded += SOUND_FRAME_SAMPLES

    def _composed(self, shown: list[Picture | Missing]) -> Picture:
        order = self.order
        return grid.compose(shown, self.labels, order.width, order.height, order.language)


def _metadata(made: Provenance) -> dict[str, str]:
    return {"comment": made.sentence, "creation_time": made.from_utc}


def _spool(folder: Path | None) -> BinaryIO:
    return cast(BinaryIO, io.BufferedRandom(Spool(folder)))


@contextlib.contextmanager
def plain_files(folder: Path) -> Iterator[OpenSink]:
    """Sinks that are plain files in a folder outside the server's care: new, 0600, taken away on failure."""
    made: list[Path] = []

    @contextlib.contextmanager
    def open_sink(name: str) -> Iterator[Sink]:
        path = folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        made.append(path)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream

    try:
        yield open_sink
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
