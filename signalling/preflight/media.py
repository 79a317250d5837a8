"""The way of the media: a real WebRTC session to the server and back, in a room of its own."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from statistics import median

import aiohttp
from aiortc import RTCIceServer
from msgspec.structs import replace

from signalling.client import Refused
from signalling.loopback import Ends, Loopback, Seen
from signalling.preflight import relay
from signalling.preflight.findings import Finding, Verdict
from signalling.preflight.network import STEP_SECONDS, Target

FRAMES_PER_SECOND = 15
CONNECT_SECONDS = 10.0
SETTLE_SECONDS = 4.0
"""The server learns what a new way carries from below, and leaves pictures out meanwhile."""
WATCH_SECONDS = 8.0
LOSS_RATIO = 0.02
"""Pictures that did not come back: of 120 two may be those under way at the end."""
DELAY_SECONDS = 0.4
"""There and back is surgeon to specialist: beyond this a picture is late (clinical design 2.1, consult)."""


_UNUSABLE = (aiohttp.ClientError, OSError, TimeoutError, Refused)


class _Later(Exception):
    """The server tests others now, or ends; the text is its code."""


async def examine(target: Target, tls: ssl.SSLContext | bool) -> list[Finding]:
    """Needs the target's invitation: without it UDP cannot be told open from closed."""
    if not target.invitation:
        return [
            Finding(item="invitation", verdict=Verdict.UNTESTED),
            Finding(item="udp", verdict=Verdict.UNTESTED),
        ]
    try:
        ends = await _begin(target, tls)
    except _Later as later:
        return [
            Finding(item="capacity", verdict=Verdict.UNTESTED, detail=str(later)),
            Finding(item="udp", verdict=Verdict.UNTESTED),
        ]
    except _UNUSABLE as error:
        return [
            Finding(item="invitation", verdict=Verdict.BLOCKED, detail=str(error) or type(error).__name__),
            Finding(item="udp", verdict=Verdict.UNTESTED),
        ]
    findings, told = await _session(ends)
    relays = relay.single(told)
    reached = await relay.examine(relays)
    if findings[0].item == "udp" and findings[0].verdict is Verdict.BLOCKED:
        return await _relayed(target, tls, findings[0], list(zip(relays, reached, strict=True)))
    return [*findings, *(relay.in_reserve(one) for one in reached)]


async def _relayed(
    target: Target, tls: ssl.SSLContext | bool, udp: Finding, relays: list[tuple[relay.Relay, Finding]]
) -> list[Finding]:
    """UDP to the server is closed: whether pictures come through a relay that answers."""
    found = [reached for _, reached in relays]
    for index, (one, reached) in enumerate(relays):
        if reached.verdict is not Verdict.OPEN:
            continue
        try:
            ends = await _begin(target, tls)
        except (_Later, *_UNUSABLE) as error:
            found[index] = replace(reached, verdict=Verdict.UNTESTED, detail=str(error))
            continue
        (first, *measured), _ = await _session(dataclasses.replace(ends, ice_servers=(one.server,)))
        if first.verdict is Verdict.OPEN:
            others = [relay.in_reserve(other) for other in found if other is not reached]
            by_relay = [replace(figure, where=reached.where) for figure in measured]
            return [replace(udp, verdict=Verdict.WEAK), reached, *by_relay, *others]
        found[index] = replace(reached, verdict=Verdict.BLOCKED, detail=first.detail)
    return [udp, *found]


async def _session(ends: Ends) -> tuple[list[Finding], tuple[RTCIceServer, ...]]:
    """What one session shows, and which relays it was told of."""
    seen: list[Seen] = []
    loopback = Loopback(ends, FRAMES_PER_SECOND, seen.append)
    running = asyncio.create_task(loopback.run())
    try:
        findings = await _watch(loopback, running, seen)
        return findings, loopback.told_servers
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _begin(target: Target, tls: ssl.SSLContext | bool) -> Ends:
    headers = {"Authorization": f"Bearer {target.invitation}"}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(STEP_SECONDS)) as http,
        http.post(f"{target.url}/api/v1/precall", headers=headers, ssl=tls) as response,
    ):
        body = await response.json(content_type=None)
        if response.status in (429, 503):
            raise _Later(str(body.get("code", response.status)))
        if response.status != 200:
            raise Refused(str(body.get("code", response.status)))
        return Ends(
            url=target.url, send_token=body["send_token"], receive_token=body["receive_token"], tls=tls
        )


async def _watch(loopback: Loopback, running: asyncio.Task[None], seen: list[Seen]) -> list[Finding]:
    loop = asyncio.get_running_loop()
    end = loop.time() + CONNECT_SECONDS
    while not seen and loop.time() < end and not running.done():  # noqa: ASYNC110 - three conditions
        await asyncio.sleep(0.05)
    where = ", ".join(f"{address} UDP {port}" for address, port in loopback.media_addresses)
    if not seen:
        broken = running.exception() if running.done() and not running.cancelled() else None
        if broken is not None:
            return [Finding(item="websocket", verdict=Verdict.BLOCKED, where=where, detail=str(broken))]
        state = f"{loopback.sending.iceConnectionState}, {loopback.receiving.iceConnectionState}"
        return [Finding(item="udp", verdict=Verdict.BLOCKED, where=where, detail=f"ICE: {state}")]
    await asyncio.sleep(SETTLE_SECONDS)
    first = len(seen)
    await asyncio.sleep(WATCH_SECONDS)
    return [Finding(item="udp", verdict=Verdict.OPEN, where=where), *_measured(seen[first:], where)]


def _measured(seen: list[Seen], where: str) -> list[Finding]:
    if len(seen) < 2:
        return [Finding(item="loss", verdict=Verdict.BLOCKED, where=where, detail="100 %")]
    expected = seen[-1].frame - seen[0].frame + 1
    loss = 1 - len({one.frame for one in seen}) / expected
    delay = median(one.delay_seconds for one in seen)
    return [
        Finding(
            item="loss",
            verdict=Verdict.OPEN if loss <= LOSS_RATIO else Verdict.WEAK,
            where=where,
            detail=f"{loss * 100:.1f} %",
        ),
        Finding(
            item="delay",
            verdict=Verdict.OPEN if delay <= DELAY_SECONDS else Verdict.WEAK,
            where=where,
            detail=f"{delay * 1000:.0f} ms",
        ),
    ]
