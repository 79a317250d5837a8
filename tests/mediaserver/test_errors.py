"""The tree of errors: every leaf has its own stable code."""

from __future__ import annotations

from mediaserver import errors


def leaves() -> list[type[errors.LoupeError]]:
    # signalling adds leaves of its own.
    return [leaf for leaf in errors.LoupeError.__subclasses__() if leaf.__module__ == errors.__name__]


def test_codes_are_unique_and_stable() -> None:
    codes = {leaf.code for leaf in leaves()}
    assert len(codes) == len(leaves())
    assert codes == {
        "not_permitted", "unknown_room", "unknown_publication", "unknown_layer", "unknown_participant",
        "room_full", "draining", "nothing_published", "malformed_sdp", "no_common_codec", "stale_generation",
        "limit_reached", "malformed_cursor", "history_unavailable",
        "transport_failed", "worker_gone", "invalid_settings",
        "recording_off", "already_recording", "not_recording",
        "thumbnails_off", "picture_not_watched", "no_picture_yet",
    }  # fmt: skip


def test_what_may_be_tried_again() -> None:
    assert {leaf.code for leaf in leaves() if leaf.retryable} == {
        "room_full", "draining", "nothing_published", "transport_failed", "worker_gone",
        "history_unavailable", "no_picture_yet",
    }  # fmt: skip


def test_a_message_and_a_field() -> None:
    error = errors.MalformedSdp("odd", field="$.sources[0].mid")
    assert (str(error), error.message, error.field) == ("odd", "odd", "$.sources[0].mid")
    assert errors.NoCommonCodec(["opus"]).accepted == ["opus"]
    assert "opus" in errors.NoCommonCodec(["opus"]).message
