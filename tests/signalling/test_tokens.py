"""Tokens: what holds, what does not, and published vectors of attacks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from mediaserver.policy import RIGHTS, Right, Role
from signalling import keys, tokens
from signalling.errors import Unauthorized
from signalling.tokens import Audience
from tests.signalling.conftest import SHARED

SECRET = b"0123456789abcdef0123456789abcdef-test"
KEYS = keys.from_secret(SECRET)
NOW = 1_800_000_000.0


def claims(**changes: Any) -> tokens.Claims:
    fields: dict[str, Any] = {
        "audience": Audience.JOIN,
        "room": "7QK2",
        "role": Role.SURGEON,
        "now_seconds": NOW,
        "lifetime_seconds": 600,
    }
    return tokens.new_claims(**{**fields, **changes})


def read(token: str, *, audience: Audience = Audience.JOIN, now: float = NOW, **more: Any) -> tokens.Claims:
    return tokens.read(KEYS, token, audience=audience, now_seconds=now, **more)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(header: dict[str, Any], payload: Any = None, secret: bytes = SECRET, digest: str = "sha256") -> str:
    """A token with any header, signed with any secret."""
    body = msgspec.json.decode(msgspec.json.encode(claims())) if payload is None else payload
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(body).encode())}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), digest).digest())}"


GOOD_HEADER = {"alg": "HS256", "kid": KEYS.signing, "typ": "JWT"}


def test_a_good_token_holds() -> None:
    made = claims(name="Dr Ánh", rights=frozenset({Right.CHAT}))
    assert read(tokens.sign(KEYS, made)) == made
    assert read(forge(GOOD_HEADER)).room == "7QK2", "the forging below differs only in what it forges"


@pytest.mark.parametrize(
    "header",
    [
        {**GOOD_HEADER, "alg": "none"},
        {**GOOD_HEADER, "alg": "None"},
        {**GOOD_HEADER, "alg": "HS512"},
        {**GOOD_HEADER, "alg": "RS256"},
        {**GOOD_HEADER, "alg": "hs256"},
        {"kid": KEYS.signing},
        {"alg": "HS256"},
        {**GOOD_HEADER, "kid": "other"},
        {**GOOD_HEADER, "kid": ""},
        {**GOOD_HEADER, "typ": "at+jwt"},
        {**GOOD_HEADER, "jku": "https://evil.example/keys"},
        {**GOOD_HEADER, "x5u": "https://evil.example/cert"},
        {**GOOD_HEADER, "jwk": {"kty": "oct", "k": b64(b"x" * 32)}},
        {**GOOD_HEADER, "crit": ["exp"]},
        {**GOOD_HEADER, "b64": False, "crit": ["b64"]},
        {**GOOD_HEADER, "zip": "DEF"},
        {**GOOD_HEADER, "kid": ["x"]},
    ],
)
def test_a_header_that_says_anything_else_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        read(forge(header))


@pytest.mark.parametrize("header", [{"alg": "HS256", "kid": KEYS.signing}, GOOD_HEADER])
def test_another_secret_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        read(forge(header, secret=b"x" * 40))
    with pytest.raises(Unauthorized):
        read(forge(header, secret=KEYS.signing.encode()))
    with pytest.raises(Unauthorized):
        read(forge(header, secret=b""))


@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_a_public_key_is_no_hmac_secret(form: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from joserfc.jwk import RSAKey

    public = rsa.generate_private_key(65537, 2048).public_key()
    secret = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(
            RSAKey.import_key(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).as_dict()
        ).encode(),
    }[form]
    with pytest.raises(Unauthorized):
        read(forge(GOOD_HEADER, secret=secret))


def test_every_single_changed_character_is_refused() -> None:
    token = tokens.sign(KEYS, claims())
    for index, character in enumerate(token):
        for other in ("A", "B", "=", ".", " "):
            if other != character:
                with pytest.raises(Unauthorized):
                    read(token[:index] + other + token[index + 1 :])


@pytest.mark.parametrize("text", ["", ".", "..", "...", "a.b", "a.b.c.d", " ", "null", "ế.ế.ế", "A" * 5000])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(Unauthorized):
        read(text)
    with pytest.raises(Unauthorized):
        read(tokens.sign(KEYS, claims()) + text if text else "")


def test_times() -> None:
    token = tokens.sign(KEYS, claims())
    read(token, now=NOW + 600 + 29)
    with pytest.raises(Unauthorized, match="expired"):
        read(token, now=NOW + 600 + 31)
    read(token, now=NOW + 10_000, expired_is_fine=True)
    read(token, now=NOW - 29)
    with pytest.raises(Unauthorized, match="not valid yet"):
        read(token, now=NOW - 31)


def payload(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "iss": "loupe",
        "aud": "join",
        "sub": "someone",
        "jti": "0123456789abcdef",
        "iat": int(NOW),
        "nbf": int(NOW),
        "exp": int(NOW) + 600,
        "room": "7QK2",
        "role": "surgeon",
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not ...}


def test_the_payload_below_holds_as_it_is() -> None:
    assert read(forge(GOOD_HEADER, payload())).sub == "someone"


@pytest.mark.parametrize(
    "changes",
    [
        *({name: ...} for name in ("iss", "aud", "sub", "jti", "iat", "nbf", "exp", "room", "role")),
        {"iss": "other"},
        {"aud": "invite"},
        {"aud": "other"},
        {"aud": ["join"]},
        {"role": "god"},
        {"rights": ["everything"]},
        {"room": "*"},
        {"room": "a/b"},
        {"room": "../x"},
        {"room": ""},
        {"exp": 9e99},
        {"exp": "9999999999"},
        {"exp": int(NOW) + 100 * 24 * 3600},
        {"exp": int(NOW) - 1},
        {"nbf": True},
        {"admin": True},
        {"jti": "short"},
    ],
)
def test_claims_that_do_not_hold(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        read(forge(GOOD_HEADER, payload(**changes)))


@pytest.mark.parametrize("body", ["[]", "1", "null", '"x"', "{}", "{"])
def test_a_payload_that_is_no_set_of_claims(body: str) -> None:
    signed = f"{b64(json.dumps(GOOD_HEADER).encode())}.{b64(body.encode())}"
    token = f"{signed}.{b64(hmac.new(SECRET, signed.encode(), hashlib.sha256).digest())}"
    with pytest.raises(Unauthorized):
        read(token)


@pytest.mark.parametrize("role", list(Role))
def test_rights_are_narrowed_and_never_widened(role: Role) -> None:
    assert claims(role=role).granted() == RIGHTS[role]
    assert claims(role=role, rights=frozenset(Right)).granted() == RIGHTS[role]
    assert claims(role=role, rights=frozenset()).granted() == frozenset()


def test_errors_and_texts_do_not_repeat_the_token() -> None:
    token = tokens.sign(KEYS, claims(name="Dr Ánh"))
    assert "Ánh" not in repr(claims(name="Dr Ánh"))
    with pytest.raises(Unauthorized) as refused:
        read(token[:-2])
    assert token.split(".")[1] not in str(refused.value)


# ---- Published vectors ----


def wycheproof() -> Iterator[Any]:
    """HMAC groups of the JWS file; the others need algorithms
    that this server has not: all of them are refused."""
    file = SHARED / "corpora" / "wycheproof" / "json_web_signature_test.json"
    if not file.is_file():
        yield pytest.param(
            None, None, marks=pytest.mark.skip(reason="Wycheproof vectors left out: no shared corpora")
        )
        return
    for group in json.loads(file.read_text())["testGroups"]:
        for test in group["tests"]:
            yield pytest.param(group, test, id=f"{test['tcId']}-{test['comment']}")


ACCEPTED: list[bool] = []


@pytest.mark.parametrize(("group", "test"), list(wycheproof()))
def test_wycheproof_jws(group: dict[str, Any], test: dict[str, Any]) -> None:
    key = group.get("private") or group.get("public") or {}
    found = None
    if key.get("kty") == "oct":
        from joserfc.jwk import OctKey

        found = OctKey.import_key({"kty": "oct", "k": key["k"]})
    held = keys.TokenKeys(
        "x", {key["kid"]: found} if found is not None and "kid" in key else dict(KEYS.by_kid)
    )
    token = test["jws"] if isinstance(test["jws"], str) else json.dumps(test["jws"])
    try:
        tokens.verify_signature(held, token)
    except Unauthorized:
        accepted = False
    else:
        accepted = True
    valid = {
        other["jws"]
        for other in group["tests"]
        if other["result"] == "valid" and isinstance(other["jws"], str)
    }
    # Two vectors of the file (367, 370) are letter for letter a valid one; their padding was lost upstream.
    if (test["result"] == "invalid" and token not in valid) or found is None:
        assert not accepted
    elif key.get("alg") == "HS256" and key.get("use") == "sig" and "." not in test["comment"]:
        assert accepted == _is_ours(token)
        ACCEPTED.append(accepted)


def _is_ours(token: str) -> bool:
    """A vector that some library may take holds here only in the one spelling of RFC 7515 section 2
    (no padding, no foreign character), with our algorithm and no header member that we do not know."""
    if re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", token) is None:
        return False
    try:
        header = json.loads(base64.urlsafe_b64decode(token.split(".", maxsplit=1)[0] + "=="))
    except ValueError:
        return False
    return set(header) <= {"alg", "kid", "typ"} and header["alg"] == "HS256" and "kid" in header


@pytest.mark.parametrize("room", ["7QK2", "theatre-1", "a.b_c", "x" * 64])
def test_room_names(room: str) -> None:
    assert tokens.is_room_name(room)


@pytest.mark.parametrize("room", ["", ".", "..", "-x", "a/b", "a b", "x" * 65, "é", "a\n", "a\x00", "*"])
def test_what_is_no_room_name(room: str) -> None:
    assert not tokens.is_room_name(room)
