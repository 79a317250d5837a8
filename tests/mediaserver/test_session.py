"""The maps, and what closing takes out of them."""

from __future__ import annotations

import pytest

from mediaserver.errors import UnknownParticipant, UnknownRoom
from mediaserver.ids import RoomId
from mediaserver.participant import Participant
from mediaserver.session import new_ssrc
from tests.mediaserver.adaptation.watching import theatre
from tests.mediaserver.peers import identity, make_server, publish


async def test_only_the_living_participant_itself_is_found() -> None:
    server = make_server()
    await server.start()
    real = server.join(identity(), "An")
    forged = Participant(real.id, real.room, real.name, real.role, real.rights)
    assert server.registry.session(real).participant is real
    with pytest.raises(UnknownParticipant):
        server.registry.session(forged)
    with pytest.raises(UnknownRoom):
        server.registry.room(RoomId("nowhere"))
    await server.stop()


async def test_closing_a_transport_is_idempotent() -> None:
    server = make_server()
    await server.start()
    surgeon = server.join(identity(), "An")
    await publish(server, surgeon)
    _, transport = next(iter(server.registry.transports.values()))
    server.registry.close_transport(transport)
    server.registry.close_transport(transport)
    assert server.registry.transports == {}
    await server.stop()
    assert not any(server.registry.leftovers().values())


def test_ssrcs_are_never_zero_and_rarely_twice() -> None:
    made = {new_ssrc() for _ in range(1000)}
    assert len(made) > 990
    assert min(made) > 0
    assert max(made) < 2**32


async def test_whose_layers_are_to_be_chosen_anew() -> None:
    async with theatre() as room:
        registry = room.server.registry
        first = await room.enter()
        registry.unsettled.take()
        second = await room.enter()
        both = {registry.sessions[first.id], registry.sessions[second.id]}
        assert registry.unsettled.take() == both, "key frames are no longer one viewer's own"
        third = await room.enter()
        assert registry.unsettled.take() == {registry.sessions[third.id]}
        assert registry.audience[room.picture.handle] == 3
        registry.mute(room.picture.handle, True)
        assert registry.unsettled.take() == both | {registry.sessions[third.id]}
        room.server.leave(room.surgeon)
        assert not registry.audience
