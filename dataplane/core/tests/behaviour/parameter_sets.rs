//! H.264 is shown from its parameter sets on, also when they come late, and from a slice only where there are none.

use crate::support::media::{camera, picture};
use crate::support::{World, millis};
use loupe_core::io::Codec;
use loupe_core::rtp::FixedHeader;
use loupe_core::units::Ssrc;

const SLICE: &[u8] = &[0x41, 0x9a, 1];
const SEQUENCE_SET: &[u8] = &[0x67, 0x42, 2];
const PICTURE_SET: &[u8] = &[0x68, 0xce, 3];
const KEY_SLICE: [&[u8]; 2] = [&[0x7c, 0x85, 4], &[0x7c, 0x45, 5]];

/// What of these packets (number, picture, payload) a viewer gets that waits for the first of them.
fn shown(packets: &[(u16, u32, &[u8])]) -> Vec<Vec<u8>> {
    let mut world = World::new(1);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let mut media = camera(1_000);
    media.inbound.codec = Codec::H264;
    media.sources[0].flowing = false;
    let publication = world.publish(publisher, media);
    world.subscribe(publication, viewer, picture(2_000));
    for (sequence, frame, payload) in packets {
        let fixed = FixedHeader {
            payload_type: 96,
            marker: payload.last() == KEY_SLICE[1].last(),
            sequence: *sequence,
            timestamp: frame * 3_000,
            ssrc: Ssrc(1_000),
        };
        let packet = [&fixed.bytes()[..], payload].concat();
        let datagram = world.peer(publisher).wire.protect_rtp(packet, u64::from(*sequence));
        world.send(publisher, datagram);
        world.run(millis(5));
    }
    world.run(millis(100));
    let line = world.line(viewer, 0);
    assert!(line.holes().is_empty());
    line.in_order().iter().map(|packet| packet.payload.clone()).collect()
}

#[test]
fn parameter_sets_that_come_late_are_shown_first() {
    let [first, rest] = KEY_SLICE;
    let came =
        [(300, 0, SLICE), (302, 1, PICTURE_SET), (303, 1, first), (304, 1, rest), (301, 1, SEQUENCE_SET)];
    assert_eq!(shown(&came), [SEQUENCE_SET, PICTURE_SET, first, rest]);
}

#[test]
fn a_key_slice_without_parameter_sets_is_shown() {
    let [first, rest] = KEY_SLICE;
    assert_eq!(shown(&[(300, 0, SLICE), (301, 1, first), (302, 1, rest)]), [first, rest]);
}
