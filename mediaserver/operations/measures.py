"""The desk's figures for Prometheus: histograms of every second's samples, and what stands when asked.

No label names a room or a participant.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import Counter as PrometheusCounter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mediaserver.operations.model import LegSample, Sample
from mediaserver.quality.control import UNWATCHED

if TYPE_CHECKING:
    from mediaserver.operations.desk import Desk
    from mediaserver.session import Registry

ROUND_TRIP_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.3, 0.5, 0.8, 1.5, 3.0)
JITTER_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3)
LOSS_BUCKETS = (0.0, 0.001, 0.005, 0.01, 0.03, 0.05, 0.1, 0.2, 0.5)


class _Histogram:
    """Observations in buckets, on the event loop alone: ``prometheus_client``'s own takes a lock for each."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """One more."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def show(self, family: HistogramMetricFamily, *labels: str) -> None:
        """Adds it to a family, cumulative as Prometheus has it."""
        bounds = [*(str(bound) for bound in self._bounds), "+Inf"]
        cumulative = accumulate(self._counts)
        family.add_metric(labels, list(zip(bounds, cumulative, strict=True)), self._sum)


class Measures:
    """Counts samples second by second; ``DeskCollector`` shows them."""

    def __init__(self) -> None:
        self._round_trips = {direction: _Histogram(ROUND_TRIP_BUCKETS) for direction in ("up", "down")}
        self._losses = {direction: _Histogram(LOSS_BUCKETS) for direction in ("up", "down")}
        self._jitter = _Histogram(JITTER_BUCKETS)
        self.freezes = PrometheusCounter(
            "loupe_freeze_seconds", "Time that viewers' pictures stood still, as browsers say.", registry=None
        )

    def saw(self, sample: Sample) -> None:
        """One participant's second."""
        if sample.up is not None:
            self._saw_leg("up", sample.up)
        if sample.down is not None:
            self._saw_leg("down", sample.down)
        for source in sample.sources:
            if source.jitter_seconds is not None:
                self._jitter.observe(source.jitter_seconds)
        for view in sample.views:
            if view.freeze_seconds:
                self.freezes.inc(view.freeze_seconds)

    def _saw_leg(self, direction: str, leg: LegSample) -> None:
        if leg.round_trip_seconds is not None:
            self._round_trips[direction].observe(leg.round_trip_seconds)
        if leg.loss_before_ratio is not None:
            self._losses[direction].observe(leg.loss_before_ratio)

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        yield _by_direction(
            "loupe_round_trip_time_seconds",
            "Round trips of legs, one observation a leg and second.",
            self._round_trips,
        )
        jitter = HistogramMetricFamily(
            "loupe_jitter_seconds",
            "Jitter of publications as they arrive, one observation a publication and second.",
        )
        self._jitter.show(jitter)
        yield jitter
        yield _by_direction(
            "loupe_leg_loss_ratio",
            "Packets missing before repair, one observation a leg and second.",
            self._losses,
        )
        yield from self.freezes.collect()


