"""What a first start writes is accepted when its comment signs go, and names what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from mediaserver.config import Settings, load
from mediaserver.sample_settings import SAMPLE

KEY = re.compile(r"^# (?=\w+ = |\[\[)", re.MULTILINE)


def test_nothing_is_set_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "loupe.toml"
    file.write_text(SAMPLE)
    folder = {"data": {"folder": tmp_path}}
    assert load(folder, file).model_dump() == load(folder).model_dump()


def test_every_key_is_a_setting() -> None:
    given = tomllib.loads(KEY.sub("", SAMPLE))
    # The one that is no value but a place for one.
    [webhook] = given["alerts"]["webhooks"]
    webhook["secret"] = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    del given["tls"]["certificate"], given["tls"]["key"]
    given["media"].pop("announced")
    load(given)
    assert given.keys() <= Settings.model_fields.keys()
    assert len(given) > 10


def test_defaults_are_told_as_they_are() -> None:
    given = tomllib.loads(KEY.sub("", SAMPLE))
    usual = Settings().model_dump()
    for section in ("listen", "limits", "history", "watch", "log"):
        assert given[section] == {key: usual[section][key] for key in given[section]}, section
