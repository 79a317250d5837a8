"""Whether this server records, and with what."""

from __future__ import annotations

from mediaserver.recording.control import NoRecordings, Recordings
from mediaserver.recording.indexing import Indexing
from mediaserver.recording.metrics import RecordingCollector
from mediaserver.server import Server
from mediaserver.store.interruptions import Interruptions
from mediaserver.store.store import Store


def open_recordings(server: Server, store: Store) -> Recordings | NoRecordings:
    """With the store's consents and audit; without a master key nothing is recorded."""
    if store.vault is None:
        return NoRecordings()
    indexing = Indexing(store.roots, store.vault, store.recordings)
    store.keep_running(indexing)
    interrupted = Interruptions(store.database, store.consents, store.audit)
    recordings = Recordings(
        server.registry, store.vault, store.consents, store.audit, store.recordings, interrupted
    )
    server.metrics.registry.register(RecordingCollector(recordings, indexing))
    return recordings
