"""Relays one by one: which answer, and what of them is told."""

from __future__ import annotations

from pathlib import Path

from aiortc import RTCIceServer

from signalling.preflight import relay
from signalling.preflight.findings import Verdict
from tests.end_to_end.engines import coturn


def test_each_address_is_looked_at_by_itself() -> None:
    many = RTCIceServer(["stun:s.example", "turn:", "turn:a.example", "turns:b.example"], "u", "c")
    found = relay.single([many, RTCIceServer("turn:d.example?transport=tcp"), RTCIceServer("turn:e.example")])
    assert [one.server.urls for one in found] == [
        "turn:a.example",
        "turns:b.example",
        "turn:d.example?transport=tcp",
    ]
    assert [one.where for one in found] == ["a.example UDP 3478", "b.example TLS 5349", "d.example TCP 3478"]
    assert (found[1].server.username, found[1].server.credential) == ("u", "c")


async def test_one_that_knows_the_credentials_is_open(tmp_path: Path) -> None:
    with coturn(tmp_path) as port:
        url = f"turn:127.0.0.1:{port}"
        known, unknown = RTCIceServer(url, "loupe", "loupe"), RTCIceServer(url, "loupe", "secret")
        found = await relay.examine(relay.single([known, unknown]))
    assert [one.verdict for one in found] == [Verdict.OPEN, Verdict.BLOCKED]
    assert {one.where for one in found} == {f"127.0.0.1 UDP {port}"}
    assert "secret" not in str(found)
    assert [relay.in_reserve(one).verdict for one in found] == [Verdict.OPEN, Verdict.WEAK]


async def test_one_that_is_not_there_is_blocked() -> None:
    [found] = await relay.examine(relay.single([RTCIceServer("turn:127.0.0.1:1?transport=tcp", "u", "c")]))
    assert (found.verdict, found.where) == (Verdict.BLOCKED, "127.0.0.1 TCP 1")
