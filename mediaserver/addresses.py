"""Which addresses media arrives at. Needs no native plane: ``loupe doctor`` asks before there is one."""

from __future__ import annotations

import ipaddress
import socket

from mediaserver.config import Media


def media_addresses(settings: Media) -> list[str]:
    """Those of the configuration; without any, that of the default route."""
    return list(settings.addresses) or [default_address()]


def default_address() -> str:
    """The address of the default route; loopback without one."""
    return _leaves_from("192.0.2.1") or "127.0.0.1"


def is_own(host: str) -> bool:
    """Whether what is sent to this address never leaves the machine; False for what is no address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or _leaves_from(host) == str(address)


def _leaves_from(host: str) -> str | None:
    """This machine's address on the way to another; None without a way.

    Nothing is sent: a UDP connect only looks up the way.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])
