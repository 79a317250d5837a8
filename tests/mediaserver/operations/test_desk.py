"""The desk over a real server: seconds are sampled, kept, judged and told; one that fails ends nothing."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import structlog.testing
from pydantic import SecretStr

from mediaserver.clinical import ClinicalClass
from mediaserver.config import Alerts, Webhook
from mediaserver.errors import UnknownRoom
from mediaserver.ids import PublicationId
from mediaserver.incident.details import detail
from mediaserver.layers import Reason
from mediaserver.operations import desk as module
from mediaserver.operations.model import CanaryReading, Sample
from mediaserver.policy import Role
from mediaserver.quality_history import query, reading
from mediaserver.quality_history.claims import Claim
from mediaserver.quality_history.reading import watched
from mediaserver.quality_history.store import HistoryStore
from mediaserver.session import Session
from mediaserver.zones import VIETNAM
from tests.mediaserver.adaptation.watching import theatre
from tests.mediaserver.alerts.test_webhooks import SECRET, alert, receiving
from tests.mediaserver.desks import Recorder, make, over, play
from tests.mediaserver.peers import connected, identity, publish
from tests.mediaserver.seconds import AT_MS, ROOMS, Plain
from tests.running import until


async def test_a_surgery_is_seen_kept_and_closed(tmp_path: Path) -> None:
    server, desk = make(tmp_path)
    await server.start()
    desk.store.start(AT_MS)
    desk.recorder = Recorder()
    who = replace(identity(Role.SURGEON), clinical_class=ClinicalClass.SURGERY)
    surgeon = server.join(who, "Dr An")
    await publish(server, surgeon)
    connected(server)
    surgeon.statistics.take(Claim(clock_ms=AT_MS + 120_000), 1000.0, AT_MS, Counter())
    play(server, desk, 4)
    board = desk.board()
    assert [(row.clinical_class.value, row.recording) for row in board.rows] == [("surgery", True)]
    assert (board.live_surgeries, board.sampled_at_ms, board.open_alerts) == (1, AT_MS + 3000, 1)
    assert desk.board(lambda _: False).rows == []
    detail = desk.room("theatre-1")
    assert [one.cause for one in detail.participants[0].findings] == ["clock"]
    with pytest.raises(UnknownRoom):
        desk.room("elsewhere")
    server.leave(surgeon)
    play(server, desk, 1, 4)
    assert desk.board().live_surgeries == 0
    server._rooms.expire(surgeon.room)
    play(server, desk, 1, 5)
    assert desk.board().rows == []
    await desk.store.database.flush()
    timeline = await query.timeline(desk.store.database, "theatre-1", AT_MS, AT_MS + 10**6)
    kinds = [event.kind for event in timeline.events]
    assert kinds[0] == "room_opened"
    assert kinds[-1] == "room_closed"
    assert {"joined", "published", "transport", "recording_started", "finding_raised", "left"} <= set(kinds)
    samples = await query.samples(desk.store.database, "theatre-1", AT_MS, AT_MS + 10**6)
    assert len(samples.samples) == 4
    alerts = (await query.alerts(desk.store.database, AT_MS, AT_MS + 10**6)).alerts
    assert [(one.cause.cause, one.cleared_ms) for one in alerts] == [("clock", AT_MS + 5000)]
    await server.stop()
    await asyncio.to_thread(desk.store.stop)
    assert b"Dr An" not in (tmp_path / "history.db").read_bytes()


async def test_the_servers_trouble_is_one_alert_and_on_every_board_row(tmp_path: Path) -> None:
    server, desk = make(tmp_path)
    await server.start()
    desk.store.start(AT_MS)
    for name in ("a", "b", "c"):
        server.join(identity(Role.SURGEON, name), "")
    desk.lag._recent.append(0.4)
    play(server, desk, 4)
    assert [(row.state, row.cause and row.cause.cause) for row in desk.board().rows] == [
        ("hurt", "server_overload")
    ] * 3
    assert [(one.room, one.cause.cause) for one in desk.alerts.open()] == [(None, "server_overload")]
    desk.lag._recent.append(0.0)
    play(server, desk, 10, 4)
    assert desk.alerts.open() == []
    await server.stop()
    await asyncio.to_thread(desk.store.stop)


@pytest.mark.parametrize(("kind", "waits"), [(ClinicalClass.SURGERY, True), (ClinicalClass.CONSULT, False)])
async def test_a_theatre_that_fell_out_of_a_surgery_is_looked_at_until_it_is_back(
    tmp_path: Path, kind: ClinicalClass, waits: bool
) -> None:
    server, desk = make(tmp_path)
    await server.start()
    desk.store.start(AT_MS)
    who = replace(identity(Role.SURGEON), clinical_class=kind)
    surgeon = server.join(who, "")
    server.join(identity(Role.SPECIALIST), "")
    await publish(server, surgeon)
    connected(server)
    play(server, desk, 5)
    server.set_connected(surgeon, False)
    play(server, desk, 1, 5)
    server.leave(surgeon)  # as half a minute after the socket
    play(server, desk, 60, 6)
    [row] = desk.board().rows
    assert (row.state, row.worst_role) == (("hurt", Role.SURGEON) if waits else ("unknown", None))
    assert [one.cause.cause for one in desk.alerts.open()] == ["publisher_uplink"] * waits
    assert desk.board().live_surgeries == waits
    again = server.join(who, "")
    await publish(server, again)
    connected(server)
    play(server, desk, 12, 70)
    assert desk.alerts.open() == []
    assert desk.board().rows[0].state == "good"
    await server.stop()
    await asyncio.to_thread(desk.store.stop)


async def test_a_silent_canary_is_the_servers_alert_and_no_rooms_trouble(tmp_path: Path) -> None:
    server, desk = make(tmp_path)
    await server.start()
    desk.store.start(AT_MS)
    server.join(replace(identity(Role.SURGEON), clinical_class=ClinicalClass.SURGERY), "")
    desk.canary_seen(CanaryReading(at_ms=AT_MS, delay_seconds=None, loss_ratio=None, silent_seconds=31.0))
    play(server, desk, 4)
    assert [row.findings for row in desk.board().rows] == [[]]
    assert [(one.room, one.cause.cause) for one in desk.alerts.open()] == [(None, "canary")]
    desk.canary_seen(None)
    play(server, desk, 10, 4)
    assert desk.alerts.open() == []
    await server.stop()
    await asyncio.to_thread(desk.store.stop)


async def test_what_the_probe_sees_is_in_the_sample(tmp_path: Path) -> None:
    server, desk = make(tmp_path)
    await server.start()
    desk.store.start(AT_MS)
    surgeon = server.join(identity(Role.SURGEON), "")
    scope = (await publish(server, surgeon))["1"]
    desk.picture_seen(scope, "black")
    play(server, desk, 3)
    sample = desk.room("theatre-1").participants[0].sample
    assert sample is not None
    assert {one.publication: one.picture for one in sample.sources}[scope] == "black"
    desk.picture_seen(scope, None)
    play(server, desk, 1, 3)
    sample = desk.room("theatre-1").participants[0].sample
    assert sample is not None
    assert {one.picture for one in sample.sources} == {None}
    await server.stop()
    await asyncio.to_thread(desk.store.stop)


async def test_why_a_viewer_gets_no_more_is_in_the_sample_and_in_its_file() -> None:
    async with theatre() as room:
        desk = over(room.server)
        viewer = await room.enter()
        seen: list[Reason | None] = []
        files: list[str] = []
        for estimate in (4_000_000, 300_000):
            room.settle(viewer, estimate)
            play(room.server, desk, 1, len(seen))
            samples = desk.room("theatre-1").participants[1].sample
            assert samples is not None
            seen.append({one.publication: one.reason for one in samples.views}[room.picture.id])
            lines = csv.DictReader(
                io.StringIO(query.csv_head(0, None, VIETNAM) + query.csv_lines([samples], VIETNAM))
            )
            files += [line["reason"] for line in lines if line["publication"] == room.picture.id]
    assert seen == [Reason.FULL, Reason.LINK]
    assert files == ["full", "link"]


@dataclass(frozen=True)
class Meters:
    """What the plane says of subscriptions."""

    subscriptions: Plain
    workers: list[dict[str, object]] = field(default_factory=list)
    transports: Plain = field(default_factory=Plain)
    publications: Plain = field(default_factory=Plain)


async def test_the_timeline_tells_a_layer_with_the_reason_in_either_language(tmp_path: Path) -> None:
    async with theatre() as room:
        desk = over(room.server)
        desk.store = HistoryStore(tmp_path / "history.db", ROOMS, max_bytes=10**7, keep_days=1)
        desk.store.start(AT_MS)
        viewer = await room.enter()
        for second, (estimate, layer) in enumerate(((4_000_000, 2), (300_000, 0))):
            room.settle(viewer, estimate)
            [subscription] = [
                handle
                for publication, handle in watched(room.server.registry.sessions[viewer.id])
                if publication is room.picture
            ]
            desk.second(
                Meters(Plain({subscription: {"layer": layer}})), 1000.0 + second, AT_MS + second * 1000
            )
        await desk.store.database.flush()
        timeline = await query.timeline(desk.store.database, "theatre-1", AT_MS, AT_MS + 10**6)
        await asyncio.to_thread(desk.store.stop)
    told = [
        (detail(event, "vi"), detail(event, "en"))
        for event in timeline.events
        if event.kind == "layer_forwarded" and event.publication == room.picture.id
    ]
    assert told == [
        ("mức 2 (tốt nhất có thể)", "level 2 (the best there is)"),
        (
            "mức 0 (đường truyền của người xem không tải hơn được)",
            "level 0 (the viewer's link carries no more)",
        ),
    ]


async def test_a_limit_in_force_is_in_the_sample(tmp_path: Path) -> None:
    server, desk = make(tmp_path)
    await server.start()
    desk.store.start(AT_MS)
    surgeon = server.join(identity(Role.SURGEON), "")
    scope = PublicationId((await publish(server, surgeon))["1"])
    shown = []
    for second, layer in enumerate((1, 0, None)):
        server.actions.limit(surgeon.room, scope, layer)
        play(server, desk, 1, second)
        sample = desk.room("theatre-1").participants[0].sample
        assert sample is not None
        shown += [one.top_layer for one in sample.sources if one.publication == scope]
    assert shown == [1, 0, None]
    await server.stop()
    await asyncio.to_thread(desk.store.stop)


async def test_a_second_that_fails_is_followed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE_SECONDS", 0.02)
    server, desk = make(tmp_path)
    await server.start()
    calls: list[float] = []

    def second(*_: object) -> None:
        calls.append(time.monotonic())
        raise RuntimeError("of this second")

    monkeypatch.setattr(desk, "second", second)
    with structlog.testing.capture_logs() as lines:
        async with desk.running():
            await until(lambda: len(calls) >= 3)
    await server.stop()
    assert {line["event"] for line in lines if line["log_level"] == "error"} == {
        "a second of the history was lost"
    }


async def test_a_room_that_fails_blinds_nobody_to_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, desk = make(tmp_path)
    await server.start()
    desk.store.start(AT_MS)
    for name in ("a", "b", "c"):
        await publish(server, server.join(identity(Role.SURGEON, name), ""))
    connected(server)
    play(server, desk, 2)
    assert {row.state for row in desk.board().rows} == {"good"}
    failing = desk._live["b"]
    real = reading.sample

    def sample(session: Session, *args: object, **more: object) -> Sample:
        if session.room is failing.room:
            raise RuntimeError("of this room")
        return real(session, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "sample", sample)
    with structlog.testing.capture_logs() as lines:
        play(server, desk, 1, 2)
    board = desk.board()
    assert {row.room: row.state for row in board.rows} == {"a": "good", "b": "unknown", "c": "good"}
    assert board.sampled_at_ms == AT_MS + 2000
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["a room's second was lost"]
    await server.stop()
    await asyncio.to_thread(desk.store.stop)


async def test_an_alert_that_a_crash_left_open_is_closed_and_told(tmp_path: Path) -> None:
    async with receiving() as receiver:
        hook = Webhook(url=receiver.url, secret=SecretStr(SECRET))
        hooks = Alerts(webhooks=(hook,), allowed_networks=("127.0.0.0/8",))
        _, before = make(tmp_path, hooks)
        before.store.start(AT_MS)
        before.store.put_alert(alert())
        await asyncio.to_thread(before.store.stop)  # without a word to the desk, as in a crash
        server, desk = make(tmp_path, hooks)
        await server.start()
        async with desk.running():
            await until(lambda: bool(receiver.came), what="the webhook")
            await desk.store.database.flush()
            kept = (await query.alerts(desk.store.database, 0, AT_MS + 10**9)).alerts
        await server.stop()
    told = json.loads(receiver.came[0][1])
    assert (told["type"], told["data"]["id"]) == ("alert.cleared", "alert-1")
    assert told["data"]["cleared_ms"] == alert().raised_ms
    assert [(one.id, one.cleared_ms) for one in kept] == [("alert-1", alert().raised_ms)]


async def test_without_a_history_the_board_still_works(tmp_path: Path) -> None:
    (tmp_path / "history.db").mkdir()
    server, desk = make(tmp_path)
    await server.start()
    server.join(identity(Role.SURGEON), "")
    with structlog.testing.capture_logs() as lines:
        async with desk.running():
            await until(lambda: bool(desk.board().rows))
    await server.stop()
    assert "operators have no history" in {line["event"] for line in lines}
    assert sum(desk.store.database.refused.values()) > 0


async def test_what_viewers_got_is_kept_by_the_recordings_clock(tmp_path: Path) -> None:
    """The wall clock was set back by an hour after the recording's beginning."""
    server, desk = make(tmp_path)
    await server.start()
    desk.store.start(AT_MS)
    desk.recorder = recorder = Recorder()
    recorder.ahead_ms = 3_600_000
    server.join(identity(Role.SURGEON), "Dr An")
    play(server, desk, 3)
    await desk.store.database.flush()
    kept = await query.samples(desk.store.database, "theatre-1", 0, AT_MS + 10**8)
    await server.stop()
    await asyncio.to_thread(desk.store.stop)
    assert [one.at_ms - AT_MS for one in kept.samples] == [3_600_000, 3_601_000, 3_602_000]
