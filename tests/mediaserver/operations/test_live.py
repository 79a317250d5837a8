"""A room on the board: its state, since when, and the order of rooms."""

from __future__ import annotations

from mediaserver.cause.texts import CAUSES
from mediaserver.cause.thresholds import true
from mediaserver.clinical import ClinicalClass
from mediaserver.ids import ParticipantId, Redacted, RoomId
from mediaserver.operations.live import LiveRoom, first_alert, first_look
from mediaserver.operations.model import Alert, Finding, RoomState, Severity
from mediaserver.operations.timeline import Scene
from mediaserver.policy import RIGHTS, Role
from mediaserver.room import Member, Room
from tests.mediaserver.seconds import AT_MS, surgeon

SEAT = surgeon(up=None, sources=())
LOSS = Finding(
    cause="viewer_downlink",
    severity="hurt",
    evidence=(true("interrupted", "hurt")[1],),
    participant="p",
    role=Role.SURGEON,
)


def room(name: str = "r") -> LiveRoom:
    plain = Room(RoomId(name), 0, 32, 32, 8)
    plain.join(Member(ParticipantId("p"), Redacted("Dr An"), Role.SURGEON, RIGHTS[Role.SURGEON]))
    plain.join(Member(ParticipantId("v"), Redacted(""), Role.OBSERVER, RIGHTS[Role.OBSERVER], viewer=True))
    return LiveRoom(plain, 1, AT_MS)


def play(live: LiveRoom, letters: str) -> list[str]:
    """``h``: a hurt second. What the timeline says of findings."""
    said: list[str] = []
    for index, letter in enumerate(letters):
        found: list[Finding] = [LOSS] if letter == "h" else []
        events = live.second([surgeon()], found, Scene({"p": SEAT}), AT_MS + 1000 * index)
        said += [f"{event.kind} {event.detail}" for event in events if event.kind.startswith("finding")]
    return said


def test_state_follows_what_lasts_and_remembers_since_when() -> None:
    live = room()
    assert live.row().state == "unknown"
    assert play(live, "..") == []
    assert (live.state, live.since_ms) == ("good", AT_MS)
    assert play(live, "hhhh") == ["finding_raised viewer_downlink hurt"]
    row = live.row()
    assert (row.state, row.since_ms, row.worst_participant) == ("hurt", AT_MS + 2000, "p")
    assert row.worst_role is Role.SURGEON
    assert row.cause is not None
    assert row.cause.cause == "viewer_downlink"
    assert (row.participants, row.viewers, row.clinical_class) == (1, 1, ClinicalClass.CONSULT)
    assert "Dr An" not in repr(row)
    assert play(live, "." * 10) == ["finding_cleared viewer_downlink hurt"]
    assert live.row().state == "good"


def test_the_end_ends_everything() -> None:
    live = room()
    play(live, "hhh")
    kinds = [event.kind for event in live.end(AT_MS)]
    assert kinds == ["left", "finding_cleared", "room_closed"]


def test_participants_come_with_their_own_findings() -> None:
    live = room()
    play(live, "hhh")
    one, other = live.participants()
    assert ([f.cause for f in one.findings], other.findings) == (["viewer_downlink"], [])
    assert (one.role, other.viewer) == (Role.SURGEON, True)


def test_worst_first_then_class_then_who_waits_longest_and_tests_below() -> None:
    def row(state: RoomState, kind: ClinicalClass, since_ms: int, *, empty: bool = False) -> LiveRoom:
        live = room(f"{state}-{kind}-{since_ms}")
        if empty:
            live.room.members.clear()
        live.state, live.clinical_class, live.since_ms = state, kind, since_ms
        return live

    order = [
        row("hurt", ClinicalClass.SURGERY, 5),
        row("hurt", ClinicalClass.TEACHING, 1),
        row("hurt", ClinicalClass.TEACHING, 9),
        row("watch", ClinicalClass.SURGERY, 1),
        row("unknown", ClinicalClass.SURGERY, 1),
        row("unknown", ClinicalClass.TEACHING, 1),
        row("good", ClinicalClass.SURGERY, 1),
        row("good", ClinicalClass.CONSULT, 1),
        row("unknown", ClinicalClass.SURGERY, 1, empty=True),
        row("hurt", ClinicalClass.TEST, 1),
        row("good", ClinicalClass.TEST, 1),
    ]
    rows = [live.row() for live in order]
    backwards = list(reversed(rows))
    assert sorted(backwards, key=first_look) == rows


def test_alerts_come_as_rooms_do_and_the_servers_own_before() -> None:
    def alert(id: str, kind: ClinicalClass | None, severity: Severity, raised_ms: int) -> Alert:
        return Alert(
            id=id,
            room=None if kind is None else "r",
            clinical_class=kind,
            cause=CAUSES["relay"],
            severity=severity,
            participant=None,
            evidence=(),
            raised_ms=raised_ms,
            cleared_ms=None,
        )

    found = [
        alert("watch", ClinicalClass.SURGERY, "watch", 9),
        alert("newer consult", ClinicalClass.CONSULT, "hurt", 8),
        alert("consult", ClinicalClass.CONSULT, "hurt", 7),
        alert("surgery", ClinicalClass.SURGERY, "hurt", 1),
        alert("server", None, "hurt", 2),
    ]
    expected = ["server", "surgery", "newer consult", "consult", "watch"]
    assert [one.id for one in sorted(found, key=first_alert)] == expected
