"""Subscribing: what refuses an answer, and wishes that outlive negotiation."""

from __future__ import annotations

import pytest

from mediaserver.errors import MalformedSdp, StaleGeneration, TransportFailed, UnknownPublication
from mediaserver.events import Offer, TransportState
from mediaserver.ids import PublicationId
from mediaserver.negotiation.offer import parse_description
from mediaserver.server import Server
from mediaserver.session import Wish
from tests.mediaserver.peers import answer_to, connected, identity, publish, running_server, told


async def test_a_broken_answer_leaves_the_offer_open(server: Server) -> None:
    surgeon, viewer = server.join(identity(), "An"), server.join(identity(), "Binh")
    await publish(server, surgeon)
    server.subscribe(viewer, [], automatic=True)
    offer = told(viewer)[-1]
    assert isinstance(offer, Offer)
    with pytest.raises(StaleGeneration):
        await server.answer(viewer, 2, answer_to(offer.sdp))
    with pytest.raises(MalformedSdp):
        await server.answer(viewer, 1, "v=0\r\n")
    await server.answer(viewer, 1, answer_to(offer.sdp))
    with pytest.raises(StaleGeneration):
        await server.answer(viewer, 0, answer_to(offer.sdp))


async def test_an_answer_said_again_after_a_lost_socket_is_taken_and_changes_nothing(server: Server) -> None:
    surgeon, viewer = server.join(identity(), "An"), server.join(identity(), "Binh")
    await publish(server, surgeon)
    server.subscribe(viewer, [], automatic=True)
    offer = told(viewer)[-1]
    assert isinstance(offer, Offer)
    await server.answer(viewer, 1, answer_to(offer.sdp))
    connected(server)
    before = dict(server.registry.subscriptions)
    assert len(before) == 2
    await server.answer(viewer, 1, answer_to(offer.sdp))
    assert server.registry.subscriptions == before


async def test_a_full_room_is_shown_as_far_as_an_answer_has_sections() -> None:
    async with running_server(media_sections=3) as server:
        speakers = [server.join(identity(), f"An {number}") for number in range(3)]
        for speaker in speakers:
            await publish(server, speaker)
        viewer = server.join(identity(), "Binh")
        server.subscribe(viewer, [], automatic=True)
        offer = told(viewer)[-1]
        assert isinstance(offer, Offer)
        assert [section.kind for section in parse_description(answer_to(offer.sdp)).media] == ["audio"] * 3
        await server.answer(viewer, 1, answer_to(offer.sdp))
        connected(server)
        assert len(server.registry.subscriptions) == 3


async def test_what_is_no_longer_wanted_stops_at_once(server: Server) -> None:
    surgeon, viewer = server.join(identity(), "An"), server.join(identity(), "Binh")
    sources = await publish(server, surgeon)
    server.subscribe(viewer, [], automatic=True)
    offer = told(viewer)[-1]
    assert isinstance(offer, Offer)
    await server.answer(viewer, 1, answer_to(offer.sdp))
    connected(server)
    assert len(server.registry.subscriptions) == 2
    server.subscribe(viewer, [PublicationId(sources["0"])])
    assert [entry[1] for entry in server.registry.subscriptions.values()] == [sources["0"]]
    server.subscribe(viewer, [])
    assert server.registry.subscriptions == {}


async def test_nothing_is_sent_before_the_transport_carries_it(server: Server) -> None:
    surgeon, viewer = server.join(identity(), "An"), server.join(identity(), "Binh")
    sources = await publish(server, surgeon)
    server.subscribe(viewer, [], automatic=True)
    offer = told(viewer)[-1]
    assert isinstance(offer, Offer)
    await server.answer(viewer, 1, answer_to(offer.sdp))
    assert told(viewer)[-1] == TransportState("subscribe", "connecting")
    assert server.registry.subscriptions == {}
    server.subscribe(viewer, [PublicationId(sources["1"])])
    connected(server)
    wanted_still = [entry[1] for entry in server.registry.subscriptions.values()]
    assert wanted_still == [sources["1"]], "what was given up meanwhile never starts"


async def test_wishes_are_kept_for_a_subscription_to_come(server: Server) -> None:
    surgeon, viewer = server.join(identity(), "An"), server.join(identity(), "Binh")
    sources = await publish(server, surgeon)
    picture = PublicationId(sources["1"])
    server.subscribe(viewer, [picture])
    server.prefer(viewer, picture, Wish(1, paused=True))
    side = server.registry.sessions[viewer.id].subscribing
    assert side is not None
    assert side.wishes == {picture: Wish(1, paused=True)}
    with pytest.raises(UnknownPublication):
        server.prefer(viewer, PublicationId("nothing"), Wish(1))


async def test_there_must_be_something_to_restart(server: Server) -> None:
    with pytest.raises(TransportFailed):
        server.restart_ice(server.join(identity(), "An"))
