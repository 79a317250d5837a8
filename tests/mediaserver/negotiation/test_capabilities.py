"""Which codec is chosen, and which matches."""

from __future__ import annotations

import pytest

from mediaserver.negotiation.capabilities import (
    OFFERED_IDS,
    URIS,
    answer_extensions,
    answer_feedback,
    choose_codec,
    extension_ids,
    matching_codec,
    own_extensions,
    rtx_for,
)
from mediaserver.negotiation.media import Codec, Extension


def video(name: str, payload_type: int = 96, **fmtp: str) -> Codec:
    return Codec(payload_type, name, 90_000, fmtp=tuple((k.replace("_", "-"), v) for k, v in fmtp.items()))


def test_the_first_we_forward_is_chosen() -> None:
    offered = [video("ulpfec"), video("rtx", 97, apt="96"), video("av1", 98), video("VP8", 99)]
    assert choose_codec(offered, "video") == offered[2]
    assert choose_codec([video("ulpfec")], "video") is None
    assert choose_codec([Codec(9, "opus", 48_000, 1)], "audio") is None


def test_h264_needs_mode_1_but_forgives_silence() -> None:
    mode_0, bare = video("H264", 96, packetization_mode="0"), video("H264", 97)
    assert choose_codec([mode_0], "video") is None
    assert choose_codec([mode_0, bare], "video") == bare
    assert choose_codec([bare, video("VP8", 98)], "video") == video("VP8", 98)


@pytest.mark.parametrize(
    ("published", "offered", "found"),
    [
        (video("VP9"), [video("VP9", 100, profile_id="2"), video("VP9", 98, profile_id="0")], 98),
        (video("VP9", profile_id="2"), [video("VP9", 98)], None),
        (
            video("H264", packetization_mode="1", profile_level_id="42e01f"),
            [video("H264", 96, packetization_mode="1", profile_level_id="640032"),
             video("H264", 97, packetization_mode="1", profile_level_id="42e034")],
            97,
        ),
        (
            video("H264", packetization_mode="1", profile_level_id="42000c"),
            [video("H264", 95, packetization_mode="0"), video("H264", 96, packetization_mode="1")],
            96,
        ),
        (video("VP8"), [video("H264", 96)], None),
    ],
)  # fmt: skip
def test_a_viewer_must_be_able_to_decode(published: Codec, offered: list[Codec], found: int | None) -> None:
    match = matching_codec(offered, published, "video")
    assert (match.payload_type if match else None) == found


def test_rtx_belongs_to_its_payload_type() -> None:
    codecs = [video("VP8"), video("rtx", 97, apt="98"), video("rtx", 99, apt="96")]
    assert rtx_for(codecs, codecs[0]) == codecs[2]


def test_feedback_is_what_both_speak() -> None:
    codec = Codec(96, "VP8", 90_000, feedback=("goog-remb", "nack", "nack pli", "transport-cc", "nack rpsi"))
    assert answer_feedback(codec, "video") == ("nack", "nack pli", "transport-cc")
    old = Codec(96, "VP8", 90_000, feedback=("goog-remb", "nack"))
    assert answer_feedback(old, "video") == ("nack", "goog-remb")


def test_extensions_keep_ids_and_doubles_are_dropped() -> None:
    offered = [
        Extension(3, URIS["mid"]), Extension(3, URIS["rid"]), Extension(4, URIS["mid"]),
        Extension(9, "urn:x"),
        Extension(5, URIS["audio_level"]), Extension(300, URIS["transport_cc"]),
    ]  # fmt: skip
    assert answer_extensions(offered, "video", inbound=True) == (offered[0],)
    assert answer_extensions(offered, "audio", inbound=False) == (offered[0], offered[4])
    ids = extension_ids(own_extensions("video"))
    assert (ids.mid, ids.transport_cc, ids.audio_level, ids.rid) == (1, 3, 0, 0)
    assert len(set(OFFERED_IDS.values())) == len(OFFERED_IDS)
