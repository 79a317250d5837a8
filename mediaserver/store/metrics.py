"""Numbers of the store for Prometheus: what waits, what failed, what was lost. No id, no name."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mediaserver.store.store import Store


class StoreCollector(Collector):
    """Reads what stands when asked; keeps nothing and asks the database nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> list[Metric]:
        """Nothing before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Prometheus calls this."""
        store, counts = self._store, self._store.database.counts
        yield GaugeMetricFamily("loupe_audit_waiting", "Audit records not written yet.", store.audit.spooled)
        yield CounterMetricFamily("loupe_audit_lost", "Audit records that found no room.", store.audit.lost)
        yield GaugeMetricFamily("loupe_database_waiting", "Writes that wait.", store.database.queued)
        writes = CounterMetricFamily("loupe_database_writes", "Writes by how they ended.", labels=["outcome"])
        for outcome in ("written", "failed", "refused"):
            writes.add_metric([outcome], counts[outcome])
        yield writes
        if store.offload is not None:
            segments = CounterMetricFamily(
                "loupe_storage_segments", "Segments for object storage by how it ended.", labels=["outcome"]
            )
            for outcome in ("moved", "missing", "damaged", "failed"):
                segments.add_metric([outcome], store.offload.counts[outcome])
            yield segments
            yield CounterMetricFamily(
                "loupe_storage_bytes",
                "Encrypted bytes moved to object storage.",
                store.offload.counts["bytes"],
            )
