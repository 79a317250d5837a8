"""The audit as a FHIR R4 Bundle of AuditEvent resources (http://hl7.org/fhir/R4/auditevent.html).

Types are DICOM's audit codes (PS3.16 CID 400 and following), the exact event its own subtype. Ids are opaque;
names are put in only when asked for.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import timedelta, timezone
from typing import Any, Final

from mediaserver.store.audit import Record
from mediaserver.store.rooms import RoomNames
from mediaserver.vault import Vault

DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
EVENTS: Final = "urn:loupe:audit-event"
ROLES: Final = "urn:loupe:role"
IDS: Final = "urn:loupe:id"
SOURCE_TYPES: Final = "http://terminology.hl7.org/CodeSystem/security-source-type"
ENTITY_TYPES: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
REASONS: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_NAMESPACE: Final = uuid.UUID("6f3d0d0c-6a0f-4a53-9a0e-7f6f2f1f7c1d")

_TYPES: Final = {
    "110100": "Application Activity",
    "110101": "Audit Log Used",
    "110103": "DICOM Instances Accessed",
    "110104": "DICOM Instances Transferred",
    "110105": "DICOM Study Deleted",
    "110106": "Export",
    "110110": "Patient Record",
    "110111": "Procedure Record",
    "110112": "Query",
    "110113": "Security Alert",
    "110114": "User Authentication",
    "110127": "Emergency Override Started",
    "110128": "Network Configuration",
    "110136": "Security Roles Changed",
}
"""DICOM PS3.16 annex D."""

# Event or its first part -> type, action (C create, R read, U update, D delete, E execute).
_MEANINGS: Final[dict[str, tuple[str, str]]] = {
    "access": ("110113", "E"),
    "annotation": ("110111", "C"),
    "audit": ("110100", "E"),
    "audit.export": ("110101", "R"),
    "audit.read": ("110101", "R"),
    "bookmark": ("110111", "U"),
    "breakglass": ("110127", "E"),
    "config": ("110128", "U"),
    "consent": ("110110", "U"),
    "freeze": ("110100", "E"),
    "operations": ("110100", "E"),
    "operations.read": ("110111", "R"),
    "participant": ("110114", "E"),
    "participant.deny": ("110113", "E"),
    "patient": ("110110", "C"),
    "patient.confirm": ("110110", "U"),
    "publish": ("110104", "E"),
    "recording": ("110111", "C"),
    "recording.delete": ("110105", "D"),
    "recording.export": ("110106", "R"),
    "recording.hold": ("110111", "U"),
    "recording.review": ("110103", "R"),
    "recording.search": ("110112", "E"),
    "role": ("110136", "U"),
    "session": ("110111", "U"),
    "view": ("110103", "R"),
}
_OUTCOMES: Final = {"success": "0", "denied": "4", "failed": "8"}
"""http://hl7.org/fhir/R4/valueset-audit-event-outcome.html"""


def audit_event(record: Record, vault: Vault | None = None) -> dict[str, Any]:
    """One record as a resource; with a vault, the actor's and the room's names are opened."""
    type_code, action = _meaning(record.event)
    zone = timezone(timedelta(minutes=record.zone_minutes))
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": _id(record),
        "type": {"system": DICOM, "code": type_code, "display": _TYPES[type_code]},
        "subtype": [{"system": EVENTS, "code": record.event}],
        "action": action,
        "recorded": record.time.astimezone(zone).isoformat(timespec="milliseconds"),
        "outcome": _OUTCOMES[record.outcome],
        "agent": [_agent(record, vault)],
        "source": {
            "observer": {"display": "Loupe"},
            "type": [{"system": SOURCE_TYPES, "code": "4", "display": "Application Server"}],
        },
    }
    if record.event.startswith("breakglass"):
        event["purposeOfEvent"] = [{"coding": [{"system": REASONS, "code": "BTG"}]}]
    entities = list(_entities(record, vault))
    if entities:
        event["entity"] = entities
    return event


def bundle(records: Iterable[Record], vault: Vault | None = None) -> Iterator[str]:
    """The text of a Bundle of type ``collection``, piece by piece: an audit may be long."""
    yield '{"resourceType":"Bundle","type":"collection","entry":['
    separator = ""
    for record in records:
        resource = audit_event(record, vault)
        entry = {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
        yield separator + json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
        separator = ","
    yield "]}\n"


def _meaning(event: str) -> tuple[str, str]:
    found = _MEANINGS.get(event) or _MEANINGS.get(event.partition(".")[0])
    return found or ("110100", "E")


def _id(record: Record) -> str:
    """The same for the same record, whoever exports it when."""
    return str(uuid.uuid5(_NAMESPACE, record.hash.hex()))


def _agent(record: Record, vault: Vault | None) -> dict[str, Any]:
    agent: dict[str, Any] = {
        "who": {"identifier": {"system": IDS, "value": record.actor}},
        "requestor": record.actor != "system",
    }
    name = None if vault is None else record.actor_name(vault)
    if name:
        agent["name"] = name
    if record.role is not None:
        agent["role"] = [{"coding": [{"system": ROLES, "code": record.role}]}]
    return agent


def _entities(record: Record, vault: Vault | None) -> Iterator[dict[str, Any]]:
    """What it was done to; the record's place in the chain goes with the first."""
    chain = [
        {"type": "seq", "valueString": str(record.seq)},
        {"type": "sha256", "valueString": record.hash.hex()},
    ]
    details = [
        {"type": name, "valueString": value if isinstance(value, str) else json.dumps(value)}
        for name, value in record.opened_details(vault).items()
        if value not in (None, "")
    ]
    if record.address_class is not None:
        details.append({"type": "address_class", "valueString": record.address_class})
    room = record.room_name(RoomNames(vault))
    places = (
        ("procedure", record.procedure),
        ("room", room),
        ("subject", record.subject),
    )
    named = [(kind, id) for kind, id in places if id]
    for index, (kind, id) in enumerate(named or [("record", str(record.seq))]):
        yield {
            "what": {"identifier": {"system": IDS, "value": id}},
            "type": {"system": ENTITY_TYPES, "code": "4", "display": "Other"},
            "description": kind,
            **({"detail": chain + details} if index == 0 else {}),
        }
