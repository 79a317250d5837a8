"""How quickly a restart seals what a crash left: a hundred journal files, begun by a recorder as it starts.

``python -m benchmarks.recovery [--files 100] [--rate-kbps 1500]``

Each file is what a crash leaves of one camera: a journal of twenty seconds, which is how often a new one
begins, at 30 pictures a second; ten cameras to a recording. Measured from the start of the recorder process
to the last recording's signed end, its worker at the priority that it has in a server.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import results
from mediaserver.config import Data, Recording, Settings
from mediaserver.ids import RecordingId
from mediaserver.recording.leftovers import leftovers
from mediaserver.recording.manifest import verify
from mediaserver.recording.process import RecorderProcess
from mediaserver.recording.recorder import ROLL_SECONDS
from mediaserver.vault import Vault, make_master_key
from tests.recorded import Shelf, Source, encoded

TRACKS, FRAMES_PER_SECOND = 10, 30
GOAL_SECONDS = 10.0
"""For a hundred files."""


def leave(root: Path, vault: Vault, files: int, rate_kbps: int) -> list[Shelf]:
    """Recordings whose recorder ended in their midst."""
    size = rate_kbps * 1000 // 8 // FRAMES_PER_SECOND
    count = round(ROLL_SECONDS * FRAMES_PER_SECOND)
    units = [unit + bytes(max(0, size - len(unit))) for unit in encoded("VP8", 300, every=300)]
    pictures = [units[index % len(units)] for index in range(count)]
    shelves: list[Shelf] = []
    for number in range(files):
        if number % TRACKS == 0:
            shelves.append(Shelf(root, vault, RecordingId(f"r{number}")))
        track, source = f"t{number % TRACKS}", Source(ssrc=number + 1)
        shelves[-1].track(track)
        shelves[-1].journal(track, [source.begin(), *source.stream(pictures)], per_chunk=40)
    return shelves


async def measure(folder: Path, files: int, rate_kbps: int) -> dict[str, Any]:
    """One restart."""
    key, data = folder / "key" / "master.key", folder / "data"
    make_master_key(key)
    vault = Vault.open(Settings(data=Data(folder=data), recording=Recording(master_key_file=key)))
    root = data / "recordings"
    shelves = leave(root, vault, files, rate_kbps)
    left = sum(path.stat().st_size for path in root.rglob("*.journal"))
    process = RecorderProcess(["--data", str(data), "--master-key-file", str(key), "--root", str(root)])
    begun, ended = time.monotonic(), 0
    async for message in process.messages():
        if message["event"] == "up":
            states = {one.recording: "sealed" for one in leftovers([root], vault)}
            process.send({"do": "recover", "states": states})
        elif message["event"] == "sealed":
            assert message["failure"] is None, message
            ended += 1
        if ended == len(shelves):
            break
    elapsed = time.monotonic() - begun
    await process.end(20.0)
    assert all(verify(shelf.folder, vault).closed for shelf in shelves)
    return {
        "files": files,
        "recordings": len(shelves),
        "megabytes": round(left / 1e6, 1),
        "seconds": round(elapsed, 2),
        "seconds_per_100_files": round(elapsed * 100 / files, 2),
        "goal_seconds": GOAL_SECONDS,
    }


def main() -> None:
    """Prints and keeps the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--rate-kbps", type=int, default=1500)
    given = parser.parse_args()
    machine = results.machine()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), given.files, given.rate_kbps))
    results.write("recovery", {**machine, **found})
    for name, value in {**machine, **found}.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
