"""One process at a time: an advisory lock on a file, which the system takes back when its holder ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def try_lock(file: Path) -> int | None:
    """The open descriptor that holds it, to be closed; None while another holds it. Raises ``OSError``."""
    # No child keeps it: what outlives a killed server must not keep out the next one.
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
