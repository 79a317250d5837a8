"""Which pictures of a track are kept, where one segment ends and the next begins, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mediaserver.recording.depacketise import Assemble, Malformed, Unit
from mediaserver.recording.streams import Change, Group, StreamKey

SEGMENT_SECONDS: Final = 45.0
"""A segment ends at the first key frame after this; sealing once a minute then finds one that has ended."""
LONGEST_SECONDS: Final = 300.0
"""Without any key frame a segment ends here all the same, so that journals can go."""
BREAK_SECONDS: Final = 1.0
"""After a silence this long a new segment begins."""
ENCODING_SILENT_SECONDS: Final = 1.0
"""When the recorded encoding was silent for this long, a lower one takes its place."""
_VISIBLE_GAP_SECONDS: Final = 0.3
"""Less without a picture is no gap but a slow camera."""


class Picture(NamedTuple):
    """A unit of the codec and where it belongs."""

    at: float
    key: StreamKey
    rtp: int
    unit: Unit
    arrival: float = 0.0
    """Of its last packet."""


class Gap(NamedTuple):
    """From, to (seconds on the axis), and why: ``lost``, ``muted``, ``paused``, ``reconnect``,
    ``no_keyframe``."""

    start: float
    end: float
    reason: str


@dataclass(slots=True)
class Part:
    """Pictures that make one segment; begins with a key frame unless there was none for very long."""

    pictures: list[Picture] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    packets: int = 0
    lost: int = 0

    @property
    def start(self) -> float:
        """On the axis."""
        return self.pictures[0].at

    @property
    def end(self) -> float:
        """Where its last picture begins."""
        return self.pictures[-1].at


@dataclass(frozen=True, slots=True)
class Sealed:
    """Where the segments of a track end so far: the last picture, and its end on the axis."""

    key: StreamKey
    rtp: int
    """As on the wire, 32 bits."""
    until: float
    broken: bool = False
    """What follows cannot go on with it: nothing playable ends there."""


class Splitter:
    """Takes pictures in order and makes parts."""

    def __init__(
        self, assemble: Assemble, sealed: Sealed | None, changes: Sequence[Change], video: bool
    ) -> None:
        self._assemble = assemble
        self._sealed = sealed
        self._mutes = [(change.at, change.name) for change in changes if change.name in ("muted", "heard")]
        self._video = video
        self._last_at = sealed.until if sealed else 0.0
        self._current = sealed.key if sealed else None
        self._missed: Gap | None = None
        self.parts: list[Part] = []
        self.last: Group | None = None
        """The newest that was taken."""

    def take(self, groups: Iterable[Group]) -> None:
        """Pictures by their place on the axis."""
        for group in self._new(groups):
            self.last = group
            self._count(group)
            if not group.whole:
                self._miss(group.at, "lost")
                continue
            try:
                unit = self._assemble([packet.payload for packet in group.packets])
            except Malformed:
                self._miss(group.at, "lost")
                continue
            self._place(group, unit)

    @property
    def missed(self) -> Gap | None:
        """From the last picture, or the first packets, to the newest: what no picture came of."""
        if self._missed is None or self.last is None:
            return None
        return Gap(self._missed.start, self.last.at, self._missed.reason)

    def _new(self, groups: Iterable[Group]) -> list[Group]:
        """What is not in a segment yet."""
        found = list(groups)
        sealed = self._sealed
        if sealed is None:
            return found
        last = [g for g in found if g.key == sealed.key and g.rtp & 0xFFFFFFFF == sealed.rtp]
        if not last:
            return [group for group in found if group.at > sealed.until]
        after = last[-1].rtp
        return [g for g in found if (g.rtp > after if g.key == sealed.key else g.at > last[-1].at)]

    def _count(self, group: Group) -> None:
        if group.missing:
            self._miss(group.at, "lost")
        if self.parts:
            self.parts[-1].lost += group.missing
            self.parts[-1].packets += len(group.packets)

    def _miss(self, at: float, reason: str) -> None:
        """Nothing to show from the last picture on, or from here where there was none."""
        if self._missed is None:
            self._missed = Gap(self._last_at or at, at, reason)

    def _place(self, group: Group, unit: Unit) -> None:
        if self._video and not self._chosen(group, unit):
            return
        begins = self._begins(group, unit)
        if begins and (unit.keyframe or not self.parts or self._too_long(group)):
            if self.parts:
                # Counted there, before it was known to begin the next.
                self.parts[-1].packets -= len(group.packets)
            self.parts.append(Part(packets=len(group.packets)))
        elif not self.parts:
            self._miss(group.at, "no_keyframe")
            return
        part = self.parts[-1]
        # Time on the axis never goes back, whatever a publisher's clock says.
        at = max(group.at, self._last_at + 0.001) if self._last_at else max(group.at, 0.0)
        self._note_gap(part, at, group)
        part.pictures.append(Picture(at, group.key, group.rtp, unit, group.last_arrival))
        self._last_at, self._current = at, group.key

    def _chosen(self, group: Group, unit: Unit) -> bool:
        """Whether the picture is of the encoding to keep; a change comes at a key frame."""
        current = self._current
        if current is None or group.key == current:
            return True
        silent = group.at - self._last_at > ENCODING_SILENT_SECONDS
        other = group.key.publication != current.publication
        return unit.keyframe and (other or silent or group.key.encoding >= current.encoding)

    def _begins(self, group: Group, unit: Unit) -> bool:
        if not self.parts:
            # Behind the longest segment, which no key frame ended, the next goes on.
            sealed = self._sealed
            return unit.keyframe or (sealed is not None and not sealed.broken and sealed.key == group.key)
        part = self.parts[-1]
        first = part.pictures[0].unit
        changed = unit.keyframe and ((unit.size or first.size) != first.size or unit.setup != first.setup)
        return (
            changed
            or group.key != part.pictures[-1].key
            or group.at - self._last_at > BREAK_SECONDS
            or group.at - part.start >= SEGMENT_SECONDS
        )

    def _too_long(self, group: Group) -> bool:
        return bool(self.parts) and group.at - self.parts[-1].start >= LONGEST_SECONDS

    def _note_gap(self, part: Part, at: float, group: Group) -> None:
        last, missed = self._last_at, self._missed
        self._missed = None
        if missed is not None and at > missed.start:
            part.gaps.append(Gap(missed.start, at, missed.reason))
            return
        if (
            self._current is not None
            and at - last > _VISIBLE_GAP_SECONDS
            and (self._video or at - last > BREAK_SECONDS)
        ):
            part.gaps.append(Gap(last, at, self._reason(last, at, group)))

    def _reason(self, start: float, end: float, group: Group) -> str:
        if any(start - 0.5 <= at <= end and name == "muted" for at, name in self._mutes):
            return "muted"
        if self._current is not None and group.key.publication != self._current.publication:
            return "reconnect"
        return "lost" if group.missing else "paused"
