"""The control plane: rooms, roles, negotiation, DTLS and data channels. It never sees a media packet."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("loupe")
except PackageNotFoundError:  # run from a checkout that was never built
    __version__ = "0.0.0"
