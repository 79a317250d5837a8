"""``python -m mediaserver.recording record|seal``: the recorder and its sealing worker, started by the
server."""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
from pathlib import Path

from mediaserver.config import Data, Recording, Settings
from mediaserver.recording.recorder import NICENESS, Recorder
from mediaserver.recording.sealer import Sealer, serve
from mediaserver.vault import Vault


def main() -> None:
    """Runs until its orders end."""
    parser = argparse.ArgumentParser(prog="python -m mediaserver.recording")
    parser.add_argument("work", choices=("record", "seal"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--master-key-file", type=Path)
    parser.add_argument("--root", type=Path, action="append", required=True, help="the preferred one first")
    parser.add_argument("--control", type=int, help="descriptor of the socket to the server")
    given = parser.parse_args()
    recording = Recording(master_key_file=given.master_key_file)
    vault = Vault.open(Settings(data=Data(folder=given.data), recording=recording))
    if given.work == "seal":
        serve(vault, sys.stdin.buffer, sys.stdout.buffer)
        return
    arguments = ["--data", str(given.data)]
    if given.master_key_file is not None:
        arguments += ["--master-key-file", str(given.master_key_file)]
    for root in given.root:
        arguments += ["--root", str(root)]
    # Whatever is forwarded goes first; taps hold five seconds.
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    control = socket.socket(fileno=given.control)
    Recorder(control, vault, tuple(given.root), Sealer(arguments)).run()


if __name__ == "__main__":
    main()
