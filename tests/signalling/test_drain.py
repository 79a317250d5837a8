"""``loupe drain`` against a real server that is told to stop only in the test's own mind."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from aiohttp import web

from mediaserver.addresses import default_address
from mediaserver.config import Settings, load
from signalling import drain, tls
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


@pytest.mark.parametrize("url", ["https://localhost:1", "https://127.0.0.2:1", "https://[::1]:1"])
def test_within_the_machine_any_certificate_will_do(url: str) -> None:
    context = drain.trust(url)
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize("url", ["https://192.0.2.1", "https://hospital.example", "https://[2001:db8::1]"])
def test_elsewhere_the_systems_trust_is_needed(url: str) -> None:
    assert drain.trust(url) is True


async def test_a_server_on_an_address_of_this_machine_is_reached_though_it_signed_for_itself(
    tmp_path: Path,
) -> None:
    host = default_address()
    application = web.Application()
    application.router.add_post("/api/v1/operations/drain", done)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0, ssl_context=tls.context(tls.self_made(tmp_path, [host]))).start()
        here = load({"data": {"folder": str(tmp_path)}, "listen": {"host": host}, "tls": {"self_made": True}})
        assert (await drain.ask(here, drain.own_url(here, runner.addresses[0][1]))).done
    finally:
        await runner.cleanup()


async def done(_: web.Request) -> web.Response:
    return web.Response(status=204)
