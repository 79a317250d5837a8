"""The canary's process: sends and watches by the real path, as any client, and tells what it saw.

``python -m signalling.canary.process URL`` with one JSON line on standard input, ``{"send_token",
"receive_token"}``, so that no token is seen in a list of processes; a JSON line a second on standard output.
It ends when the server ends its session, or standard input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time

import msgspec

from mediaserver.tasks import end_tasks
from signalling.canary.tally import Tally
from signalling.drain import trust
from signalling.loopback import Ends, Loopback
from signalling.standard_input import end_of_input

FRAMES_PER_SECOND = 5
TELL_SECONDS = 1.0
NICENESS = 5
"""Behind whatever is live, but not so far that it measures its own waiting."""


async def run(url: str, send_token: str, receive_token: str) -> None:
    """Until the session ends or nobody listens. Raises what ``Loopback.run`` raises."""
    tally = Tally(time.monotonic())
    ends = Ends(url=url, send_token=send_token, receive_token=receive_token, tls=trust(url))
    loopback = Loopback(ends, FRAMES_PER_SECOND, lambda seen: tally.saw(seen, time.monotonic()))

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            sys.stdout.write(msgspec.json.encode(tally.told(time.monotonic())).decode() + "\n")
            sys.stdout.flush()

    work = [asyncio.create_task(one) for one in (loopback.run(), tell(), end_of_input())]
    try:
        await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end_tasks(work)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    url = parser.parse_args().url
    tokens = json.loads(sys.stdin.readline())
    os.nice(NICENESS)
    asyncio.run(run(url, tokens["send_token"], tokens["receive_token"]))


if __name__ == "__main__":
    main()
