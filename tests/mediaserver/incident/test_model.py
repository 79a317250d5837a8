"""The report's types: they survive the wire, and have no field that could hold a name."""

from __future__ import annotations

import msgspec

from mediaserver.cause.texts import CAUSES
from mediaserver.incident.model import CauseSpan, IncidentReport, LegSummary
from mediaserver.operations.model import Evidence

PERSONAL = {"name", "address", "token", "patient", "sdp", "ip", "subject"}


def test_no_field_is_for_a_person() -> None:
    for kind in (CauseSpan, IncidentReport, LegSummary):
        assert not PERSONAL & set(kind.__struct_fields__), kind


def test_a_cause_survives_the_wire() -> None:
    limit = Evidence(measure="loss_after", value=0.2, limit=0.05, unit="ratio")
    lasting = CauseSpan(
        cause=CAUSES["relay"], severity="hurt", evidence=(limit,), participant="a", began_ms=7, ended_ms=None
    )
    assert msgspec.json.decode(msgspec.json.encode(lasting), type=CauseSpan) == lasting
