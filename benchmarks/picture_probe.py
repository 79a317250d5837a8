"""What the picture probe costs: sources fed to its taps in real time, as by the plane.

``python -m benchmarks.picture_probe [--seconds 12]`` prints the processor time of the probe's process for
each source, as a share of one core. Pictures are drawn, encoded by libvpx and sent frame by frame; with a key
frame a second, as often as the probe looks, and with one in ten seconds, as often as it asks for one.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
import cv2
import numpy as np

from benchmarks import processor, results
from mediaserver.recording.records import RecordKind, frame
from signalling.demo.marks import Mark, Picture
from signalling.demo.pictures import Endoscope

FRAMES_PER_SECOND = 25
PAYLOAD_BYTES = 1100
GOAL_SHARE = 0.03


@dataclass(frozen=True)
class Case:
    """So many sources of one kind."""

    name: str
    width: int
    height: int
    bits_per_second: int
    sources: int


CASES = (
    Case("lowest layer, 320 x 180", 320, 180, 150_000, 8),
    Case("720p, one layer", 1280, 720, 1_700_000, 4),
    Case("1080p, one layer", 1920, 1080, 4_500_000, 2),
)


@cache
def endoscope() -> list[Picture]:
    """A second of it."""
    scope = Endoscope()
    marks = (Mark(number, number) for number in range(FRAMES_PER_SECOND))
    return [scope.draw(mark.frame / FRAMES_PER_SECOND, mark) for mark in marks]


def film(case: Case, key_every: int) -> list[bytes]:
    """Frames of an encoder that works live, from one key frame to the next."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = case.width, case.height, "yuv420p"
    encoder.bit_rate, encoder.gop_size = case.bits_per_second, key_every
    encoder.time_base, encoder.framerate = Fraction(1, FRAMES_PER_SECOND), Fraction(FRAMES_PER_SECOND)
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    found = []
    for number in range(key_every):
        drawn = endoscope()[number % FRAMES_PER_SECOND]
        sized = np.asarray(cv2.resize(drawn, (case.width, case.height)), np.uint8)
        picture = av.VideoFrame.from_ndarray(sized, format="bgr24").reformat(format="yuv420p")
        picture.pts = number
        found += [bytes(packet) for packet in encoder.encode(picture)]
    return found


class Source:
    """One publication: the server's end of its tap, and where in the film it is."""

    def __init__(self, name: str, units: Sequence[bytes]) -> None:
        self.name = name
        self._units = units
        self._sequence = self._sent = 0
        self.tap, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.tap.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)

    def next(self) -> None:
        """Its next frame, in messages of the plane's size. A probe that is too slow stops this benchmark."""
        batch = b""
        for record in self._records():
            if len(batch) + len(record) > 60_000:
                self.tap.send(batch)
                batch = b""
            batch += record
        self.tap.send(batch)

    def _records(self) -> Iterator[bytes]:
        unit = self._units[self._sent % len(self._units)]
        timestamp = self._sent * 90_000 // FRAMES_PER_SECOND & 0xFFFFFFFF
        self._sent += 1
        for at in range(0, len(unit), PAYLOAD_BYTES):
            marker = 0x80 if at + PAYLOAD_BYTES >= len(unit) else 0
            header = struct.pack(">BBHII", 0x80, 96 | marker, self._sequence & 0xFFFF, timestamp, 7)
            self._sequence += 1
            start = b"\x10" if at == 0 else b"\x00"
            yield frame(RecordKind.PACKET, header + start + unit[at : at + PAYLOAD_BYTES], encoding=0)


@contextmanager
def probe() -> Iterator[tuple[int, socket.socket]]:
    """Its process, as the server starts it, and the control socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "mediaserver.quality", "--control", str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=(theirs.fileno(),))
    theirs.close()
    try:
        yield process.pid, ours
    finally:
        ours.close()
        process.wait(10)


def measure(case: Case, key_every: int, seconds: float) -> dict[str, Any]:
    """One run, after three seconds in which the probe has started."""
    units = film(case, key_every)
    sources = [Source(f"p{number}", units) for number in range(case.sources)]
    with probe() as (pid, control):
        for source in sources:
            about = {"do": "watch", "publication": source.name, "codec": "VP8", "source_type": "endoscope"}
            socket.send_fds(control, [json.dumps(about).encode()], [source.theirs.fileno()])
            source.theirs.close()
        play(sources, 3.0)
        before, begun = processor.cpu_seconds(pid), time.monotonic()
        play(sources, seconds)
        if key_every == FRAMES_PER_SECOND and (said := told(control)):
            sys.exit(f"the probe saw no picture, or a bad one: {said}")
        share = (processor.cpu_seconds(pid) - before) / (time.monotonic() - begun)
    for source in sources:
        source.tap.close()
    return {
        "case": case.name,
        "sources": case.sources,
        "sent_bits_per_second": round(sum(map(len, units)) * 8 * FRAMES_PER_SECOND / len(units)),
        "key_frame_seconds": key_every / FRAMES_PER_SECOND,
        "share_per_source": round(share / case.sources, 4),
        "goal_share": GOAL_SHARE,
    }


def told(control: socket.socket) -> list[str]:
    """What the probe said: for a good film with key frames nothing."""
    control.setblocking(False)
    found = []
    while True:
        try:
            found.append(control.recv(65_536).decode())
        except BlockingIOError:
            return found


def play(sources: Sequence[Source], seconds: float) -> None:
    """Each source's frames, the sources spread over the time between two frames."""
    interval = 1 / FRAMES_PER_SECOND / len(sources)
    begun = time.monotonic()
    for count in range(round(seconds / interval)):
        time.sleep(max(0.0, begun + count * interval - time.monotonic()))
        sources[count % len(sources)].next()


def main() -> None:
    """Prints and keeps the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=12.0)
    given = parser.parse_args()
    rows = []
    for case in CASES:
        for seconds in (1, 10):
            row = measure(case, seconds * FRAMES_PER_SECOND, given.seconds)
            rows.append(row)
            print(
                f"{row['case']} at {row['sent_bits_per_second'] / 1000:.0f} kbit/s, {row['sources']} "
                f"sources, a key frame in {seconds} s: {row['share_per_source']:.2%} of a core for each",
                flush=True,
            )
    results.write("picture_probe", {"machine": results.machine(), "rows": rows})


if __name__ == "__main__":
    main()
