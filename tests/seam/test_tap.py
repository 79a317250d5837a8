"""A tap gives what a publisher sent, decrypted and framed, and closes its socket after the last of it."""

from __future__ import annotations

import socket
import time

import pytest
from pylibsrtp import Policy, Session

from mediaserver._dataplane import DataPlane, Encoding, InboundMedia, SrtpProfileName
from mediaserver.recording.records import Record, RecordKind, scan
from tests.seam.test_forwarding import PUBLICATION, PUBLISHER, connect, rtp

PROFILE: SrtpProfileName = "SRTP_AEAD_AES_128_GCM"
KEY = bytes(range(28))


def received(end: socket.socket) -> list[tuple[Record, bytes]]:
    """Everything until the socket closes."""
    end.settimeout(5)
    found = []
    while message := end.recv(1 << 17):
        found += [(record, message[record.start : record.end]) for record in scan(message)]
    return found


def publish(plane: DataPlane) -> None:
    sound = InboundMedia(
        kind="audio", codec="opus", clock_rate=48_000, payload_type=111, encodings=[Encoding(ssrc=0xAAAA)]
    )
    plane.publish(PUBLISHER, PUBLICATION, sound)


@pytest.mark.parametrize("ending", ["untap", "close"])
def test_what_was_sent_is_recorded_as_it_was(plane: DataPlane, ending: str) -> None:
    publisher = connect(plane, PUBLISHER, PROFILE, (KEY, bytes(28)))
    publish(plane)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = time.monotonic_ns() // 1000
    plane.tap(PUBLICATION, "recorder", theirs.fileno())
    theirs.close()
    protecting = Session(
        Policy(KEY, Policy.SSRC_ANY_OUTBOUND, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
    )
    packets = [rtp(111, 65_530 + index, 960 * index, 0xAAAA, b"sound %d" % index) for index in range(20)]
    for packet in packets:
        publisher.send(protecting.protect(packet))
    time.sleep(0.2)
    plane.untap(PUBLICATION, "recorder") if ending == "untap" else plane.close(PUBLICATION)
    with ours:
        records = received(ours)
    kinds = [record.kind for record, _ in records]
    assert kinds[0] == RecordKind.BEGIN
    assert kinds[-1] == RecordKind.ENDED
    assert [body for record, body in records if record.kind == RecordKind.PACKET] == packets
    assert {record.publication for record, _ in records} == {PUBLICATION}
    monotonic = int.from_bytes(records[0][1][:8], "big")
    assert 0 <= monotonic - before < 5_000_000
    publisher.close()


def test_a_tap_of_nothing_closes_and_a_bad_descriptor_is_refused(plane: DataPlane) -> None:
    connect(plane, PUBLISHER, PROFILE, (KEY, bytes(28))).close()
    publish(plane)
    with pytest.raises(ValueError, match="descriptor"):
        plane.tap(PUBLICATION, "recorder", -1)
    with pytest.raises(ValueError, match="reader"):
        plane.tap(PUBLICATION, "viewer", 0)  # type: ignore[arg-type]
    plane.tap(99, "probe", 0)
    plane.untap(99, "probe")
