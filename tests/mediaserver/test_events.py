"""Events mirror the signalling protocol's server events, and print nothing private."""

from __future__ import annotations

import dataclasses
import typing

import msgspec

from mediaserver import events
from mediaserver.ids import ParticipantId, Redacted
from signalling import messages


def test_events_are_the_protocols_server_events() -> None:
    ours = {event.__name__: event for event in typing.get_args(events.Event)}
    theirs = {event.__name__: event for event in typing.get_args(messages.Event)}
    assert set(ours) == set(theirs)
    for name, event in ours.items():
        fields = {field.name for field in dataclasses.fields(event)}
        assert fields == {field.name for field in msgspec.structs.fields(theirs[name])} - {"seq"}


def test_an_offer_and_a_chat_line_print_nothing_private() -> None:
    offer = events.Offer(1, "a=ice-pwd:secret", ())
    line = events.ChatLine(ParticipantId("p"), Redacted("An"), Redacted("words"), 0)
    for hidden in ("secret", "An", "words"):
        assert hidden not in repr(offer) + repr(line)
