"""From a publisher to a viewer: protected by libsrtp, forwarded by the plane, unprotected by libsrtp."""

import struct

import pytest
from pylibsrtp import Policy, Session

from mediaserver._dataplane import (
    DataPlane,
    Encoding,
    FiguresByHandle,
    InboundMedia,
    LayersChanged,
    OutboundMedia,
    SrtpProfileName,
)
from mediaserver.quality_history import figures as figure_names
from tests.mediaserver.seconds import Plain
from tests.running import until
from tests.seam.ice_client import IceClient, expect_ready, wait_events

PROFILES: list[tuple[SrtpProfileName, int, int]] = [
    ("SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    ("SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    ("SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
]
PUBLISHER, VIEWER, PUBLICATION, SUBSCRIPTION = 1, 2, 3, 4


def rtp(payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes) -> bytes:
    return struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, timestamp, ssrc) + payload


def connect(plane: DataPlane, transport: int, name: SrtpProfileName, keys: tuple[bytes, bytes]) -> IceClient:
    client = IceClient(plane.open_transport(transport, 0))
    client.check()
    client.answer()
    expect_ready(plane, transport)
    plane.set_srtp(transport, name, *keys)
    return client


def next_rtp(client: IceClient, session: Session) -> bytes:
    """The next RTP packet; RTCP (RFC 5761 section 4) is passed over."""
    while True:
        datagram = client.udp.recv(2048)
        if not 192 <= datagram[1] <= 223:
            return session.unprotect(datagram)


@pytest.mark.parametrize(("name", "profile", "length"), PROFILES)
def test_sound_reaches_a_viewer_in_order_under_the_viewers_numbers(
    plane: DataPlane, name: SrtpProfileName, profile: int, length: int
) -> None:
    from_publisher, to_viewer = bytes(range(length)), bytes(range(100, 100 + length))
    unused = bytes(length)
    publisher = connect(plane, PUBLISHER, name, (from_publisher, unused))
    viewer = connect(plane, VIEWER, name, (unused, to_viewer))
    sound = InboundMedia(
        kind="audio", codec="opus", clock_rate=48_000, payload_type=111, encodings=[Encoding(ssrc=0xAAAA)]
    )
    plane.publish(PUBLISHER, PUBLICATION, sound)
    viewed = OutboundMedia(ssrc=0xBBBB, payload_type=96, cname="theatre")
    plane.subscribe(PUBLICATION, SUBSCRIPTION, VIEWER, viewed)
    protecting = Session(Policy(from_publisher, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
    unprotecting = Session(Policy(to_viewer, Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
    headers = []
    for index in range(20):
        payload = b"sound %d" % index
        packet = rtp(111, 65_530 + index, 960 * index, 0xAAAA, payload)
        publisher.send(protecting.protect(packet))
        received = next_rtp(viewer, unprotecting)
        assert received.endswith(payload)
        headers.append(struct.unpack("!BBHII", received[:12]))
    sequences = [(header[2] - headers[0][2]) & 0xFFFF for header in headers]
    timestamps = [(header[3] - headers[0][3]) & 0xFFFFFFFF for header in headers]
    assert sequences == list(range(20))
    assert timestamps == [960 * index for index in range(20)]
    assert {(header[1] & 0x7F, header[4]) for header in headers} == {(96, 0xBBBB)}
    publisher.close()
    viewer.close()


def test_a_packet_under_a_wrong_key_goes_nowhere(plane: DataPlane) -> None:
    name, profile, length = PROFILES[0]
    key, wrong, to_viewer = (bytes([number]) * length for number in (1, 2, 3))
    publisher = connect(plane, PUBLISHER, name, (key, bytes(length)))
    viewer = connect(plane, VIEWER, name, (bytes(length), to_viewer))
    sound = InboundMedia(
        kind="audio", codec="opus", clock_rate=48_000, payload_type=111, encodings=[Encoding(ssrc=0xAAAA)]
    )
    plane.publish(PUBLISHER, PUBLICATION, sound)
    plane.subscribe(
        PUBLICATION, SUBSCRIPTION, VIEWER, OutboundMedia(ssrc=1, payload_type=96, cname="theatre")
    )
    for secret, payload in [(wrong, b"forged"), (key, b"true")]:
        session = Session(Policy(secret, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
        publisher.send(session.protect(rtp(111, 5, 0, 0xAAAA, payload)))
    unprotecting = Session(Policy(to_viewer, Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
    assert next_rtp(viewer, unprotecting).endswith(b"true")
    publisher.close()
    viewer.close()


async def test_rows_hold_the_figures_of_all_and_what_grew_since(plane: DataPlane) -> None:
    name, profile, length = PROFILES[0]
    theirs = bytes(range(length))
    publisher = connect(plane, PUBLISHER, name, (theirs, bytes(length)))
    protecting = Session(Policy(theirs, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
    sound = InboundMedia(
        kind="audio", codec="opus", clock_rate=48_000, payload_type=111, encodings=[Encoding(ssrc=0xAAAA)]
    )
    plane.publish(PUBLISHER, PUBLICATION, sound)

    async def sent(*sequences: int) -> FiguresByHandle:
        """The transports once these packets are counted with those before."""
        for sequence in sequences:
            publisher.send(protecting.protect(rtp(111, sequence, 0, 0xAAAA, b"sound")))
        counted = sequences[-1] + 1
        await until(lambda: plane.stats().transports[PUBLISHER]["packets_in"] == counted, what="packets")
        return plane.stats().transports

    await until(lambda: PUBLISHER in plane.stats().transports, what="the first snapshot")
    first = await sent(0, 1)
    plane.open_transport(VIEWER, 0)
    await until(lambda: VIEWER in plane.stats().transports, what="the viewer's transport")
    last = await sent(2, 3, 4)
    names, grown = ("packets_in", "shoe_size"), ("packets_in", "shoe_size")
    assert last.rows(names, grown, first) == {PUBLISHER: (5, None, 3, 0), VIEWER: (0, None, 0, 0)}
    assert last.rows(names, grown, None) == {PUBLISHER: (5, None, 0, 0), VIEWER: (0, None, 0, 0)}
    plain_last, plain_first = Plain(dict(last.items())), Plain(dict(first.items()))
    assert plain_last.rows(names, grown, plain_first) == last.rows(names, grown, first)
    publisher.close()


async def test_the_plane_has_all_figures_that_the_history_reads(plane: DataPlane) -> None:
    name, _, length = PROFILES[0]
    key = bytes(range(length))
    ends = [connect(plane, handle, name, (key, key)) for handle in (PUBLISHER, VIEWER)]
    sound = InboundMedia(
        kind="audio", codec="opus", clock_rate=48_000, payload_type=111, encodings=[Encoding(ssrc=0xAAAA)]
    )
    plane.publish(PUBLISHER, PUBLICATION, sound)
    plane.subscribe(
        PUBLICATION, SUBSCRIPTION, VIEWER, OutboundMedia(ssrc=1, payload_type=96, cname="theatre")
    )
    await until(lambda: SUBSCRIPTION in plane.stats().subscriptions, what="the subscription")
    stats = plane.stats()
    for figures, names, grown in (
        (stats.transports[VIEWER], figure_names.LEG, figure_names.LEG_GROWN),
        (stats.subscriptions[SUBSCRIPTION], figure_names.VIEW, figure_names.VIEW_GROWN),
    ):
        assert {*names, *grown} <= set(figures)
        assert all(isinstance(figures[name], int) for name in grown)
    for end in ends:
        end.close()


def test_a_wanted_key_frame_is_asked_of_the_publisher(plane: DataPlane) -> None:
    name, profile, length = PROFILES[0]
    theirs, ours = bytes(range(length)), bytes(range(100, 100 + length))
    publisher = connect(plane, PUBLISHER, name, (theirs, ours))
    picture = InboundMedia(
        kind="video",
        codec="VP8",
        clock_rate=90_000,
        payload_type=96,
        encodings=[Encoding(ssrc=0xAAAA)],
        pli=True,
    )
    plane.publish(PUBLISHER, PUBLICATION, picture)
    protecting = Session(Policy(theirs, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
    publisher.send(protecting.protect(rtp(96, 5, 0, 0xAAAA, b"\x10\x10picture")))
    [flows] = wait_events(plane, 1)
    assert isinstance(flows, LayersChanged)
    plane.request_keyframe(PUBLICATION)
    opening = Session(Policy(ours, Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
    while not (asked := pictures_lost(opening.unprotect_rtcp(publisher.udp.recv(2048)))):
        continue  # reports go out every second
    assert asked == [0xAAAA]
    publisher.close()


def pictures_lost(compound: bytes) -> list[int]:
    """Whose (RFC 4585 section 6.3.1)."""
    found: list[int] = []
    while compound:
        first, kind, words = struct.unpack("!BBH", compound[:4])
        if (first & 0x1F, kind) == (1, 206):
            found += struct.unpack("!I", compound[8:12])
        compound = compound[4 + 4 * words :]
    return found
