"""What follows from changes in a room."""

from __future__ import annotations

import pytest

from mediaserver.errors import LimitReached, NotPermitted, RoomFull, UnknownParticipant, UnknownPublication
from mediaserver.events import (
    ChatLine,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    PublicationChanged,
    Published,
    StandingChanged,
    Unpublished,
)
from mediaserver.ids import ParticipantId, PublicationId, Redacted, RoomId
from mediaserver.negotiation.media import Codec
from mediaserver.policy import RIGHTS, Right, Role
from mediaserver.room import EndPublication, Member, Publication, Renegotiate, Room, Silence, Tell


def member(name: str, role: Role = Role.STAFF, *, viewer: bool = False) -> Member:
    return Member(ParticipantId(name), Redacted(name), role, RIGHTS[role], viewer=viewer, automatic=viewer)


def publication(name: str, owner: str, handle: int = 1) -> Publication:
    return Publication(
        id=PublicationId(name),
        participant=ParticipantId(owner),
        handle=handle,
        kind="video",
        codec=Codec(0, "VP8", 90_000),
        repaired=True,
        label=name,
        source_type="endoscope",
    )


@pytest.fixture
def room() -> Room:
    made = Room(RoomId("r"), worker=0, max_participants=3, max_viewers=1, max_publications=2)
    made.join(member("an", Role.SURGEON))
    made.join(member("binh"))
    return made


AN, BINH = ParticipantId("an"), ParticipantId("binh")


def test_joining_is_told_to_the_others(room: Room) -> None:
    effects = room.join(member("chi"))
    assert [(e.to, type(e.event)) for e in effects if isinstance(e, Tell)] == [
        (AN, ParticipantJoined),
        (BINH, ParticipantJoined),
    ]
    with pytest.raises(RoomFull):
        room.join(member("dung"))


def test_a_viewer_is_seen_by_nobody(room: Room) -> None:
    assert room.join(member("eye", Role.OBSERVER, viewer=True)) == []
    assert [info.id for info in room.info().participants] == ["an", "binh"]
    assert room.leave(ParticipantId("eye")) == []
    room.join(member("eye", Role.OBSERVER, viewer=True))
    with pytest.raises(RoomFull):
        room.join(member("ear", Role.OBSERVER, viewer=True))


def test_publishing_is_told_to_all_and_sent_to_those_who_want_all(room: Room) -> None:
    room.subscribe(BINH, [], automatic=True)
    effects = room.publish(publication("scope", "an"))
    assert {e.to for e in effects if isinstance(e, Tell) and isinstance(e.event, Published)} == {AN, BINH}
    assert [e for e in effects if isinstance(e, Renegotiate)] == [Renegotiate(BINH)]
    assert [p.id for p in room.subscriptions(BINH)] == ["scope"]
    assert room.subscriptions(AN) == []


def test_unpublishing_ends_it_and_reaches_those_who_had_it(room: Room) -> None:
    room.publish(publication("scope", "an"))
    room.subscribe(BINH, [PublicationId("scope")], automatic=False)
    effects = room.unpublish(PublicationId("scope"))
    assert effects[0] == EndPublication(1)
    assert Renegotiate(BINH) in effects
    assert {e.to for e in effects if isinstance(e, Tell) and isinstance(e.event, Unpublished)} == {AN, BINH}
    assert room.members[BINH].wanted == frozenset()
    assert room.unpublish(PublicationId("scope")) == []


def test_leaving_ends_publications_first_and_tells_the_leaver_nothing(room: Room) -> None:
    room.publish(publication("scope", "an", 1))
    room.publish(publication("light", "an", 2))
    effects = room.leave(AN)
    assert [e.handle for e in effects if isinstance(e, EndPublication)] == [1, 2]
    told = [e for e in effects if isinstance(e, Tell)]
    assert {e.to for e in told} == {BINH}
    assert isinstance(told[-1].event, ParticipantLeft)
    assert room.publications == {}
    assert room.leave(AN) == []


def test_publications_are_limited(room: Room) -> None:
    room.publish(publication("one", "an"))
    room.publish(publication("two", "an"))
    with pytest.raises(LimitReached):
        room.publish(publication("three", "an"))


