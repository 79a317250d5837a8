"""Whether this server records, and with what."""

from __future__ import annotations

from collections.abc import AsyncIterator

import structlog

from mediaserver.audit import Audit
from mediaserver.config import Settings
from mediaserver.ids import ProcedureId
from mediaserver.recording.control import Consents, Recordings
from mediaserver.server import Server
from mediaserver.store.consents import Revoked
from mediaserver.vault import NoMasterKey, Vault

_log = structlog.stdlib.get_logger(__name__)


class NoConsents:
    """Nobody has consented to anything: where no consents are kept nothing is recorded."""

    async def permits(self, procedure: ProcedureId, purpose: str) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False

    async def revoked(self) -> AsyncIterator[Revoked]:
        """Nothing was given that could be."""
        nothing: tuple[Revoked, ...] = ()
        for revoked in nothing:
            yield revoked


def open_recordings(
    server: Server, settings: Settings, consents: Consents | None = None, audit: Audit | None = None
) -> Recordings | None:
    """``None``, and a line in the log, without a master key. Raises ``InvalidSettings`` for an unusable
    one."""
    try:
        vault = Vault.open(settings)
    except NoMasterKey as error:
        _log.info("recording is off", reason=error.message)
        return None
    return Recordings(server.registry, vault, consents or NoConsents(), audit)
