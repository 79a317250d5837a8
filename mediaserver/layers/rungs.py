"""The ladder of one subscription: which options are worth choosing, from the least to the best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from mediaserver.events import SourceType
from mediaserver.layers.rates import Rates, figures, usual
from mediaserver.layers.terms import Demand, Forward, Option, Still

MOTION_FRAMES_PER_SECOND = 20.0
"""Below this an instrument's movement is no longer followed (clinical design, 2.3)."""
LEGIBLE_HEIGHT = 480
"""Below this letters and calipers cannot be read: a sharp still is better."""
USUAL_HEIGHT = 720
USUAL_FRAMES_PER_SECOND = 25.0
KEY_FRAME_SECONDS = 0.25
"""A key frame is as large as so many seconds of its encoding: some six ordinary frames."""
STILL_SECONDS = 1.0
"""Between stills of the chosen picture."""
STILL_SENT_SECONDS = 3.0
"""So long a still may take to arrive, which leaves a second until the plane gives it up; its age is shown."""
RARE_STILL_SECONDS = 5.0
"""Between other stills, and where others would pay for each key frame."""
_BALANCE = 0.6
"""What a doubled frame rate is worth against a doubled height where both matter."""

_KEEPS_MOTION: frozenset[SourceType] = frozenset({"endoscope"})
_KEEPS_SHARPNESS: frozenset[SourceType] = frozenset({"monitor", "ultrasound"})
_HAS_STILLS: frozenset[SourceType] = frozenset({"endoscope", "overhead", "ultrasound", "monitor"})

Shape: TypeAlias = tuple[float, float]
"""Lines, and frames per second."""
Place: TypeAlias = tuple[int, int]
SMALL_HEIGHT = 300
MEDIUM_HEIGHT = 500
"""Pictures of fewer lines are small, or medium: each size comes to all pictures before any gets the next."""
_STILLS, _SMALL, _FACES, _MEDIUM, _LARGE, _BETTER_FACES = range(1, 7)


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder: what is sent, what that takes, and how good it is to compare by."""

    sending: Forward | Still
    rate: float
    worth: float
    place: Place = (0, 0)
    """When its turn comes: sounds, stills, small pictures, faces, medium and large pictures, better faces."""


def rank(demand: Demand) -> int:
    """Place in the order of clinical importance, 0 first; sounds and pictures each among themselves."""
    if demand.kind == "audio":
        return 0 if demand.talkback else 1
    return 0 if demand.pinned else _RANKS.get(demand.source_type, 4)


_RANKS: dict[SourceType, int] = {
    "endoscope": 1,
    "ultrasound": 2,
    "monitor": 2,
    "overhead": 3,
    "other": 4,
    "room": 5,
}


def is_clinical(demand: Demand) -> bool:
    """Whether the picture shows the patient or what is measured of them, or was chosen by the viewer."""
    return demand.pinned or demand.source_type in _HAS_STILLS


def ladder(demand: Demand, rates: Rates, *, chosen: bool, dormant: bool = False) -> list[Rung]:
    """Rungs from the least to the best, each dearer and better than the one before; empty if nothing flows.

    ``dormant``: as if all encodings flowed that the publisher was told to leave out.
    """
    flowing = [
        index
        for index, encoding in enumerate(demand.encodings)
        if (encoding.flows or (dormant and encoding.dormant)) and (demand.cap is None or index <= demand.cap)
    ]
    if not flowing and demand.cap is not None:
        # The viewer shows it smaller than anything that comes.
        flowing = [index for index, encoding in enumerate(demand.encodings) if encoding.flows][:1]
    rungs: list[Rung] = []
    for index in flowing:
        rungs += _of_encoding(demand, index, figures(rates, demand, index))
    rungs.sort(key=lambda rung: (rung.rate, -rung.worth))
    kept: list[Rung] = []
    for rung in rungs:
        if not kept or rung.worth > kept[-1].worth:
            kept.append(rung)
    if flowing and demand.source_type in _HAS_STILLS and demand.kind == "video":
        kept = _with_stills(demand, rates, flowing, kept, chosen=chosen)
    return _placed(kept)


def _of_encoding(demand: Demand, index: int, rows: tuple[tuple[float, ...], ...]) -> list[Rung]:
    encoding, count = demand.encodings[index], len(demand.encodings)
    full_height = encoding.height or USUAL_HEIGHT / 2 ** (count - 1 - index)
    full_pace = encoding.frames_per_second or USUAL_FRAMES_PER_SECOND
    rungs = []
    for spatial, row in enumerate(rows):
        height = full_height / 2 ** (len(rows) - 1 - spatial)
        top_spatial = spatial == len(rows) - 1
        for temporal, rate in enumerate(row):
            top_temporal = temporal == len(row) - 1
            pace = full_pace / 2 ** (len(row) - 1 - temporal)
            option = Option(index, None if top_spatial else spatial, None if top_temporal else temporal)
            worth = _worth(demand.source_type, (height, pace), whole=top_temporal)
            rungs.append(Rung(Forward(option), rate, worth, (_size(demand, height), 0)))
    return rungs


def _size(demand: Demand, height: float) -> int:
    if demand.kind == "audio":
        return 0
    if not is_clinical(demand):
        return _FACES
    return _SMALL if height < SMALL_HEIGHT else _MEDIUM if height < MEDIUM_HEIGHT else _LARGE


def _placed(rungs: list[Rung]) -> list[Rung]:
    """Counts the rungs of one size: the first of it comes to everybody before anybody's second."""
    placed: list[Rung] = []
    for rung in rungs:
        size, number = rung.place[0], 0
        if placed and placed[-1].place[0] in (size, _BETTER_FACES):
            number = placed[-1].place[1] + 1
            size = _BETTER_FACES if size == _FACES else size
        placed.append(Rung(rung.sending, rung.rate, rung.worth, (size, number)))
    return placed


