"""What a derived copy is derived from: recording, span, and the hash of every sealed segment used."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import msgspec

from mediaserver import __version__
from mediaserver.recording.reader import Recording, Segment, Track
from mediaserver.review.purposes import Use


class SourceSegment(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed segment as its manifest names it."""

    track: str
    source_type: str
    segment: int
    sha256: str


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Written beside every export; its digest and sentence are in the export itself."""

    derived: bool = True
    recording: str
    from_utc: str
    to_utc: str
    from_seconds: float
    to_seconds: float
    made_utc: str
    made_for: str
    """What the copy is for: ``care``, ``quality`` or ``teaching``."""
    software: str = f"Loupe {__version__}"
    sources: list[SourceSegment]

    @property
    def digest(self) -> str:
        """SHA-256 over the sources' hashes in order, hex: one value that stands for all of them."""
        return hashlib.sha256("".join(source.sha256 for source in self.sources).encode()).hexdigest()

    @property
    def sentence(self) -> str:
        """For where one line of text is all there is; no names, at most 400 characters."""
        return (
            f"Derived from Loupe recording {self.recording}, {self.from_utc} to {self.to_utc}, "
            f"{len(self.sources)} sealed segments; SHA-256 over their SHA-256 values: {self.digest}"
        )

    def as_json(self) -> bytes:
        """The whole list."""
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"


def moment(recording: Recording, seconds: float) -> datetime:
    """A moment of the recording in UTC."""
    return recording.started_at.astimezone(UTC) + timedelta(seconds=seconds)


def used(
    recording: Recording, tracks: Collection[str], start_seconds: float, end_seconds: float
) -> list[tuple[Track, Segment]]:
    """Every segment of these tracks that the span touches."""
    return [
        (track, segment)
        for track in recording.tracks
        if track.id in tracks
        for segment in recording.segments(track)
        if segment.start_seconds <= end_seconds
        and segment.start_seconds + segment.duration_seconds >= start_seconds
    ]


def trace(
    recording: Recording,
    tracks: Collection[str],
    start_seconds: float,
    end_seconds: float,
    now: datetime,
    use: Use,
) -> Provenance:
    """What a copy of this span of these tracks is derived from."""
    sources = [
        SourceSegment(
            track=track.id, source_type=track.source_type, segment=segment.number, sha256=segment.sha256
        )
        for track, segment in used(recording, tracks, start_seconds, end_seconds)
    ]
    return Provenance(
        recording=recording.id,
        from_utc=_text(moment(recording, start_seconds)),
        to_utc=_text(moment(recording, end_seconds)),
        from_seconds=start_seconds,
        to_seconds=end_seconds,
        made_utc=_text(now),
        made_for=use.value,
        sources=sources,
    )


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
