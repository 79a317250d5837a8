//! The path moves in the middle of media by an authenticated check, under the same keys; strangers move nothing.

use crate::support::media::{camera, picture};
use crate::support::wire::address;
use crate::support::{World, millis};
use loupe_core::io::{Command, Event, Handle};
use loupe_core::stats::Drop;

fn begin(seed: u64) -> (World, Handle) {
    let mut world = World::new(seed);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(2_000));
    (world, publication)
}

#[test]
fn a_viewer_that_changes_its_network_goes_on_without_new_keys() {
    let (mut world, _) = begin(1);
    let new = address(1, 6_000);
    world.peer(1).wire.address = new;
    // What is on its way to the old address is lost with it; the check tells the new one.
    world.peer(1).wire.next_check = world.now;
    let moved = world.now;
    world.run(millis(2_000));
    assert!(world.plane.is_validated(0, new));
    let told = world.events_of(|event| matches!(event, Event::PathChanged { .. }));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0.since(moved), millis(10));
    let line = world.line(1, 0);
    let first = line.since(moved + millis(20)).next().expect("media goes on");
    assert!(first.at.since(moved) <= millis(20 + 34), "{:?}", first.at.since(moved));
    assert!(line.holes().is_empty(), "what was lost meanwhile is repaired: {:?}", line.holes());
    assert_eq!(world.peer(1).wire.refused, 0);
}

#[test]
fn a_publisher_that_changes_its_network_goes_on_without_new_keys() {
    let (mut world, _) = begin(2);
    let new = address(0, 6_000);
    // Media from the new address before its check arrives has no effect; it is asked for again afterwards.
    world.peer(0).wire.address = new;
    world.run(millis(100));
    assert!(!world.plane.is_validated(0, new));
    let unvalidated = world.dropped(Drop::UnvalidatedSource);
    assert!(unvalidated >= 10, "{unvalidated}");
    world.peer(0).wire.next_check = world.now;
    world.run(millis(2_000));
    assert!(world.plane.is_validated(0, new));
    let line = world.line(1, 0);
    assert!(line.holes().is_empty(), "{:?}", line.holes());
    assert!(line.frames().len() > 115, "{} frames", line.frames().len());
    assert_eq!(world.peer(1).wire.refused, 0);
}

#[test]
fn an_ice_restart_leaves_media_and_keys_alone() {
    let (mut world, _) = begin(3);
    world.peer(1).wire.generation = 1;
    let (transport, ice) = (world.peer(1).handle, world.peer(1).wire.credentials());
    world.command(Command::RestartIce { transport, ice });
    world.peer(1).wire.next_check = world.now + millis(200);
    world.run(millis(10_000));
    let line = world.line(1, 0);
    assert!(line.holes().is_empty() && line.frames().len() > 350, "{} frames", line.frames().len());
    assert_eq!(world.events_of(|event| matches!(event, Event::ConsentLost { .. })).len(), 0);
    world.peer(1).wire.generation = 0;
    let stale = world.peer(1).wire.check();
    let refused = world.dropped(Drop::StunUnknownUser);
    world.inject(address(1, 5_000), stale);
    assert_eq!(world.dropped(Drop::StunUnknownUser), refused + 1, "the old credentials serve no longer");
}

/// Datagrams of every protocol but STUN, and stumps of each.
fn probes() -> Vec<Vec<u8>> {
    let mut probes = vec![Vec::new()];
    for first in 0..=255_u8 {
        for length in [1, 2, 3, 4, 7, 8, 11, 12, 13, 19, 20, 21, 40, 1_200] {
            let mut datagram = vec![0x5a; length];
            datagram[0] = first;
            probes.push(datagram);
        }
    }
    probes
}

#[test]
fn a_stranger_has_no_effect_at_any_moment() {
    let mut world = World::new(4);
    let stranger = address(200, 4_444);
    let strike = |world: &mut World| {
        for probe in probes() {
            let (events, strays) = (world.events.len(), world.strays.len());
            world.inject(stranger, probe);
            assert_eq!((world.events.len(), world.strays.len()), (events, strays));
        }
        assert!(!world.plane.is_validated(0, stranger));
    };
    strike(&mut world);
    let (publisher, viewer) = (world.join(), world.join());
    strike(&mut world);
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    strike(&mut world);
    world.subscribe(publication, viewer, picture(2_000));
    for _ in 0..20 {
        world.run(millis(50));
        strike(&mut world);
    }
    let handle = world.peer(viewer).handle;
    world.command(Command::Close { handle });
    strike(&mut world);
    let line = world.line(viewer, 0);
    assert!(line.holes().is_empty() && line.frames().len() > 25);
    assert!(world.dropped(Drop::UnvalidatedSource) > 10_000);
    assert!(world.dropped(Drop::Short) > 1_000 && world.dropped(Drop::UnknownProtocol) > 1_000);
}

#[test]
fn a_replayed_datagram_of_a_publisher_from_elsewhere_has_no_effect() {
    let (mut world, _) = begin(5);
    world.peer(0).publisher.sources[0].flowing = false;
    world.run(millis(200));
    let source = &world.peer(0).publisher.sources[0];
    let index = source.index;
    let fixed = loupe_core::rtp::FixedHeader {
        payload_type: 96,
        marker: true,
        sequence: index as u16,
        timestamp: 1,
        ssrc: loupe_core::units::Ssrc(1_000),
    };
    let packet = [&fixed.bytes()[..], &[0x10, 1, 2, 3]].concat();
    let good = world.peer(0).wire.protect_rtp(packet, index);
    let before = world.line(1, 0).received.len();
    for port in 1..100 {
        world.inject(address(201, port), good.clone());
    }
    // The very check that would move the path moves nothing once its transaction was used.
    let check = world.peer(0).wire.check();
    world.inject(address(0, 5_000), check.clone());
    world.inject(address(201, 1), check);
    assert!(!world.plane.is_validated(0, address(201, 1)));
    world.inject(address(201, 1), good);
    world.run(millis(200));
    assert_eq!(world.line(1, 0).received.len(), before);
}

#[test]
fn empty_and_short_datagrams_of_the_peer_itself_have_no_effect() {
    let (mut world, _) = begin(6);
    for number in [0, 1] {
        let source = world.peer(number).wire.address;
        for probe in probes().into_iter().filter(|probe| probe.len() < 13) {
            world.inject(source, probe);
        }
    }
    world.run(millis(1_000));
    let line = world.line(1, 0);
    assert!(line.holes().is_empty() && line.frames().len() > 85, "{} frames", line.frames().len());
    let told = world.events_of(|event| matches!(event, Event::DtlsDatagram { .. } | Event::Closed { .. }));
    assert_eq!(told.len(), 0);
}
