"""What the history's rows hold, as bytes and back.

Another version of the server may have written them (an update that was taken back): what it said in words of
its own cannot be read, and who reads goes on without it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec
import structlog

from mediaserver.operations.model import Alert, Sample, TimelineEvent

Content = TypeVar("Content")

UNREADABLE: Final = (msgspec.DecodeError, zlib.error)
"""What decoding raises where another version, or a bad disk, wrote."""

_encoder = msgspec.msgpack.Encoder()
_samples = msgspec.msgpack.Decoder(list[Sample])
_events = msgspec.msgpack.Decoder(TimelineEvent)
_alerts = msgspec.msgpack.Decoder(Alert)

_log = structlog.stdlib.get_logger(__name__)


def encode(content: Alert | TimelineEvent) -> bytes:
    """An event or an alert as a row holds it."""
    return _encoder.encode(content)


def pack(samples: Sequence[Sample]) -> bytes:
    """A room's second as a row holds it."""
    return zlib.compress(_encoder.encode(samples), 1)


def unpack(content: bytes) -> list[Sample]:
    """The same back. Raises one of ``UNREADABLE``."""
    return _samples.decode(zlib.decompress(content))


def read_second(content: bytes) -> list[Sample]:
    """A row's samples, none if it cannot be read."""
    return _readable(unpack, content) or []


def read_events(contents: Sequence[bytes]) -> list[TimelineEvent]:
    """Of those rows that can be read."""
    return [one for content in contents if (one := _readable(_events.decode, content)) is not None]


def read_alerts(contents: Sequence[bytes]) -> list[Alert]:
    """Of those rows that can be read."""
    return [one for content in contents if (one := _readable(_alerts.decode, content)) is not None]


def _readable(decode: Callable[[bytes], Content], content: bytes) -> Content | None:
    try:
        return decode(content)
    except UNREADABLE:
        _log.warning("a row of the history cannot be read and is left out")
        return None
