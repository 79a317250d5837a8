"""Pages of other origins and foreign host names are turned away."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from mediaserver.errors import NotPermitted
from signalling.origin import check, host_is_ours

PUBLIC = "https://loupe.example"


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("loupe.example", True),
        ("LOUPE.example:443", True),
        ("localhost:8080", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("evil.example", False),
        ("loupe.example.evil", False),
        ("", False),
    ],
)
def test_hosts_with_a_public_url(host: str, ours: bool) -> None:
    assert host_is_ours(host, PUBLIC) is ours
    assert host_is_ours(host, None), "without a public URL no name is known to be wrong"


@pytest.mark.parametrize(
    ("origin", "public", "fine"),
    [
        (None, None, True),
        ("http://here:8080", None, True),
        ("https://HERE:8080", None, True),
        ("http://here", None, False),
        ("null", None, False),
        ("file://here:8080", None, False),
        ("https://evil.example", PUBLIC, False),
        (PUBLIC, PUBLIC, True),
        (PUBLIC, None, False),
    ],
)
def test_origins(origin: str | None, public: str | None, fine: bool) -> None:
    headers = {"Host": "here:8080"} | ({} if origin is None else {"Origin": origin})
    request = make_mocked_request("GET", "/ws", headers=headers)
    if fine:
        check(request, public)
    else:
        with pytest.raises(NotPermitted):
            check(request, public)
