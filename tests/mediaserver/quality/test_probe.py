"""The probe over real sockets, its time being the test's."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest

from mediaserver.quality.pace import LONGEST_SECONDS
from mediaserver.quality.probe import ASK_SECONDS, ASKED_A_ROUND, KEYFRAME_SECONDS, SPREAD_SECONDS, Probe
from tests.mediaserver.quality import material
from tests.mediaserver.quality.test_pictures import packets, records


class Server:
    """The server's ends of the control socket and of one tap."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        self.probe = Probe(theirs, share=0.25)
        self.tap: socket.socket | None = None

    def watch(self, publication: str = "p", source_type: str = "endoscope") -> None:
        reading, self.tap = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        about = {"do": "watch", "publication": publication, "codec": "VP8", "source_type": source_type}
        socket.send_fds(self.control, [json.dumps(about).encode()], [reading.fileno()])
        reading.close()
        self.probe.obey(0.0)

    def wants(self, now: float, publication: str = "p") -> None:
        about = {"do": "thumbnail", "publication": publication, "seconds": 3.0}
        self.control.send(json.dumps(about).encode())
        self.probe.obey(now)

    def shows(self, data: bytes, now: float) -> None:
        assert self.tap is not None
        self.tap.send(records(packets(data, int(now * 90_000) & 0xFFFFFFFF)))
        self.probe.read("p", now)

    def told(self) -> list[dict[str, Any]]:
        found = []
        while True:
            try:
                message = json.loads(self.control.recv(65_536))
                if "decoding" not in message:
                    found.append(message)
            except BlockingIOError:
                return found


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.probe.forget("p")
    for one in (made.control, made.probe.control, made.tap):
        if one is not None:
            one.close()


def test_a_verdict_is_told_once_and_its_end(server: Server) -> None:
    server.watch()
    scope = material.endoscope(1)
    good, bad = material.encoded([scope[0], material.dark(scope[0])], "VP8")
    for now, data in enumerate([good, bad, bad, bad, good, good, good], start=10):
        server.shows(data, float(now * 2))
    assert server.told() == [
        {"publication": "p", "verdict": "black"},
        {"publication": "p", "verdict": None},
    ]


def test_key_frames_are_asked_for_seldom(server: Server) -> None:
    server.watch()
    begun = server.probe.sources["p"].heard_at
    server.probe.ask(begun + KEYFRAME_SECONDS - 0.1)
    assert server.told() == []
    for late in (0.0, 1.0, 5.0):
        server.probe.ask(begun + KEYFRAME_SECONDS + late)
    assert server.told() == [{"publication": "p", "keyframe": True}]


def test_a_tap_that_ends_is_forgotten_with_its_verdict(server: Server) -> None:
    server.watch()
    assert server.tap is not None
    server.tap.close()
    server.probe.read("p", 1.0)
    assert server.probe.sources == {}
    assert server.told() == [{"publication": "p", "verdict": None}]


def test_watching_again_takes_the_new_tap(server: Server) -> None:
    server.watch()
    old = server.tap
    server.watch(source_type="monitor")
    assert old is not None
    with pytest.raises(OSError, match=r"."):
        old.send(b"x")
    old.close()
    assert len(server.probe.sources) == 1


def test_it_ends_with_the_server(server: Server) -> None:
    server.control.close()
    server.probe.run()
    assert server.probe.ended


def test_sources_that_began_together_are_asked_one_after_the_other(server: Server) -> None:
    for name in "pqr":
        server.watch(name)
    asked: dict[tuple[str, float], bool] = {}
    for tenth in range(1, 10 * round(3 * KEYFRAME_SECONDS)):
        now = tenth / 10
        server.probe.ask(now)
        asked |= {(one["publication"], now): True for one in server.told()}
    times = [now for _, now in asked]
    assert [name for name, _ in asked][:3] == ["p", "q", "r"]
    assert min(later - now for now, later in pairwise(times)) >= SPREAD_SECONDS / 3 - 0.1
    of_one = [now for name, now in asked if name == "p"]
    assert all(later - now <= KEYFRAME_SECONDS + 1 for now, later in pairwise(of_one))
    for name in "qr":
        server.probe.forget(name)


def test_however_many_there_are_all_are_asked_in_time(server: Server) -> None:
    many = [f"s{number}" for number in range(2 * ASKED_A_ROUND + 1)]
    for name in many:
        server.watch(name)
    asked = set()
    for round_ in range(1, round(SPREAD_SECONDS / ASK_SECONDS) + 2):
        server.probe.ask(KEYFRAME_SECONDS + round_ * ASK_SECONDS)
        asked |= {one["publication"] for one in server.told()}
    assert asked == set(many)
    for name in many:
        server.probe.forget(name)


def test_what_costs_too_much_is_looked_at_less_often(server: Server) -> None:
    server.watch(source_type="room")
    (picture,) = material.encoded(material.endoscope(1), "VP8")
    server.probe.pace.looked("other", 1.25)  # at a quarter of a core: five seconds
    looks = 0
    for second in range(100, 130):
        heard_at = server.probe.sources["p"].heard_at
        server.shows(picture, float(second))
        looks += server.probe.sources["p"].heard_at != heard_at
    assert looks in (5, 6)
    server.probe.pace.looked("other", 1e6)
    server.probe.ask(129 + LONGEST_SECONDS / 2)
    assert server.told() == []
    server.probe.ask(129 + LONGEST_SECONDS + 1)
    assert server.told() == [{"publication": "p", "keyframe": True}]


def test_a_picture_that_is_wanted_is_asked_for_and_told_once(server: Server) -> None:
    server.watch()
    (picture,) = material.encoded(material.endoscope(1), "VP8")
    server.probe.pace.looked("other", 1e6)
    server.shows(picture, 100.0)
    assert server.told() == []
    server.wants(100.2)
    assert server.told() == [{"publication": "p", "keyframe": True}]
    server.shows(picture, 100.4)
    assert server.told() == [], "one a second at most"
    server.probe.ask(101.1)
    assert server.told() == []
    server.probe.ask(101.2)
    assert server.told() == [{"publication": "p", "keyframe": True}], "once more"
    server.shows(picture, 101.3)
    (told,) = server.told()
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(told["thumbnail"]), np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (144, 256, 3)
    server.shows(picture, 103.0)
    assert server.told() == []


def test_what_comes_too_late_is_told_to_nobody(server: Server) -> None:
    server.watch()
    (picture,) = material.encoded(material.endoscope(1), "VP8")
    server.wants(100.0)
    server.wants(100.0, "unknown")
    server.shows(picture, 103.1)
    server.probe.ask(103.2)
    assert server.told() == [{"publication": "p", "keyframe": True}]
    assert server.probe.wanted == {}
