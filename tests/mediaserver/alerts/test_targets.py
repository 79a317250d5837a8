"""Where webhooks may go: nowhere inside, by whichever spelling (06-reliability W20)."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from mediaserver.alerts.targets import JudgingResolver, Refused, check_url, judged, resolve

INSIDE = """
    127.0.0.1 ::1 0.0.0.0 :: 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 2002:7f00:1::1
    ::ffff:127.0.0.1 fe80::1 fd00::1 224.0.0.1 255.255.255.255 192.0.2.1 ff02::1 ::ffff:169.254.169.254
    64:ff9b::7f00:1
"""


@pytest.mark.parametrize("text", INSIDE.split())
def test_addresses_inside_are_refused(text: str) -> None:
    assert not judged(ipaddress.ip_address(text), (), secure=True)


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:2800:220:1::1"])
def test_public_addresses_are_reached_by_https_only(text: str) -> None:
    assert judged(ipaddress.ip_address(text), (), secure=True)
    assert not judged(ipaddress.ip_address(text), (), secure=False)


def test_an_allowed_network_is_reached_by_either() -> None:
    allowed = (ipaddress.ip_network("10.0.0.0/8"),)
    for secure in (True, False):
        assert judged(ipaddress.ip_address("10.1.2.3"), allowed, secure=secure)
        assert judged(ipaddress.ip_address("::ffff:10.1.2.3"), allowed, secure=secure)
        assert not judged(ipaddress.ip_address("127.0.0.1"), allowed, secure=secure)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example",
        "https://",
        "https://user:pass@a.example",
        "https://a.example:25/",
        "https://a.example:x/",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        check_url(url)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "localhost", "::1"]
)
async def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    with pytest.raises(Refused):
        await resolve(host, 443, (), secure=True)


async def test_one_bad_address_spoils_a_name_and_the_answer_is_used_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [["93.184.216.34"], ["93.184.216.34", "127.0.0.1"]]

    async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 443)) for text in answers.pop(0)]

    import asyncio

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    resolver = JudgingResolver((), secure=True)
    assert [one["host"] for one in await resolver.resolve("rebinding.example", 443)] == ["93.184.216.34"]
    with pytest.raises(Refused):
        await resolver.resolve("rebinding.example", 443)
