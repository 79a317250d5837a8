"""What the recorder costs: ten cameras of 6 Mbit/s fed to its taps in real time, sealing included.

``python -m benchmarks.recording [--seconds 130]`` prints the processor time of the recorder and of its
sealing worker as a share of one core, and the share of the time that was sealed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import results
from tests.feeding import Feeder
from tests.recorded import Source, encoded

TRACKS = 10
BITS_PER_SECOND = 6_000_000
FRAMES_PER_SECOND = 30
GOAL_SHARE = 0.25
SEAL_SECONDS = 600.0
"""How long the last round may take on a machine that is busy otherwise."""


def processor_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Processes that it started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def feed(feeder: Feeder, seconds: float) -> None:
    """Pictures of equal size, all tracks in turn, a key frame every ten seconds."""
    size = BITS_PER_SECOND // 8 // FRAMES_PER_SECOND
    padded = [unit + bytes(size - len(unit)) for unit in encoded("VP8", 300, every=300)]
    names = [f"t{number}" for number in range(TRACKS)]
    sources = {
        name: Source(ssrc=index + 1, publication=index + 1, delay=0.0, start_micros=feeder.start_micros)
        for index, name in enumerate(names)
    }
    for name, source in sources.items():
        source.worker_shift = 0
        feeder.track(name)
        feeder.put(name, source.begin(feeder.axis()))
    begun, count = feeder.axis(), 0
    while (at := feeder.axis()) < begun + seconds:
        for name, source in sources.items():
            records = source.picture(at, padded[count % len(padded)], count)
            if count % FRAMES_PER_SECOND == 1:
                records.append(source.report(at))
            feeder.put(name, b"".join(records))
        count += 1
        await asyncio.sleep(max(0.0, begun + count / FRAMES_PER_SECOND - feeder.axis()))
    feeder.sent = count * TRACKS


async def measure(seconds: float, folder: Path) -> dict[str, Any]:
    """One run."""
    async with Feeder(folder) as feeder:
        pid = feeder.process.pid
        assert pid is not None
        before, begun = processor_seconds(pid), time.monotonic()
        await feed(feeder, seconds)
        elapsed = time.monotonic() - begun
        sealing = sum(processor_seconds(child) for child in children(pid))
        taking = processor_seconds(pid) - before
        rounds = sum(1 for message in feeder.messages if message["event"] == "sealed")
        reader = await feeder.stop(seconds=SEAL_SECONDS)
        sealed = sum(segment.duration_seconds for t in reader.tracks for segment in reader.segments(t))
        return {
            "tracks": TRACKS,
            "bits_per_second": BITS_PER_SECOND,
            "seconds": round(elapsed, 1),
            "recorder_share": round(taking / elapsed, 4),
            "sealing_share": round(sealing / elapsed, 4),
            "share": round((taking + sealing) / elapsed, 4),
            "goal_share": GOAL_SHARE,
            "rounds_within": rounds,
            "sealed_share": round(sealed / (elapsed * TRACKS), 4),
            "batches_dropped": feeder.dropped,
        }


def main() -> None:
    """Prints and keeps the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=130.0)
    given = parser.parse_args()
    machine = results.machine()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(given.seconds, Path(folder)))
    results.write("recording", {**machine, **found})
    for name, value in found.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
