"""The command of the probe's process; the server starts it."""

from __future__ import annotations

import argparse
import os
import resource
import socket

import cv2

from mediaserver.quality.probe import NICENESS, Probe

MAX_BYTES = 4 << 30
"""Of addresses, most of them libraries' and never used: what wants more is a stream that means harm."""


def main() -> None:
    """Runs until the server closes the control socket."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--control", type=int, required=True, metavar="FD")
    parser.add_argument("--share", type=float, required=True, help="of a processor core, for all sources")
    asked = parser.parse_args()
    control = socket.socket(fileno=asked.control)
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    cv2.setNumThreads(1)
    Probe(control, asked.share).run()


if __name__ == "__main__":
    main()
