"""Events of a room become messages, one to one."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from mediaserver import events
from mediaserver.ids import ParticipantId, ProcedureId, PublicationId, RecordingId, Redacted, RoomId
from mediaserver.policy import Role
from signalling import messages, translate

WHO = events.ParticipantInfo(ParticipantId("p"), Redacted("Ánh"), Role.SURGEON, True)
WHAT = events.PublicationInfo(
    PublicationId("s"), ParticipantId("p"), "video", "VP8", "scope", "endoscope", False, (0, 2), 500
)
STILL = events.SourceQuality(PublicationId("s"), 0, 5.0, "link", 0.01, 3)
HAPPENED: dict[type, tuple[events.Event, dict[str, Any]]] = {
    type(event): (event, expected)
    for event, expected in (
        (events.Offer(3, "v=0", (events.SubscribedSource("0", PublicationId("s")),)),
         {"generation": 3, "sdp": "v=0", "sources": [{"mid": "0", "publication": "s"}]}),
        (events.ParticipantJoined(WHO), {"participant": {"id": "p", "name": "Ánh", "role": "surgeon",
                                                         "connected": True}}),
        (events.ParticipantChanged(WHO), {}),
        (events.ParticipantLeft(ParticipantId("p")), {"participant": "p"}),
        (events.Published(WHAT), {}),
        (events.PublicationChanged(WHAT), {}),
        (events.Unpublished(PublicationId("s")), {"publication": "s"}),
        (events.LayerForwarded(PublicationId("s"), None), {"publication": "s", "layer": None}),
        (events.StandingChanged(ParticipantId("p"), "sound", "link"),
         {"participant": "p", "step": "sound", "cause": "link"}),
        (events.Quality("stills", "link", 90, 60, 0.02, None, 7, 40, 0.1, (STILL,)),
         {"step": "stills", "cause": "link", "estimate_kbit": 90, "sent_kbit": 60, "loss": 0.02,
          "rtt_ms": None, "jitter_ms": 7, "queue_ms": 40, "repair_overhead": 0.1,
          "sources": [{"publication": "s", "layer": 0, "still_seconds": 5.0, "reason": "link",
                       "upload_loss": 0.01, "upload_jitter_ms": 3}]}),
        (events.SendingWanted(PublicationId("s"), (events.EncodingWanted(True, 120_000),)),
         {"publication": "s", "encodings": [{"active": True, "max_bitrate": 120_000}]}),
        (events.ChatLine(ParticipantId("p"), Redacted("Ánh"), Redacted("chào"), 7),
         {"participant": "p", "name": "Ánh", "text": "chào", "time_ms": 7}),
        (events.RecordingChanged("withdrawn", RecordingId("r1"), 7),
         {"state": "withdrawn", "recording": "r1", "since_ms": 7}),
        (events.RecordingInterrupted(events.RecordingInterruption(RecordingId("r1"), ProcedureId("p1"))),
         {"interruption": {"recording": "r1", "procedure": "p1"}}),
        (events.TransportState("subscribe", "connecting"), {"direction": "subscribe", "state": "connecting"}),
        (events.Closing("removed", reconnect=False), {"reason": "removed", "reconnect": False}),
    )
}  # fmt: skip


@pytest.mark.parametrize("kind", get_args(events.Event))
def test_each_event(kind: type) -> None:
    event, expected = HAPPENED[kind]
    message = translate.event(41, event)
    sent = msgspec.json.decode(messages.render(message))
    assert sent.pop("seq") == 41
    assert type(message).__name__ == kind.__name__
    for name, value in expected.items():
        assert sent[name] == value


def test_a_room_as_its_members_see_it() -> None:
    taken = events.RecordingChanged("recording", RecordingId("r1"), 7)
    shown = translate.room(events.RoomInfo(RoomId("r"), (WHO,), (WHAT,), taken))
    assert shown.recording == messages.RoomRecording(recording="r1", since_ms=7)
    assert shown.participants[0].name == "Ánh"
    assert shown.publications[0] == messages.PublicationInfo(
        id="s", participant="p", kind="video", codec="VP8", label="scope", source_type="endoscope",
        muted=False, layers=[0, 2], silent_ms=500, encodings=1,
    )  # fmt: skip
