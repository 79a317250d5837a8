"""Pre-call tests: a room of its own for a minute, in which a client publishes to itself by the real path.

A test costs bandwidth that a surgery might need: only few run at once, and each source may begin few.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from mediaserver.bucket import TokenBucket
from mediaserver.clinical import ClinicalClass
from mediaserver.errors import LimitReached, UnknownParticipant, UnknownRoom
from mediaserver.ids import RoomId
from mediaserver.policy import Right, Role
from mediaserver.server import Server
from signalling import tokens
from signalling.auth import Authenticator, Bearer, descent
from signalling.errors import RateLimited
from signalling.limits import source_of

ROOM_PREFIX = "precall."
"""Rooms of tests; their names are random, so nobody else finds in."""
TEST_SECONDS = 20
"""What a test takes (04-experience: pre-call network test)."""
LIFETIME_SECONDS = 45
"""A test that began late or hangs is over after this, whoever is in its room."""
MAX_AT_ONCE = 4
"""Each sends an endoscope's three layers, 2.4 Mbit/s: ten together, which a surgery's link can spare."""
MAX_PER_INVITATION = 2
"""One that hangs and one that is tried again: no single link takes the places of all."""
PER_SOURCE_SECONDS = 15.0
"""A source may begin one test in this long on average, ..."""
PER_SOURCE_BURST = 6
"""... and this many at once: a hospital's computers share an address."""
MAX_SOURCES = 10_000
"""Sources that are remembered; beyond this those are forgotten first that asked longest ago."""


@dataclass(frozen=True, slots=True)
class Precall:
    """What a client needs for one test. Both tokens open one session each."""

    room: str
    send_token: str
    receive_token: str


class Precalls:
    """The tests that run now. ``now`` gives seconds of a steady clock."""

    def __init__(self, server: Server, authenticator: Authenticator, now: Callable[[], float]) -> None:
        self._server = server
        self._authenticator = authenticator
        self._now = now
        self._running: dict[str, asyncio.TimerHandle] = {}
        self._invited: dict[str, str] = {}
        """By room: the invitation of whom it tests."""
        self._downloads: set[str] = set()
        self._sources: dict[str, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, invited: Bearer, address: str) -> Precall:
        """Opens a test for the holder of an invitation.

        Raises:
            RateLimited: this source began too many lately.
            LimitReached: the server, or this invitation, has as many tests as it may.
        """
        source = source_of(address)
        bucket = self._sources.pop(source, None) or TokenBucket(1 / PER_SOURCE_SECONDS, PER_SOURCE_BURST)
        self._sources[source] = bucket
        if len(self._sources) > MAX_SOURCES:
            del self._sources[next(iter(self._sources))]
        if not bucket.take(self._now()):
            raise RateLimited("too many tests from here; wait a minute")
        taken = [name for name in self._running if not self._left(name)]
        if len(taken) >= MAX_AT_ONCE:
            raise LimitReached("others are testing now; try again in half a minute")
        invitation = invited.claims.jti
        if sum(self._invited[name] == invitation for name in taken) >= MAX_PER_INVITATION:
            raise LimitReached("this invitation is being tested already; try again in half a minute")
        room = f"{ROOM_PREFIX}{secrets.token_hex(8)}"
        test = Precall(
            room=room,
            send_token=self._token(invited, room, Right.PUBLISH_VIDEO),
            receive_token=self._token(invited, room, Right.SUBSCRIBE),
        )
        self._invited[room] = invitation
        self._running[room] = asyncio.get_running_loop().call_later(LIFETIME_SECONDS, self._end, room)
        return test

    def download(self, room: str) -> None:
        """Notes the one download of a test that runs.

        Raises:
            UnknownRoom: no test of this name runs.
            LimitReached: it had its download.
        """
        if room not in self._running:
            raise UnknownRoom
        if room in self._downloads:
            raise LimitReached("one download a test")
        self._downloads.add(room)

    def stop(self) -> None:
        """Forgets all timers; the server closes the rooms itself. Idempotent."""
        for timer in self._running.values():
            timer.cancel()
        self._running.clear()
        self._invited.clear()
        self._downloads.clear()

    def _token(self, invited: Bearer, room: str, right: Right) -> str:
        token, _ = self._authenticator.issue(
            tokens.new_claims(
                audience=tokens.Audience.JOIN,
                room=room,
                role=Role.STAFF,
                now_seconds=self._authenticator.now_seconds(),
                lifetime_seconds=LIFETIME_SECONDS,
                rights=frozenset({right}),
                clinical=ClinicalClass.TEST,
                ancestors=descent(invited),
            )
        )
        return token

    def _left(self, name: str) -> bool:
        """Whether a test's clients have gone, but for a download: a room stands from its first member on."""
        room = self._server.rooms.get(RoomId(name))
        return room is not None and room.empty

    def _end(self, name: str) -> None:
        del self._running[name], self._invited[name]
        self._downloads.discard(name)
        room = self._server.rooms.get(RoomId(name))
        if room is None:
            return
        for member in list(room.members):
            with contextlib.suppress(UnknownParticipant):
                self._server.expel(room.id, member)
