"""The command of the probe's process; the server starts it."""

from __future__ import annotations

import argparse
import os
import signal
import socket

import cv2

from mediaserver.quality.probe import NICENESS, Probe


def main() -> None:
    """Runs until the server closes the control socket."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--control", type=int, required=True, metavar="FD")
    control = socket.socket(fileno=parser.parse_args().control)
    # A terminal's Ctrl-C goes to all; the server says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    cv2.setNumThreads(1)
    Probe(control).run()


if __name__ == "__main__":
    main()
