"""The process's DTLS certificate: self-signed, made at start, renewed for new handshakes within 24 h."""

from __future__ import annotations

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
    SRTPProtectionProfile,
    certificate_digest,
    generate_certificate,
)
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from mediaserver.negotiation.media import Fingerprint

LIFE_SECONDS = 24 * 3600.0
"""06-reliability 4.2: a DTLS certificate is used for new handshakes for at most a day."""

PROFILES: list[SRTPProtectionProfile] = [SRTP_AEAD_AES_128_GCM, SRTP_AEAD_AES_256_GCM, SRTP_AES128_CM_SHA1_80]
"""Best first: as DTLS server OpenSSL takes the first of ours that the client offers.
128-bit GCM leads because it is cheapest per packet and no browser needs more."""

_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)
_DTLS_1_2 = 0xFEFD
_SSL_MODE_RELEASE_BUFFERS = 0x10
"""OpenSSL's ``SSL_MODE_RELEASE_BUFFERS``: pyOpenSSL has no name for it."""


class Certificate(RTCCertificate):
    """A certificate that keeps one OpenSSL context for all its handshakes: aiortc builds one for each."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, *, made_at: float) -> None:
        super().__init__(key=key, cert=generate_certificate(key))
        self.made_at = made_at
        self.fingerprint = Fingerprint("sha-256", certificate_digest(self._cert, "sha-256"))
        self._context: SSL.Context | None = None

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        # Called by aiortc per connection; all of ours use the one profile list.
        if self._context is None:
            self._context = self._build(srtp_profiles)
        return self._context

    def _build(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        context.set_mode(_SSL_MODE_RELEASE_BUFFERS)
        # Shared contexts would otherwise keep every peer's session (OpenSSL's default cache: 20,480 of them).
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        # Any certificate passes here; its fingerprint decides afterwards (RFC 5763 section 5).
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _accept)
        context.use_certificate(self._cert)
        context.use_privatekey(self._key)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(profile.openssl_profile for profile in srtp_profiles))
        return context


def _accept(*_: object) -> bool:
    return True


class CertificateStore:
    """Gives the current certificate; the caller names the time (monotonic seconds)."""

    def __init__(self, life_seconds: float = LIFE_SECONDS) -> None:
        self._life_seconds = life_seconds
        self._current: Certificate | None = None

    def current(self, now: float) -> Certificate:
        """A certificate younger than its life. Associations that stand keep the one they began with."""
        if self._current is None or now - self._current.made_at >= self._life_seconds:
            self._current = Certificate(ec.generate_private_key(ec.SECP256R1()), made_at=now)
        return self._current
