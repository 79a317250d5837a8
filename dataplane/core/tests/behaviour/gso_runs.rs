//! A frame's packets of one size to one viewer leave as one run, which a single segmented send carries; gathering them
//! waits 120 us at most, and not at all for few viewers.

use std::time::Duration;

use crate::support::content::{Content, Numbers, vp8};
use crate::support::media::{camera, microphone, picture, sound};
use crate::support::{RunSeen, World, millis};
use loupe_core::io::Handle;
use loupe_core::rtp::FixedHeader;
use loupe_core::units::{Ssrc, Time};

fn meeting(viewers: usize) -> (World, Handle) {
    let mut world = World::new(1);
    let publisher = world.join();
    let joined: Vec<usize> = (0..viewers).map(|_| world.join()).collect();
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    for viewer in joined {
        world.subscribe(publication, viewer, picture(2_000 + 10 * viewer as u32));
    }
    world.run(millis(2_000));
    (world, publication)
}

/// Runs of media since `from`: longer than any report or answer to a check.
fn media_runs(world: &World, from: Time) -> Vec<RunSeen> {
    world.runs.iter().filter(|run| run.at >= from && run.segment > 1_000).copied().collect()
}

#[test]
fn a_frame_is_one_run_per_viewer() {
    let (mut world, _) = meeting(10);
    let from = world.now;
    world.run(millis(1_000));
    let runs = media_runs(&world, from);
    // 30 frames to each of ten viewers.
    assert!((290..=310).contains(&runs.len()), "{} runs", runs.len());
    for run in &runs {
        assert_eq!(run.datagrams, 5);
        assert_eq!(run.length, 5 * u32::from(run.segment));
    }
    assert!((1..=10).all(|viewer| world.line(viewer, 0).holes().is_empty()));
}

/// One packet of a frame by hand, into the plane now.
fn give(world: &mut World, index: u8, count: u8, length: usize) {
    let source = &mut world.peer(0).publisher.sources[0];
    let (seq, frame) = (source.index, source.frame);
    source.index += 1;
    let content = Content { keyframe: false, layer: 0, frame, index, count };
    let fixed = FixedHeader {
        payload_type: 96,
        marker: index + 1 == count,
        sequence: seq as u16,
        timestamp: 99,
        ssrc: Ssrc(1_000),
    };
    let packet = [&fixed.bytes()[..], &vp8(content, Numbers::default(), length)].concat();
    let address = world.peer(0).wire.address;
    let datagram = world.peer(0).wire.protect_rtp(packet, seq);
    world.inject(address, datagram);
}

fn quiet(viewers: usize) -> World {
    let (mut world, _) = meeting(viewers);
    world.peer(0).publisher.sources[0].flowing = false;
    world.run(millis(100));
    world
}

#[test]
fn gathering_ends_with_the_frame() {
    let mut world = quiet(6);
    let from = world.now;
    for index in 0..4 {
        give(&mut world, index, 4, 1_100);
        world.run(Duration::from_micros(20));
    }
    let runs = media_runs(&world, from);
    assert_eq!(runs.len(), 6);
    assert!(runs.iter().all(|run| run.datagrams == 4 && run.at.since(from) == Duration::from_micros(60)));
}

#[test]
fn gathering_waits_120_us_at_most() {
    let mut world = quiet(6);
    let from = world.now;
    give(&mut world, 0, 4, 1_100);
    world.run(Duration::from_micros(50));
    give(&mut world, 1, 4, 1_100);
    world.run(millis(5));
    let runs = media_runs(&world, from);
    assert_eq!(runs.len(), 6);
    assert!(runs.iter().all(|run| run.datagrams == 2 && run.at.since(from) == Duration::from_micros(120)));
}

#[test]
fn few_viewers_are_served_at_once() {
    let mut world = quiet(2);
    let from = world.now;
    give(&mut world, 0, 4, 1_100);
    let runs = media_runs(&world, from);
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run.at == from));
}

#[test]
fn a_last_packet_that_is_shorter_ends_the_run_and_a_longer_one_begins_another() {
    let mut world = quiet(6);
    let from = world.now;
    for (index, length) in [(0, 1_100), (1, 1_100), (2, 700), (3, 1_100)] {
        give(&mut world, index, 4, length);
    }
    let runs = media_runs(&world, from);
    assert_eq!(runs.len(), 12);
    let shapes: Vec<u64> = runs.iter().map(|run| run.datagrams).collect();
    assert_eq!(shapes, [3, 1].repeat(6));
}

#[test]
fn sound_does_not_wait() {
    let mut world = World::new(2);
    let publisher = world.join();
    let viewers: Vec<usize> = (0..10).map(|_| world.join()).collect();
    world.run(millis(300));
    let publication = world.publish(publisher, microphone(1_000));
    for viewer in &viewers {
        world.subscribe(publication, *viewer, sound(2_000 + 10 * *viewer as u32));
    }
    world.run(millis(2_000));
    for viewer in viewers {
        let line = world.line(viewer, 0);
        // Sent at 350 ms and each 20 ms after, 10 ms each way.
        assert!(line.received.iter().all(|packet| packet.at.0 % 20_000 == 10_000), "viewer {viewer}");
    }
}
