"""What a process tree costs: processor time and memory, read from /proc.

Time is ``schedstat``'s first number of every thread, in nanoseconds, so that one viewer's cost is not lost
in the 10 ms ticks of ``utime`` and ``stime``; it holds user and system time. Where the kernel has no
``schedstat``, the ticks are used.
"""

from __future__ import annotations

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
WORKER_THREAD = "loupe-media-"
"""How the kernel calls media workers' threads."""


def _read(path: Path) -> str | None:
    """A file of /proc, or nothing when its process or thread has just ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None


def tree(root: int) -> list[int]:
    """A process and all its descendants."""
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            queue.extend(int(child) for child in (_read(children) or "").split())
    return found


def thread_seconds(task: Path) -> float:
    """Processor seconds of one thread (its folder in /proc)."""
    spent = _read(task / "schedstat")
    if spent is not None:
        return int(spent.split()[0]) / 1e9
    stat = _read(task / "stat")
    if stat is None:
        return 0.0
    # The name in brackets may hold spaces; utime and stime are the 12th and 13th field behind it.
    fields = stat.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def cpu_seconds(root: int) -> float:
    """Processor seconds of all threads of the tree that live now."""
    return sum(by_thread(root).values())


def by_thread(root: int) -> dict[str, float]:
    """The same in parts: media workers, the main thread, other threads, other processes."""
    spent = dict.fromkeys(("workers", "main", "threads", "processes"), 0.0)
    for pid in tree(root):
        for task in Path(f"/proc/{pid}/task").iterdir():
            spent[_part(root, pid, task)] += thread_seconds(task)
    return spent


def _part(root: int, pid: int, task: Path) -> str:
    if pid != root:
        return "processes"
    if task.name == str(pid):
        return "main"
    return "workers" if (_read(task / "comm") or "").startswith(WORKER_THREAD) else "threads"


def idle_seconds(number: int | None) -> float:
    """Seconds in which a processor did nothing, not even interrupts; of all on average without a number.

    Its idle time is measured. What it did instead is only sampled, and rhythmic work meets the samples.
    """
    name = "cpu" if number is None else f"cpu{number}"
    lines = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    idle = next(int(line[4]) + int(line[5]) for line in lines if line[0] == name)
    return idle / _TICK / (1 if number is not None else os.cpu_count() or 1)


def resident_bytes(root: int) -> int:
    """Resident memory of the tree; pages shared between its processes count once for each."""
    statm = (_read(Path(f"/proc/{pid}/statm")) for pid in tree(root))
    return sum(int(line.split()[1]) * _PAGE for line in statm if line)
