"""What the tests with other clients share."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest


@pytest.fixture(scope="module")
def webrtc() -> Any:
    """The module, told to use loopback."""
    module = pytest.importorskip("webrtc", reason="no wrtc (libwebrtc for Python)")
    with contextlib.suppress(module.InvalidStateError):  # asked for before
        module.allow_loopback()
    return module
