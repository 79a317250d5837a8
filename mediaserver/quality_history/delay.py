"""How old a picture or sound is when it is seen or heard, put together from what is known of its way.

No clock of a browser takes part: half of each leg's round trip, the encoder's and the decoder's time, the
queue at the server's pacer and the receiver's buffer. What camera, screen or loudspeaker add is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mediaserver.operations.model import LegSample, Sample
from mediaserver.quality_history.claims import ViewClaim


def arrivals(samples: Iterable[Sample]) -> Mapping[str, float]:
    """Publication -> seconds from its capture until the server has it; only those of which it is known."""
    return {
        source.publication: one.up.round_trip_seconds / 2 + (source.encode_seconds or 0.0)
        for one in samples
        if one.up is not None and one.up.round_trip_seconds is not None
        for source in one.sources
    }


def delay(arrival: float | None, down: LegSample | None, claim: ViewClaim | None) -> float | None:
    """Seconds from capture to screen; None while a part of the way is not known."""
    if arrival is None or down is None or down.round_trip_seconds is None:
        return None
    if claim is None or claim.buffer_ms is None:
        return None
    received = arrival + (down.queue_delay_seconds or 0.0) + down.round_trip_seconds / 2
    return received + (claim.buffer_ms + (claim.decode_ms or 0.0)) / 1000
