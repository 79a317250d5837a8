"""What the desk knows of one room that stands, from second to second. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mediaserver.alerts.lasting import Change, Lasting, Raised
from mediaserver.cause.texts import CAUSES
from mediaserver.clinical import USUAL, ClinicalClass
from mediaserver.operations.missing import Missing
from mediaserver.operations.model import (
    Alert,
    BoardRow,
    Finding,
    ParticipantDetail,
    RoomState,
    Sample,
    TimelineEvent,
)
from mediaserver.operations.timeline import Scene, happened
from mediaserver.room import Room

_STATES: tuple[RoomState, ...] = ("hurt", "watch", "unknown", "good")


@dataclass(slots=True)
class LiveRoom:
    """One room's standing: ``span`` is its number in the history."""

    room: Room
    span: int
    opened_ms: int
    clinical_class: ClinicalClass | None = None
    scene: Scene = field(default_factory=Scene)
    samples: list[Sample] = field(default_factory=list)
    joined_ms: dict[str, int] = field(default_factory=dict)
    state: RoomState = "unknown"
    since_ms: int = 0
    lasting: Lasting = field(default_factory=Lasting)
    missing: Missing = field(default_factory=Missing)

    def second(
        self, samples: list[Sample], findings: Sequence[Finding], scene: Scene, at_ms: int
    ) -> list[TimelineEvent]:
        """Takes what was seen in this second; what happened since the one before."""
        events = happened(self.scene, scene, at_ms)
        self.missing.second(self.scene, scene, at_ms)
        awaited = self.missing.findings(at_ms) if self.used_for.vital else []
        changes = self.lasting.second([*findings, *awaited], at_ms)
        events += [_of_change(change, at_ms) for change in changes]
        self.scene, self.samples = scene, samples
        if self.joined_ms.keys() != scene.seats.keys():
            self.joined_ms = {id: self.joined_ms.get(id, at_ms) for id in scene.seats}
        state = self._judge()
        if state != self.state or self.since_ms == 0:
            self.state, self.since_ms = state, at_ms
        return events

    def missed(self, at_ms: int) -> None:
        """A second that could not be looked at: what was well is not known to be so."""
        if self.state == "good":
            self.state, self.since_ms = "unknown", at_ms

    def end(self, at_ms: int) -> list[TimelineEvent]:
        """The room is gone."""
        events = happened(self.scene, Scene(), at_ms)
        events += [_of_change(change, at_ms) for change in self.lasting.end()]
        return [*events, TimelineEvent(at_ms=at_ms, kind="room_closed")]

    def _judge(self) -> RoomState:
        current = self.lasting.current()
        if current:
            return current[0].severity
        flows = any(sample.sources or sample.views for sample in self.samples)
        return "good" if flows else "unknown"

    # ---- As operators see it ----

    @property
    def used_for(self) -> ClinicalClass:
        """What tokens said, or the usual."""
        return self.clinical_class or USUAL

    def row(self) -> BoardRow:
        """The board's row."""
        findings = self.lasting.current()
        members = self.room.members.values()
        return BoardRow(
            room=self.room.id,
            clinical_class=self.used_for,
            state=self.state,
            since_ms=self.since_ms,
            cause=CAUSES[findings[0].cause] if findings else None,
            worst_participant=findings[0].participant if findings else None,
            worst_role=findings[0].role if findings else None,
            findings=findings,
            participants=sum(1 for member in members if not member.viewer),
            viewers=sum(1 for member in members if member.viewer),
            publications=len(self.room.publications),
            recording=self.scene.recording,
            opened_ms=self.opened_ms,
        )

    def participants(self) -> list[ParticipantDetail]:
        """In order of joining."""
        samples = {sample.participant: sample for sample in self.samples}
        findings = self.lasting.current()
        return [
            ParticipantDetail(
                id=member.id,
                role=member.role,
                viewer=member.viewer,
                joined_ms=self.joined_ms.get(member.id, self.opened_ms),
                sample=samples.get(member.id),
                findings=[one for one in findings if one.participant == member.id],
            )
            for member in self.room.members.values()
        ]


def first_look(row: BoardRow) -> tuple[bool, int, int, int]:
    """A sort key: whoever waits before tests, worst state, clinical class, then who has waited longest.

    Where nobody can tell how people are that are there, one looks before where all is well.
    """
    place = _STATES.index(row.state)
    if row.state == "unknown" and not row.participants + row.viewers:
        place = len(_STATES)
    return row.clinical_class is ClinicalClass.TEST, place, -row.clinical_class.urgency, row.since_ms


def first_alert(alert: Alert) -> tuple[bool, int, int]:
    """A sort key: what hurts, then the whole server and the clinical class, then the newest."""
    urgency = len(ClinicalClass) if alert.clinical_class is None else alert.clinical_class.urgency
    return alert.severity != "hurt", -urgency, -alert.raised_ms


def _of_change(change: Change, at_ms: int) -> TimelineEvent:
    return TimelineEvent(
        at_ms=at_ms,
        kind="finding_raised" if isinstance(change, Raised) else "finding_cleared",
        participant=change.finding.participant,
        publication=change.finding.publication,
        detail=f"{change.finding.cause} {change.finding.severity}",
        evidence=change.finding.evidence if isinstance(change, Raised) else (),
    )
