"""From the payloads of one picture's packets to what a container holds; one module per codec."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from mediaserver.recording.depacketise import av1, h264, opus, vp8, vp9
from mediaserver.recording.depacketise.unit import Malformed, Unit

Assemble = Callable[[Sequence[bytes]], Unit]

_BY_CODEC: Final[dict[str, Assemble]] = {
    "VP8": vp8.assemble,
    "VP9": vp9.assemble,
    "AV1": av1.assemble,
    "H264": h264.assemble,
    "OPUS": opus.assemble,
}

RECORDABLE = frozenset(_BY_CODEC)
"""Codecs, in capitals, that can be sealed."""


def assembler(codec: str) -> Assemble:
    """What puts packets of this codec together. Raises ``KeyError`` for one that cannot be sealed.

    It takes the payloads of all packets of one RTP timestamp in order, none missing, and raises
    ``Malformed`` for what is no picture.
    """
    return _BY_CODEC[codec.upper()]


__all__ = ["RECORDABLE", "Assemble", "Malformed", "Unit", "assembler"]
