"""Roles and rights: the whole table, cell by cell."""

from __future__ import annotations

import pytest

from mediaserver.errors import NotPermitted
from mediaserver.policy import RIGHTS, Right, Role, granted, require

TABLE = {
    Role.SURGEON: "publish_video publish_audio subscribe chat moderate consent record review mark export",
    Role.STAFF: "publish_video publish_audio subscribe chat consent record review mark",
    Role.SPECIALIST: "publish_video publish_audio subscribe chat review mark",
    Role.MODERATOR: "publish_audio subscribe chat moderate consent record review mark export delete",
    Role.OBSERVER: "subscribe",
    Role.OPERATOR: "inspect",
    Role.AUDITOR: "review audit delete",
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("right", Right)
def test_each_cell(role: Role, right: Right) -> None:
    if right.value in TABLE[role].split():
        require(RIGHTS[role], right)
    else:
        with pytest.raises(NotPermitted, match=right.value):
            require(RIGHTS[role], right)


def test_a_token_narrows_and_never_widens() -> None:
    assert granted(Role.OBSERVER) == RIGHTS[Role.OBSERVER]
    assert granted(Role.OBSERVER, list(Right)) == {Right.SUBSCRIBE}
    assert granted(Role.SURGEON, [Right.CHAT, Right.INSPECT]) == {Right.CHAT}
    assert granted(Role.SURGEON, []) == frozenset()
