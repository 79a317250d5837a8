"""A poor link between a client and the server: the emulator's ``relay`` between their real sockets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.running import ROOT, free_udp_port

SECONDS = 300
"""After which a relay ends by itself, whatever became of its test."""
REPORT_SECONDS = 2
LATE_MICROSECONDS, STOLEN_SHARE = 20_000, 0.01
"""Where the relay's 99th percentile was later, or the host took more, it is the machine that was measured."""
_REPORT = re.compile(r"t=(\d+)us .* late_us p50=\d+ p99=(\d+) max=\d+ stolen_ticks=(\d+)")


def program() -> str:
    """The relay's path; the test is left out where it was not built."""
    built = ROOT / "target" / "release" / "relay"
    found = shutil.which("relay", path=str(ROOT / ".venv" / "bin")) or (
        str(built) if built.is_file() else None
    )
    if found is None:
        pytest.skip("no relay: cargo build --release -p loupe-netem")
    return found


@contextmanager
def relay(media_port: int, options: Sequence[str]) -> Iterator[int]:
    """A link of these options (``relay --help``) to the server's media port; the port to send to instead."""
    port = free_udp_port()
    command = [
        program(),
        *("--listen", f"127.0.0.1:{port}", "--forward", f"127.0.0.1:{media_port}"),
        *("--duration-s", str(SECONDS), "--report-s", str(REPORT_SECONDS), *options),
    ]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, cwd=ROOT, stderr=said)
        try:
            _await_bound(process, port, said)
            yield port
            assert process.poll() is None, f"the relay ended: {_told(said)}"
        except Exception as failed:
            if void := noise(_told(said)):
                failed.add_note(f"void, to be repeated: {void}")
            raise
        finally:
            process.kill()
            process.wait()


def through(description: str, media_port: int, port: int) -> str:
    """A description of the server's whose candidates lead over the relay."""
    return re.sub(rf"(127\.0\.0\.1) {media_port}\b", rf"\1 {port}", description)


def noise(reports: str) -> str | None:
    """What of a relay's reports says that its machine had no time for it; ``None``: nothing."""
    found = [tuple(map(int, one)) for one in _REPORT.findall(reports)]
    if not found:
        return None
    latest = max(late for _, late, _ in found)
    seconds = (found[-1][0] - found[0][0]) / 1e6
    ticks = seconds * os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
    stolen = (found[-1][2] - found[0][2]) / ticks if ticks else 0.0
    if latest <= LATE_MICROSECONDS and stolen <= STOLEN_SHARE:
        return None
    return f"the relay was up to {latest / 1_000:.0f} ms late (99th percentile), {stolen:.1%} stolen"


def _await_bound(process: subprocess.Popen[bytes], port: int, said: IO[str]) -> None:
    table = Path("/proc/net/udp")
    wanted = f":{port:04X} "
    while wanted not in table.read_text():
        assert process.poll() is None, f"the relay did not begin: {_told(said)}"


def _told(said: IO[str]) -> str:
    said.seek(0)
    return said.read().strip()


S1 = (
    *("--rate", "300", "--queue-ms", "600", "--delay-ms", "75"),
    *("--loss", "ge2x4", "--jitter", "nrbpdv:10"),
)
"""3G of 300 kbit/s."""
S3 = ("--down-steps", "0:2000,20:250,40:2000", "--queue-ms", "300", "--delay-ms", "50")
"""2 Mbit/s, for 20 s an eighth of it, and back."""
S3_UP = ("--up-steps", *S3[1:])
"""The same on the way up."""
S5 = ("--rate", "3000", "--queue-ms", "300", "--delay-ms", "50", "--loss", "iid:0.1")
"""A tenth of all packets lost."""
