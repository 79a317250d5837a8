"""The recorder process as the server keeps it: started, told, and started again."""

from __future__ import annotations

from pathlib import Path

from tests.feeding import Feeder


async def test_a_recorder_that_ended_is_replaced_and_told_again(tmp_path: Path) -> None:
    async with Feeder(tmp_path) as feeder:
        first = feeder.process.pid
        feeder.kill()
        await feeder.told(lambda message: message["event"] == "down")
        feeder.messages.clear()
        await feeder.told(lambda message: message["event"] == "started")
        assert feeder.process.pid not in (None, first)
        assert feeder.process.starts == 2
    assert feeder.process.pid is None


async def test_without_a_recorder_nothing_is_sent(tmp_path: Path) -> None:
    feeder = Feeder(tmp_path)
    assert not feeder.process.send({"do": "quit"})
    await feeder.process.end(1.0)
