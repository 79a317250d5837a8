//! DTLS of a validated peer reaches the control plane in small portions: few until our side speaks, then as many as a
//! handshake and data channels need, and none that is too long.

use crate::support::{World, millis};
use loupe_core::io::{Command, Event};
use loupe_core::stats::Drop;

const LONGEST: usize = 2_048;

/// Two peers with paths and without keys.
fn begin() -> World {
    let mut world = World::new(1);
    for _ in 0..2 {
        world.join_without_keys(crate::support::clean(10), crate::support::clean(10));
    }
    world.run(millis(300));
    world
}

/// Gives the plane `count` datagrams of `length` bytes from `peer` now; how many went up, and how many bytes.
fn give(world: &mut World, peer: usize, count: usize, length: usize) -> (usize, usize) {
    let (address, transport) = (world.peer(peer).wire.address, world.peer(peer).handle);
    let before = world.events.len();
    for _ in 0..count {
        let mut datagram = vec![0x5a; length];
        datagram[..3].copy_from_slice(&[22, 0xfe, 0xfd]);
        world.inject(address, datagram);
    }
    let told = world.events[before..].iter().map(|(_, event)| match event {
        Event::DtlsDatagram { transport: from, payload } if *from == transport => payload.len(),
        other => panic!("{other:?}"),
    });
    let lengths: Vec<usize> = told.collect();
    (lengths.len(), lengths.iter().sum())
}

fn speak(world: &mut World, peer: usize) {
    let transport = world.peer(peer).handle;
    world.command(Command::SendDtls { transport, payload: vec![22; 100] });
}

#[test]
fn before_our_side_speaks_four_datagrams_and_four_kibibytes_go_up() {
    for (length, expected) in [(200, 4), (1_024, 4), (1_200, 3), (LONGEST, 2)] {
        let mut world = begin();
        let (count, bytes) = give(&mut world, 0, 10_000, length);
        assert_eq!((count, bytes), (expected, expected * length));
        assert_eq!(world.dropped(Drop::DtlsOverflow), 10_000 - expected as u64);
    }
}

#[test]
fn a_flight_that_is_repeated_a_second_later_finds_room() {
    let mut world = begin();
    assert_eq!(give(&mut world, 0, 100, 1_200).0, 3);
    world.run(millis(1_000));
    assert_eq!(give(&mut world, 0, 2, 1_200).0, 2);
}

#[test]
fn what_is_too_long_is_counted_apart_and_takes_nobodys_room() {
    let mut world = begin();
    for length in [LONGEST + 1, 9_000, 65_507] {
        assert_eq!(give(&mut world, 0, 1_000, length), (0, 0));
    }
    assert_eq!((world.dropped(Drop::DtlsOversized), world.dropped(Drop::DtlsOverflow)), (3_000, 0));
    assert_eq!(give(&mut world, 0, 4, 1_000).0, 4);
    speak(&mut world, 0);
    assert_eq!(give(&mut world, 0, 1, LONGEST + 1), (0, 0));
    assert_eq!(give(&mut world, 0, 1, LONGEST).0, 1);
}

#[test]
fn once_our_side_speaks_a_handshake_and_data_channels_have_room_and_a_flood_has_not() {
    let mut world = begin();
    assert_eq!(give(&mut world, 0, 1, 1_200).0, 1);
    speak(&mut world, 0);
    // A flight with a long chain of certificates, then a message of 64 KiB over a data channel each second.
    assert_eq!(give(&mut world, 0, 8, 1_200).0, 8);
    for _ in 0..5 {
        world.run(millis(1_000));
        assert_eq!(give(&mut world, 0, 56, 1_200).0, 56);
    }
    world.run(millis(1_000));
    let (count, bytes) = give(&mut world, 0, 10_000, 1_000);
    assert_eq!(count, 64);
    assert!(bytes <= 80 * 1_024);
    world.run(millis(1_000));
    let (_, bytes) = give(&mut world, 0, 10_000, LONGEST);
    assert!(bytes <= 80 * 1_024, "{bytes} bytes at once");
}

#[test]
fn a_flood_of_one_peer_takes_no_room_of_another() {
    let mut world = begin();
    speak(&mut world, 0);
    give(&mut world, 0, 10_000, 1_200);
    assert_eq!(give(&mut world, 1, 3, 1_200).0, 3);
}
