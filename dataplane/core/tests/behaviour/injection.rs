//! A stranger who knows everything that is not secret (sources, payload types, the numbers that come next) changes
//! nothing and hears nothing, while media flows and at ten thousand datagrams of each kind.

use crate::support::media::{camera, microphone, picture, sound};
use crate::support::wire::address;
use crate::support::{World, millis};
use loupe_core::rtcp::{write_bye, write_nack, write_pli};
use loupe_core::rtp::FixedHeader;
use loupe_core::stats::Drop;
use loupe_core::units::{SeqNo, Ssrc, Time};

const PER_KIND: u64 = 10_000;
const A_MILLISECOND: u64 = 5;

/// What the viewer received and the publisher was asked.
type Seen = (Vec<(Time, u64)>, Vec<(Time, u32)>, usize);

fn run(strike: Option<fn(&World, u64) -> Vec<u8>>) -> (World, Seen) {
    let mut world = World::new(1);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let video = world.publish(publisher, camera(1_000));
    let audio = world.publish(publisher, microphone(1_100));
    world.subscribe(video, viewer, picture(2_000));
    world.subscribe(audio, viewer, sound(2_100));
    world.run(millis(1_000));
    for number in 0..PER_KIND {
        if let Some(strike) = strike {
            let datagram = strike(&world, number);
            // From the publisher's own host as well, by another port.
            let host = if number.is_multiple_of(2) { 0 } else { 200 };
            world.inject(address(host, 4_444), datagram);
        }
        if number % A_MILLISECOND == 0 {
            world.run(millis(1));
        }
    }
    world.run(millis(500));
    let received = [0, 1].into_iter().flat_map(|line| &world.line(viewer, line).received);
    let received = received.map(|packet| (packet.at, packet.seq)).collect();
    let publisher = &world.ends[publisher].peer.publisher;
    let seen = (received, publisher.plis.clone(), publisher.nacked.len());
    (world, seen)
}

/// A header that continues the publisher's picture.
fn next_header(world: &World, number: u64) -> FixedHeader {
    let source = &world.ends[0].peer.publisher.sources[0];
    FixedHeader {
        payload_type: 96,
        marker: true,
        sequence: SeqNo(source.index + number % 5).wire(),
        timestamp: source.timestamp(world.now),
        ssrc: Ssrc(source.ssrc),
    }
}

fn plain_media(world: &World, number: u64) -> Vec<u8> {
    [&next_header(world, number).bytes()[..], &[0x10, 0, 1, 2, 3]].concat()
}

fn media_with_a_random_tag(world: &World, number: u64) -> Vec<u8> {
    let mut bytes = next_header(world, number).bytes().to_vec();
    let mut state = number | 1;
    bytes.extend((0..200).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    }));
    bytes
}

fn goodbye(_: &World, _: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_bye(&mut bytes, &[Ssrc(1_000), Ssrc(1_100)]);
    bytes
}

fn picture_loss(_: &World, _: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_pli(&mut bytes, Ssrc(901), Ssrc(2_000));
    bytes
}

fn request(world: &World, number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let newest = world.line(1, 0).received.last().map_or(0, |packet| packet.seq);
    write_nack(&mut bytes, Ssrc(901), Ssrc(2_000), &[SeqNo(newest - number % 100).wire()]);
    bytes
}

#[test]
fn nothing_of_a_stranger_is_forwarded_answered_or_believed() {
    let (_, expected) = run(None);
    assert!(expected.0.len() > 600 && expected.2 == 0);
    let kinds = [plain_media, media_with_a_random_tag, goodbye, picture_loss, request];
    for (kind, strike) in kinds.into_iter().enumerate() {
        let (mut world, seen) = run(Some(strike));
        assert_eq!(seen, expected, "kind {kind}");
        assert_eq!(world.dropped(Drop::UnvalidatedSource), PER_KIND);
        assert!(world.strays.is_empty());
        assert!(!world.plane.is_validated(0, address(200, 4_444)));
        assert_eq!((world.plane.census().addresses, world.peer(1).wire.refused), (2, 0));
    }
}
