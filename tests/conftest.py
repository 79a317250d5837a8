"""What the tests against the running server share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.running import Client, Server
from tests.small_disk import mounted


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a worker; it must end cleanly."""
    running = Server.start(tmp_path_factory.mktemp("server"))
    yield running
    assert running.stop() == 0, running.log.read_text()[-4000:]


@pytest.fixture
async def http(server: Server) -> AsyncIterator[Client]:
    """HTTP to it."""
    async with Client(server) as client:
        yield client


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system that is soon full."""
    with mounted(tmp_path / "small") as folder:
        yield folder
