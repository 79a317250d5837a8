"""Numbers of recording for Prometheus. No label names a room, a recording or a participant."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mediaserver.recording.control import Recordings
from mediaserver.recording.indexing import Indexing


class RecordingCollector(Collector):
    """Reads what the recorder told last."""

    def __init__(self, recordings: Recordings, indexing: Indexing) -> None:
        self._recordings = recordings
        self._indexing = indexing

    def describe(self) -> list[Metric]:
        """Nothing before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Prometheus calls this."""
        figures = self._recordings.figures
        yield GaugeMetricFamily("loupe_recorder_recordings", "Rooms being recorded.", self._recordings.count)
        yield CounterMetricFamily(
            "loupe_recorder_written_bytes", "Bytes put into journals.", figures.written_bytes
        )
        yield CounterMetricFamily("loupe_recorder_starts", "Recorder processes started.", figures.starts)
        yield CounterMetricFamily(
            "loupe_recorder_seal_failures", "Rounds of sealing that failed.", figures.seal_failures
        )
        yield CounterMetricFamily(
            "loupe_recorder_damaged_chunks",
            "Chunks of journals that did not open when they were sealed.",
            figures.damaged_chunks,
        )
        yield CounterMetricFamily(
            "loupe_recorder_unreadable_journals",
            "Journals of another key, or no journals, that could not be sealed.",
            figures.unreadable_journals,
        )
        yield CounterMetricFamily(
            "loupe_recorder_unsealable_spans",
            "Spans of tracks that no segment could be made of; their journals are kept.",
            figures.unsealable_spans,
        )
        yield CounterMetricFamily(
            "loupe_recorder_missed_records",
            "Packets and reports that were not recorded, because the recorder came too late.",
            figures.missed_records,
        )
        yield GaugeMetricFamily(
            "loupe_recordings_unreadable",
            "Recordings that cannot be read or belong to no known procedure: in no library.",
            self._indexing.unreadable,
        )
        trouble = CounterMetricFamily(
            "loupe_recorder_disk_trouble",
            "Times that a disk could not be used, by reason.",
            labels=["reason"],
        )
        for reason in ("full", "stalled", "failed"):
            trouble.add_metric([reason], figures.trouble[reason])
        yield trouble
        if figures.free_bytes is not None:
            yield GaugeMetricFamily(
                "loupe_recorder_disk_free_bytes", "Room on the disk that is written now.", figures.free_bytes
            )
        if figures.seconds_left is not None:
            yield GaugeMetricFamily(
                "loupe_recorder_disk_left_seconds",
                "Time until that disk is full at the last minute's rate; absent while nothing is written.",
                figures.seconds_left,
            )
