"""The command ends with the control socket."""

from __future__ import annotations

import socket
import subprocess
import sys


def test_it_runs_until_the_server_is_gone() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "mediaserver.quality", "--control", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
        )
    ours.close()
    assert process.wait(20) == 0
