"""The token bucket, in a time of its own."""

from __future__ import annotations

from mediaserver.bucket import TokenBucket


def test_the_bucket() -> None:
    bucket = TokenBucket(rate_per_second=2, burst=3)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(10.5)
    assert not bucket.take(10.5)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False], "never more than the burst"


def test_large_amounts_wait_for_their_share() -> None:
    bucket = TokenBucket(rate_per_second=1000, burst=4000)
    assert bucket.take(0.0, 4000)
    assert not bucket.take(1.0, 1500)
    assert bucket.take(1.5, 1500), "what was refused cost nothing"
