"""A room on a real plane whose layers are chosen at moments that the test names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mediaserver.adaptation.viewer import Viewer
from mediaserver.adaptation.wishes import Told
from mediaserver.events import Event, Offer
from mediaserver.ids import ParticipantId, PublicationId
from mediaserver.negotiation.media import Codec
from mediaserver.participant import Participant
from mediaserver.policy import Role
from mediaserver.room import Publication
from mediaserver.server import Server
from tests.mediaserver.peers import answer_to, connected, identity, make_server, publish, told


@dataclass(frozen=True)
class Word:
    """What the plane says of a link."""

    phase: str = "steady"
    queue_delay_seconds: float = 0.0
    inherent_loss: float = 0.0
    congestion_loss: float = 0.0
    round_trip_seconds: float | None = 0.1
    volatility: float = 0.0


@dataclass(frozen=True)
class Snapshot:
    """What the plane's meters say."""

    publications: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    transports: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    workers: Sequence[Mapping[str, Any]] = ()


@asynccontextmanager
async def theatre() -> AsyncIterator[Theatre]:
    """A surgeon sends sound and a picture in three layers."""
    server = make_server()
    # The clock is the test's: nothing is chosen but by ``turn``.
    server.adaptation.run = asyncio.Event().wait  # type: ignore[assignment, method-assign]
    await server.start()
    try:
        surgeon = server.join(identity(Role.SURGEON), "An")
        sources = await publish(server, surgeon, "chromium_simulcast")
        room = server.rooms[surgeon.room]
        found = Theatre(server, surgeon, room.publications[PublicationId(sources["1"])])
        found.flow(0, 1, 2)
        yield found
    finally:
        await server.stop()


@dataclass
class Theatre:
    """``now`` moves with ``turn`` only."""

    server: Server
    surgeon: Participant
    picture: Publication
    now: float = 1_000.0

    def flow(self, *layers: int) -> None:
        """Which layers of the picture flow."""
        self.server.rooms[self.surgeon.room].layers_changed(self.picture.id, layers)
        self.server.registry.unsettle(self.picture.handle)

    async def enter(self, role: Role = Role.STAFF) -> Participant:
        """Somebody joins and watches everything."""
        viewer = self.server.join(identity(role), "Binh")
        self.server.subscribe(viewer, [], automatic=True)
        offer = told(viewer)[-1]
        assert isinstance(offer, Offer)
        await self.server.answer(viewer, offer.generation, answer_to(offer.sdp))
        connected(self.server)
        return viewer

    def turn(self, seconds: float = 0.0, step: float = 0.1) -> None:
        """Time passes, and what is due is done."""
        for _ in range(max(round(seconds / step), 1)):
            self.now += step if seconds else 0.0
            self.server.adaptation.turn(self.now)

    def heard(self, viewer: Participant, estimate: int, word: Word | None = None) -> None:
        """The plane tells of the viewer's link."""
        side = self.server.registry.sessions[viewer.id].subscribing
        assert side is not None
        self.server.adaptation.heard(side.transport.handle, estimate, word or Word())  # type: ignore[arg-type]

    def settle(
        self, viewer: Participant, estimate: int, seconds: float = 4.0, word: Word | None = None
    ) -> None:
        """The link stays so for a while."""
        for _ in range(round(seconds / 0.2)):
            self.heard(viewer, estimate, word)
            self.turn(0.2, 0.2)

    def viewer(self, participant: Participant) -> Viewer:
        """What is remembered of them."""
        return self.server.adaptation._viewers[ParticipantId(participant.id)]

    def wish(self, participant: Participant) -> Told:
        """What the plane was last told of the picture for them."""
        side = self.server.registry.sessions[participant.id].subscribing
        assert side is not None
        return self.viewer(participant).wishes.told[side.subscriptions[self.picture.id]]


def news(participant: Participant, *kinds: type[Event]) -> list[Any]:
    """Events of these kinds that somebody was told."""
    return [event for event in told(participant) if isinstance(event, kinds)]


def publication(handle: int = 7, encodings: int = 3) -> Publication:
    """One that stands by itself."""
    codec = Codec(96, "VP8", 90_000)
    id = PublicationId("p")
    return Publication(
        id, ParticipantId("a"), handle, "video", codec, True, "scope", "endoscope", encodings=encodings
    )
