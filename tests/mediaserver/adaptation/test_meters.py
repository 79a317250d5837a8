"""The plane's snapshots become rates, losses and encodings."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from mediaserver._dataplane import Stats
from mediaserver.adaptation.meters import Meters, Uplink
from mediaserver.layers.rates import nominal
from tests.mediaserver.adaptation.watching import Snapshot, publication, theatre

LOW, MIDDLE = [100.0, 160.0, 160.0, 160.0], [300.0, 500.0, 500.0, 500.0]
FLAT = [*LOW * 3, *MIDDLE * 3, *[0.0] * 12]


def read(meters: Meters, now: float, **snapshot: Any) -> list[int]:
    return meters.read(cast(Stats, Snapshot(**snapshot)), now)


def test_rates_belong_to_encodings_and_temporal_layers() -> None:
    meters = Meters()
    assert read(meters, 1.0, publications={7: {"wire_rates": FLAT}}) == [7]
    low, middle = meters.encodings(publication(), (0, 1), None, 1.0)
    assert low.rates == ((100.0, 160.0, 160.0, 160.0),)
    assert (low.height, middle.height) == (180, 360)
    assert low.flows
    assert not low.settled
    assert meters.encodings(publication(), (0, 1), None, 3.5)[0].settled


def test_spatial_layers_are_told_apart_while_they_add_something() -> None:
    meters = Meters()
    scalable = publication(encodings=1)
    for now, top, expected in ((1.0, MIDDLE, [LOW, MIDDLE]), (2.0, [600.0] * 4, [LOW, MIDDLE, [600.0] * 4])):
        read(meters, now, publications={7: {"wire_rates": [*LOW, *MIDDLE, *top], "layers": [0]}})
        assert meters.encodings(scalable, (0,), None, now)[0].rates == tuple(map(tuple, expected))
        assert meters.rates(scalable) == (int(top[-1]),)


def test_what_flowed_before_anybody_watched_is_known_when_they_come() -> None:
    meters = Meters()
    for now in (1.0, 2.0, 3.0):
        read(meters, now, publications={7: {"wire_rates": FLAT, "layers": [0, 1]}})
    assert [one.settled for one in meters.encodings(publication(), (0, 1, 2), None, 3.5)] == [
        True,
        True,
        False,
    ]


def test_an_encoding_counts_once_it_flowed_and_is_missed_from_then_on() -> None:
    meters = Meters()
    assert len(meters.encodings(publication(), (), None, 1.0)) == 1
    assert len(meters.encodings(publication(), (0, 1), None, 1.0)) == 2, "a small camera has no third"
    meters.encodings(publication(), (0, 1, 2), None, 1.0)
    missing = meters.encodings(publication(), (0, 1), None, 2.0)[2]
    assert (missing.flows, missing.dormant) == (False, False)
    asked = meters.encodings(publication(), (0, 1), (True, True, False), 3.0)[2]
    assert (asked.flows, asked.dormant) == (False, True)


def test_what_an_encoder_takes_is_measured_while_nothing_restrains_it() -> None:
    meters, source = Meters(), publication()
    assert meters.potential(source, 1) == int(nominal("endoscope", 3, 1))
    read(meters, 1.0, publications={7: {"wire_rates": FLAT}})
    meters.encodings(source, (0, 1), None, 1.0)
    meters.note_unrestrained(7, 1, 2.0)
    assert meters.potential(source, 1) != 500, "its meter has not seen a whole second"
    meters.note_unrestrained(7, 1, 3.5)
    assert meters.potential(source, 1) == 500
    meters.note_unrestrained(7, 2, 9.0)
    assert meters.potential(source, 2) == int(nominal("endoscope", 3, 2)), "it does not flow"


def test_only_a_noticeable_change_of_a_rate_is_told() -> None:
    meters = Meters()
    for now, rate, noticed in ((1.0, 100.0, [7]), (2.0, 120.0, []), (3.0, 134.0, [7]), (4.0, 99.0, [7])):
        assert read(meters, now, publications={7: {"wire_rates": [rate] * 12}}) == noticed


def test_loss_on_the_way_in_is_that_of_the_last_second() -> None:
    meters = Meters()
    read(meters, 1.0, publications={7: {"packets": 1_000, "repaired": 100, "unrepaired": 100}})
    later = {"packets": 1_098, "repaired": 104, "unrepaired": 102, "jitter_seconds": 0.01}
    read(meters, 2.0, publications={7: later})
    assert meters.uplink(7) == Uplink(loss=0.06, unrepaired=0.02, jitter_seconds=0.01)
    read(meters, 3.0, publications={7: later})
    assert meters.uplink(7).loss == 0.0
    assert meters.uplink(99) == Uplink()


def test_repair_overhead_is_repair_for_media() -> None:
    meters = Meters()
    read(meters, 1.0, transports={3: {"bytes_out": 1_000, "repair_bytes": 0, "probe_bytes": 0}})
    read(
        meters,
        3.0,
        transports={
            3: {
                "bytes_out": 14_000,
                "repair_bytes": 1_000,
                "probe_bytes": 2_000,
                "jitter_seconds": 0.02,
            }
        },
    )
    assert meters.downlink(3).sent == pytest.approx(52_000)
    assert meters.downlink(3).repair_overhead == pytest.approx(0.1)
    assert meters.downlink(3).jitter_seconds == 0.02


def test_a_worker_is_busy_that_hardly_rests() -> None:
    meters = Meters()
    read(meters, 1.0, workers=({"busy_seconds": 10.0}, {"busy_seconds": 10.0}))
    assert not meters.is_busy(0)
    read(meters, 3.0, workers=({"busy_seconds": 11.9}, {"busy_seconds": 11.0}))
    assert (meters.is_busy(0), meters.is_busy(1)) == (True, False)


async def test_the_planes_own_snapshot_has_what_is_read() -> None:
    async with theatre() as room:
        await room.enter()
        async with asyncio.timeout(10):
            while not room.server.registry.plane.stats().transports:  # noqa: ASYNC110 - it is made each second
                await asyncio.sleep(0.05)
        stats = room.server.registry.plane.stats()
        figures = stats.publications[room.picture.handle]
        assert {"packets", "repaired", "unrepaired", "jitter_seconds", "wire_rates"} <= set(figures)
        assert len(cast("list[int]", figures["wire_rates"])) == 3 * 4 * room.picture.encodings
        transports = [one for _, one in stats.transports.items()]
        viewers = [one for one in transports if "bytes_out" in one]
        assert viewers
        assert {"repair_bytes", "probe_bytes"} <= set(viewers[0])
        assert any("round_trip_in_seconds" in one for one in transports)
        assert all("busy_seconds" in worker for worker in stats.workers)
