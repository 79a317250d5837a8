"""Results as files and as tables."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "results"


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was before."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {
        "processor": model,
        "processors": os.cpu_count(),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def write(name: str, found: dict[str, Any]) -> None:
    """Keeps one benchmark's figures."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")


def read(name: str) -> dict[str, Any] | None:
    """One benchmark's figures, if it has run."""
    file = FOLDER / f"{name}.json"
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def number(value: float | None, digits: int = 2) -> str:
    """A figure, or a dash where none was measured."""
    return "-" if value is None else f"{value:.{digits}f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, aligned for reading as text."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join(
        [line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)]
    )


def forwarding_table(found: dict[str, Any]) -> str:
    """Cost by number of viewers, each as a ratio to the floor of the same run."""
    floors = {row["viewers"]: row["us_per_packet"] for row in found["floor"]}
    head = [
        "server",
        "viewers",
        "us/packet",
        "x floor",
        "workers/main/rest us",
        "server CPU",
        "client CPU",
        "delay p50/p99 ms",
        "in server p50/p99 ms",
    ]
    rows = [["floor", str(n), number(cost), "1.00", "", "", "", "", ""] for n, cost in floors.items()]
    for row in found.get("floor_with_reports", []):
        cost, n = row["us_per_packet"], row["viewers"]
        rows.append(
            ["floor, reports read", str(n), number(cost), number(cost / floors[n]), "", "", "", "", ""]
        )
    for name, measured in found["servers"].items():
        for row in measured:
            floor, delay, inside = floors[row["viewers"]], row["one_way_delay_ms"], row["forward_delay_ms"]
            rows.append(
                [
                    name,
                    f"{row['with_media']}/{row['viewers']}",
                    number(row["us_per_packet"]),
                    number(row["us_per_packet"] / floor),
                    _by_thread(row["us_by_thread"]),
                    f"{row['server_share']:.1%}",
                    f"{row['client_share']:.1%}",
                    f"{number(delay['p50'])} / {number(delay['p99'])}",
                    f"{number(inside['p50'], 3)} / {number(inside['p99'], 3)}",
                ]
            )
    memory = ", ".join(f"{name} {number(kb, 0)} KB" for name, kb in found["memory_kb_per_viewer"].items())
    busy = found["machine"]["load_before"]
    note = f"{found['place']}; {found['profile']}; load before: {busy}; memory per viewer: {memory or '-'}"
    return f"{table(head, rows)}\n\n{note}"


def _by_thread(cost: dict[str, float]) -> str:
    rest = cost["threads"] + cost["processes"]
    return " / ".join(number(one) for one in (cost["workers"], cost["main"], rest))


def latency_table(found: dict[str, Any]) -> str:
    """Time in the server at half load."""
    inside, across = found["forward_delay_ms"], found["one_way_delay_ms"]
    head = [
        "rooms",
        "viewers each",
        "server CPU",
        "clients' processor",
        "in server p50/p99 ms",
        "one way p50/p99 ms",
        "delivered",
        "latest frame sent ms",
    ]
    row = [
        str(found["rooms"]),
        str(found["viewers"]),
        f"{found['server_share']:.1%} (asked {found['asked_share']:.0%})",
        f"{found['clients_processor_share']:.1%} busy",
        f"{number(inside['p50'], 3)} / {number(inside['p99'], 3)}",
        f"{number(across['p50'])} / {number(across['p99'])}",
        f"{found['delivered_share']:.1%}",
        number(found["publisher_latest_frame_ms"], 1),
    ]
    return f"{table(head, [row])}\n\n{found['place']}; load before: {found['machine']['load_before']}"


def join_table(found: dict[str, Any]) -> str:
    """Joins of many, and in a browser."""
    many, browser = found["many"], found.get("browser")
    connected, first = many["connected_ms"], many["first_frame_ms"]
    rate = f"{number(many['per_second']['connected'], 1)} of {many['asked_per_second']} a second"
    rows = [
        [
            f"load client, {many['with_media']}/{many['joins']}",
            rate,
            f"{number(connected['p50'], 0)} / {number(connected['p95'], 0)}",
            f"{number(first['p50'], 0)} / {number(first['p95'], 0)}",
        ]
    ]
    if browser:
        frame = browser["first_frame_ms"]
        rows.append(
            [
                f"Chromium, {browser['joins']}",
                "one at a time",
                "",
                f"{number(frame['p50'], 0)} / {number(frame['p95'], 0)}",
            ]
        )
    head = ["viewers", "joins", "connected p50/p95 ms", "first frame p50/p95 ms"]
    return f"{table(head, rows)}\n\n{found['place']}; load before: {found['machine']['load_before']}"


_MEASURED = (
    "utilisation",
    "ladder_efficiency",
    "convergence_s@join",
    "first_frame_s",
    "first_sound_s",
    "queue_p95_ms",
    "freeze_percent",
    "freeze_longest_s",
    "harmonic_fps",
    "frame_delay_p95_ms",
    "ups_per_minute",
    "downs_per_minute",
    "keyframes_per_minute",
    "lost_percent",
    "residual_loss_percent",
    "concealment_percent",
    "concealed_longest_s",
    "audio_delay_p95_ms",
    "audio_mos",
    "overhead_percent",
)
"""Figures that are shown of a scenario that has no goals."""


def adaptation_table(found: dict[str, Any]) -> str:
    """Figures against goals, over all seeds; of scenarios without goals the usual figures."""
    head = ["scenario", "of", "metric", "goal", "median", "worst", "seeds", "met"]
    rows = []
    for scenario in found["scenarios"]:
        for goal in scenario["goals"]:
            numbers = [number(goal["median"]), number(goal["worst"])]
            seeds = f"{goal['seeds']}/{scenario['seeds']}"
            met = "yes" if goal["met"] else "**no**"
            rows.append(
                [scenario["scenario"], goal["of"], goal["metric"], goal["goal"], *numbers, seeds, met]
            )
        if scenario["goals"]:
            continue
        for name, spread in scenario["metrics"].items():
            of, metric = name.split(" ", 1)
            if metric in _MEASURED and spread:
                middle, least, most = spread
                numbers = [number(middle), f"{number(least)} to {number(most)}"]
                rows.append([scenario["scenario"], of, metric, "", *numbers, str(scenario["seeds"]), ""])
    left_out = [f"left out: {name} (needs {', '.join(files)})" for name, files in found["left_out"].items()]
    note = [f"layers chosen by: {found['policy']}", *left_out]
    return f"{table(head, rows)}\n\n" + "\n".join(note)