def test_muting_ones_own_and_anothers(room: Room) -> None:
    room.publish(publication("scope", "binh", 7))
    effects = room.mute(BINH, PublicationId("scope"), True)
    assert effects[0] == Silence(7, True)
    assert all(isinstance(e.event, PublicationChanged) for e in effects if isinstance(e, Tell))
    assert room.mute(BINH, PublicationId("scope"), True) == []
    room.mute(AN, PublicationId("scope"), False)
    room.join(member("chi"))
    with pytest.raises(NotPermitted):
        room.mute(ParticipantId("chi"), PublicationId("scope"), True)


def test_layers_and_silence_are_told_once(room: Room) -> None:
    room.publish(publication("scope", "an"))
    id = PublicationId("scope")
    assert len(room.layers_changed(id, (0, 1))) == 2
    assert room.layers_changed(id, (0, 1)) == []
    assert len(room.stalled(id, 500)) == 2
    assert room.stalled(id, 500) == []
    assert room.info().publications[0].silent_ms == 500
    with pytest.raises(UnknownPublication):
        room.stalled(PublicationId("gone"), 0)


def test_chat_reaches_all_by_right(room: Room) -> None:
    room.join(member("eye", Role.OBSERVER))
    effects = room.chat(AN, "hello", 5)
    assert {e.to for e in effects if isinstance(e, Tell)} == {"an", "binh", "eye"}
    assert isinstance(effects[0], Tell)
    assert isinstance(effects[0].event, ChatLine)
    with pytest.raises(NotPermitted):
        room.chat(ParticipantId("eye"), "hello", 5)


def test_removing_needs_the_right_and_a_member(room: Room) -> None:
    assert room.check_remove(AN, BINH).id == BINH
    with pytest.raises(NotPermitted):
        room.check_remove(BINH, AN)
    with pytest.raises(NotPermitted):
        room.check_remove(AN, AN)
    with pytest.raises(UnknownParticipant):
        room.check_remove(AN, ParticipantId("elsewhere"))


def test_a_dropped_socket_is_told_once(room: Room) -> None:
    effects = room.set_connected(AN, False)
    assert [(e.to, type(e.event)) for e in effects if isinstance(e, Tell)] == [(BINH, ParticipantChanged)]
    assert room.set_connected(AN, False) == []


def test_without_the_right_nothing_is_sent(room: Room) -> None:
    blind = Member(
        ParticipantId("op"), Redacted(""), Role.OPERATOR, frozenset({Right.INSPECT}), automatic=True
    )
    room.join(blind)
    room.publish(publication("scope", "an"))
    assert room.subscriptions(blind.id) == []
    with pytest.raises(NotPermitted):
        room.subscribe(blind.id, [], automatic=True)
    with pytest.raises(UnknownPublication) as refusal:
        room.subscribe(BINH, [PublicationId("scope"), PublicationId("x")], automatic=False)
    assert refusal.value.field == "$.publications[1]"


def test_whoever_speaks_in_the_room_knows_who_sees_less_than_they_should(room: Room) -> None:
    room.max_participants = 9
    eye = member("eye", Role.OBSERVER)
    room.join(eye)
    poor = StandingChanged(eye.id, "sound", "link")
    told = {e.to for e in room.standing_changed(poor) if isinstance(e, Tell)}
    assert told == {"an", "binh", "eye"}
    for role in (Role.MODERATOR, Role.STAFF, Role.SPECIALIST):
        assert Tell(ParticipantId(role), poor) in room.join(member(role, role))
    pupil = member("pupil", Role.OBSERVER)
    assert Tell(pupil.id, poor) not in room.join(pupil), "who only watches has enough to do"
    assert Tell(pupil.id, poor) not in room.standing_changed(poor)
    room.standing_changed(StandingChanged(eye.id, "full", None))
    assert not any(isinstance(e, Tell) and e.event == poor for e in room.join(member("x", Role.SURGEON)))


def test_of_a_whep_viewer_nobody_is_told(room: Room) -> None:
    watcher = Member(ParticipantId("w"), Redacted(""), Role.OBSERVER, RIGHTS[Role.OBSERVER], viewer=True)
    room.join(watcher)
    assert room.standing_changed(StandingChanged(watcher.id, "sound", "link")) == []
