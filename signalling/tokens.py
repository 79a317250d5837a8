"""Tokens: JSON Web Tokens (RFC 7519) as a pure function of key, text and time.

Two kinds, told apart by their audience: a *join token* (``aud`` ``join``, minutes) opens one
session by WebSocket, WHIP or WHEP, and the REST interface; an *invitation* (``aud`` ``invite``,
hours, revocable) is what a printed link carries and can only be exchanged for join tokens. Every
token names those it descends from, so that withdrawing one withdraws all that came of it.

RFC 8725 is followed to the letter: one algorithm (HS256) fixed on the server side, the key is found
by ``kid`` among our own and nothing in the header can name another, audience and issuer are compared.
"""

from __future__ import annotations

import binascii
import re
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from mediaserver.clinical import ClinicalClass
from mediaserver.policy import Right, Role, granted
from signalling.errors import Unauthorized

if TYPE_CHECKING:
    from signalling.keys import TokenKeys

ALGORITHM = "HS256"
ISSUER = "loupe"
LEEWAY_SECONDS = 30
JOIN_LIFETIME_SECONDS = 10 * 60
INVITATION_LIFETIME_SECONDS = 12 * 60 * 60
MAX_LIFETIME_SECONDS = 7 * 24 * 60 * 60
MAX_TOKEN_CHARACTERS = 4096
MAX_ANCESTORS = 16
"""Tokens and invitations that one may descend from: seven times invited over, and a bound on its length."""
ANY_ROOM = "*"
"""An operator's or auditor's token may name it, and one narrowed to studying recordings: it enters none."""
OF_ALL_ROOMS = frozenset({Role.OPERATOR, Role.AUDITOR})
STUDY = frozenset({Right.REVIEW, Right.MARK, Right.EXPORT})
ROOM_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_ROOM = re.compile(ROOM_PATTERN, re.ASCII)


class Audience(StrEnum):
    """What a token is for."""

    JOIN = "join"
    INVITE = "invite"


TokenId: TypeAlias = Annotated[str, Meta(min_length=16, max_length=64)]


