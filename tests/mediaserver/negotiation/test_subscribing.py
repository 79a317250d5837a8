"""Sections of a subscribe transport, and answers to WHEP viewers."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from mediaserver.errors import MalformedSdp, NoCommonCodec
from mediaserver.ids import PublicationId
from mediaserver.negotiation.media import Codec, Way
from mediaserver.negotiation.offer import parse_description, render
from mediaserver.negotiation.subscribing import Sections, Wanted, answer_watch
from tests.mediaserver.captures import capture
from tests.mediaserver.negotiation_support import local
from tests.mediaserver.peers import answer_to

VP8 = Codec(0, "VP8", 90_000)
H264 = Codec(0, "H264", 90_000, fmtp=(("packetization-mode", "1"), ("profile-level-id", "42e01f")))
OPUS = Codec(0, "opus", 48_000, 2)


def item(name: str, codec: Codec = VP8, stream: str = "an") -> Wanted:
    kind = "audio" if codec is OPUS else "video"
    return Wanted(
        PublicationId(name), "audio" if kind == "audio" else "video", codec, stream, kind == "video"
    )


def sections(limit: int = 8) -> Sections:
    numbers = itertools.count(1000)
    return Sections(lambda: next(numbers), limit)


def test_sections_only_grow_and_are_used_again() -> None:
    mine = sections()
    assert mine.update([item("a"), item("b"), item("c", OPUS)])
    assert not mine.update([item("a"), item("b"), item("c", OPUS)])
    assert mine.update([item("b"), item("c", OPUS)])
    assert [media.way for media in mine.local_media()] == [Way.INACTIVE, Way.SENDONLY, Way.SENDONLY]
    assert mine.update([item("b"), item("c", OPUS), item("d", H264)])
    assert mine.carried() == {"0": "d", "1": "b", "2": "c"}
    ssrcs = [media.source.ssrc for media in mine.local_media() if media.source]
    assert len(set(ssrcs)) == 3


def test_one_payload_type_means_one_configuration() -> None:
    mine = sections()
    mine.update([item("a"), item("b"), item("c", H264), item("d", OPUS)])
    types = [tuple(codec.payload_type for codec in media.codecs) for media in mine.local_media()]
    assert types[0] == types[1]
    assert types[1][2] == types[2][2]
    assert len({number for pair in types[1:] for number in pair}) == 7


def test_an_answer_starts_what_it_accepts() -> None:
    mine = sections()
    mine.update([item("a"), item("b"), item("c", OPUS)])
    offer = render(local(mine.local_media()))
    assert "a=msid:an a" in offer
    assert "a=ssrc-group:FID 1000 1001" in offer
    assert "a=ssrc:1000 cname:an" in offer
    assert offer.count("a=rtcp-rsize\r\n") == 3
    accepted = mine.accept(parse_description(answer_to(offer, drop=["1"])))
    assert set(accepted) == {"a", "c"}
    outbound = accepted[PublicationId("a")]
    assert (outbound.ssrc, outbound.rtx_ssrc, outbound.mid, outbound.cname) == (1000, 1001, "0", "an")
    assert (outbound.extensions.mid, outbound.extensions.transport_cc) == (1, 3)
    assert accepted[PublicationId("c")].rtx_ssrc is None


def test_sound_is_offered_redundantly_and_sent_so_to_who_takes_it() -> None:
    mine = sections()
    mine.update([item("a", OPUS)])
    offer = render(local(mine.local_media()))
    assert "a=rtpmap:97 red/48000/2\r\n" in offer
    assert "a=fmtp:97 96/96\r\n" in offer
    taken = mine.accept(parse_description(answer_to(offer)))[PublicationId("a")]
    assert (taken.payload_type, taken.red_payload_type, taken.rtx_payload_type) == (96, 97, None)
    answer = answer_to(offer).replace("SAVPF 96 97", "SAVPF 96")
    plain = mine.accept(parse_description(answer))[PublicationId("a")]
    assert (plain.payload_type, plain.red_payload_type) == (96, None)


def test_pictures_are_offered_with_parity_and_protected_for_who_takes_it() -> None:
    mine = sections()
    mine.update([item("a")])
    offer = render(local(mine.local_media()))
    assert "a=rtpmap:98 flexfec-03/90000\r\n" in offer
    assert "a=ssrc-group:FEC-FR 1000 1002\r\n" in offer
    assert "a=ssrc:1002 cname:an\r\n" in offer
    taken = mine.accept(parse_description(answer_to(offer)))[PublicationId("a")]
    assert (taken.parity_ssrc, taken.parity_payload_type) == (1002, 98)
    answer = answer_to(offer).replace("SAVPF 96 97 98", "SAVPF 96 97")
    plain = mine.accept(parse_description(answer))[PublicationId("a")]
    assert (plain.rtx_ssrc, plain.parity_ssrc, plain.parity_payload_type) == (1001, None, None)


def test_an_answer_to_other_sections_is_refused() -> None:
    mine = sections()
    mine.update([item("a")])
    with pytest.raises(MalformedSdp):
        mine.accept(
            parse_description(capture("ffmpeg").replace("a=mid:0", "a=mid:7").replace("BUNDLE 0", "BUNDLE 7"))
        )


def test_what_finds_no_place_waits_for_one_and_sound_goes_first() -> None:
    mine = sections(2)
    assert mine.update([item("a"), item("b")])
    assert not mine.update([item("a"), item("b"), item("c")])
    assert mine.update([item("a"), item("c")])
    assert mine.carried() == {"0": "a", "1": "c"}
    spoken = [item("a"), item("c"), item("d", OPUS)]
    assert mine.update(spoken), "one picture gives way"
    assert mine.carried() == {"0": "a"}, "but its section rests for pictures"
    fresh = sections(2)
    fresh.update(spoken)
    assert set(fresh.carried().values()) == {"a", "d"}


def odd(level: int) -> Codec:
    return replace(H264, fmtp=(*H264.fmtp[:1], ("profile-level-id", f"{level:06x}")))


def test_odd_formats_cost_nobody_else_a_place() -> None:
    mine = sections()
    mine.update([item("a")])
    for level in range(100):
        assert mine.update([item("a"), item(f"odd-{level}", odd(level))])
        assert mine.update([item("a")])
    assert mine.update([item("a"), item("b", H264), item("c", OPUS)])
    assert set(mine.carried().values()) == {"a", "b", "c"}
    meaning: dict[int, set[str]] = {}
    for media in mine.local_media():
        for codec in media.codecs:
            meaning.setdefault(codec.payload_type, set()).add(f"{codec.name} {codec.fmtp}")
    assert all(len(one) == 1 for one in meaning.values()), "one payload type, one configuration"


def test_where_all_payload_types_play_others_go_on_and_are_told() -> None:
    mine = sections(64)
    many = [item(f"odd-{level}", odd(level)) for level in range(40)]
    assert mine.update(many)
    carried = len(mine.carried())
    assert 25 < carried < 40
    assert mine.update([*many, item("same", odd(0))]), "a format that is known needs no payload type"
    assert len(mine.carried()) == carried + 1
    assert mine.update(many[1:]), "and what is free again is used"
    assert len(mine.carried()) == carried


def test_what_only_the_publisher_knows_is_not_repeated_to_viewers() -> None:
    mine = sections()
    sets = replace(
        H264, fmtp=(*H264.fmtp, ("sprop-parameter-sets", "Z0LAH9oBQBbsBEAAAAMAQAAADyPGDKg=,aM48gA=="))
    )
    mine.update([item("a", H264), item("b", sets)])
    first, second = mine.local_media()
    assert first.codecs == second.codecs
    assert "sprop" not in render(local(mine.local_media()))


def test_a_whep_viewer_gets_its_own_payload_types() -> None:
    numbers = itertools.count(1)
    deal = answer_watch(
        parse_description(capture("chromium_recvonly")),
        [item("v", H264), item("s", OPUS)],
        lambda: next(numbers),
    )
    assert [media.way for media in deal.answer] == [Way.SENDONLY, Way.SENDONLY]
    video = deal.outbound[PublicationId("v")]
    offered = {
        codec.payload_type: codec for codec in parse_description(capture("chromium_recvonly")).media[1].codecs
    }
    assert offered[video.payload_type].parameter("profile-level-id") == "42e01f"
    assert video.rtx_payload_type is not None
    assert (video.extensions.rid, video.extensions.repaired_rid) == (0, 0)
    assert render(local(deal.answer)).count("a=rtcp-rsize\r\n") == 2
    assert (deal.outbound[PublicationId("s")].red_payload_type, video.red_payload_type) == (63, None)
    assert "a=fmtp:63 111/111\r\n" in render(local(deal.answer))
    assert video.parity_payload_type == 49
    assert f"a=ssrc-group:FEC-FR {video.ssrc} {video.parity_ssrc}\r\n" in render(local(deal.answer))


@pytest.mark.parametrize(
    ("repairs", "nack"), [("", False), ("a=rtpmap:112 rtx/48000/2\r\na=fmtp:112 apt=111\r\n", True)]
)
def test_lost_sound_is_repeated_only_in_a_stream_of_repairs(repairs: str, nack: bool) -> None:
    offer = capture("chromium_recvonly").replace(
        "a=rtcp-fb:111 transport-cc\r\n", f"a=rtcp-fb:111 transport-cc\r\na=rtcp-fb:111 nack\r\n{repairs}"
    )
    offer = offer.replace("SAVPF 111", "SAVPF 111 112") if repairs else offer
    deal = answer_watch(parse_description(offer), [item("s", OPUS)], lambda: 7)
    assert ("a=rtcp-fb:111 nack\r\n" in render(local(deal.answer))) is nack
    assert deal.outbound[PublicationId("s")].rtx_payload_type == (112 if nack else None)


def test_an_absent_kind_is_inactive() -> None:
    deal = answer_watch(parse_description(capture("chromium_recvonly")), [item("v")], lambda: 7)
    assert [media.way for media in deal.answer] == [Way.INACTIVE, Way.SENDONLY]
    assert list(deal.outbound) == ["v"]


def test_a_viewer_without_the_codec_is_told_which() -> None:
    only_vp9 = Codec(0, "VP9", 90_000, fmtp=(("profile-id", "3"),))
    with pytest.raises(NoCommonCodec) as refusal:
        answer_watch(
            parse_description(capture("ffmpeg").replace("sendonly", "recvonly")),
            [item("v", only_vp9)],
            lambda: 7,
        )
    assert refusal.value.accepted == ["VP9"]
