"""Each check finds what it is for, on this machine."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from mediaserver import config
from signalling import doctor, tls
from signalling.doctor import Check, Verdict


def settings(folder: Path, **more: Any) -> config.Settings:
    given: dict[str, Any] = {
        "data": {"folder": folder},
        "listen": {"host": "127.0.0.1", "port": 0},
        "media": {"addresses": ["127.0.0.1"], "port": 0, "workers": 1},
    }
    return config.load({**given, **more})


def test_a_taken_tcp_port(tmp_path: Path) -> None:
    assert doctor.check_http_port(settings(tmp_path)).verdict is Verdict.GOOD
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = doctor.check_http_port(settings(tmp_path, listen={"host": "127.0.0.1", "port": port}))
    assert found.verdict is Verdict.BAD
    assert str(port) in found.detail
    assert "--listen" in (found.fix or "")


def test_a_taken_udp_port(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        media = {"addresses": ["127.0.0.1"], "port": port, "workers": 1}
        found = doctor.check_media_ports(settings(tmp_path, media=media))
    assert found.verdict is Verdict.BAD
    assert str(port) in found.detail


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    elsewhere = settings(tmp_path, media={"addresses": ["192.0.2.1"], "port": 0, "workers": 1})
    assert doctor.check_media_ports(elsewhere).verdict is Verdict.BAD
    assert doctor.check_udp(elsewhere).verdict is Verdict.BAD
    assert doctor.check_udp(settings(tmp_path)).verdict is not Verdict.BAD


def test_addresses_that_only_this_computer_can_reach(tmp_path: Path) -> None:
    assert doctor.check_addresses(settings(tmp_path)).verdict is Verdict.WARN
    media = {"addresses": ["127.0.0.1"], "announced": ["192.0.2.1"], "port": 0, "workers": 1}
    assert doctor.check_addresses(settings(tmp_path, media=media)).verdict is Verdict.GOOD


def test_certificates(tmp_path: Path) -> None:
    made = tls.self_made(tmp_path, ["localhost"])
    given = {"certificate": made.certificate, "key": made.key}
    assert doctor.check_certificate(settings(tmp_path, tls=given)).verdict is Verdict.GOOD
    made.key.write_text("not a key")
    assert doctor.check_certificate(settings(tmp_path, tls=given)).verdict is Verdict.BAD


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    good = doctor.check_disk(settings(tmp_path / "not" / "yet"))
    assert good.verdict is not Verdict.BAD
    assert list(tmp_path.iterdir()) == [], "it leaves nothing"
    (tmp_path / "file").write_text("")
    assert doctor.check_disk(settings(tmp_path / "file")).verdict is Verdict.BAD


def test_the_native_plane_and_the_clock(tmp_path: Path) -> None:
    assert doctor.check_native_plane(settings(tmp_path)).verdict is Verdict.GOOD
    assert doctor.check_clock(settings(tmp_path)).verdict is not Verdict.BAD
    assert doctor.check_buffers(settings(tmp_path)).name == "udp_buffers"


@pytest.mark.parametrize("colour", [True, False])
def test_findings_are_readable_and_machine_readable(colour: bool) -> None:
    checks = [
        Check(name="one", verdict=Verdict.GOOD, detail="fine"),
        Check(name="two", verdict=Verdict.BAD, detail="broken", fix="mend it"),
    ]
    text = doctor.as_text(checks, colour=colour)
    assert ("\x1b[31m" in text) is colour
    assert "fix: mend it" in text
    assert [one["verdict"] for one in json.loads(doctor.as_json(checks))] == ["good", "bad"]
