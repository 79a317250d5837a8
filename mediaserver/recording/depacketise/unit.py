"""What a depacketiser gives, and the bit reader that codec headers need."""

from __future__ import annotations

from dataclasses import dataclass


class Malformed(ValueError):
    """The payloads are no whole picture of the codec."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One picture, or one packet of sound, as a container stores it."""

    data: bytes
    keyframe: bool
    size: tuple[int, int] | None = None
    """Width and height in pixels, known at key frames."""
    setup: bytes = b""
    """What a decoder needs before the first: parameter sets or sequence header, known at key frames."""


class Bits:
    """Reads bits from the most significant on. Raises ``Malformed`` behind the end."""

    __slots__ = ("_length", "_position", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._length = len(data) * 8
        self._position = 0

    def read(self, count: int) -> int:
        """An unsigned number of so many bits."""
        self._position += count
        if self._position > self._length:
            raise Malformed("the header is cut")
        return (self._value >> (self._length - self._position)) & ((1 << count) - 1)

    def flag(self) -> bool:
        """One bit."""
        return self.read(1) == 1

    def golomb(self) -> int:
        """ue(v) of ITU-T H.264 section 9.1."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise Malformed("no such number")
        return (1 << zeros) - 1 + (self.read(zeros) if zeros else 0)

    def signed_golomb(self) -> int:
        """se(v) of ITU-T H.264 section 9.1.1."""
        number = self.golomb()
        return (number + 1) // 2 if number % 2 else -(number // 2)
