"""What identifies a person or opens a door never reaches the log."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from mediaserver.ids import PublicationId, Redacted
from mediaserver.log import MASK, configure, scrub
from mediaserver.policy import Role
from mediaserver.server import SourceSpec
from tests.mediaserver.captures import capture
from tests.mediaserver.peers import answer_to, identity, make_server


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    text = io.StringIO()
    configure("debug", "json", text)
    yield text
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "192.0.2.77",
        "2001:db8:0:1::77",
        "fe80::1",
        "Bearer abcdef",
        "a=ice-pwd:0123456789abcdef",
    ],
)
def test_patterns_are_masked(secret: str) -> None:
    assert secret not in scrub(f"before {secret} after")
    assert MASK in scrub(f"before {secret} after")


def test_types_and_keys_are_masked(stream: io.StringIO) -> None:
    log = structlog.stdlib.get_logger("x")
    log.info("event", who=Redacted("An Nguyen"), token="abc", nested={"pwd": "secret", "list": ["192.0.2.9"]})
    logging.getLogger("library").warning("peer %s came", "198.51.100.4")
    text = stream.getvalue()
    for hidden in ("An Nguyen", "abc", "secret", "192.0.2.9", "198.51.100.4"):
        assert hidden not in text
    assert [json.loads(line)["level"] for line in text.splitlines()] == ["info", "warning"]


def test_times_and_plain_words_stay() -> None:
    assert scrub("at 12:34:56 room theatre-1") == "at 12:34:56 room theatre-1"


async def test_a_whole_session_names_nobody(stream: io.StringIO) -> None:
    server = make_server()
    await server.start()
    name, line = "Trần Thị Bích", "the liver looks fine"
    surgeon, viewer = server.join(identity(Role.SURGEON), name), server.join(identity(), "Lê Văn Cường")
    offer = capture("chromium_publish")
    sources = [SourceSpec("0", "voice", "microphone"), SourceSpec("1", "scope", "endoscope")]
    result = await server.publish(surgeon, offer, sources)
    server.subscribe(viewer, [PublicationId(id) for id in result.sources.values()])
    sent = viewer.outbox._events[-1].event
    answer = answer_to(getattr(sent, "sdp", ""))
    await server.answer(viewer, 1, answer)
    server.chat(surgeon, line)
    await server.whip(identity(), name, capture("ffmpeg"))
    logging.getLogger("aiortc").debug("x %s", offer)
    await server.stop()
    text = stream.getvalue()
    assert text.count("\n") >= 6
    passwords = [
        part.partition(":")[2]
        for description in (offer, result.sdp, answer, capture("ffmpeg"))
        for part in description.splitlines()
        if part.startswith(("a=ice-pwd", "a=ice-ufrag"))
    ]
    for hidden in (name, "Cường", line, "192.0.2.", "127.0.0.1", "fd00::", *passwords):
        assert hidden not in text
        assert json.dumps(hidden)[1:-1] not in text
