"""Metrics, rules and configuration by Prometheus' own tools, and Debian's Prometheus over the live server."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import urllib.parse
from pathlib import Path
from typing import Any

from mediaserver.cause import thresholds
from signalling.canary import control as canary
from tests.deploy_files import PROMETHEUS, promtool, tool
from tests.media import MarkedTrack
from tests.member import Member
from tests.running import ROOT, Client, Server, until

RULES = PROMETHEUS / "loupe.rules.yml"
OPERATING = ROOT / "docs" / "operating.md"


def anchors() -> set[str]:
    """Of the operating guide's headings, as they are linked to."""
    heads = re.findall(r"^#+ (.+)$", OPERATING.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_rules_and_configuration_are_sound() -> None:
    promtool("check", "rules", RULES)
    promtool("test", "rules", PROMETHEUS / "loupe.rules.test.yml")
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


def test_every_alert_leads_to_a_section_that_exists() -> None:
    text = RULES.read_text()
    links = re.findall(r"runbook_url: \"{{ \$externalLabels\.runbooks }}#([a-z-]+)\"", text)
    assert len(links) == text.count("- alert:")
    assert set(links) <= anchors()
    assert re.search(r"^    runbooks: https://", (PROMETHEUS / "prometheus.yml").read_text(), re.MULTILINE)


def test_rules_and_findings_have_the_same_limits() -> None:
    text = RULES.read_text()
    for figure, limit in (
        ("loupe_canary_silence_seconds", thresholds.CANARY_SILENCE.hurt),
        ("loupe_recording_lag_seconds", thresholds.RECORDING_LAG.watch),
        ("max by (instance) (loupe_worker_load_ratio)", thresholds.WORKER_LOAD.watch),
    ):
        assert f"expr: {figure} > {limit:g}\n" in text, figure


def seconds(name: str, text: str) -> int:
    [found] = re.findall(rf" {name}: (\d+)s", text)
    return int(found)


def alone(alert: str) -> tuple[int, str]:
    """The seconds between scrapes, and the group of rules that holds this alert and no other."""
    [group] = [one for one in RULES.read_text().split("- name: ") if f"alert: {alert}\n" in one]
    assert group.count("- alert:") == 1
    return seconds("scrape_interval", (PROMETHEUS / "prometheus.yml").read_text()), group


def test_a_hurt_surgery_is_told_within_twenty_five_seconds_of_its_finding() -> None:
    scrape, group = alone("LoupeSurgeryHurt")
    look = seconds("interval", group)
    # First seen at a scrape and the look after it, then looked at until the time has passed.
    assert scrape + look + seconds("for", group) + look < 25


def test_the_canarys_silence_is_told_within_thirty_seconds() -> None:
    scrape, group = alone("LoupeCanarySilent")
    assert " for:" not in group
    late = canary.TELL_SECONDS + scrape + seconds("interval", group)
    assert thresholds.CANARY_SILENCE.hurt + late < 30


async def test_the_page_is_clean_while_media_flows(server: Server, http: Client) -> None:
    async with Member(http, server.new_room(), "surgeon") as surgeon:
        await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
        await asyncio.sleep(2)
        for accept in ("", "application/openmetrics-text"):
            page = (await (await http.request("GET", "/metrics", headers={"Accept": accept})).text()).encode()
            if not accept:
                assert promtool("check", "metrics", given=page) == ""
            assert surgeon.id.encode() not in page
            assert surgeon.room.encode() not in page


def free_tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_prometheus_scrapes_the_live_server(server: Server, http: Client, tmp_path: Path) -> None:
    text = (PROMETHEUS / "prometheus.yml").read_text()
    text = (
        text.replace("127.0.0.1:8080", server.url.removeprefix("http://"))
        .replace("15s", "1s")
        .replace("5s", "1s")
    )
    (tmp_path / "prometheus.yml").write_text(text)
    (tmp_path / RULES.name).write_text(RULES.read_text())
    port = free_tcp_port()
    command = [
        tool("prometheus"),
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (tmp_path / "prometheus.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)

    async def ask(path: str) -> Any:
        async with http.session.get(f"http://127.0.0.1:{port}/api/v1/{path}") as response:
            return json.loads(await response.text())["data"]

    async def scraped(expression: str) -> bool:
        try:
            found = await ask(f"query?query={urllib.parse.quote(expression)}")
        except (OSError, ValueError, KeyError):
            return False
        return bool(found["result"])

    try:
        await until(lambda: scraped('up{job="loupe"} == 1'), 30, "a scrape that succeeded")
        await until(lambda: scraped("loupe_build_info"), 5, "a metric of ours")
        groups = (await ask("rules"))["groups"]
        assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
        assert sum(len(group["rules"]) for group in groups) == RULES.read_text().count("- alert:")
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)
