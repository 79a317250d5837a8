"""Reading descriptions: golden offers of real clients, and what must be refused."""

from __future__ import annotations

import contextlib
import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaserver.errors import MalformedSdp
from mediaserver.negotiation.media import LocalMedia, Setup, Way
from mediaserver.negotiation.offer import SdpLimits, parse_description, render
from tests.mediaserver.captures import NAMES, capture
from tests.mediaserver.negotiation_support import local

SHARED = Path(os.environ.get("LOUPE_SHARED", Path(__file__).parents[3].parent / "shared"))


@pytest.mark.parametrize("name", NAMES)
def test_golden_offers_are_read(name: str) -> None:
    remote = parse_description(capture(name))
    assert {media.kind for media in remote.media} >= {"audio", "video"}
    assert all(not media.rejected and media.codecs for media in remote.media if media.kind != "application")
    assert len(remote.transport.ice.pwd) >= 22
    assert remote.transport.fingerprints[0].algorithm.startswith("sha-")
    expected = {"ffmpeg": Setup.PASSIVE, "ffmpeg_active": Setup.ACTIVE}.get(name, Setup.ACTPASS)
    assert remote.transport.setup is expected


def test_chromium_simulcast_is_read_whole() -> None:
    video = parse_description(capture("chromium_simulcast")).media[1]
    assert [rid.name for rid in video.rids] == ["l", "m", "h"]
    assert video.way is Way.SENDONLY
    assert video.codecs[0].name == "VP8"
    assert "transport-cc" in video.codecs[0].feedback


def test_ffmpeg_sources_are_paired() -> None:
    video = parse_description(capture("ffmpeg")).media[1]
    assert video.repairs == ((video.ssrcs[0], video.ssrcs[1]),)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_rendered_reads_back_the_same(name: str) -> None:
    remote = parse_description(capture(name))
    media = tuple(
        LocalMedia(
            mid=m.mid,
            kind=m.kind,
            way=m.way,
            codecs=m.codecs,
            extensions=m.extensions,
            sctp_port=m.sctp_port,
            max_message_size=m.max_message_size,
        )
        for m in remote.media
    )
    text = render(local(media))
    again = parse_description(text)
    for before, after in zip(remote.media, again.media, strict=True):
        assert (before.mid, before.kind, before.way) == (after.mid, after.kind, after.way)
        assert before.codecs == after.codecs
        assert before.extensions == after.extensions
        assert before.sctp_port == after.sctp_port
    assert text.index("192.0.2.1") < text.index("2001:db8::1")
    assert text.count("a=candidate:") == 2 * len(again.media)


def changed(old: str, new: str, name: str = "ffmpeg") -> str:
    text = capture(name)
    assert old in text
    return text.replace(old, new)


PRINT = next(line for line in capture("ffmpeg").splitlines() if line.startswith("a=fingerprint"))

SOURCES = [str(ssrc) for ssrc in parse_description(capture("ffmpeg")).media[1].ssrcs[:2]]