def _by_direction(
    name: str, documentation: str, histograms: Mapping[str, _Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, documentation, labels=["direction"])
    for direction, histogram in histograms.items():
        histogram.show(family, direction)
    return family


class DeskCollector(Collector):
    """Reads the desk when asked; keeps nothing."""

    def __init__(self, desk: Desk, registry: Registry) -> None:
        self._desk = desk
        self._registry = registry

    def describe(self) -> list[Metric]:
        """Nothing before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Prometheus calls this."""
        yield from self._desk.measures.collect()
        yield from self._of_rooms()
        yield from self._of_server()
        yield from self._of_probe()
        yield from self._of_history()

    def _of_rooms(self) -> Iterator[Metric]:
        states: Counter[tuple[str, str]] = Counter()
        hurt: Counter[tuple[str, str, str]] = Counter()
        for live in self._desk.live:
            row = live.row()
            states[row.clinical_class.value, row.state] += 1
            if row.cause is not None:
                hurt[row.clinical_class.value, row.cause.cause, row.state] += 1
        rooms = GaugeMetricFamily(
            "loupe_rooms_by_state", "Rooms that stand.", labels=["clinical_class", "state"]
        )
        for labels, count in sorted(states.items()):
            rooms.add_metric(list(labels), count)
        yield rooms
        causes = GaugeMetricFamily(
            "loupe_rooms_in_trouble",
            "Rooms with a lasting finding, by the worst one's cause.",
            labels=["clinical_class", "cause", "severity"],
        )
        for trouble, count in sorted(hurt.items()):
            causes.add_metric(list(trouble), count)
        yield causes
        alerts = CounterMetricFamily("loupe_alerts", "Alerts raised.", labels=["cause", "severity"])
        for raised, count in sorted(self._desk.alerts.raised.items()):
            alerts.add_metric(list(raised), count)
        yield alerts
        yield CounterMetricFamily(
            "loupe_alerts_withheld",
            "Alerts that were told to nobody, as there were too many.",
            value=self._desk.alerts.withheld,
        )

    def _of_server(self) -> Iterator[Metric]:
        load = GaugeMetricFamily(
            "loupe_worker_load_ratio",
            "Share of a processor core that a media worker uses.",
            labels=["worker"],
        )
        for index, ratio in enumerate(self._desk.workers.load):
            load.add_metric([str(index)], ratio)
        yield load
        yield _gauge(
            "loupe_disk_free_bytes", "Free bytes on the data folder's disk.", self._desk.disk.free_bytes
        )
        yield _gauge(
            "loupe_disk_forecast_seconds",
            "Time until that disk is full at the rate of the last ten minutes; absent while it is not.",
            self._desk.disk.forecast_seconds,
        )
        recorder = self._desk.recorder
        yield _gauge(
            "loupe_recording_lag_seconds",
            "How far the recorder's disk is behind the media; absent while nothing is recorded.",
            recorder.lag_seconds if recorder else None,
        )
        yield _gauge(
            "loupe_recording_failing", "1 while something that should be recorded is not.",
            int(recorder.failed) if recorder else None,
        )  # fmt: skip
        canary = self._desk.canary
        yield _gauge(
            "loupe_canary_delay_seconds",
            "The canary's delay from end to end.",
            canary.delay_seconds if canary else None,
        )
        yield _gauge(
            "loupe_canary_silence_seconds",
            "Since the canary's last picture.",
            canary.silent_seconds if canary else None,
        )

    def _of_probe(self) -> Iterator[Metric]:
        probe = self._desk.probe
        if probe is None:
            return
        yield CounterMetricFamily(
            "loupe_picture_probe_starts", "Starts of the process that looks at pictures.", probe.starts
        )
        yield CounterMetricFamily("loupe_picture_looks", "Looks at pictures.", probe.looks_begun)
        yield GaugeMetricFamily(
            "loupe_pictures_watched", "Sources whose picture is looked at.", probe.figures().watched
        )
        unwatched = GaugeMetricFamily(
            "loupe_pictures_unwatched", "Sources whose picture nobody looks at.", labels=["reason"]
        )
        for reason in UNWATCHED:
            unwatched.add_metric([reason], probe.unwatched[reason])
        yield unwatched

    def _of_history(self) -> Iterator[Metric]:
        store = self._desk.store
        yield GaugeMetricFamily(
            "loupe_history_queue", "Writes that wait for the history.", store.database.queued
        )
        lost = CounterMetricFamily("loupe_history_writes_refused", "Writes not done.", labels=["reason"])
        for reason in ("queue_full", "failed"):
            lost.add_metric([reason], store.database.refused[reason])
        yield lost
        dropped = CounterMetricFamily(
            "loupe_history_rows_dropped", "Rows taken away: old, for want of room, or unreadable.",
            labels=["table", "reason"],
        )  # fmt: skip
        for table, rows in store.dropped.items():
            for reason in ("expired", "full", "unreadable"):
                dropped.add_metric([table, reason], rows[reason])
        yield dropped
        sent = CounterMetricFamily("loupe_webhook_deliveries", "Webhooks by result.", labels=["result"])
        for result in ("delivered", "failed", "given_up"):
            sent.add_metric([result], self._desk.webhooks.results[result])
        yield sent
        told = CounterMetricFamily(
            "loupe_statistics_messages", "Browsers' statistics by what became of them.", labels=["result"]
        )
        for result in ("taken", "too_often"):
            told.add_metric([result], self._registry.statistics_told[result])
        yield told


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """Without a sample while the value is not known."""
    gauge = GaugeMetricFamily(name, text)
    if value is not None:
        gauge.add_metric([], value)
    return gauge
