"""Opus (RFC 7587): a payload is a packet of the codec."""

from __future__ import annotations

from collections.abc import Sequence

from mediaserver.recording.depacketise.unit import Malformed, Unit


def assemble(payloads: Sequence[bytes]) -> Unit:
    """One packet. Raises ``Malformed``."""
    if len(payloads) != 1 or not payloads[0]:
        raise Malformed("one packet has one timestamp")
    return Unit(payloads[0], keyframe=True)
