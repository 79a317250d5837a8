"""What review refuses, as leaves of the tree in ``mediaserver/errors.py``."""

from __future__ import annotations

from mediaserver.errors import LoupeError


class CannotExport(LoupeError):
    """The order asks for what this recording cannot give; ``field`` names the part to blame."""

    code = "cannot_export"
    default = "this cannot be exported"


class NotAccepted(LoupeError):
    """An archive refused an object, or broke off."""

    code = "archive_refused"
    retryable = True
    default = "the archive did not take the object"


class NotReached(NotAccepted):
    """There is no association with the archive."""

    code = "archive_unreachable"
    default = "the archive cannot be reached, or does not know these titles"


class NoArchive(LoupeError):
    """The operator named none."""

    code = "no_archive"
    default = "no archive is configured: archive.title, archive.host, archive.port"


class ReviewOff(LoupeError):
    """This server keeps no recordings."""

    code = "review_off"
    default = "this server keeps no recordings: no master key is configured"
