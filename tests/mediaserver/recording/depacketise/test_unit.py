"""The bit reader of codec headers."""

from __future__ import annotations

import pytest

from mediaserver.recording.depacketise.unit import Bits, Malformed


def test_numbers_of_any_width_in_order() -> None:
    bits = Bits(b"\xa5\x0f")
    assert [bits.read(1), bits.read(3), bits.flag(), bits.read(11)] == [1, 2, False, 0x50F]
    with pytest.raises(Malformed):
        bits.read(1)


def test_exponential_golomb_numbers() -> None:
    # 1, 010, 011, 00100, 00101 and then zeros (H.264 table 9-2).
    bits = Bits(int("1010011001000010100", 2).to_bytes(3, "big"))
    bits.read(5)
    assert [bits.golomb() for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(Malformed):
        bits.golomb()
    signed = Bits(int("1010011001000010100000", 2).to_bytes(3, "big"))
    signed.read(2)
    assert [signed.signed_golomb() for _ in range(4)] == [0, 1, -1, 2]
