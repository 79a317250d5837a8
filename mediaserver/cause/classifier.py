"""One room's second: every hurt leg with its cause. Pure: the same samples give the same findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from mediaserver.cause import legs
from mediaserver.cause import thresholds as limits
from mediaserver.cause.texts import RANK
from mediaserver.cause.thresholds import above, below, finding, true
from mediaserver.operations.model import Cause, Finding, Sample
from mediaserver.policy import Role

NETWORK: frozenset[Cause] = frozenset({"publisher_uplink", "viewer_downlink", "relay"})
"""What an overloaded server looks like from its legs."""

_PLACES = {None: 0, Role.SURGEON: 1, Role.SPECIALIST: 2, Role.STAFF: 2, Role.MODERATOR: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What the process knows of itself in this second; None: not known."""

    worker_load_ratio: float | None = None
    """Of the worker that the room lives on."""
    event_loop_lag_seconds: float | None = None
    forward_delay_p99_seconds: float | None = None
    send_drops_ratio: float | None = None
    recording: bool = False
    """Somebody records here: only then is the disk this room's trouble."""
    recording_lag_seconds: float | None = None
    recording_failed: bool = False
    disk_free_bytes: int | None = None
    disk_forecast_seconds: float | None = None


def overload(facts: ServerFacts) -> Finding | None:
    """The process or its worker is short of processor time."""
    return finding(
        "server_overload",
        above(limits.WORKER_LOAD, facts.worker_load_ratio),
        above(limits.LOOP_LAG, facts.event_loop_lag_seconds),
        above(limits.FORWARD_DELAY, facts.forward_delay_p99_seconds),
        above(limits.SEND_DROPS, facts.send_drops_ratio),
    )


def silence(canary_silent_seconds: float | None) -> Finding | None:
    """The canary's pictures do not come back. The server's alone: of rooms, their own legs tell."""
    return finding("canary", above(limits.CANARY_SILENCE, canary_silent_seconds))


def disk(facts: ServerFacts) -> Finding | None:
    """What is recorded does not reach the disk, or soon will not."""
    return finding(
        "recording_disk",
        above(limits.RECORDING_LAG, facts.recording_lag_seconds),
        true("recording_failed", "hurt") if facts.recording_failed else None,
        below(
            "disk_forecast",
            "seconds",
            facts.disk_forecast_seconds,
            limits.FORECAST_WATCH_SECONDS,
            limits.FORECAST_HURT_SECONDS,
        ),
        below("disk_free", "bytes", facts.disk_free_bytes, limits.FREE_WATCH_BYTES, limits.FREE_HURT_BYTES),
    )


def classify(samples: Sequence[Sample], facts: ServerFacts) -> list[Finding]:
    """The worst first; at most one finding a cause and participant or publication."""
    of_server = overload(facts)
    found = [] if of_server is None else [of_server]
    if facts.recording and (of_disk := disk(facts)) is not None:
        found.append(of_disk)
    of_publishers = [one for sample in samples for one in legs.publishing(sample)]
    upstream = _upstream(samples, of_publishers)
    sources = {source.publication: source for sample in samples for source in sample.sources}
    unwell = [sample for sample in samples if not legs.is_well(sample)]
    of_viewers = [one for sample in unwell for one in legs.viewing(sample, sources, upstream)]
    of_legs = [*of_publishers, *of_viewers]
    found += [one for one in of_legs if of_server is None or not _of_that(of_server, one)]
    cut = {one.participant for one in of_legs if any(e.measure == "interrupted" for e in one.evidence)}
    for sample in samples:
        if not sample.connected or sample.clock_skew_seconds is not None:
            found += _client(sample, cut)
    if not found:
        return []
    roles = {sample.participant: sample.role for sample in samples}
    whose = [replace(one, role=roles[one.participant]) if one.participant else one for one in found]
    return sorted(whose, key=badness)


def _of_that(of_server: Finding, of_leg: Finding) -> bool:
    """Whether a leg's trouble is the server's: what may merely be noticed there makes nothing hurt here."""
    return of_leg.cause in NETWORK and (of_server.severity == "hurt" or of_leg.severity == "watch")


def badness(one: Finding) -> tuple[bool, int, int, str, str]:
    """A sort key: the worst finding first, of two alike that of the more important."""
    place = place_of(one.role)
    return one.severity != "hurt", place, RANK[one.cause], one.participant or "", one.publication or ""


def place_of(role: Role | None) -> int:
    """Whose trouble comes first: the server's own (0), the surgeon's, who works with them, all others'."""
    return _PLACES.get(role, len(_PLACES))


def _upstream(samples: Sequence[Sample], of_publishers: list[Finding]) -> set[str]:
    """Publications whose trouble begins before the server; a bad way takes all of its participant's."""
    whole = {one.participant for one in of_publishers if one.publication is None}
    found = {one.publication for one in of_publishers if one.publication is not None}
    return found | {
        source.publication for sample in samples if sample.participant in whole for source in sample.sources
    }


def _client(sample: Sample, cut: set[str | None]) -> list[Finding]:
    """A participant's socket and clock. Where the media is cut too, the way is at fault, not the socket."""
    away = not sample.connected and sample.participant not in cut
    skew = None if sample.clock_skew_seconds is None else abs(sample.clock_skew_seconds)
    found = (
        finding("signalling", true("socket_away", "watch") if away else None, participant=sample.participant),
        finding("clock", above(limits.SKEW, skew), participant=sample.participant),
    )
    return [one for one in found if one is not None]