class Claims(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a token says. Times are Unix seconds."""

    iss: str
    aud: Audience
    sub: Annotated[str, Meta(min_length=1, max_length=64)]
    jti: TokenId
    iat: int
    nbf: int
    exp: int
    room: Annotated[str, Meta(min_length=1, max_length=64)]
    role: Role
    rights: list[Right] | None = None
    """Narrows the role's rights; absent: all of them."""
    name: Annotated[str, Meta(max_length=64)] | None = None
    self_named: bool = False
    """The holder typed the name, or somebody gave it whose own name nobody vouches for."""
    inv: Annotated[tuple[TokenId, ...], Meta(max_length=MAX_ANCESTORS)] = ()
    """``jti`` of the tokens and invitations that this one descends from, the one it came of last."""
    reusable: bool = False
    """Opens any number of WHIP and WHEP sessions while it lives: `loupe token` alone makes such."""
    clinical: ClinicalClass | None = None
    """What the room is used for; the most urgent of all tokens counts."""
    procedure: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    """The case that its holder was invited to: what a specialist may study afterwards."""

    def __repr__(self) -> str:
        return f"Claims(aud={self.aud.value}, role={self.role.value})"

    @property
    def vouched_name(self) -> str | None:
        """The name that an issuer gave, who is the server's command line or so named in turn; or None."""
        return None if self.self_named else self.name

    def granted(self) -> frozenset[Right]:
        """The role's rights, narrowed; never more than the role has."""
        return granted(self.role, self.rights)

    @property
    def studies(self) -> bool:
        """It was narrowed to studying recordings, on purpose."""
        return self.rights is not None and frozenset(self.rights) <= STUDY

    def hangs_on(self, jti: str) -> bool:
        """Whether this token is the one of that id, or came of it."""
        return jti == self.jti or jti in self.inv


def _may_name(room: str, role: Role, rights: Iterable[Right] | None) -> bool:
    if is_room_name(room):
        return True
    studies = rights is not None and frozenset(rights) <= STUDY
    return room == ANY_ROOM and (role in OF_ALL_ROOMS or studies)


_claims_decoder = msgspec.json.Decoder(Claims)


def is_room_name(text: str) -> bool:
    """Whether a room may bear this name: 1-64 ASCII letters,
    digits, ``_``, ``.``, ``-``; not starting with a sign."""
    return _ROOM.fullmatch(text) is not None


def new_claims(  # noqa: PLR0913 - a token says this much
    *,
    audience: Audience,
    room: str,
    role: Role,
    now_seconds: float,
    lifetime_seconds: int,
    subject: str | None = None,
    name: str | None = None,
    self_named: bool = False,
    rights: frozenset[Right] | None = None,
    ancestors: tuple[str, ...] = (),
    reusable: bool = False,
    clinical: ClinicalClass | None = None,
    procedure: str | None = None,
) -> Claims:
    """Claims of a token that starts now.

    Raises:
        ValueError: no room name, ``*`` for a role that enters rooms, or a lifetime outside 1 s to 7 days.
    """
    if not _may_name(room, role, rights):
        raise ValueError(
            "room must be 1-64 letters, digits, '_' or '-' ('*' for an operator or auditor, or with --right"
            " review, mark or export alone)"
        )
    if not 1 <= lifetime_seconds <= MAX_LIFETIME_SECONDS:
        raise ValueError(f"lifetime must be 1 to {MAX_LIFETIME_SECONDS} seconds")
    start = int(now_seconds)
    return Claims(
        iss=ISSUER,
        aud=audience,
        sub=subject or secrets.token_urlsafe(9),
        jti=secrets.token_urlsafe(16),
        iat=start,
        nbf=start,
        exp=start + lifetime_seconds,
        room=room,
        role=role,
        rights=None if rights is None else sorted(rights),
        name=name or None,
        self_named=self_named,
        inv=ancestors,
        reusable=reusable,
        clinical=clinical,
        procedure=procedure,
    )


def sign(keys: TokenKeys, claims: Claims) -> str:
    """The compact serialization (RFC 7515 section 3.1)."""
    from joserfc import jws

    header = {"alg": ALGORITHM, "kid": keys.signing, "typ": "JWT"}
    return jws.serialize_compact(
        header, msgspec.json.encode(claims), keys.by_kid[keys.signing], algorithms=[ALGORITHM]
    )


def _part(text: str) -> bytes:
    """Strict base64url without padding: one text for one value, so that a token has exactly one spelling."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise Unauthorized("the token is not base64url") from error
    spare_bits = (len(text) * 6) % 8
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    if alphabet.index(text[-1]) & ((1 << spare_bits) - 1):
        raise Unauthorized("the token is not canonical base64url")
    return raw


def verify_signature(keys: TokenKeys, token: str) -> bytes:
    """The payload of a token that one of our keys signed.

    Raises:
        Unauthorized: anything else, whatever the header says.
    """
    if len(token) > MAX_TOKEN_CHARACTERS or _COMPACT.fullmatch(token) is None:
        raise Unauthorized("not a token")
    header_text, payload_text, signature_text = token.split(".")
    _part(signature_text)
    payload = _part(payload_text)
    try:
        header = msgspec.json.decode(_part(header_text), type=dict[str, str])
    except msgspec.MsgspecError as error:
        raise Unauthorized("the token's header is not readable") from error
    # RFC 8725 section 3.1 and 3.10: no algorithm but ours,
    # and no jwk, jku, x5u, x5c or crit is ever looked at.
    if header.keys() - {"alg", "kid", "typ"} or header.get("alg") != ALGORITHM:
        raise Unauthorized("the token's header is not acceptable")
    if header.get("typ", "JWT") != "JWT":
        raise Unauthorized("the token's type is not JWT")
    key = keys.by_kid.get(header.get("kid", ""))
    if key is None:
        raise Unauthorized("the token is not signed by this server")
    _check_mac(key, token)
    return payload


def _check_mac(key: object, token: str) -> None:
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        jws.deserialize_compact(token, key, algorithms=[ALGORITHM])  # type: ignore[arg-type]
    except (JoseError, ValueError) as error:
        raise Unauthorized("the token's signature is wrong") from error


def read(
    keys: TokenKeys,
    token: str,
    *,
    audience: Audience | None,
    now_seconds: float,
    expired_is_fine: bool = False,
) -> Claims:
    """Verifies signature, audience and times, with 30 s leeway for clocks that disagree.

    ``audience`` None takes either kind: for withdrawing. ``expired_is_fine`` is for ending what a token
    began: a broadcast outlives the ten minutes of its token, and its DELETE must still work.

    Raises:
        Unauthorized: the token does not hold; the text says why without repeating any of it.
    """
    payload = verify_signature(keys, token)
    try:
        claims = _claims_decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise Unauthorized("the token's claims are not those of this server") from error
    if claims.iss != ISSUER:
        raise Unauthorized("the token has another issuer")
    if audience is not None and claims.aud is not audience:
        raise Unauthorized(f"the token is not for this use: its audience is not {audience.value!r}")
    if now_seconds >= claims.exp + LEEWAY_SECONDS and not expired_is_fine:
        raise Unauthorized("the token has expired; ask for a new link or token")
    if now_seconds < min(claims.nbf, claims.iat) - LEEWAY_SECONDS or claims.exp <= claims.nbf:
        raise Unauthorized("the token is not valid yet; check this computer's clock")
    if claims.exp - claims.iat > MAX_LIFETIME_SECONDS:
        raise Unauthorized("the token's lifetime is too long")
    if not _may_name(claims.room, claims.role, claims.rights):
        raise Unauthorized("the token's room is not a room's name")
    return claims
