"""Who may do what with which token: single use, holders, revocation, invitations."""

from __future__ import annotations

import pytest

from mediaserver.policy import RIGHTS, Right, Role
from signalling import tokens
from signalling.auth import Authenticator, Bearer, ExpiringSet, may_invite
from signalling.errors import RateLimited, TokenUsed, Unauthorized
from signalling.tokens import Audience
from tests.signalling.test_tokens import KEYS, NOW, claims


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def authenticator(clock: Time) -> Authenticator:
    return Authenticator(KEYS, clock)


def test_a_join_uses_the_token_up(authenticator: Authenticator) -> None:
    token = tokens.sign(KEYS, claims())
    authenticator.check(token)
    authenticator.check_once(token)
    authenticator.check(token)
    with pytest.raises(TokenUsed):
        authenticator.check_once(token)


def test_the_holder_of_a_session_may_end_it_after_its_token_expired(
    authenticator: Authenticator, clock: Time
) -> None:
    made = claims()
    token, other = tokens.sign(KEYS, made), tokens.sign(KEYS, claims())
    clock.now += 3600
    assert authenticator.check_holder(token, made.jti).claims == made
    with pytest.raises(Unauthorized):
        authenticator.check_holder(other, made.jti)
    with pytest.raises(Unauthorized):
        authenticator.check(token)


def test_an_invitation_is_exchanged_and_withdrawn(authenticator: Authenticator) -> None:
    invited = claims(audience=Audience.INVITE, role=Role.SPECIALIST, lifetime_seconds=12 * 3600)
    invitation = tokens.sign(KEYS, invited)
    with pytest.raises(Unauthorized):
        authenticator.check(invitation)
    token, made = authenticator.exchange(invitation, "Dr Bình")
    assert (made.role, made.room, made.name) == (Role.SPECIALIST, "7QK2", "Dr Bình")
    assert made.exp - made.iat == 600
    authenticator.check(token)
    authenticator.revoke(invited)
    for attempt in (lambda: authenticator.check(token), lambda: authenticator.exchange(invitation, None)):
        with pytest.raises(Unauthorized, match="withdrawn"):
            attempt()


def test_an_invitation_narrows_what_it_is_exchanged_for(authenticator: Authenticator) -> None:
    invitation = tokens.sign(
        KEYS, claims(audience=Audience.INVITE, rights=frozenset({Right.SUBSCRIBE}), name="Fixed")
    )
    token, made = authenticator.exchange(invitation, "")
    assert authenticator.check(token).rights == {Right.SUBSCRIBE}
    assert made.name == "Fixed"


def test_remembered_tokens_are_bounded_and_forgotten() -> None:
    remembered = ExpiringSet(limit=2)
    remembered.add("a", until_seconds=10, now_seconds=0)
    remembered.add("b", until_seconds=20, now_seconds=0)
    with pytest.raises(RateLimited):
        remembered.add("c", until_seconds=30, now_seconds=5)
    remembered.add("c", until_seconds=30, now_seconds=15)
    assert "a" not in remembered
    assert "b" in remembered
    assert "c" in remembered
    assert len(remembered) == 2


@pytest.mark.parametrize(
    ("inviter", "may"),
    [
        (Role.SURGEON, {Role.SURGEON, Role.STAFF, Role.SPECIALIST, Role.MODERATOR, Role.OBSERVER}),
        (Role.MODERATOR, {Role.STAFF, Role.SPECIALIST, Role.MODERATOR, Role.OBSERVER}),
        (Role.STAFF, set()),
        (Role.SPECIALIST, set()),
        (Role.OBSERVER, set()),
        (Role.OPERATOR, {Role.OPERATOR}),
    ],
)
def test_who_may_invite_whom(inviter: Role, may: set[Role]) -> None:
    bearer = Bearer(claims(role=inviter), RIGHTS[inviter])
    assert {role for role in Role if may_invite(bearer, "7QK2", role)} == may
    assert not any(may_invite(bearer, "other", role) for role in Role)


def test_a_narrowed_token_invites_nobody() -> None:
    bearer = Bearer(claims(), frozenset({Right.SUBSCRIBE, Right.CHAT}))
    assert not any(may_invite(bearer, "7QK2", role) for role in Role)
