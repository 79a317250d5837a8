"""Dashboards: every expression parses, and every metric in them and in the rules is the server's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.deploy_files import GRAFANA, PROMETHEUS, promtool
from tests.recording_room import RecordingServer
from tests.running import Client

DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$instance": ".*"}


def expressions(dashboard: Path) -> list[str]:
    """Of all panels, with Grafana's variables filled in."""
    found: list[str] = []
    for panel in json.loads(dashboard.read_text())["panels"]:
        for target in panel["targets"]:
            text: str = target["expr"]
            for name, value in VARIABLES.items():
                text = text.replace(name, value)
            assert "$" not in text, text
            found.append(text)
    return found


def rules() -> list[str]:
    return re.findall(r"^ +expr: (.+)$", (PROMETHEUS / "loupe.rules.yml").read_text(), re.MULTILINE)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_every_expression_parses(dashboard: Path, tmp_path: Path) -> None:
    made = [{"record": f"try_{index}", "expr": text} for index, text in enumerate(expressions(dashboard))]
    assert len(made) > 15
    path = tmp_path / "rules.yml"
    # JSON is YAML.
    path.write_text(json.dumps({"groups": [{"name": "try", "rules": made}]}))
    promtool("check", "rules", path)


ABSENT = {"loupe_recorder_disk_left_seconds", "loupe_storage_segments_total"}
"""While nothing is written, without object storage; the recorder's and the store's own tests have them."""


async def test_every_metric_exists(tmp_path: Path) -> None:
    server = RecordingServer.begin(tmp_path)  # who does not record has no figures of it
    try:
        async with Client(server) as http:
            page = await (await http.request("GET", "/metrics")).text()
    finally:
        server.stop()
    families = {(name, kind) for name, kind in re.findall(r"^# TYPE (loupe_\w+) (\w+)$", page, re.MULTILINE)}
    known = {name for name, _ in families}
    known |= {
        f"{name}_{part}"
        for name, kind in families
        if kind == "histogram"
        for part in ("bucket", "sum", "count")
    }
    used = [text for dashboard in DASHBOARDS for text in expressions(dashboard)] + rules()
    named = {name for text in used for name in re.findall(r"\bloupe_\w+", text)}
    assert len(named) > 20
    assert named - known <= ABSENT, named - known


def test_panels_are_whole_and_do_not_overlap() -> None:
    for dashboard in DASHBOARDS:
        content = json.loads(dashboard.read_text())
        panels = content["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            cells = {
                (place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])
            }
            assert not taken & cells, panel["title"]
            assert place["x"] + place["w"] <= 24
            taken |= cells


def test_provisioning_names_a_data_source_that_the_panels_use() -> None:
    source = (GRAFANA / "provisioning/datasources/prometheus.yaml").read_text()
    uid = re.search(r"^ +uid: (\w+)$", source, re.MULTILINE)
    assert uid is not None
    assert "type: file" in (GRAFANA / "provisioning/dashboards/loupe.yaml").read_text()
    for dashboard in DASHBOARDS:
        for panel in json.loads(dashboard.read_text())["panels"]:
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {uid[1]}
