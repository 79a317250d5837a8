//! Sources that no description names are bound by MID and RID (RFC 8843, RFC 8852), and by nothing else, within caps.

use crate::support::media::{Media, camera, label, microphone, picture, simulcast, sound};
use crate::support::{World, millis};
use loupe_core::io::Encoding;
use loupe_core::rtp::{ExtensionWriter, FixedHeader};
use loupe_core::stats::{Counter, Drop};
use loupe_core::units::Ssrc;

/// Identifier and data of a header extension.
type Element<'a> = (u8, &'a [u8]);

fn unnamed(mut media: Media, mid: &str) -> Media {
    media.inbound.mid = Some(label(mid));
    media
        .inbound
        .encodings
        .iter_mut()
        .for_each(|encoding| *encoding = Encoding { ssrc: None, rtx_ssrc: None, rid: None });
    media
}

/// A plain packet from `ssrc` with these extensions, protected.
fn packet(world: &mut World, ssrc: u32, payload_type: u8, elements: &[Element<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let fixed = FixedHeader { payload_type, marker: true, sequence: 7, timestamp: 1, ssrc: Ssrc(ssrc) };
    fixed.write(&mut bytes);
    let mut writer = ExtensionWriter::begin(&mut bytes);
    for (id, data) in elements {
        writer.push(*id, data);
    }
    writer.finish();
    bytes.extend_from_slice(&[0x10, 0, 1, 2, 3]);
    world.peer(0).wire.protect_rtp(bytes, 7)
}

fn give(world: &mut World, ssrc: u32, payload_type: u8, elements: &[Element<'_>]) {
    let datagram = packet(world, ssrc, payload_type, elements);
    let source = world.peer(0).wire.address;
    world.inject(source, datagram);
}

#[test]
fn two_cameras_of_one_payload_type_are_told_apart_by_mid() {
    let mut world = World::new(1);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    for (number, mid) in [(0, "endoscope"), (1, "overhead")] {
        let mut media = unnamed(camera(1_000 + 100 * number), mid);
        media.sources[0].layer = number as u8;
        let publication = world.publish(publisher, media);
        world.subscribe(publication, viewer, picture(2_000 + 100 * number));
    }
    world.run(millis(2_000));
    for line in [0, 1] {
        let received = world.line(viewer, line);
        assert!(received.frames().len() > 50, "line {line}: {} frames", received.frames().len());
        assert!(received.received.iter().all(|packet| usize::from(packet.content().layer) == line));
    }
}

#[test]
fn sound_and_picture_without_mid_are_told_apart_by_payload_type() {
    let mut world = World::new(2);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    for (media, line) in
        [(unnamed(camera(1_000), "v"), picture(2_000)), (unnamed(microphone(1_100), "a"), sound(2_100))]
    {
        let publication = world.publish(publisher, media);
        world.subscribe(publication, viewer, line);
    }
    world.peer(publisher).publisher.sources.iter_mut().for_each(|source| source.named = false);
    world.run(millis(2_000));
    assert!(world.line(viewer, 0).frames().len() > 50);
    assert!(world.line(viewer, 1).received.len() > 80);
}

#[test]
fn layers_and_their_repairs_are_bound_by_rid() {
    let mut world = World::new(3);
    let publisher =
        world.join_by(crate::support::lossy(10, loupe_netem::profiles::iid(5.0)), crate::support::clean(10));
    let viewer = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, simulcast(1_000, &["q", "h", "f"]));
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(5_000));
    assert!(world.count(Counter::RtxIn) > 50, "{} repaired", world.count(Counter::RtxIn));
    assert_eq!(world.dropped(Drop::UnknownSource), 0);
    assert_eq!(world.line(viewer, 0).received.last().unwrap().content().layer, 2);
}

#[test]
fn an_encoder_that_restarts_under_a_new_source_replaces_the_old() {
    let mut world = World::new(4);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let publication = world.publish(publisher, simulcast(1_000, &["q"]));
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(2_000));
    let restarted = world.now;
    let source = &mut world.peer(publisher).publisher.sources[0];
    (source.ssrc, source.index, source.clock_offset, source.keyframe_wanted) = (5_000, 300, 77, true);
    world.run(millis(2_000));
    let line = world.line(viewer, 0);
    let after = line.since(restarted + millis(100)).count();
    assert!(after > 100, "{after} packets");
    assert!(line.holes().len() <= 1, "{} holes", line.holes().len());
}

