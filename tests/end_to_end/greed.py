"""Authorised users who want more rooms, longer names and more to hear than anybody may have (W13).

``python -m tests.end_to_end.greed`` reads a ``Plan`` as JSON from the first line of standard input, asks
until standard input ends and all rooms were asked for, and prints how each kind was answered, how often, as
JSON. In a process of its own it slows nobody's measuring; the abusers that it looses are in another.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from mediaserver import config
from mediaserver.policy import Role
from signalling import keys, tokens
from signalling.messages import PROTOCOL
from signalling.tokens import Audience
from tests.abusers import Assault
from tests.running import ROOT, SDP
from tests.signalling.offers import offer

AT_ONCE = 32
"""Requests for rooms: with the sockets beside them fewer connections than one source may have."""
METADATA_BYTES = 1_000_000
METADATA_SECONDS = 5.0
"""Between two names of a megabyte."""

Answers = dict[str, Counter[str]]


@dataclass(frozen=True)
class Plan:
    """Where, and how many rooms at least. ``room`` stands and is the one that talks all the time."""

    url: str
    data: str
    room: str
    rooms: int


class Greedy:
    """All of them at once."""

    def __init__(self, plan: Plan, http: aiohttp.ClientSession) -> None:
        self._plan = plan
        self._http = http
        self._secret = keys.load_or_create(config.load({"data": {"folder": Path(plan.data)}}, None))
        self._answers: Answers = {}

    async def run(self, told_to_end: asyncio.Future[str]) -> Answers:
        """Until told so, and until all rooms were asked for."""
        numbers = itertools.count()
        endless = [asyncio.create_task(self._rooms(numbers)) for _ in range(AT_ONCE)]
        endless += [asyncio.create_task(work()) for work in (self._metadata, self._talk)]
        while not (told_to_end.done() and self._answers["rooms"].total() >= self._plan.rooms):
            done, _ = await asyncio.wait(endless, timeout=1, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        for task in endless:
            task.cancel()
        await asyncio.gather(*endless, return_exceptions=True)
        return self._answers

    def _note(self, kind: str, answer: object, count: int = 1) -> None:
        self._answers.setdefault(kind, Counter())[str(answer)] += count

    def _token(self, room: str, role: Role) -> str:
        claims = tokens.new_claims(
            audience=Audience.JOIN,
            room=room,
            role=role,
            now_seconds=time.time(),
            lifetime_seconds=600,
            reusable=True,
        )
        return tokens.sign(self._secret, claims)

    async def _publish(self, room: str, sdp: str) -> int:
        headers = {**SDP, "Authorization": f"Bearer {self._token(room, Role.STAFF)}"}
        async with self._http.post(f"{self._plan.url}/whip/{room}", data=sdp, headers=headers) as response:
            await response.read()
            return response.status

    async def _rooms(self, numbers: Iterator[int]) -> None:
        """Publishes once into each of very many rooms, and never connects."""
        for number in numbers:
            self._note("rooms", await self._publish(f"greed-{number}", offer()))

    async def _metadata(self) -> None:
        """A name of a megabyte, said by socket and by HTTP."""
        while True:
            self._note("metadata by socket", await self._long_name())
            try:
                self._note("metadata by HTTP", await self._publish(self._plan.room, "v" * METADATA_BYTES))
            except aiohttp.ClientError:
                self._note("metadata by HTTP", "reset")
            await asyncio.sleep(METADATA_SECONDS)

    async def _long_name(self) -> str:
        async with self._http.ws_connect(f"{self._plan.url}/ws", protocols=(PROTOCOL,)) as socket:
            token, name = self._token(self._plan.room, Role.SURGEON), "ế" * (METADATA_BYTES // 3)
            # The server closes while this is still on its way.
            with contextlib.suppress(ConnectionError):
                await socket.send_json({"type": "join", "id": 0, "token": token, "name": name})
            while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
            return str(socket.close_code or message.type.name)

    async def _talk(self) -> None:
        """A room that talks all the time, and members who never read: thrown out, they come again."""
        room = self._plan.room
        while True:
            plan = Assault(
                port=int(self._plan.url.rsplit(":", 1)[1]),
                room=room,
                silent=50,
                slow=0,
                large=5,
                flooders=[self._token(room, Role.STAFF)],
                fragmenters=[],
                deaf=[self._token(room, Role.OBSERVER) for _ in range(2)],
                speakers=[self._token(room, Role.STAFF) for _ in range(2)],
                publisher=self._token(room, Role.SURGEON),
            )
            for kind, outcome in (await _loose(plan)).items():
                for end, count in outcome["ends"].items():
                    self._note(kind, end, count)


async def _loose(plan: Assault) -> dict[str, Any]:
    abusers = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.abusers",
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        output, _ = await abusers.communicate(json.dumps(asdict(plan)).encode())
        outcomes: dict[str, Any] = json.loads(output)
    finally:
        with contextlib.suppress(ProcessLookupError):
            abusers.kill()
        await abusers.wait()
    return outcomes


async def main() -> None:
    """The process."""
    plan = Plan(**json.loads(sys.stdin.readline()))
    told_to_end = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    async with aiohttp.ClientSession() as http:
        print(json.dumps(await Greedy(plan, http).run(told_to_end)))


if __name__ == "__main__":
    asyncio.run(main())
