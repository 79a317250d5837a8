"""Fragments of plain HTTP sessions, and the size of answers."""

from __future__ import annotations

import pytest

from mediaserver.errors import MalformedSdp
from mediaserver.negotiation.answer import parse_fragment, render_answer, render_fragment
from mediaserver.negotiation.offer import parse_description
from mediaserver.negotiation.publishing import answer_publish
from tests.mediaserver.captures import NAMES, capture
from tests.mediaserver.negotiation_support import local

TRICKLED = (
    "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"
)


def test_a_trickled_fragment_is_read() -> None:
    fragment = parse_fragment(TRICKLED)
    assert fragment.ice is not None
    assert (fragment.ice.ufrag, fragment.candidates) == ("EsAw", 1)


@pytest.mark.parametrize(
    "text",
    ["", "hello", "a=ice-ufrag:EsAw\r\n", "a=ice-ufrag:x\r\na=ice-pwd:y\r\n", "a=candidate:1\r\n" * 100],
)
def test_other_fragments_are_refused(text: str) -> None:
    with pytest.raises(MalformedSdp):
        parse_fragment(text)


def test_a_rendered_fragment_reads_back() -> None:
    description = local(())
    text = render_fragment(description.transport, (("v", "video"), ("a", "audio")))
    assert "a=group:BUNDLE v a\r\n" in text
    assert "m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:v\r\n" in text
    fragment = parse_fragment(text)
    assert fragment.ice == description.transport.ice
    assert fragment.candidates == 2


FFMPEG_READS_BYTES = 8192
"""FFmpeg 8 and 9 read no more than this of an answer to a WHIP offer."""


@pytest.mark.parametrize("name", NAMES)
def test_answers_stay_small(name: str) -> None:
    deal = answer_publish(parse_description(capture(name)), permitted=("audio", "video"), partial=True)
    text = render_answer(local(deal.answer))
    assert len(text) < FFMPEG_READS_BYTES / 2
    assert text.endswith("\r\n")
