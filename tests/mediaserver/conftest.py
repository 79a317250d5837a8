"""What several tests of the control plane share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mediaserver.server import Server
from tests.mediaserver.peers import running_server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """One of one worker with limits as shipped; modules that need another have a fixture of the same name."""
    async with running_server() as running:
        yield running
