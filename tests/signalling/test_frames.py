"""Frames as RFC 6455 has them and as it forbids them, byte by byte over a real socket.

The case groups of the Autobahn test suite, spoken to the server's own end point: pings (2), reserved bits and
opcodes (3, 4), fragments (5), UTF-8 (6), closing (7) and sizes (9).
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
from dataclasses import dataclass
from typing import Any, Self

from signalling.messages import PROTOCOL
from tests.signalling.conftest import House

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
CONTINUATION = 0x0
PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1002, 1007, 1009
WITHIN_SECONDS = 5.0


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0, masked: bool = True
) -> bytes:
    """One frame as a client sends it."""
    head = bytes([fin << 7 | reserved << 4 | opcode])
    if len(payload) < 126:
        length = bytes([masked << 7 | len(payload)])
    elif len(payload) < 65_536:
        length = struct.pack("!BH", masked << 7 | 126, len(payload))
    else:
        length = struct.pack("!BQ", masked << 7 | 127, len(payload))
    if not masked:
        return head + length + payload
    mask = os.urandom(4)
    return head + length + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def cut(whole: bytes, size: int) -> list[bytes]:
    """Into pieces of this size; the last may be shorter."""
    return [whole[at : at + size] for at in range(0, len(whole), size)]


def message(**fields: Any) -> bytes:
    return json.dumps({"id": 1, **fields}, ensure_ascii=False).encode()


@dataclass
class Line:
    """A WebSocket of which every byte is the test's."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, house: House, room: str = "frames") -> Self:
        """Upgraded, and joined."""
        reader, writer = await asyncio.open_connection("127.0.0.1", house.listener.port)
        line = cls(reader, writer)
        writer.write(
            f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n".encode()
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        line.say(frame(TEXT, message(type="join", token=house.token(room=room))))
        assert (await line.told())["type"] == "hello"
        return line

    def say(self, *frames: bytes) -> None:
        for one in frames:
            self.writer.write(one)

    async def next(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. The server masks nothing and fragments nothing."""
        async with asyncio.timeout(WITHIN_SECONDS):
            first, length = await self.reader.readexactly(2)
            if length == 126:
                [length] = struct.unpack("!H", await self.reader.readexactly(2))
            elif length == 127:
                [length] = struct.unpack("!Q", await self.reader.readexactly(8))
            assert first & 0xF0 == 0x80, "whole frames, no reserved bit"
            return first & 0x0F, await self.reader.readexactly(length)

    async def told(self) -> dict[str, Any]:
        """The next message."""
        opcode, payload = await self.next()
        assert opcode == TEXT, (opcode, payload)
        found: dict[str, Any] = json.loads(payload)
        return found

    async def answered(self) -> dict[str, Any]:
        """The answer to message 1, whatever comes before it."""
        while (said := await self.told()).get("id") != 1:
            pass
        return said

    async def closed(self) -> int:
        """The server's close code; after it nothing comes."""
        while (said := await self.next())[0] != CLOSE:
            pass
        [code] = struct.unpack("!H", said[1][:2])
        async with asyncio.timeout(WITHIN_SECONDS):
            assert await self.reader.read() == b""
        return int(code)


PINGS = (b"", b"hello", bytes(range(250, 256)), b"x" * 125)


async def test_pings_come_back_whole_between_fragments_too(house: House) -> None:
    line = await Line.open(house)
    for payload in PINGS:
        line.say(frame(PONG, b"unasked for"), frame(PING, payload))
        assert await line.next() == (PONG, payload)
    # Cut within letters of two bytes: what is whole is the message, not its fragments.
    pieces = cut(message(type="chat", text="một câu dài"), 3)
    line.say(frame(TEXT, pieces[0], fin=False))
    for piece in pieces[1:-1]:
        line.say(frame(PING, b"?"), frame(CONTINUATION, piece, fin=False))
    line.say(frame(CONTINUATION, pieces[-1]))
    for _ in pieces[1:-1]:
        assert await line.next() == (PONG, b"?")
    assert (await line.answered())["type"] == "ok"


FORBIDDEN = {
    **{f"reserved bits {bits}": [frame(TEXT, b"x", reserved=bits)] for bits in range(1, 8)},
    **{f"opcode {opcode}": [frame(opcode, b"x")] for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a ping of 126 bytes": [frame(PING, b"x" * 126)],
    "a ping in fragments": [frame(PING, b"x", fin=False)],
    "a close of 126 bytes": [frame(CLOSE, struct.pack("!H", 1000) + b"x" * 124)],
    "a close of one byte": [frame(CLOSE, b"x")],
    "a continuation of nothing": [frame(CONTINUATION, b"x")],
    "a message within another": [frame(TEXT, b"x", fin=False), frame(TEXT, b"x")],
    **{
        f"close code {code}": [frame(CLOSE, struct.pack("!H", code))]
        for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)
    },
}
NOT_TEXT = {
    "a lone continuation byte": b"\x80",
    "a sequence that ends too early": b"\xce",
    "an overlong slash": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "beyond the last code point": b"\xf4\x90\x80\x80",
    "a byte that no text has": b"\xff",
}


async def test_what_the_protocol_forbids_ends_the_connection(house: House) -> None:
    quoted = b'{"type":"chat","id":1,"text":"%s"}'
    cases = [(name, frames, PROTOCOL_ERROR) for name, frames in FORBIDDEN.items()]
    cases += [(name, [frame(TEXT, quoted % text)], NOT_UTF8) for name, text in NOT_TEXT.items()]
    for number, (name, frames, code) in enumerate(cases):
        line = await Line.open(house, f"room-{number}")
        line.say(*frames)
        assert await line.closed() == code, name


async def test_a_close_is_answered_by_a_close(house: House) -> None:
    reason = "tạm biệt".encode()
    codes = (1000, 1001, 1002, 1003, 1007, 1011, 3000, 3999, 4000, 4999)
    for payload in (b"", *(struct.pack("!H", code) + reason for code in codes)):
        line = await Line.open(house)
        line.say(frame(CLOSE, payload))
        assert await line.closed() == 1000


async def test_binary_is_no_message(house: House) -> None:
    line = await Line.open(house)
    line.say(frame(BINARY, message(type="ping")))
    said = await line.told()
    assert (said["code"], said["field"]) == ("malformed_message", "$")


async def test_a_message_of_64_kib_and_none_larger(house: House) -> None:
    largest = house.parts.limits.message_bytes
    for pieces in (1, 70):
        line = await Line.open(house)
        for size in (largest, largest + 1):
            parts = cut(message(type="chat", text="").ljust(size), size // pieces + 1)
            for place, part in enumerate(parts):
                line.say(frame(CONTINUATION if place else TEXT, part, fin=place == len(parts) - 1))
            if size == largest:
                assert (await line.answered())["field"] == "$.text"
        assert await line.closed() == TOO_BIG
    line = await Line.open(house)
    line.say(b"\x81\xff" + (2**63 - 1).to_bytes(8, "big") + b"mask")
    assert await line.closed() == TOO_BIG
