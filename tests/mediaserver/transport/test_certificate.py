"""The process's certificate."""

from __future__ import annotations

from mediaserver.transport.certificate import LIFE_SECONDS, CertificateStore


def test_a_certificate_is_used_for_a_day_at_most() -> None:
    store = CertificateStore()
    first = store.current(100.0)
    assert store.current(100.0 + LIFE_SECONDS - 1) is first
    second = store.current(100.0 + LIFE_SECONDS)
    assert second is not first
    assert second.fingerprint != first.fingerprint
    assert LIFE_SECONDS == 24 * 3600


def test_the_fingerprint_is_sha_256() -> None:
    fingerprint = CertificateStore().current(0.0).fingerprint
    assert fingerprint.algorithm == "sha-256"
    assert len(fingerprint.value) == 32 * 3 - 1
