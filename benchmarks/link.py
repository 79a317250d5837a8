"""Two network namespaces, the server's and the clients', each with a processor of its own.

The pair of virtual interfaces hands received packets to the processor of the side that receives (RPS), so
what a server is charged for is sending, as with a network card, and not the waking of the viewers on the
same machine. Needs root, ``ip`` and ``taskset``. Without them everything runs on loopback and unpinned, and
says so: figures from there hold two to three microseconds a packet that belong to the viewers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

SERVER_SPACE, CLIENT_SPACE = "bench", "cli"
SERVER_ADDRESS, CLIENT_ADDRESS = "10.99.0.1", "10.99.0.2"
SERVER_CPU, CLIENT_CPU = 0, 1
_FIRST = ("nice", "-n", "-20")  # before whatever else the machine does


@dataclass(frozen=True)
class Place:
    """Where servers and clients run: what to put before their commands, and their addresses."""

    server_prefix: tuple[str, ...]
    client_prefix: tuple[str, ...]
    server_address: str
    client_address: str
    note: str
    client_processor: int | None = None
    """The clients' own processor, where they have one."""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _steer(space: str, interface: str, cpu: int) -> None:
    """Receive work of an interface goes to one processor. Some versions of ``ip`` show its sysfs unasked."""
    folder = f"/sys/class/net/{interface}"
    script = (
        f"test -d {folder} || mount -t sysfs none /sys; echo {1 << cpu:x} > {folder}/queues/rx-0/rps_cpus"
    )
    _ip("netns", "exec", space, "sh", "-c", script)


def _remove() -> None:
    for space in (SERVER_SPACE, CLIENT_SPACE):
        subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)


def _exists() -> bool:
    listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    return {SERVER_SPACE, CLIENT_SPACE} <= {line.split()[0] for line in listed.splitlines() if line}


def _build() -> None:
    for space in (SERVER_SPACE, CLIENT_SPACE):
        _ip("netns", "add", space)
        _ip("-n", space, "link", "set", "lo", "up")
    _ip("-n", SERVER_SPACE, "link", "add", "v0", "type", "veth", "peer", "name", "v1")
    _ip("-n", SERVER_SPACE, "link", "set", "v1", "netns", CLIENT_SPACE)
    for space, interface, address, cpu in (
        (SERVER_SPACE, "v0", SERVER_ADDRESS, SERVER_CPU),
        (CLIENT_SPACE, "v1", CLIENT_ADDRESS, CLIENT_CPU),
    ):
        _ip("-n", space, "addr", "add", f"{address}/24", "dev", interface)
        _ip("-n", space, "link", "set", interface, "up")
        _steer(space, interface, cpu)


def loopback(note: str) -> Place:
    """No namespaces; the note says why."""
    return Place((), (), "127.0.0.1", "127.0.0.1", note)


def prepare() -> Place:
    """The namespaces, made if they are not there; loopback where they cannot be made."""
    if os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("taskset")):
        return loopback(
            "LOOPBACK, unpinned (root, ip and taskset are needed): server figures hold the viewers' waking"
        )
    if (os.cpu_count() or 1) < 2:
        return loopback("LOOPBACK: one processor only; server and clients share it")
    try:
        if not _exists():
            _build()
    except subprocess.CalledProcessError as error:
        # Half of them would be taken for the whole the next time.
        _remove()
        return loopback(f"LOOPBACK: no network namespaces here ({error.stderr.strip()})")
    return Place(
        ("ip", "netns", "exec", SERVER_SPACE, *_FIRST, "taskset", "-c", str(SERVER_CPU)),
        ("ip", "netns", "exec", CLIENT_SPACE, *_FIRST, "taskset", "-c", str(CLIENT_CPU)),
        SERVER_ADDRESS,
        CLIENT_ADDRESS,
        f"two namespaces, server on processor {SERVER_CPU}, clients on processor {CLIENT_CPU}",
        CLIENT_CPU,
    )
