"""A description of ours around given sections."""

from __future__ import annotations

from mediaserver.negotiation.media import (
    Fingerprint,
    IceCredentials,
    LocalDescription,
    LocalMedia,
    Setup,
    TransportDescription,
)


def local(media: tuple[LocalMedia, ...]) -> LocalDescription:
    transport = TransportDescription(
        IceCredentials("serv", "serverserverserver12345"),
        (Fingerprint("sha-256", ":".join(["0A"] * 32)),),
        Setup.PASSIVE,
        (("192.0.2.1", 7882), ("2001:db8::1", 7882)),
    )
    return LocalDescription(1, 1, transport, media)
