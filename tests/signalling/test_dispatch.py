"""Requests of a joined participant, done by a real media server."""

from __future__ import annotations

import pytest

from mediaserver.errors import LoupeError, UnknownParticipant, UnknownPublication
from mediaserver.events import ChatLine
from mediaserver.participant import Participant
from mediaserver.policy import Right
from signalling import messages
from signalling.dispatch import perform
from signalling.errors import MalformedMessage, OutOfOrder
from tests.mediaserver.peers import identity, told
from tests.signalling.conftest import House
from tests.signalling.offers import offer


@pytest.fixture
async def surgeon(house: House) -> Participant:
    return house.server.join(identity(), "An")


def source(mid: str, label: str) -> messages.Source:
    return messages.Source(mid=mid, label=label, source_type="endoscope")


async def test_publishing_names_its_sources_and_cleans_labels(house: House, surgeon: Participant) -> None:
    request = messages.Publish(id=4, sdp=offer(audio=False), sources=[source("0", "sc\u202eope ")])
    answer = await perform(house.server, surgeon, request)
    assert isinstance(answer, messages.PublishedAnswer)
    assert (answer.id, [one.mid for one in answer.sources]) == (4, ["0"])
    published = house.server.rooms[surgeon.room].info().publications
    assert [(one.id, one.label) for one in published] == [(answer.sources[0].publication, "scope")]


@pytest.mark.parametrize(
    ("sources", "field"),
    [
        ([source("0", "a"), source("0", "b")], "$.sources[1].mid"),
        ([source("0", "\u202e")], "$.sources[0].label"),
    ],
)
async def test_sources_that_cannot_be(
    house: House, surgeon: Participant, sources: list[messages.Source], field: str
) -> None:
    with pytest.raises(MalformedMessage) as raised:
        await perform(house.server, surgeon, messages.Publish(id=1, sdp=offer(), sources=sources))
    assert raised.value.field == field


async def test_chat_is_cleaned_and_told(house: House, surgeon: Participant) -> None:
    done = await perform(house.server, surgeon, messages.Chat(id=2, text=" one\ntwo\u0007 "))
    assert done == messages.Ok(id=2)
    lines = [event.text.reveal() for event in told(surgeon) if isinstance(event, ChatLine)]
    assert lines == ["one\ntwo"]
    with pytest.raises(MalformedMessage):
        await perform(house.server, surgeon, messages.Chat(id=3, text="\u202e "))


async def test_a_ping_tells_the_time(house: House, surgeon: Participant) -> None:
    answer = await perform(house.server, surgeon, messages.Ping(id=9))
    assert isinstance(answer, messages.Pong)
    assert answer.server_time_ms > 1_700_000_000_000


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (messages.Join(id=1, token=""), OutOfOrder),
        (messages.Leave(id=1), OutOfOrder),
        (messages.Subscribe(id=1, publications=["no"]), UnknownPublication),
        (messages.Prefer(id=1, publication="no"), UnknownPublication),
        (messages.Mute(id=1, publication="no", muted=True), UnknownPublication),
        (messages.Remove(id=1, participant="no"), LoupeError),
        (messages.Answer(id=1, generation=1, sdp=""), LoupeError),
        (messages.RestartIce(id=1), LoupeError),
    ],
)
async def test_what_cannot_be_done_is_raised(
    house: House, surgeon: Participant, request_: messages.Request, error: type[LoupeError]
) -> None:
    with pytest.raises(error):
        await perform(house.server, surgeon, request_)


async def test_somebody_who_left_does_nothing(house: House, surgeon: Participant) -> None:
    assert Right.CHAT in surgeon.rights
    house.server.leave(surgeon)
    with pytest.raises(UnknownParticipant):
        await perform(house.server, surgeon, messages.Chat(id=1, text="x"))
