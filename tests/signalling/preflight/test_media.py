"""The way of the media, with a server that can be reached and with one that cannot."""

from __future__ import annotations

from pathlib import Path

import aioice.ice
import pytest

from signalling import precall
from signalling.preflight import media, network
from signalling.preflight.findings import Verdict
from signalling.preflight.network import Target
from signalling.tokens import Audience
from tests.end_to_end.engines import coturn
from tests.signalling.conftest import House, OpenHouse


def target(house: House, invitation: str) -> Target:
    found = network.parse_target(house.url)
    return Target(found.scheme, found.host, found.port, invitation)


async def test_there_and_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(media, "WATCH_SECONDS", 1.5)
    findings = await media.examine(target(house, house.token("observer", audience=Audience.INVITE)), True)
    assert [one.item for one in findings] == ["udp", "loss", "delay"]
    assert findings[0].verdict is Verdict.OPEN
    assert "127.0.0.1 UDP" in findings[0].where
    assert all(one.verdict is not Verdict.BLOCKED for one in findings)


async def test_blocked_udp_names_what_to_open(open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "CONNECT_SECONDS", 2.0)
    # The server announces an address that leads nowhere (RFC 5737): as a firewall that drops.
    elsewhere = {"addresses": ["127.0.0.1"], "announced": ["192.0.2.1"], "port": 0, "workers": 1}
    house = await open_house({"media": elsewhere})
    findings = await media.examine(target(house, house.token("observer", audience=Audience.INVITE)), True)
    assert [(one.item, one.verdict) for one in findings] == [("udp", Verdict.BLOCKED)]
    assert findings[0].where.startswith("192.0.2.1 UDP")


async def test_an_invitation_that_does_not_hold(house: House) -> None:
    findings = await media.examine(target(house, "nonsense"), True)
    assert [(one.item, one.verdict) for one in findings] == [
        ("invitation", Verdict.BLOCKED),
        ("udp", Verdict.UNTESTED),
    ]
    assert findings[0].detail == "unauthorized"


async def test_without_an_invitation_udp_is_not_tested(house: House) -> None:
    findings = await media.examine(target(house, ""), True)
    assert {one.verdict for one in findings} == {Verdict.UNTESTED}
    assert len(house.server.rooms) == 0


@pytest.mark.parametrize("direct", [True, pytest.param(False, marks=pytest.mark.slow)])
async def test_a_relay_is_the_reserve_and_carries_pictures_where_udp_is_closed(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, direct: bool
) -> None:
    monkeypatch.setattr(media, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(media, "WATCH_SECONDS", 1.0)
    if not direct:
        # Without an address of its own a client has no way but the relay's.
        monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [])
    with coturn(tmp_path) as port:
        servers = [
            {"urls": [f"turn:127.0.0.1:{port}"], "username": "loupe", "credential": "wrong"},
            {"urls": [f"turn:127.0.0.1:{port}"], "username": "loupe", "credential": "loupe"},
        ]
        house = await open_house({"ice_servers": servers})
        invitation = house.token("observer", audience=Audience.INVITE)
        findings = await media.examine(target(house, invitation), True)
    told = {(one.item, one.verdict) for one in findings}
    assert ("udp", Verdict.OPEN if direct else Verdict.WEAK) in told
    assert {one for one in told if one[0] == "relay"} == {("relay", Verdict.OPEN), ("relay", Verdict.WEAK)}
    assert {one.item for one in findings} == {"udp", "relay", "loss", "delay"}
    if not direct:
        assert {one.where for one in findings if one.item in ("loss", "delay")} == {f"127.0.0.1 UDP {port}"}


async def test_a_server_that_is_busy_is_no_fault_of_the_invitation(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precall, "MAX_AT_ONCE", 0)
    findings = await media.examine(target(house, house.token("observer", audience=Audience.INVITE)), True)
    assert [(one.item, one.verdict) for one in findings] == [
        ("capacity", Verdict.UNTESTED),
        ("udp", Verdict.UNTESTED),
    ]
    assert findings[0].detail == "limit_reached"