#[test]
fn what_names_nothing_known_is_not_bound() {
    let mut world = World::new(5);
    let (publisher, _) = (world.join(), world.join());
    world.run(millis(300));
    let mut media = simulcast(1_000, &["q", "h"]);
    media.sources.clear();
    world.publish(publisher, media);
    let refused = |world: &World| world.dropped(Drop::UnknownSource);
    let cases: [(u8, &[Element<'_>]); 4] = [
        (96, &[(1, b"v")]),
        (96, &[(1, b"v"), (2, b"f")]),
        (96, &[(1, b"other"), (2, b"q")]),
        (100, &[(1, b"v"), (2, b"q")]),
    ];
    for (number, (payload_type, elements)) in cases.into_iter().enumerate() {
        let before = refused(&world);
        give(&mut world, 7_000 + number as u32, payload_type, elements);
        assert_eq!(refused(&world), before + 1, "case {number}");
    }
    assert_eq!(world.count(Counter::RtpIn), 0);
    give(&mut world, 8_000, 96, &[(1, b"v"), (2, b"h")]);
    assert_eq!(world.count(Counter::RtpIn), 1);
}

#[test]
fn sources_cannot_be_made_without_bound() {
    let mut world = World::new(6);
    let publisher = world.join();
    world.run(millis(300));
    let mut media = simulcast(1_000, &["q", "h"]);
    media.sources.clear();
    world.publish(publisher, media);
    for ssrc in 0..5_000 {
        give(&mut world, 10_000 + ssrc, 96, &[(1, b"v"), (2, if ssrc % 2 == 0 { b"q" } else { b"h" })]);
        world.run(millis(1));
    }
    // 100 at once and 200 a second: what changes its source more often than that is no encoder.
    let accepted = world.count(Counter::RtpIn);
    assert!(accepted <= 100 + 200 * 5 + 1, "{accepted} sources were tried");
    assert!(world.plane.census().sources <= 2 + 16, "{:?}", world.plane.census());
}

/// A publisher with a lossy link whose encoder begins anew under other sources, and a viewer.
fn restarted(seed: u64, first_number: impl Fn(u64) -> u64) -> (World, u64) {
    let mut world = World::new(seed);
    let publisher =
        world.join_by(crate::support::lossy(10, loupe_netem::profiles::iid(5.0)), crate::support::clean(10));
    let viewer = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, simulcast(1_000, &["q"]));
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(5_000));
    assert!(world.count(Counter::RtxIn) > 3, "{}", world.count(Counter::RtxIn));
    let source = &mut world.peer(publisher).publisher.sources[0];
    let old = source.index;
    (source.ssrc, source.rtx_ssrc, source.rtx_index) = (5_000, 5_001, 7);
    (source.index, source.clock_offset, source.keyframe_wanted) = (first_number(old), 77, true);
    source.sent.clear();
    world.peer(publisher).publisher.repairing = false;
    world.run(millis(1_000));
    (world, old)
}

/// A retransmission by the old encoder of its last packet but `back`, under its old source of repairs.
fn late_repair(world: &mut World, old: u64, back: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let index = 21_000 + back;
    let fixed = FixedHeader {
        payload_type: 97,
        marker: true,
        sequence: index as u16,
        timestamp: 0xffff_0000,
        ssrc: Ssrc(1_001),
    };
    fixed.write(&mut bytes);
    let mut writer = ExtensionWriter::begin(&mut bytes);
    writer.push(1, b"v");
    writer.push(3, b"q");
    writer.finish();
    bytes.extend_from_slice(&((old - back) as u16).to_be_bytes());
    bytes.extend_from_slice(&[0x90, 0xe0, 0x80, 0, 0, 0, 1, 9, 9, 9]);
    world.peer(0).wire.protect_rtp(bytes, index)
}

#[test]
fn repairs_of_an_encoder_that_began_anew_end_with_it() {
    // The new numbers lie below the old: each late repair would pass for a packet of the new source's future.
    let (mut world, old) = restarted(7, |old| old - 300);
    let refused = world.dropped(Drop::UnknownSource);
    let accepted = world.count(Counter::RtxIn);
    for back in 1..=100 {
        let datagram = late_repair(&mut world, old, back);
        let source = world.peer(0).wire.address;
        world.inject(source, datagram);
    }
    assert_eq!(world.dropped(Drop::UnknownSource), refused + 100);
    assert_eq!(world.count(Counter::RtxIn), accepted);
    let from = world.now;
    world.peer(0).publisher.repairing = true;
    world.run(millis(2_000));
    let line = world.line(1, 0);
    assert!(line.since(from).all(|packet| packet.payload.len() > 20), "a packet of the old encoder");
    assert!(line.since(from).count() > 100);
    assert!(world.count(Counter::RtxIn) > accepted + 2, "the new source's repairs are bound");
    assert_eq!(world.dropped(Drop::UnknownSource), refused + 100);
}

#[test]
fn a_repair_far_above_what_was_sent_repeats_another_source() {
    let mut world = World::new(8);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let publication = world.publish(publisher, simulcast(1_000, &["q"]));
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(2_000));
    let newest = world.peer(publisher).publisher.sources[0].index;
    let before = world.count(Counter::LostIn);
    let datagram = late_repair(&mut world, newest + 20_000, 0);
    let source = world.peer(0).wire.address;
    world.inject(source, datagram);
    assert_eq!((world.dropped(Drop::RtxMalformed), world.count(Counter::LostIn)), (1, before));
    world.run(millis(1_000));
    assert!(world.line(viewer, 0).holes().is_empty());
}
