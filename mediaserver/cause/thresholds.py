"""Where good ends: limits with their reasons, and the evidence that one was passed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.operations.model import Cause, Evidence, Finding, Measure, Severity, Unit


@dataclass(frozen=True, slots=True)
class Limit:
    """Above ``watch`` somebody may soon notice, above ``hurt`` somebody does."""

    measure: Measure
    unit: Unit
    watch: float
    hurt: float


# Conversational voice tolerates 3 % (G.1010) and with FEC is speech at 10 % (clinical design, 2.4 and 2.5).
LOSS_BEFORE = Limit("loss_before", "ratio", 0.03, 0.10)
# Picture at most 1 %, voice at most 3 % after repair (G.1010).
LOSS_AFTER = Limit("loss_after", "ratio", 0.01, 0.03)
# Twice the one-way limits of G.114: 150 ms unnoticed, 400 ms not to be planned for.
ROUND_TRIP = Limit("round_trip", "seconds", 0.3, 0.8)
JITTER = Limit("jitter", "seconds", 0.1, 0.3)
# A standing queue adds its length to every picture; the mentoring budget is 250 ms in all.
QUEUE_DELAY = Limit("queue_delay", "seconds", 0.2, 0.5)
CONCEALED = Limit("concealed", "ratio", 0.03, 0.10)
# W3C calls a gap above three frame times a freeze; half of each second frozen is no picture.
FREEZE = Limit("freeze", "seconds", 0.2, 0.5)
DROPPED_FRAMES = Limit("dropped_frames", "ratio", 0.1, 0.3)
# Of the time between two frames: at 1 no time is left.
ENCODE_LOAD = Limit("encode_load", "ratio", 0.8, 1.0)
DECODE_LOAD = Limit("decode_load", "ratio", 0.8, 1.0)
# Of the frames that the camera gives.
FRAMES_MISSING = Limit("frames_missing", "ratio", 0.3, 0.5)
# A late picture at 0.5 s, a frozen one at 1 s for those who act on it (clinical design, 2.2).
SOURCE_AGE = Limit("source_age", "seconds", 1.0, 1.0)
SKEW = Limit("clock_skew", "seconds", 1.0, 60.0)
WORKER_LOAD = Limit("worker_load", "ratio", 0.85, 0.95)
LOOP_LAG = Limit("event_loop_lag", "seconds", 0.1, 0.3)
# The server's own share of the delay: 10 ms green, 30 ms an alert to operators (clinical design, 2.1).
FORWARD_DELAY = Limit("forward_delay_p99", "seconds", 0.03, 0.1)
SEND_DROPS = Limit("send_drops", "ratio", 0.001, 0.01)
# So that the alert, which waits for it to last, comes within 30 s.
CANARY_SILENCE = Limit("canary_silence", "seconds", 10.0, 20.0)
RECORDING_LAG = Limit("recording_lag", "seconds", 2.0, 10.0)

FORECAST_WATCH_SECONDS, FORECAST_HURT_SECONDS = 4 * 3600.0, 1800.0
"""An operation lasts three hours; half an hour is what it takes to find somebody with a disk."""
FREE_WATCH_BYTES, FREE_HURT_BYTES = 2 * 1024**3, 200 * 1024**2
LOWEST_ESTIMATE = 150_000
"""Bits per second: below this no picture is worth sending (clinical design, 5.3)."""


def above(limit: Limit, value: float | None) -> tuple[Severity, Evidence] | None:
    """The worse limit that the value passed; None when it passed neither or is not known."""
    if value is None or value <= limit.watch:
        return None
    severity: Severity = "hurt" if value > limit.hurt else "watch"
    passed = limit.hurt if severity == "hurt" else limit.watch
    return severity, Evidence(measure=limit.measure, value=round(value, 6), limit=passed, unit=limit.unit)


def below(
    measure: Measure, unit: Unit, value: float | None, watch: float, hurt: float
) -> tuple[Severity, Evidence] | None:
    """The same for what must not fall."""
    if value is None or value >= watch:
        return None
    severity: Severity = "hurt" if value < hurt else "watch"
    limit = hurt if severity == "hurt" else watch
    return severity, Evidence(measure=measure, value=round(value, 6), limit=limit, unit=unit)


def true(measure: Measure, severity: Severity) -> tuple[Severity, Evidence]:
    """A yes where there should be a no."""
    return severity, Evidence(measure=measure, value=1.0, limit=0.0, unit="")


Passed = tuple[Severity, Evidence] | None


def finding(
    cause: Cause, *passed: Passed, participant: str | None = None, publication: str | None = None
) -> Finding | None:
    """All that passed as one finding, as bad as its worst; None when nothing did."""
    known = [one for one in passed if one is not None]
    if not known:
        return None
    return Finding(
        cause=cause,
        severity="hurt" if any(severity == "hurt" for severity, _ in known) else "watch",
        evidence=tuple(evidence for _, evidence in known),
        participant=participant,
        publication=publication,
    )