def _worth(source: SourceType, shape: Shape, *, whole: bool) -> float:
    """How good a picture is, to compare options of one source by."""
    height, pace = shape
    if source in _KEEPS_MOTION:
        smooth = whole or pace >= MOTION_FRAMES_PER_SECOND
        return height + pace / 1_000 + (100_000 if smooth else 0)
    if source in _KEEPS_SHARPNESS:
        return height + pace / 1_000
    return math.log(height) + _BALANCE * math.log(pace)


def _with_stills(
    demand: Demand, rates: Rates, flowing: list[int], moving: list[Rung], *, chosen: bool
) -> list[Rung]:
    """Puts stills below the moving rungs, and drops what is worse than a still.

    A picture that must be legible is taken still and sharp rather than moving and small.
    """
    sharp = demand.source_type in _KEEPS_SHARPNESS
    index = flowing[-1] if sharp else flowing[0]
    rows = figures(rates, demand, index)
    spatial = None if sharp or len(rows) == 1 else 0
    bits = rows[-1 if spatial is None else spatial][-1] * KEY_FRAME_SECONDS
    intervals = (RARE_STILL_SECONDS, STILL_SECONDS) if chosen and not demand.shared else (RARE_STILL_SECONDS,)
    if sharp:
        # Their worth is their height.
        moving = [rung for rung in moving if rung.worth >= LEGIBLE_HEIGHT] or moving[-1:]
    option = Option(index, spatial)
    stills = [
        Rung(Still(option, interval), bits / min(interval, STILL_SENT_SECONDS), -interval, (_STILLS, 0))
        for interval in intervals
    ]
    return [still for still in stills if not moving or still.rate < moving[0].rate] + moving


def most(demand: Demand, rates: Rates) -> float:
    """What the subscription would take if its publisher sent its best and the link were no matter."""
    usable = [
        max(usual(demand, index), figures(rates, demand, index)[-1][-1])
        for index, encoding in enumerate(demand.encodings)
        if (encoding.flows or encoding.dormant) and (demand.cap is None or index <= demand.cap)
    ]
    return max(usable, default=0.0)
