"""The secret that signs tokens, as keys by ``kid``: made
once, kept 0600 in the data folder, read at every start."""

from __future__ import annotations

import hashlib
import stat
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediaserver import config
from mediaserver.errors import InvalidSettings

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

MIN_SECRET_BYTES = 32
"""RFC 7518 section 3.2: a key of at least the hash's size, 256 bits."""
MIN_DIFFERENT_BYTES = 8
"""Fewer different bytes than this is a sample somebody typed, not a random secret."""
KID_CHARACTERS = 12


@dataclass(frozen=True, repr=False)
class TokenKeys:
    """The keys by ``kid``; ``signing`` is the ``kid`` of the one that signs."""

    signing: str
    by_kid: dict[str, OctKey]


def from_secret(secret: bytes) -> TokenKeys:
    """One key; its ``kid`` is a short hash of it, so it changes whenever the secret does.

    Raises:
        InvalidSettings: fewer than 256 bits, or a sample.
    """
    from joserfc.jwk import OctKey

    if len(secret) < MIN_SECRET_BYTES or len(set(secret)) < MIN_DIFFERENT_BYTES:
        raise InvalidSettings(
            "tokens.secret: too short or a sample; delete the key file and a new one is made"
        )
    kid = hashlib.sha256(b"loupe kid" + secret).hexdigest()[:KID_CHARACTERS]
    text = urlsafe_b64encode(secret).rstrip(b"=").decode()
    return TokenKeys(kid, {kid: OctKey.import_key({"kty": "oct", "k": text, "kid": kid})})


def load_or_create(settings: config.Settings) -> TokenKeys:
    """The keys of a data folder; makes the folder and its secret when absent.

    Raises:
        InvalidSettings: unwritable, unreadable, or readable by others; the text says what to do.
    """
    file = settings.data.folder / "token.key"
    try:
        config.first_start(settings)
    except InvalidSettings:
        # `loupe token` and `loupe serve` may make the same
        # folder at the same moment: whoever came second reads.
        if not file.exists():
            raise
    if settings.tokens.secret is None and stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise InvalidSettings(f"token secret {file} can be read by others; run: chmod 600 {file}")
    return from_secret(config.token_secret(settings))
