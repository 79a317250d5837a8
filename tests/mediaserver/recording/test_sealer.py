"""The sealing worker: a process that does rounds in order, and may end at any moment."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from mediaserver.ids import RecordingId
from mediaserver.recording.manifest import verify
from mediaserver.recording.recorder import Recorder
from mediaserver.recording.sealer import ENDED, Sealer
from tests.recorded import Shelf, Source, encoded

KEY = bytes(range(32))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    from mediaserver.vault import Vault

    monkeypatch.setenv("LOUPE_RECORDING_MASTER_KEY", KEY.hex())
    made = Shelf(tmp_path / "recordings", Vault([KEY]))
    made.track("t1")
    source = Source()
    made.journal("t1", [source.begin(), *source.stream(encoded("VP8", 60))])
    return made


def outcomes(sealer: Sealer, count: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        found += sealer.outcomes()
        time.sleep(0.01)
    return found


def test_rounds_are_done_and_told(shelf: Shelf, tmp_path: Path) -> None:
    sealer = Sealer(["--data", str(tmp_path), "--root", str(shelf.root)])
    try:
        sealer.order([shelf.root], shelf.id, now=None, state="sealed")
        idle = [sealer.idle]
        (done,) = outcomes(sealer)
        assert (done["state"], done["failure"], len(done["segments"])) == ("sealed", None, 1)
        assert done["procedure"] == shelf.open().procedure
        assert done["end"] == asdict(verify(shelf.folder, shelf.vault).end or pytest.fail("no end"))
        assert done["room"] == shelf.manifest.lines()[0]["room"]
        idle.append(sealer.idle)
        assert idle == [False, True]
        assert shelf.open().state == "sealed"
    finally:
        sealer.close(5.0)


def test_a_worker_that_was_killed_is_replaced_and_the_round_begun_again(shelf: Shelf, tmp_path: Path) -> None:
    sealer = Sealer(["--data", str(tmp_path), "--root", str(shelf.root)])
    try:
        sealer.order([shelf.root], shelf.id, now=None, state="sealed")
        assert sealer._worker is not None
        os.kill(sealer._worker.pid, signal.SIGKILL)
        (done,) = outcomes(sealer)
        assert done["failure"] is None
        assert shelf.open().state == "sealed"
    finally:
        sealer.close(5.0)


def test_a_round_that_cannot_be_done_says_why(shelf: Shelf, tmp_path: Path) -> None:
    (shelf.folder.path / "key").unlink()
    sealer = Sealer(["--data", str(tmp_path), "--root", str(shelf.root)])
    try:
        sealer.order([shelf.root], shelf.id, now=None, state="sealed")
        (done,) = outcomes(sealer)
        assert done["failure"] == "FileNotFoundError"
    finally:
        sealer.close(5.0)


def test_a_recording_that_no_round_expects_does_not_stop_the_others(shelf: Shelf, tmp_path: Path) -> None:
    broken = Shelf(shelf.root, shelf.vault, RecordingId("rbroken"))
    broken.manifest.append({"type": "track", "kind": "video", "codec": "VP8"})
    source = Source()
    broken.journal("t1", [source.begin(), *source.stream(encoded("VP8", 60))])
    sealer = Sealer(["--data", str(tmp_path), "--root", str(shelf.root)])
    try:
        sealer.order([shelf.root], broken.id, now=None, state="sealed")
        sealer.order([shelf.root], shelf.id, now=None, state="sealed")
        worker = sealer._worker
        first, second = outcomes(sealer, 2)
        assert (first["recording"], first["failure"]) == (broken.id, "KeyError")
        assert (second["recording"], second["failure"]) == (shelf.id, None)
        assert sealer._worker is worker, "it did not end"
        assert broken.folder.journals()
    finally:
        sealer.close(5.0)


def ending_sealer() -> Sealer:
    """Whose worker ends in every round, as one that the system kills for its memory."""
    sealer = Sealer(())
    sealer._command = [sys.executable, "-c", "import sys; sys.stdin.readline()"]
    return sealer


def test_a_round_that_is_given_up_is_told(shelf: Shelf) -> None:
    sealer = ending_sealer()
    try:
        sealer.order([shelf.root], shelf.id, now=None, state="sealed")
        sealer.order([shelf.root], RecordingId("rnext"), now=None, state="sealed")
        told = [(one["recording"], one["state"], one["failure"]) for one in outcomes(sealer, 2)]
        assert told == [(shelf.id, "sealed", ENDED), ("rnext", "sealed", ENDED)]
        assert sealer.idle
    finally:
        sealer.close(5.0)


def test_the_recorder_orders_a_round_again_that_was_given_up(shelf: Shelf) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sealer = ending_sealer()
    with ours, theirs:
        recorder = Recorder(theirs, shelf.vault, (shelf.root,), sealer)
        sealer.order([shelf.root], shelf.id, now=None, state="sealed")
        (outcome,) = outcomes(sealer)
        recorder._sealed(outcome)
        told = json.loads(ours.recv(65_536))
        assert (told["event"], told["failure"]) == ("sealed", ENDED)
        idle = [sealer.idle]
        recorder._seal_again(time.monotonic() + 1.0)
        assert [*idle, sealer.idle] == [True, False]
        sealer.close(5.0)


def test_what_was_left_ends_as_was_said_last_before_its_round_began(shelf: Shelf) -> None:
    _, theirs = pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with pair[0], theirs:
        recorder = Recorder(theirs, shelf.vault, (shelf.root,), ending_sealer())
        for number in range(8):
            recorder._recover({RecordingId(f"r{number}"): "sealed"})
        workers = len(recorder._recovering)
        recorder._recover({RecordingId("r7"): "withdrawn"})
        waiting = [order for one in recorder._recovering for order in one._waiting]
        assert sorted(order["recording"] for order in waiting) == [f"r{number}" for number in range(8)]
        states = {order["recording"]: order["state"] for order in waiting}
        assert (states["r6"], states["r7"]) == ("sealed", "withdrawn")
        assert len(recorder._recovering) == workers <= (os.cpu_count() or 1)
        assert max(len(one.waiting) for one in recorder._recovering) <= -(-8 // workers)
        recorder._failed[RecordingId("rfailed")] = (5.0, "sealed")
        recorder._recover({RecordingId("rfailed"): "withdrawn"})
        assert recorder._failed == {"rfailed": (5.0, "withdrawn")}, "tried again when it is due"
        for one in recorder._recovering:
            one.close(5.0)
