"""``loupe drain`` against a real server that is told to stop only in the test's own mind."""

from __future__ import annotations

import pytest

from mediaserver.config import Settings, load
from signalling import drain
from tests.signalling.conftest import House
from tests.signalling.test_operator_actions import Stopped, live_surgery, stopped

__all__ = ["stopped"]


def settings(house: House) -> Settings:
    return house.parts.settings


async def test_it_asks_with_the_secret_of_the_data_folder(house: House, stopped: Stopped) -> None:
    assert await drain.ask(settings(house), house.url) == drain.Answer(True, "draining")
    assert stopped.times == 1


async def test_a_refusal_is_told_in_the_servers_words(house: House, stopped: Stopped) -> None:
    await live_surgery(house)
    assert await drain.ask(settings(house), house.url) == drain.Answer(
        False, "1 surgery live: restart refused"
    )
    assert stopped.times == 0
    assert (await drain.ask(settings(house), house.url, "evacuation of the site")).done


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"listen": {"host": "0.0.0.0", "port": 8443}, "tls": {"self_made": True}}, "https://127.0.0.1:8443"),
        ({"listen": {"host": "::1", "port": 8080}}, "http://[::1]:8080"),
        ({"listen": {"host": "192.0.2.1", "port": 80}}, "http://192.0.2.1:80"),
    ],
)
def test_the_own_address(given: dict[str, object], expected: str) -> None:
    assert drain.own_url(load(given)) == expected
