"""Which addresses media arrives at. Needs no native plane: ``loupe doctor`` asks before there is one."""

from __future__ import annotations

import socket

from mediaserver.config import Media


def media_addresses(settings: Media) -> list[str]:
    """Those of the configuration; without any, that of the default route."""
    return list(settings.addresses) or [default_address()]


def default_address() -> str:
    """The address of the default route; loopback without one.

    Nothing is sent: a UDP connect only looks up the way.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
