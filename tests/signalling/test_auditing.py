"""Who asks, in the audit's words, and what refused messages leave."""

from __future__ import annotations

import pytest

from mediaserver.store.audit import find
from signalling.auditing import address_class
from tests.signalling.conftest import House


@pytest.mark.parametrize(
    ("remote", "found"),
    [
        ("127.0.0.1", "loopback"), ("::1", "loopback"), ("10.1.2.3", "private"), ("fe80::1", "private"),
        ("8.8.8.8", "public"), ("2001:4860::1", "public"), (None, None), ("x", None),
    ],
)  # fmt: skip
def test_an_address_is_kept_as_its_class_only(remote: str | None, found: str | None) -> None:
    assert address_class(remote) == found


async def test_refused_messages_and_joins_leave_a_record(house: House) -> None:
    observer, hello = await house.join("observer")
    assert (await observer.ask("chat", text="x"))["code"] == "not_permitted"
    stranger = await house.socket()
    assert (await stranger.ask("join", token=house.token("operator", "7QK2")))["code"] == "not_permitted"
    nobody = await house.socket()
    assert (await nobody.ask("join", token="x"))["code"] == "unauthorized"
    await house.store.audit.flush()
    records = await house.store.database.read(find)
    denied = [record for record in records if record.outcome == "denied"]
    assert [record.event for record in denied] == ["access.deny", "participant.deny"]
    assert denied[0].actor == hello["participant"]
    assert "Chat" in denied[0].details
    assert denied[1].role == "operator"
