"""Metrics for Prometheus: read from the plane's counters when asked, and a few histograms of our own.

No label names a room or a participant. Units are base units;
names follow the ``loupe_`` list of the operations guide.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias, cast

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mediaserver import __version__, _dataplane
from mediaserver.session import Registry

Delay: TypeAlias = tuple[list[float], list[int], float]

JOIN_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
STAGES = ("ws", "ice", "dtls", "media")
"""ws: from the open socket to the accepted token. ice: from the description to the first authenticated path.
dtls: from there to the end of the handshake. media: from there to the first packet forwarded, a wait for its
source included."""


class Metrics:
    """One process's metrics. ``render`` gives a page; ``registry`` takes what signalling adds."""

    def __init__(self, server: Registry) -> None:
        self.registry = CollectorRegistry()
        self._join = Histogram(
            "loupe_join_duration_seconds",
            "Time a joining participant spends in each stage.",
            ["stage"],
            buckets=JOIN_BUCKETS,
            registry=self.registry,
        )
        self._lag = Histogram(
            "loupe_event_loop_lag_seconds",
            "How late the control plane's event loop runs what is due.",
            buckets=LAG_BUCKETS,
            registry=self.registry,
        )
        self.registry.register(PlaneCollector(server))

    def join_stage(self, stage: str, seconds: float) -> None:
        """One participant passed a stage. Raises ``ValueError`` for a stage that is none."""
        if stage not in STAGES:
            raise ValueError(stage)
        self._join.labels(stage).observe(seconds)

    async def measure_loop_lag(self, every_seconds: float) -> None:
        """Runs until cancelled."""
        while True:
            due = time.monotonic() + every_seconds
            await asyncio.sleep(every_seconds)
            self._lag.observe(max(0.0, time.monotonic() - due))

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The page and its media type, as the scraper's ``Accept`` header asks."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class PlaneCollector(Collector):
    """Reads the registry's maps and the plane's snapshot at each scrape."""

    def __init__(self, server: Registry) -> None:
        self._server = server

    def describe(self) -> list[Metric]:
        """Nothing to say before the first scrape: registering must not ask the plane."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Prometheus calls this."""
        yield from self._control()
        yield from self._data()
        yield InfoMetricFamily(
            "loupe_build", "What runs here.", {"version": __version__, "native": _dataplane.__version__}
        )

    def _control(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("loupe_rooms", "Rooms that stand.", len(self._server.rooms))
        participants = GaugeMetricFamily("loupe_participants", "Participants by role.", labels=["role"])
        roles = Counter(session.participant.role.value for session in self._server.sessions.values())
        for role, count in sorted(roles.items()):
            participants.add_metric([role], count)
        yield participants
        yield self._tracks()
        dropped = CounterMetricFamily(
            "loupe_dtls_datagrams_dropped",
            "DTLS datagrams and handshakes refused, by reason.",
            labels=["reason"],
        )
        counters = self._server.dtls_counters
        for reason in counters.__slots__:
            dropped.add_metric([reason], getattr(counters, reason))
        yield dropped
        refused = CounterMetricFamily(
            "loupe_data_channel_messages_refused",
            "Messages and channels dropped, by reason.",
            labels=["reason"],
        )
        for reason, count in sorted(self._server.data_channels_refused.items()):
            refused.add_metric([reason], count)
        yield refused

    def _tracks(self) -> Metric:
        tracks = GaugeMetricFamily(
            "loupe_tracks",
            "Publications (in) and subscriptions (out).",
            labels=["direction", "kind", "codec"],
        )
        found: Counter[tuple[str, str, str]] = Counter()
        for room, name in self._server.publications.values():
            publication = room.publications[name]
            found["in", publication.kind, publication.codec.name] += 1
        for session, name, _ in self._server.subscriptions.values():
            publication = session.room.publications[name]
            found["out", publication.kind, publication.codec.name] += 1
        for labels, count in sorted(found.items()):
            tracks.add_metric(list(labels), count)
        return tracks

    def _data(self) -> Iterator[Metric]:
        workers = self._server.plane.stats().workers
        counters: Counter[str] = Counter()
        drops: Counter[str] = Counter()
        for worker in workers:
            counters.update(cast("dict[str, int]", worker.get("counters", {})))
            drops.update(cast("dict[str, int]", worker.get("drops", {})))
        for name, text, parts in _TOTALS:
            family = CounterMetricFamily(name, text, labels=["direction"])
            for direction, counter in parts:
                family.add_metric([direction], counters.get(counter, 0))
            yield family
        dropped = CounterMetricFamily(
            "loupe_rtp_packets_dropped", "Datagrams and packets dropped, by reason.", labels=["reason"]
        )
        for reason, count in sorted(drops.items()):
            dropped.add_metric([reason], count)
        yield dropped
        busy = CounterMetricFamily(
            "loupe_worker_busy_seconds", "Time media workers were busy.", labels=["worker"]
        )
        for index, worker in enumerate(workers):
            busy.add_metric([str(index)], float(cast(Any, worker.get("busy_seconds", 0.0))))
        yield busy
        delays = [worker["forward_delay"] for worker in workers if "forward_delay" in worker]
        yield _delay(cast("list[Delay]", delays))


_TOTALS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("loupe_rtp_packets", "RTP packets.", (("in", "rtp_in"), ("out", "rtp_out"))),
    ("loupe_udp_bytes", "Bytes of UDP payloads.", (("in", "bytes_in"), ("out", "bytes_out"))),
    ("loupe_udp_datagrams", "UDP datagrams.", (("in", "datagrams_in"), ("out", "datagrams_out"))),
    ("loupe_rtp_packets_lost", "Packets missing before repair.", (("in", "lost_in"),)),
    ("loupe_rtp_packets_unrepaired", "Packets that stayed missing.", (("in", "unrepaired_in"),)),
    (
        "loupe_nack_packets",
        "Packets asked for again.",
        (("in", "nacks_received"), ("out", "nacks_sent")),
    ),
    ("loupe_rtx_packets", "Retransmissions.", (("in", "rtx_in"), ("out", "rtx_out"))),
    ("loupe_pli", "Key-frame requests.", (("in", "plis_received"), ("out", "plis_sent"))),
    (
        "loupe_ice_path_changes",
        "Paths moved by an authenticated check.",
        (("in", "path_changes"),),
    ),
    (
        "loupe_feedback_unreported_packets",
        "Packets of publishers that transport-wide feedback had no room for.",
        (("in", "unreported_in"),),
    ),
    (
        "loupe_subscriptions_refused",
        "Subscriptions that the data plane refused: source in use, or too many sources sent.",
        (("out", "subscriptions_refused"),),
    ),
)


def _delay(parts: list[Delay]) -> Metric:
    """Sums the workers' histograms: (bucket bounds in seconds,
    cumulative counts, sum), the last count being all."""
    family = HistogramMetricFamily(
        "loupe_forward_delay_seconds",
        "Time a packet spends in the server; packets that waited for their viewer's link are left out.",
    )
    if not parts:
        return family
    bounds = [str(bound) for bound in parts[0][0]]
    counts = [sum(column) for column in zip(*(part[1] for part in parts), strict=True)]
    total = counts[-1] if counts else 0
    buckets: list[tuple[str, float]] = list(zip(bounds, counts, strict=False))
    buckets.append(("+Inf", total))
    family.add_metric([], buckets=buckets, sum_value=sum(part[2] for part in parts))
    return family
