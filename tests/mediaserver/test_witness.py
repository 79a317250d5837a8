"""The witness: who watched which source from when to when, whatever way it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from mediaserver.ids import ParticipantId, PublicationId, Redacted, RoomId
from mediaserver.negotiation.media import Codec
from mediaserver.participant import Identity, Participant
from mediaserver.policy import RIGHTS, Role
from mediaserver.room import Publication
from mediaserver.witness import Witness

ROOM = RoomId("7QK2")


@dataclass
class Kept:
    """An audit that a test can read."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def append(self, event: str, **what: Any) -> None:
        self.events.append({"event": str(event), **what})

    @property
    def names(self) -> list[str]:
        return [one["event"] for one in self.events]


def participant(id: str, role: Role = Role.SPECIALIST) -> Participant:
    return Participant(ParticipantId(id), ROOM, Redacted("Dr Ánh"), role, RIGHTS[role])


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def witness(kept: Kept) -> Witness:
    return Witness(kept)


SOURCE = Publication(
    id=PublicationId("pub"), participant=ParticipantId("surgeon"), handle=7, kind="video",
    codec=Codec(name="VP8", clock_rate=90000, payload_type=96), repaired=True, label="Scope",
    source_type="endoscope",
)  # fmt: skip


def come(witness: Witness, id: str) -> Participant:
    who = participant(id)
    witness.joined(who, Identity("sub", ROOM, who.role, who.rights, "public"), viewer=False)
    return who


def test_a_whole_visit(witness: Witness, kept: Kept) -> None:
    witness.serves(ROOM, "procedure-1")
    who = come(witness, "me")
    witness.watches(1, who, SOURCE)
    witness.watches_no_more(1)
    witness.watches_no_more(1)
    witness.left(who, None)
    assert kept.names == ["participant.admit", "view.start", "view.stop", "participant.leave"]
    for one in kept.events:
        assert (one["room"], one["procedure"], one["actor"].id) == (ROOM, "procedure-1", "me")
        assert one["actor"].address_class == "public"
    stop = kept.events[2]
    assert (stop["subject"], stop["details"]["source_type"]) == ("pub", "endoscope")
    assert stop["details"]["publisher"] == "surgeon"
    assert stop["details"]["seconds"] >= 0
    assert "Scope" not in repr(kept.events), "a label may name somebody"


def test_who_pauses_watches_no_more(witness: Witness, kept: Kept) -> None:
    who = come(witness, "me")
    witness.watches(1, who, SOURCE)
    for paused in (False, True, True, False, False):
        witness.paused(1, who, SOURCE, paused)
    assert kept.names[1:] == ["view.start", "view.stop", "view.start"]


def test_sources_come_and_go_once(witness: Witness, kept: Kept) -> None:
    surgeon = come(witness, "surgeon")
    witness.published(surgeon, SOURCE)
    witness.muted(surgeon, SOURCE, True)
    witness.unpublished(7)
    witness.unpublished(7)
    assert kept.names[1:] == ["publish.start", "publish.mute", "publish.stop"]
    assert kept.events[-1]["actor"].id == "surgeon"


def test_who_sends_somebody_out_is_named(witness: Witness, kept: Kept) -> None:
    come(witness, "chair")
    other = come(witness, "me")
    witness.removed(other, "chair")
    witness.left(other, "removed")
    assert kept.events[-2]["actor"].id == "chair"
    assert kept.events[-2]["subject"] == "me"
    assert kept.events[-1]["details"]["reason"] == "removed"


def test_nothing_is_kept_of_what_ended(witness: Witness) -> None:
    who = come(witness, "me")
    witness.published(who, SOURCE)
    witness.watches(1, who, SOURCE)
    witness.watches_no_more(1)
    witness.unpublished(7)
    witness.left(who, None)
    assert not witness._actors and not witness._views and not witness._published  # noqa: PT018
