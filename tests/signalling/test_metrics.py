"""The page of numbers: who may read it, and what signalling adds."""

from __future__ import annotations

from tests.signalling.conftest import House, OpenHouse


async def test_metrics_are_for_loopback_or_operators(house: House) -> None:
    await house.join("surgeon")
    async with house.http.get(f"{house.url}/metrics") as response:
        assert response.status == 200
        text = await response.text()
    assert "loupe_signalling_sessions 1.0" in text
    assert "loupe_rooms 1.0" in text
    assert "7QK2" not in text
    proxied = {"X-Forwarded-For": "203.0.113.9"}
    assert (await house.http.get(f"{house.url}/metrics", headers=proxied)).status == 401
    refused = await house.http.get(f"{house.url}/metrics", headers={**proxied, **house.bearer("surgeon")})
    assert refused.status == 403
    operator = await house.http.get(f"{house.url}/metrics", headers={**proxied, **house.bearer("operator")})
    assert operator.status == 200


async def test_what_ends_connections_is_counted(open_house: OpenHouse) -> None:
    house = await open_house(header_seconds=0.05)
    house.parts.connections.count("idle")
    async with house.http.get(f"{house.url}/metrics") as response:
        text = await response.text()
    assert 'loupe_http_connections_ended_total{reason="idle"} 1.0' in text
    assert "loupe_http_connections 1.0" in text
