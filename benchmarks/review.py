"""How quickly an hour of three tracks opens in the review page, and seeks; how far its tracks are apart.

    .venv/bin/python benchmarks/review.py

Writes the recording in the real format (two cameras of 680x96 at 25 pictures a second with a key frame every
10 s, one microphone, sealed segments of a minute), starts the server on loopback, and looks with Chromium.
Open: from the press of "Watch" to the pictures of both cameras, found by their marks. Seek: from the call to
both cameras showing the moment's own picture, at random moments. Apart: the difference between the marks that
both cameras show, sampled while they play. The figures asked for: 2 s, 500 ms, 80 ms.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Page, sync_playwright

from mediaserver import config
from mediaserver.ids import RecordingId
from mediaserver.recording.indexing import LOOK_SECONDS
from mediaserver.vault import Vault, make_master_key
from tests.browser.visitor import ARGUMENTS, SCRIPT
from tests.mediaserver.review.recorded import MARKED, minutes
from tests.running import CONFIGURATION, Server

ROOM, RECORDING = "bench-room", RecordingId("rBench-1")
SEED = 20
FRAME_MS = 40

MARKS = """
() => [...document.querySelectorAll('.tile[data-state=shown] video:not([hidden])')]
  .map((video) => media.read(video, WIDTH)?.frame ?? -1)
""".replace("WIDTH", str(MARKED[0]))
SEEK = """
async (seconds) => {
  const marks = MARKS;
  const wanted = (seconds % 60) * 1000;
  const began = performance.now();
  loupeReview.player.seek(seconds);
  for (;;) {
    await new Promise(requestAnimationFrame);
    const shown = marks();
    const right = (ms) => ms <= wanted + 1 && ms > wanted - FRAME - 1;
    const there = shown.length === 2 && shown.every(right);
    if (loupeReview.player.settled && there) return performance.now() - began;
    if (performance.now() - began > 10000) throw new Error(`${seconds}: ${shown}`);
  }
}
""".replace("MARKS", MARKS).replace("FRAME", str(FRAME_MS))
OPEN = """
async () => {
  const marks = MARKS;
  const began = performance.now();
  document.querySelector('.entry .button.main').click();
  for (;;) {
    await new Promise(requestAnimationFrame);
    document.querySelector('[data-use=care]')?.click();
    const shown = marks();
    if (shown.length === 2 && shown.every((ms) => ms >= 0)) return performance.now() - began;
    if (performance.now() - began > 20000) throw new Error(`not open: ${shown}`);
  }
}
""".replace("MARKS", MARKS)


def figures(name: str, values: list[float], aim: float) -> str:
    """One line: median, 95th percentile, worst."""
    values = sorted(values)
    p95 = values[min(len(values) - 1, round(0.95 * (len(values) - 1)))]
    middle = statistics.median(values)
    spread = f"median {middle:7.1f}  p95 {p95:7.1f}  max {values[-1]:7.1f} ms"
    return f"{name:<28} n={len(values):<4} {spread}  (aim {aim:.0f})"


def opens(page: Page, link: str, count: int) -> list[float]:
    """From the library, each time on a fresh page."""
    found = []
    for _ in range(count):
        page.goto("about:blank")
        page.goto(link)
        page.wait_for_selector(".entry")
        found.append(float(page.evaluate(OPEN)))
    return found


def apart(page: Page, seconds: float) -> list[float]:
    """While it plays, from a moment whose neighbourhood holds a change of segments."""
    page.evaluate("() => { loupeReview.player.seek(595); loupeReview.player.toggle(); }")
    page.wait_for_function("() => loupeReview.player.position.value > 596")
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        shown: list[int] = page.evaluate(MARKS)
        if len(shown) == 2 and min(shown) >= 0 and abs(shown[0] - shown[1]) < 30_000:
            found.append(float(abs(shown[0] - shown[1])))
        page.wait_for_timeout(50)
    page.evaluate("() => loupeReview.player.toggle()")
    return found


def measure(server: Server, args: Any) -> list[str]:
    """All three, in one Chromium."""
    chance = random.Random(SEED)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
        page.add_init_script(path=SCRIPT)
        opened = opens(page, server.page("review", ROOM, "surgeon"), args.opens)
        lines = [figures("open, 3 tracks", opened, 2000)]
        moments = [round(chance.uniform(60, args.minutes * 60 - 1) * 25) / 25 for _ in range(args.seeks)]
        sought = [float(page.evaluate(SEEK, one)) for one in moments]
        lines.append(figures("seek, random moments", sought, 500))
        lines.append(figures("two cameras apart, playing", apart(page, args.seconds), 80))
        browser.close()
    return lines


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--opens", type=int, default=10)
    parser.add_argument("--seeks", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=20.0, help="of playing")
    parser.add_argument("--minutes", type=int, default=60)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = folder / "master.key"
        make_master_key(key)
        text = f'{CONFIGURATION}[recording]\nmaster_key_file = "{key}"\n'
        server = Server.start(folder, configuration=text)
        try:
            given = {"data": {"folder": server.data}, "recording": {"master_key_file": key}}
            vault = Vault.open(config.load(given, None))
            minutes(server.data / "recordings", vault, RECORDING, ROOM, args.minutes, "p-bench")
            time.sleep(2 * LOOK_SECONDS)  # the server finds it by itself
            for line in measure(server, args):
                print(line)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
