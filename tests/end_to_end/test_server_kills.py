"""kill -9 of the server at many moments while it records: next to nothing is lost, and what is left plays."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.server_kills import Chain, Killed, check_playable

ALLOWED_SECONDS = 0.3
CHAINS, KILLS = 5, 10


async def killed(folder: Path, seed: int, count: int) -> list[Killed]:
    """So many servers in a row."""
    chain = Chain(folder, random.Random(seed))
    await chain.start()
    try:
        found: list[Killed] = []
        for _ in range(count):
            one = await chain.kill()
            for segment in one.reader.segments(one.reader.tracks[0]):
                await asyncio.to_thread(check_playable, one.reader, segment, folder)
            keyframes = sum(len(s.keyframes) for s in one.reader.segments(one.reader.tracks[0]))
            lost, sealed = one.lost_seconds, one.sealed_seconds
            print(f"lost {lost:.3f} s, sealed in {sealed:.1f} s, key frames: {keyframes}")
            found.append(one)
        return found
    finally:
        chain.stop()


async def test_a_killed_server_loses_next_to_nothing(tmp_path: Path) -> None:
    for one in await killed(tmp_path / "chain", 1, 2):
        assert one.lost_seconds <= ALLOWED_SECONDS


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("chain", range(CHAINS))
async def test_fifty_kills_at_random_moments(tmp_path: Path, chain: int) -> None:
    lost = [one.lost_seconds for one in await killed(tmp_path / "chain", 2_000 + chain, KILLS)]
    print(f"{len(lost)} kills: worst {max(lost):.3f} s, in all {sum(lost):.3f} s")
    assert max(lost) <= ALLOWED_SECONDS
