"""What is said about a viewer's place on the ladder, and when: worse soon, better when it has lasted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mediaserver.layers.terms import Choice, Reason, Step

REDUCED_SECONDS = 1.0
"""A smaller picture is no news before it has lasted."""
BETTER_SECONDS = 2.0
PUBLISHER_SECONDS = 5.0
"""An encoder that begins sends its large picture late."""
MEASURING_SECONDS = 3.0
"""After which a new link's smaller or missing picture is no longer a beginning."""


class Cause(StrEnum):
    """Whose trouble it is."""

    LINK = "link"
    """The viewer's own way to the server."""
    PUBLISHER = "publisher"
    """The way of whoever sends the picture."""
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a viewer stands, and why."""

    step: Step = Step.FULL
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """What was said last, and for how long something better or worse has been true."""

    standing: Standing = Standing()
    since: float | None = None
    better: bool = False


def standing(
    step: Step, choices: Iterable[Choice], *, server_busy: bool, upload_broken: bool = False
) -> Standing:
    """The standing that a decision means. ``upload_broken``: a picture reaches the server damaged."""
    if step > Step.FULL:
        return Standing(step, Cause.SERVER if server_busy and step < Step.SILENT else Cause.LINK)
    if upload_broken or any(choice.reason == Reason.PUBLISHER for choice in choices):
        return Standing(step, Cause.PUBLISHER)
    return Standing()


def announce(now: float, began: float, before: Announced, true: Standing) -> Announced:
    """What is said from now on; the caller tells a changed ``standing``. ``began``: when the link was new."""
    if true == before.standing:
        return Announced(true)
    better = true.step < before.standing.step
    since = before.since if before.since is not None and better == before.better else now
    if now >= since + _patience(since, began, before.standing, true):
        return Announced(true)
    return Announced(before.standing, since, better)


def _patience(since: float, began: float, said: Standing, true: Standing) -> float:
    if true.step < said.step:
        return BETTER_SECONDS
    if true.step == Step.FULL:
        return PUBLISHER_SECONDS if true.cause is Cause.PUBLISHER else BETTER_SECONDS
    if true.step == Step.SILENT:
        return 0.0
    measuring = began + MEASURING_SECONDS - since
    return max(REDUCED_SECONDS if true.step == Step.REDUCED else 0.0, measuring)
