"""``python -m tests.recording_server DATA KEY PORT``: the server as shipped, with a register in which one
procedure,
``p1``, has consent to recording until a line comes on standard input."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from mediaserver import config
from mediaserver.ids import ProcedureId
from mediaserver.recording import opening
from mediaserver.store.consents import Purpose, Revoked
from signalling import serve


class OneConsent:
    """Asked by the server; withdrawn by the test."""

    def __init__(self) -> None:
        self._given = True

    async def permits(self, procedure: ProcedureId, purpose: str) -> bool:
        """Only recording, only ``p1``."""
        return self._given and (procedure, purpose) == ("p1", Purpose.RECORDING)

    async def revoked(self) -> AsyncIterator[Revoked]:
        """When the line comes."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while await reader.readline():
            self._given = False
            yield Revoked(ProcedureId("p1"), Purpose.RECORDING)
        await asyncio.Event().wait()


def main() -> None:
    """Runs until a signal."""
    data, key, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    opening.NoConsents = OneConsent  # type: ignore[misc, assignment]
    settings = config.load({
        "data": {"folder": data},
        "recording": {"master_key_file": key},
        "listen": {"host": "127.0.0.1", "port": 0},
        "media": {"addresses": ["127.0.0.1"], "port": port, "workers": 1},
    }, None)  # fmt: skip
    config.first_start(settings)
    asyncio.run(serve.run(settings, plain_http=True, drain_seconds=1.0))


if __name__ == "__main__":
    main()
