"""Typed descriptions."""

from __future__ import annotations

from mediaserver.negotiation.media import Codec, IceCredentials, RemoteMedia, Way


def test_directions_are_seen_from_the_describer() -> None:
    assert [way for way in Way if way.sends] == [Way.SENDRECV, Way.SENDONLY]
    assert [way for way in Way if way.receives] == [Way.SENDRECV, Way.RECVONLY]


def test_parameters_are_found_without_case() -> None:
    codec = Codec(96, "H264", 90_000, fmtp=(("Profile-Level-Id", "42e01f"), ("flag", None)))
    assert codec.parameter("profile-level-id") == "42e01f"
    assert codec.parameter("flag") is None


def test_a_password_is_not_printed() -> None:
    assert "secret" not in repr(IceCredentials("user", "secretsecretsecretsecret"))


def test_what_carries_nothing_is_not_wanted() -> None:
    assert RemoteMedia("0", "audio", Way.SENDONLY, rejected=False).wanted
    assert not RemoteMedia("0", "audio", Way.SENDONLY, rejected=True).wanted
    assert not RemoteMedia("0", "audio", Way.INACTIVE, rejected=False).wanted
