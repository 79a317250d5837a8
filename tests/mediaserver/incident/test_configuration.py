"""The configuration in a report: every setting in words and with units, in both languages, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaserver.config import History, IceServer, Limits, Recording, Settings, Tls
from mediaserver.incident.configuration import NAMES, rows, told
from mediaserver.incident.words import Language

CHOSEN = Settings.model_construct(
    limits=Limits(resume_seconds=12.5),
    history=History(max_bytes=1_572_864, keep_days=7),
    recording=Recording(master_key_file=Path("/a/private/place")),
    tls=Tls(certificate=Path("/a/private/place"), key=Path("/a/private/place")),
    ice_servers=(IceServer.model_validate({"urls": ("turn:192.0.2.1",), "credential": "hidden"}),),
)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_setting_that_is_told_has_a_name_and_a_value(language: Language) -> None:
    configuration = told(Settings.model_construct())
    found = rows(configuration, language)
    assert len(found) == sum(len(keys) for keys in configuration.values()) == len(NAMES)
    names = [name for name, _, _ in found]
    assert len(set(names)) == len(names)
    assert not any("_" in name or "." in name for name in names), names
    assert all(value and not usual for _, value, usual in found)


def test_values_have_units_and_stand_beside_the_default_where_they_differ() -> None:
    english = {name: (value, usual) for name, value, usual in rows(told(CHOSEN), "en")}
    assert english["Limit: Wait for who lost the connection"] == ("12.5 s", "30 s")
    assert english["Figures hold at most"] == ("1.5 MiB", "4 GiB")
    assert english["Figures are kept for"] == ("7 days", "30 days")
    assert english["Recording"] == ("on", "off")
    assert english["STUN and TURN servers"] == ("1", "0")
    assert english["All recordings hold at most"] == ("no limit", "")
    vietnamese = {name: (value, usual) for name, value, usual in rows(told(CHOSEN), "vi")}
    assert vietnamese["Giới hạn: Chờ người mất kết nối trở lại"] == ("12,5 s", "30 s")


def test_nothing_secret_and_no_place_is_told() -> None:
    text = str(told(CHOSEN))
    assert "private" not in text
    assert "192.0.2.1" not in text
    assert "hidden" not in text


def test_a_setting_of_another_version_is_told_by_its_own_name() -> None:
    assert ["limits.of_old", "7", ""] in rows({"limits": {"of_old": 7}}, "en")
