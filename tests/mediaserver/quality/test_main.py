"""The command ends with the control socket."""

from __future__ import annotations

import socket
import subprocess
import sys

COMMAND = (sys.executable, "-m", "mediaserver.quality")


def test_it_runs_until_the_server_is_gone() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [*COMMAND, "--control", str(theirs.fileno()), "--share", "0.1"],
            pass_fds=(theirs.fileno(),),
        )
    ours.close()
    assert process.wait(20) == 0
