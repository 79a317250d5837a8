"""The probe over real sockets, its time being the test's."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from mediaserver.quality.probe import KEYFRAME_SECONDS, Probe
from tests.mediaserver.quality import material
from tests.mediaserver.quality.test_pictures import packets, records


class Server:
    """The server's ends of the control socket and of one tap."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        self.probe = Probe(theirs)
        self.tap: socket.socket | None = None

    def watch(self, publication: str = "p", source_type: str = "endoscope") -> None:
        reading, self.tap = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        about = {"do": "watch", "publication": publication, "codec": "VP8", "source_type": source_type}
        socket.send_fds(self.control, [json.dumps(about).encode()], [reading.fileno()])
        reading.close()
        self.probe.obey()

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
