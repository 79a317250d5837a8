"""Room on the disk: ballast, locations in order, and how long it will last."""

from __future__ import annotations

from pathlib import Path

from mediaserver.recording.disk import Ballast, Forecast, free_bytes


def test_ballast_holds_room_and_gives_it_back(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast")
    ballast.fill(1 << 20)
    assert ballast.path.stat().st_size == 1 << 20
    assert ballast.path.stat().st_blocks * 512 >= 1 << 20, "it must take the room it holds"
    ballast.fill(2 << 20)
    assert ballast.path.stat().st_size == 1 << 20
    ballast.free()
    ballast.free()
    assert not ballast.path.exists()


def test_ballast_where_nothing_can_be_written_is_no_error(tmp_path: Path) -> None:
    Ballast(tmp_path / "absent" / "ballast").fill()


def test_the_forecast_follows_the_last_minute() -> None:
    forecast = Forecast()
    assert forecast.seconds_left(1000) == float("inf")
    for second in range(200):
        forecast.add(float(second), second * 10 if second < 100 else 1_000 + (second - 100) * 50)
    assert forecast.rate() == 50.0
    assert forecast.seconds_left(50 * 1_800) == 1_800.0


def test_free_bytes_are_what_the_system_says(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0
