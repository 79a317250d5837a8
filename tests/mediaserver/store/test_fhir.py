"""The audit as FHIR R4: what the specification demands of a Bundle of AuditEvents, rule by rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from mediaserver.audit import Actor, Event
from mediaserver.ids import Redacted
from mediaserver.policy import Role
from mediaserver.store import fhir
from mediaserver.store.audit import AuditTrail, find, find_all
from mediaserver.store.database import Database
from mediaserver.vault import Vault

INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+(Z|[+-]\d{2}:\d{2})")
"""http://hl7.org/fhir/R4/datatypes.html#instant: to the second at least, always with a zone."""
ELEMENTS = {
    "AuditEvent": {
        "resourceType": 1, "id": 0, "type": 1, "subtype": 0, "action": 0, "period": 0, "recorded": 1,
        "outcome": 0, "outcomeDesc": 0, "purposeOfEvent": 0, "agent": 1, "source": 1, "entity": 0,
    },
    "agent": {
        "type": 0, "role": 0, "who": 0, "altId": 0, "name": 0, "requestor": 1, "location": 0, "policy": 0,
        "media": 0, "network": 0, "purposeOfUse": 0,
    },
    "source": {"site": 0, "observer": 1, "type": 0},
    "entity": {
        "what": 0, "type": 0, "role": 0, "lifecycle": 0, "securityLabel": 0, "name": 0, "description": 0,
        "query": 0, "detail": 0,
    },
    "detail": {"type": 1, "valueString": 0, "valueBase64Binary": 0},
    "Coding": {"system": 0, "version": 0, "code": 0, "display": 0, "userSelected": 0},
    "Reference": {"reference": 0, "type": 0, "identifier": 0, "display": 0},
    "CodeableConcept": {"coding": 0, "text": 0},
}  # fmt: skip
"""The elements of R4 (4.0.1), 1: required."""


def check(kind: str, value: dict[str, Any]) -> None:
    known = ELEMENTS[kind]
    assert value.keys() <= known.keys(), f"{kind}: {value.keys() - known.keys()}"
    assert {name for name, required in known.items() if required} <= value.keys(), kind
    # "There shall be no empty objects, arrays or strings" (json.html).
    assert all(one not in ({}, [], "", None) for one in value.values()), value


def check_event(event: dict[str, Any]) -> None:
    check("AuditEvent", event)
    assert event["resourceType"] == "AuditEvent"
    for coding in (event["type"], *event["subtype"], *event["source"]["type"]):
        check("Coding", coding)
    assert event["action"] in "CRUDE"
    assert event["outcome"] in ("0", "4", "8", "12")
    assert INSTANT.fullmatch(event["recorded"])
    for concept in event.get("purposeOfEvent", []):
        check("CodeableConcept", concept)
    assert event["agent"]
    for agent in event["agent"]:
        check("agent", agent)
        assert isinstance(agent["requestor"], bool)
        check("Reference", agent["who"])
        for concept in agent.get("role", []):
            check("CodeableConcept", concept)
    check("source", event["source"])
    check("Reference", event["source"]["observer"])
    for entity in event.get("entity", []):
        check("entity", entity)
        check("Reference", entity["what"])
        check("Coding", entity["type"])
        # sev-1: a name or a query, never both.
        assert not {"name", "query"} <= entity.keys()
        for detail in entity.get("detail", []):
            check("detail", detail)
            assert isinstance(detail["valueString"], str)


def read(text: Iterator[str]) -> list[dict[str, Any]]:
    bundle = json.loads("".join(text))
    assert bundle.keys() == {"resourceType", "type", "entry"}
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls), "bdl-7"
    for entry in bundle["entry"]:
        assert entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}"
    return [entry["resource"] for entry in bundle["entry"]]


@pytest.fixture
async def trail(database: Database, vault: Vault) -> AuditTrail:
    kept = AuditTrail(database, vault)
    who = Actor(id="p1", role=Role.SPECIALIST, name=Redacted("Nguyễn Văn Ánh"), address_class="public")
    for event in Event:
        kept.append(event, actor=who, room="7QK2", procedure="pr", subject="s", details={"n": 1, "x": None})
    kept.append("something.new", actor="system", outcome="denied")
    await kept.flush()
    return kept


async def test_every_event_becomes_a_valid_resource(
    trail: AuditTrail, database: Database, vault: Vault
) -> None:
    events = read(fhir.bundle(find_all(database)))
    assert len(events) == len(Event) + 1
    for event in events:
        check_event(event)
    assert {event["subtype"][0]["code"] for event in events} >= {one.value for one in Event}
    assert all("name" not in agent for event in events for agent in event["agent"])
    named = read(fhir.bundle(find_all(database), vault))
    for event in named:
        check_event(event)
    assert named[0]["agent"][0]["name"] == "Nguyễn Văn Ánh"
    assert [event["id"] for event in named] == [event["id"] for event in events], "the same each time"
    assert trail.spooled == 0


@pytest.mark.usefixtures("trail")
async def test_codes_say_what_was_done(database: Database) -> None:
    by_name = {event["subtype"][0]["code"]: event for event in read(fhir.bundle(find_all(database)))}

    def of(name: str) -> tuple[str, str]:
        return by_name[name]["type"]["code"], by_name[name]["action"]

    assert of("view.start") == ("110103", "R")
    assert of("recording.export") == ("110106", "R")
    assert of("recording.delete") == ("110105", "D")
    assert of("breakglass") == ("110127", "E")
    assert by_name["breakglass"]["purposeOfEvent"][0]["coding"][0]["code"] == "BTG"
    assert by_name["something.new"]["outcome"] == "4"
    assert by_name["something.new"]["agent"][0]["requestor"] is False
    details = {one["type"]: one["valueString"] for one in by_name["view.start"]["entity"][0]["detail"]}
    assert details["n"] == "1"
    assert details["address_class"] == "public"
    assert len(details["sha256"]) == 64


async def test_an_empty_audit_and_the_local_zone(database: Database, vault: Vault) -> None:
    assert read(fhir.bundle([])) == []
    kept = AuditTrail(database, vault)
    kept.append(Event.VIEW_START, actor="p")
    await kept.flush()
    [record] = await database.read(find)
    assert datetime.fromisoformat(fhir.audit_event(record)["recorded"]).astimezone(UTC) == record.time
