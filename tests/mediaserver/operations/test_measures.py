"""The desk's figures for Prometheus: right, and free of names."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from mediaserver.operations.measures import DeskCollector, Measures
from mediaserver.policy import Role
from tests.mediaserver.desks import Recorder, make, play
from tests.mediaserver.peers import identity
from tests.mediaserver.seconds import AT_MS, leg, observer, surgeon, view


def read(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_every_leg_is_one_observation_a_second() -> None:
    measures = Measures()
    measures.saw(surgeon(up=leg(round_trip_seconds=0.05)))
    measures.saw(observer(down=leg(round_trip_seconds=None), views=(view(freeze_seconds=0.7),)))
    registry = CollectorRegistry()
    registry.register(cast("Collector", measures))
    found = read(registry)
    assert found["loupe_round_trip_time_seconds_count", "up"] == 1
    assert found["loupe_round_trip_time_seconds_count", "down"] == 0
    assert found["loupe_leg_loss_ratio_count", "down"] == 1
    # A bound belongs to the bucket below it.
    upto = [found["loupe_round_trip_time_seconds_bucket", "up", bound] for bound in ("0.02", "0.05", "+Inf")]
    assert upto == [0, 1, 1]
    assert found["loupe_round_trip_time_seconds_sum", "up"] == 0.05
    assert found["loupe_freeze_seconds_total",] == 0.7


async def test_what_stands_is_read_when_asked(tmp_path: Path) -> None:
    server, desk = make(tmp_path)
    await server.start()
    desk.store.start(AT_MS)
    recorder = Recorder()
    desk.recorder = recorder
    registry = CollectorRegistry()
    registry.register(DeskCollector(desk, server.registry))
    person = server.join(identity(Role.SURGEON), "Dr An")
    recorder.lag_seconds, recorder.failed = 3.0, True
    desk.disk.saw(0, 5000)
    play(server, desk, 4)
    found = read(registry)
    text = generate_latest(registry).decode()
    await server.stop()
    await asyncio.to_thread(desk.store.stop)
    assert found["loupe_rooms_by_state", "consult", "hurt"] == 1
    assert found["loupe_rooms_in_trouble", "recording_disk", "consult", "hurt"] == 1
    assert found["loupe_alerts_total", "recording_disk", "hurt"] == 1
    assert found["loupe_recording_lag_seconds",] == 3.0
    assert found["loupe_disk_free_bytes",] == 5000
    assert ("loupe_disk_forecast_seconds",) not in found
    for hidden in ("theatre-1", "Dr An", person.id):
        assert hidden not in text
