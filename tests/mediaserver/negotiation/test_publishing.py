"""What each real client's offer is answered with."""

from __future__ import annotations

import pytest

from mediaserver.errors import NoCommonCodec
from mediaserver.negotiation.media import Encoding, Rid, Way
from mediaserver.negotiation.offer import parse_description, render
from mediaserver.negotiation.publishing import PublishDeal, answer_publish, lowest_first
from tests.mediaserver.captures import capture
from tests.mediaserver.negotiation_support import local


def deal(name: str) -> PublishDeal:
    return answer_publish(parse_description(capture(name)), permitted=("audio", "video"), partial=True)


@pytest.mark.parametrize(
    ("name", "codec", "payload_type", "rtx"),
    [
        ("chromium_publish", "VP8", 96, 97),
        ("chromium_simulcast", "VP8", 96, 97),
        ("wrtc", "VP8", 96, 97),
        ("aiortc", "VP8", 97, 98),
        ("ffmpeg", "H264", 106, 105),
        ("ffmpeg_active", "H264", 106, 105),
        ("libdatachannel_h264", "H264", 96, None),
    ],
)
def test_one_codec_and_its_rtx(name: str, codec: str, payload_type: int, rtx: int | None) -> None:
    found = deal(name)
    video = found.inbound[1]
    assert (video.codec.name, video.codec.payload_type, video.rtx_payload_type) == (codec, payload_type, rtx)
    assert video.nack
    assert len(found.answer[1].codecs) == (1 if rtx is None else 2)
    assert found.answer[1].way is Way.RECVONLY
    assert found.inbound[0].codec.name == "opus"


def test_extensions_keep_the_offers_ids() -> None:
    video = deal("chromium_simulcast").inbound[1]
    ids = video.extensions
    assert (ids.mid, ids.rid, ids.repaired_rid, ids.transport_cc) == (4, 10, 11, 3)
    assert video.transport_cc
    assert not video.remb


def test_remb_stands_in_where_transport_cc_is_not_offered() -> None:
    video = deal("libdatachannel_h264").inbound[1]
    assert video.remb
    assert not video.transport_cc


def test_full_intra_requests_serve_whom_no_picture_loss_can_be_told() -> None:
    offer = capture("chromium_publish").replace("a=rtcp-fb:96 nack pli\r\n", "")
    found = answer_publish(parse_description(offer), permitted=("audio", "video"), partial=True)
    video = found.inbound[1]
    assert (video.pli, video.fir) == (False, True)


@pytest.mark.parametrize(
    ("name", "audio", "video"),
    [("chromium_publish", True, True), ("ffmpeg", False, True), ("aiortc", False, False)],
)
def test_reduced_size_rtcp_is_agreed_to_where_it_was_offered(name: str, audio: bool, video: bool) -> None:
    found = deal(name)
    assert [flow.reduced_size for flow in found.inbound] == [audio, video]
    assert render(local(found.answer)).count("a=rtcp-rsize\r\n") == audio + video


def test_simulcast_of_obs() -> None:
    # node-datachannel cannot add these lines; OBS adds them to the very same offer by libdatachannel's
    # C++ interface.
    lines = "".join(f"a=rid:{name} send\r\n" for name in "201") + "a=simulcast:send 2;0;1\r\n"
    remote = parse_description(capture("libdatachannel_h264") + lines)
    found = answer_publish(remote, permitted=("audio", "video"), partial=False)
    assert found.inbound[1].encodings == (Encoding(rid="2"), Encoding(rid="1"), Encoding(rid="0"))
    assert "a=simulcast:recv 2;0;1" in render(local(found.answer))


@pytest.mark.parametrize(
    ("offered", "sorted_names"),
    [
        ([Rid("l"), Rid("m"), Rid("h")], "lmh"),
        ([Rid("h"), Rid("m"), Rid("l")], "lmh"),
        ([Rid("f"), Rid("h"), Rid("q")], "qhf"),
        ([Rid("0"), Rid("1")], "10"),
        ([Rid("b"), Rid("a")], "ba"),
        ([Rid("a", max_width=1280), Rid("b", max_width=320)], "ba"),
    ],
)
def test_layers_are_put_lowest_first(offered: list[Rid], sorted_names: str) -> None:
    assert "".join(rid.name for rid in lowest_first(tuple(offered))) == sorted_names


def test_whip_is_not_answered_in_part() -> None:
    remote = parse_description(capture("ffmpeg").replace("opus/48000/2", "PCMU/8000"))
    with pytest.raises(NoCommonCodec) as refusal:
        answer_publish(remote, permitted=("audio", "video"), partial=False)
    assert refusal.value.accepted == ["opus"]
    found = answer_publish(remote, permitted=("audio", "video"), partial=True)
    assert [media.rejected for media in found.answer] == [True, False]


def test_h264_mode_0_is_passed_over() -> None:
    text = capture("ffmpeg").replace("packetization-mode=1", "packetization-mode=0")
    with pytest.raises(NoCommonCodec):
        answer_publish(parse_description(text), permitted=("audio", "video"), partial=False)


def test_data_channels_are_accepted_where_offered() -> None:
    found = deal("chromium_publish")
    assert found.data is not None
    assert found.answer[2].sctp_port == 5000
