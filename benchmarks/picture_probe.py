"""What the picture probe costs: sources fed to its taps in real time, as by the plane.

``python -m benchmarks.picture_probe [--seconds 12]`` prints the processor time of the probe's process, for
all sources and for each, as a share of one core, and how often each is looked at. Key frames alone are sent,
as the plane does: one a second, oftener than the probe would ask, and one in ten seconds, as it asks.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np

from benchmarks import processor, results
from mediaserver.config import Watch
from mediaserver.recording import records
from mediaserver.recording.records import RecordKind
from signalling.demo.marks import Mark, Picture
from signalling.demo.pictures import Endoscope

FRAMES_PER_SECOND = 25
PAYLOAD_BYTES = 1100
PICTURES = 4
"""Different ones, in turn."""
GOAL_SHARE = 0.03
SHARE = Watch().pictures_share
WARM_SECONDS = 5.0


@dataclass(frozen=True)
class Case:
    """So many sources of one kind."""

    name: str
    width: int
    height: int
    bits_per_second: int
    sources: int


CASES = (
    Case("lowest layer, 320 x 180", 320, 180, 150_000, 1),
    Case("lowest layer, 320 x 180", 320, 180, 150_000, 16),
    Case("lowest layer, 320 x 180", 320, 180, 150_000, 50),
    Case("lowest layer, 320 x 180", 320, 180, 150_000, 150),
    Case("lowest layer, 320 x 180", 320, 180, 150_000, 400),
    Case("720p, one layer", 1280, 720, 1_700_000, 4),
    Case("1080p, one layer", 1920, 1080, 4_500_000, 2),
    Case("2160p, one layer", 3840, 2160, 15_000_000, 1),
)


def key_frames(case: Case) -> list[bytes]:
    """Of an encoder that works live."""
    scope = Endoscope()
    return [key_frame(case, scope.draw(2.0 * number, Mark(number, number))) for number in range(PICTURES)]


def key_frame(case: Case, picture: Picture) -> bytes:
    """The first picture of a film."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = case.width, case.height, "yuv420p"
    encoder.bit_rate, encoder.gop_size = case.bits_per_second, FRAMES_PER_SECOND
    encoder.time_base, encoder.framerate = Fraction(1, FRAMES_PER_SECOND), Fraction(FRAMES_PER_SECOND)
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    sized = np.asarray(cv2.resize(picture, (case.width, case.height)), np.uint8)
    frame = av.VideoFrame.from_ndarray(sized, format="bgr24").reformat(format="yuv420p")
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


class Source:
    """One publication: the server's end of its tap, and which picture comes next."""

    def __init__(self, name: str, pictures: Sequence[bytes]) -> None:
        self.name = name
        self._pictures = pictures
        self._sequence = self._sent = 0
        self.tap, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.tap.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)

    def next(self) -> None:
        """Its next key frame, in messages of the plane's size. A probe that is too slow ends this."""
        batch = b""
        for record in self._records():
            if len(batch) + len(record) > 32_768:
                self.tap.send(batch)
                batch = b""
            batch += record
        self.tap.send(batch)

    def _records(self) -> Iterator[bytes]:
        picture = self._pictures[self._sent % len(self._pictures)]
        self._sent += 1
        timestamp = self._sent * 90_000 & 0xFFFFFFFF
        for at in range(0, len(picture), PAYLOAD_BYTES):
            marker = 0x80 if at + PAYLOAD_BYTES >= len(picture) else 0
            header = struct.pack(">BBHII", 0x80, 96 | marker, self._sequence & 0xFFFF, timestamp, 7)
            self._sequence += 1
            start = b"\x10" if at == 0 else b"\x00"
            record = header + start + picture[at : at + PAYLOAD_BYTES]
            yield records.frame(RecordKind.PACKET, record, encoding=0)


@dataclass
class Said:
    """What the probe tells, read all the time: it waits for whoever does not listen."""

    control: socket.socket
    looks: int = 0
    verdicts: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Until the probe ends."""
        while text := self.control.recv(128 * 1024):
            message = json.loads(text)
            self.looks += message.get("decoding") is True
            if message.get("verdict") is not None:
                self.verdicts.append(message["verdict"])


@contextmanager
def probe() -> Iterator[tuple[int, socket.socket, Said]]:
    """Its process, as the server starts it, and the control socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "mediaserver.quality", "--control", str(theirs.fileno())]
    process = subprocess.Popen([*command, "--share", str(SHARE)], pass_fds=(theirs.fileno(),))
    theirs.close()
    said = Said(ours)
    reading = threading.Thread(target=said.read)
    reading.start()
    try:
        yield process.pid, ours, said
    finally:
        ours.shutdown(socket.SHUT_WR)
        process.wait(10)
        reading.join()
        ours.close()


def measure(case: Case, every_seconds: float, seconds: float) -> dict[str, Any]:
    """One run, after the probe has started and looked at each source."""
    pictures = key_frames(case)
    sources = [Source(f"p{number}", pictures) for number in range(case.sources)]
    with probe() as (pid, control, said):
        for source in sources:
            about = {"do": "watch", "publication": source.name, "codec": "VP8", "source_type": "endoscope"}
            socket.send_fds(control, [json.dumps(about).encode()], [source.theirs.fileno()])
            source.theirs.close()
        play(sources, every_seconds, max(WARM_SECONDS, every_seconds))
        before, begun, looks = processor.cpu_seconds(pid), time.monotonic(), said.looks
        play(sources, every_seconds, seconds)
        took = time.monotonic() - begun
        share = (processor.cpu_seconds(pid) - before) / took
        looks = said.looks - looks
    for source in sources:
        source.tap.close()
    if not looks or said.verdicts:
        sys.exit(f"the probe saw no picture, or a bad one: {said.verdicts}")
    return {
        "case": case.name,
        "sources": case.sources,
        "key_frame_bytes": round(sum(map(len, pictures)) / PICTURES),
        "key_frame_seconds": every_seconds,
        "share": round(share, 4),
        "share_per_source": round(share / case.sources, 4),
        "look_seconds": round(case.sources * took / looks, 2),
        "goal_share_per_source": GOAL_SHARE,
        "configured_share": SHARE,
    }


def play(sources: Sequence[Source], every_seconds: float, seconds: float) -> None:
    """Each source's key frames, the sources spread over the time between two."""
    interval = every_seconds / len(sources)
    begun = time.monotonic()
    for count in range(round(seconds / interval)):
        time.sleep(max(0.0, begun + count * interval - time.monotonic()))
        sources[count % len(sources)].next()
    time.sleep(max(0.0, begun + seconds - time.monotonic()))


def main() -> None:
    """Prints and keeps the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=12.0)
    given = parser.parse_args()
    rows = []
    for case in CASES:
        for every in (1, 10):
            row = measure(case, every, max(given.seconds, every))
            rows.append(row)
            print(
                f"{row['case']}, {row['sources']} sources, a key frame of "
                f"{row['key_frame_bytes'] / 1000:.0f} kB in {every} s: {row['share']:.1%} of a core, "
                f"{row['share_per_source']:.2%} for each, "
                f"looked at every {row['look_seconds']:.1f} s",
                flush=True,
            )
    results.write("picture_probe", {"machine": results.machine(), "rows": rows})


if __name__ == "__main__":
    main()
