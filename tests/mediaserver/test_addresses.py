"""Where media arrives, found without the native plane."""

from __future__ import annotations

import socket
import subprocess
import sys

from mediaserver.addresses import default_address, is_own, media_addresses
from mediaserver.config import Media


def test_configured_addresses_win() -> None:
    assert media_addresses(Media(addresses=("192.0.2.1", "2001:db8::1"))) == ["192.0.2.1", "2001:db8::1"]


def test_without_any_it_is_that_of_the_default_route() -> None:
    assert socket.inet_aton(default_address())
    assert media_addresses(Media()) == [default_address()]


def test_what_leaves_the_machine_is_not_its_own() -> None:
    assert [is_own(host) for host in ("127.0.0.1", "127.1.2.3", "::1", default_address())] == [True] * 4
    assert [is_own(host) for host in ("192.0.2.1", "2001:db8::1", "loupe.example", "")] == [False] * 4


def test_it_needs_no_native_plane() -> None:
    without = (
        "import sys; sys.modules['mediaserver._dataplane'] = None\n"
        "from signalling import doctor\n"
        "from mediaserver.addresses import default_address\n"
        "print(default_address())"
    )
    found = subprocess.run([sys.executable, "-c", without], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == default_address()