REFUSED = {
    "empty": "",
    "no version": "hello",
    "no media": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
    "no fingerprint": changed(PRINT + "\r\n", ""),
    "empty fingerprint": changed(PRINT, "a=fingerprint:"),
    "weak fingerprint": changed(PRINT, "a=fingerprint:sha-1 " + ":".join(["00"] * 20)),
    "short fingerprint": changed(PRINT, "a=fingerprint:sha-256 AA:BB"),
    "no setup": changed("a=setup:passive\r\n", ""),
    "odd setup": changed("a=setup:passive", "a=setup:holdconn"),
    "no mid": changed("a=mid:0\r\n", ""),
    "doubled mid": changed("a=mid:1", "a=mid:0"),
    "no bundle": changed("a=group:BUNDLE 0 1\r\n", ""),
    "half a bundle": changed("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),
    "no rtcp-mux": changed("a=rtcp-mux\r\n", ""),
    "plain RTP": changed("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
    "SDES": changed("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\n"),
    "no ufrag": "\r\n".join(x for x in capture("ffmpeg").splitlines() if not x.startswith("a=ice-ufrag")),
    "short password": "\r\n".join(
        "a=ice-pwd:short" if x.startswith("a=ice-pwd") else x for x in capture("ffmpeg").splitlines()
    ),
    "huge payload type": changed("106", str(2**32)),
    "doubled payload type": changed("106 105", "106 106"),
    "bad rtpmap": changed("a=rtpmap:106 H264/90000", "a=rtpmap:106 H264"),
    "bad ssrc": changed("a=ssrc-group:FID ", "a=ssrc-group:FID x"),
    "NUL": changed("a=mid:0", "a=mid:\x000"),
    "undeclared rid": changed("a=rid:m send", "a=rid:n send", "chromium_simulcast"),
    "too many sections": capture("ffmpeg") + "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:x\r\n" * 40,
    "too many candidates": capture("ffmpeg") + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 65,
    "too large": capture("ffmpeg") + "a=x\r\n" * 20_000,
    "long line": capture("ffmpeg") + "a=x:" + "y" * 5000 + "\r\n",
    "a repair that is a layer": changed(
        "a=ssrc-group:FID ",
        f"a=ssrc-group:SIM {' '.join(SOURCES)}\r\na=ssrc-group:FID ",
    ),
    "lines that end by CR": changed("\r\n", "\r"),
    "a line that ends by CR": capture("ffmpeg") + "a=x:1\ra=y:1\r\n",
    "a line that ends by NEL": capture("ffmpeg") + "a=x:1\x85a=y:1\r\n",
    "a line that ends by LS": capture("ffmpeg") + "a=x:1\u2028a=y:1\r\n",
    "ten thousand sections": "v=0\r\n" + "m=audio 9 X 0\r\n" * 10_000,
}


@pytest.mark.parametrize("why", REFUSED)
def test_refused(why: str) -> None:
    with pytest.raises(MalformedSdp) as refusal:
        parse_description(REFUSED[why])
    assert refusal.value.field == "$.sdp"


def test_payload_types_of_rtcp_are_not_offered() -> None:
    text = (
        capture("ffmpeg").replace(" 106 105", " 72 105").replace(":106 ", ":72 ").replace("apt=106", "apt=72")
    )
    assert [codec.payload_type for codec in parse_description(text).media[1].codecs] == [105]


def test_the_largest_text_is_read_without_a_long_stall() -> None:
    line = "a=ssrc:1 cname:x\r\n"
    text = capture("ffmpeg")
    text += line * ((SdpLimits().text_bytes - len(text)) // len(line))
    begun = time.perf_counter()
    parse_description(text)
    assert time.perf_counter() - begun < 0.2


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 2**32), st.integers(1, 6))
def test_mutated_offers_are_read_or_refused(name: str, seed: int, cuts: int) -> None:
    chance = random.Random(seed)
    lines = capture(name).splitlines()
    for _ in range(cuts):
        index = chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                del lines[index]
            case 1:
                lines.insert(index, lines[chance.randrange(len(lines))])
            case 2:
                lines[index] = lines[index][: chance.randrange(len(lines[index]) + 1)]
            case 3:
                lines[index] = lines[index].replace(chance.choice("0123456789:/ ;="), "", 1)
            case _:
                lines[index] += chance.choice(["\x00", " ", ":", "é", "9" * 30, ";" * 80])
    with contextlib.suppress(MalformedSdp):
        parse_description("\r\n".join(lines))


def test_corpora_are_read_or_refused() -> None:
    folder = SHARED / "corpora"
    if not folder.is_dir():
        pytest.skip("left out: the shared SDP corpora are not here")
    files = [path for path in folder.rglob("*") if path.is_file() and "sdp" in str(path).lower()]
    assert files
    for path in files:
        try:
            parse_description(path.read_bytes().decode(errors="replace"))
        except MalformedSdp:
            continue
