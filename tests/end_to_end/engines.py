"""A Chromium of its own for one person, whose processes can be kept short of processor time; and coturn."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Playwright

from tests.browser.visitor import ARGUMENTS
from tests.running import free_udp_port

CPU = Path("/sys/fs/cgroup/cpu")
PERIOD_MICROS = 100_000


class ProcessorShare:
    """A control group (version 1) of one program: the share of one core that it gets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def limit(self, processes: list[int], share: float) -> None:
        """``share`` of one core for all of them together."""
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                (self._folder / "cgroup.procs").write_text(str(process))
        (self._folder / "cpu.cfs_period_us").write_text(str(PERIOD_MICROS))
        (self._folder / "cpu.cfs_quota_us").write_text(str(int(share * PERIOD_MICROS)))

    @classmethod
    @contextlib.contextmanager
    def open(cls) -> Iterator[ProcessorShare]:
        """One without a limit. At the end its processes must have gone, or go back to the root."""
        if os.geteuid() != 0 or not (CPU / "cpu.cfs_quota_us").exists():
            pytest.skip("limiting processor time needs root and control groups")
        folder = CPU / f"loupe-{secrets.token_hex(4)}"
        folder.mkdir()
        # A Chromium's sound has real-time threads: a group that grants such none takes no such process.
        (folder / "cpu.rt_runtime_us").write_text("50000")
        try:
            yield cls(folder)
        finally:
            for process in (folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    (CPU / "cgroup.procs").write_text(process)
            folder.rmdir()


class Engine:
    """One browser process with all that it started."""

    def __init__(self, browser: Browser, mark: str, processor: ProcessorShare) -> None:
        self.browser = browser
        self._mark = mark
        self._processor = processor

    @classmethod
    @contextlib.asynccontextmanager
    async def launch(cls, playwright: Playwright) -> AsyncIterator[Engine]:
        """Skips the test where there is no Chromium."""
        executable = shutil.which("chromium")
        if executable is None:
            pytest.skip("no Chromium: install Debian's package chromium")
        mark = f"--of={secrets.token_hex(8)}"
        with ProcessorShare.open() as processor:
            browser = await playwright.chromium.launch(executable_path=executable, args=[*ARGUMENTS, mark])
            try:
                yield cls(browser, mark, processor)
            finally:
                await browser.close()

    def starve(self, share: float) -> None:
        """The pages, which is where pictures are encoded and decoded, get this share of a core.

        Cameras, the screen and sockets have processes of their own in Chromium and go on.
        """
        self._processor.limit([pid for pid, line in self._processes() if b"--type=renderer" in line], share)

    def _processes(self) -> list[tuple[int, bytes]]:
        parents: dict[int, int] = {}
        lines: dict[int, bytes] = {}
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                status = (folder / "status").read_text()
                found = re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)
                if found is not None:
                    parents[int(folder.name)] = int(found[1])
                    lines[int(folder.name)] = (folder / "cmdline").read_bytes()
        ours = {pid for pid, line in lines.items() if self._mark.encode() in line}
        while grown := {pid for pid, parent in parents.items() if parent in ours} - ours:
            ours |= grown
        return [(pid, lines[pid]) for pid in ours]


@contextlib.contextmanager
def coturn(folder: Path) -> Iterator[int]:
    """Debian's TURN server on loopback, for user ``loupe`` with password ``loupe``; its UDP port."""
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("no turnserver: install Debian's package coturn")
    port = free_udp_port()
    folder.mkdir(exist_ok=True)
    with (folder / "coturn.log").open("w") as log:
        process = subprocess.Popen(
            [
                program, "-n", "--listening-ip=127.0.0.1", f"--listening-port={port}", "--relay-ip=127.0.0.1",
                "--allow-loopback-peers", "--lt-cred-mech", "--user=loupe:loupe", "--realm=loupe",
                "--no-tls", "--no-dtls", "--no-cli", f"--pidfile={folder / 'pid'}",
                f"--userdb={folder / 'turndb'}", "--log-file=stdout", "--simple-log",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield port
    finally:
        process.kill()
        process.wait()
