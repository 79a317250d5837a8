"""Commands over a data folder: what they do is in the audit, and the audit proves itself."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path

import pytest

from mediaserver.config import load
from mediaserver.store.store import Store
from tests.signalling.test_cli import run


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    """A folder as a server left it, and the flags that name it."""
    key = tmp_path / "keys" / "master.key"
    assert run("master-key", str(key)).returncode == 0
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "loupe.toml").write_text(f'[recording]\nmaster_key_file = "{key}"\n')
    Store.open(load({"data": {"folder": str(folder)}})).database.close()
    return ["--data", str(folder)]


def done(*arguments: str) -> str:
    found: subprocess.CompletedProcess[str] = run(*arguments)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_from_a_procedure_to_its_exported_audit(data: list[str], tmp_path: Path) -> None:
    procedure = done(
        "procedure", "open", "--room", "7QK2", "--reference", "BN-1", "--staff", "surgeon:Đặng Thị Hồng",
        "--by", "admin", *data,
    ).strip()  # fmt: skip
    consent = ["procedure", "consent", procedure, "recording"]
    done(*consent, "given", "--who", "Ánh", "--by", "admin", *data)
    [listed] = [json.loads(line) for line in done("procedure", "list", "--open", *data).splitlines()]
    assert (listed["id"], listed["permitted"]) == (procedure, ["recording"])
    anchor = tmp_path / "anchor.json"
    anchor.write_text(done("audit", "checkpoint", *data))
    done(*consent, "withdrawn", "--who", "Ánh", "--by", "admin", *data)
    done("procedure", "close", procedure, "--by", "admin", *data)
    assert done("procedure", "list", "--open", *data) == ""
    assert "intact: 4 records" in done("audit", "verify", "--anchor", str(anchor), *data)
    output = tmp_path / "audit.json"
    done("audit", "export", "-o", str(output), "--procedure", procedure, "--names", "--by", "admin", *data)
    bundle = json.loads(output.read_text())
    codes = [entry["resource"]["subtype"][0]["code"] for entry in bundle["entry"]]
    assert codes == ["patient.bind", "consent.give", "consent.withdraw", "session.end"]
    assert bundle["entry"][0]["resource"]["agent"][0]["name"] == "admin"
    with sqlite3.connect(tmp_path / "data" / "loupe.db") as database:
        database.execute("DROP TRIGGER audit_never_update")
        database.execute("UPDATE audit SET outcome = 'denied' WHERE seq = 2")
    database.close()
    found = run("audit", "verify", *data)
    assert found.returncode == 1
    assert "record 2 was altered" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["procedure", "consent", "x", "cooking", "given", "--who", "a", "--by", "b"], 2, "treatment_link"),
        (
            ["procedure", "consent", "x", "recording", "given", "--who", "a", "--by", "b"],
            1,
            "no such procedure",
        ),
        (
            ["procedure", "open", "--room", "7QK2", "--reference", "r", "--staff", "x", "--by", "b"],
            2,
            "ROLE:NAME",
        ),
        (["audit", "verify", "--anchor", "/nowhere"], 2, "no checkpoint"),
        (["audit", "checkpoint"], 1, "empty"),
    ],
)
def test_what_cannot_be_done_is_one_line(data: list[str], arguments: list[str], code: int, text: str) -> None:
    found = run(*arguments, *data)
    assert found.returncode == code, found.stderr
    assert text in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_a_folder_without_a_database_is_not_made(tmp_path: Path) -> None:
    found = run("audit", "verify", "--data", str(tmp_path))
    assert found.returncode == 1
    assert "holds no database" in found.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    assert run("master-key", str(tmp_path / "k")).returncode == 0
    found = run("master-key", str(tmp_path / "k"))
    assert found.returncode == 1
    assert "exists" in found.stderr
