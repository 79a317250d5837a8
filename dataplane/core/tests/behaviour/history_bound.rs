//! What is kept for viewers' requests is bounded in bytes: a publisher that sends the longest packets there are fills
//! it and no more, and what it sends is forwarded all the same.

use crate::support::media::{camera, picture, simulcast};
use crate::support::{World, millis};
use loupe_core::rtcp::write_nack;
use loupe_core::rtp::{ExtensionWriter, FixedHeader};
use loupe_core::stats::{Counter, Drop};
use loupe_core::units::{SeqNo, Ssrc};

/// All that one publication may hold, and the least share of three layers that begin when the fourth holds it all.
const MOST: usize = 3_750_000 / 8 * 11;
/// Payload of the longest packets that are accepted.
const LONGEST: usize = 2_000;

/// `count` packets of `length` bytes of payload each, `a_second` of them, alternately on each of `layers`.
fn flood(
    world: &mut World,
    layers: &[&str],
    numbers: &mut u64,
    (count, a_second): (u64, u64),
    length: usize,
) {
    let address = world.peer(0).wire.address;
    for step in 0..count {
        let layer = step as usize % layers.len();
        let index = *numbers;
        *numbers += u64::from(layer + 1 == layers.len());
        let mut packet = Vec::new();
        FixedHeader {
            payload_type: 96,
            marker: false,
            sequence: SeqNo(index).wire(),
            timestamp: index as u32,
            ssrc: Ssrc(1_000 + 2 * layer as u32),
        }
        .write(&mut packet);
        let mut writer = ExtensionWriter::begin(&mut packet);
        writer.push(1, b"v");
        writer.push(2, layers[layer].as_bytes());
        writer.finish();
        packet.resize(packet.len() + length, 0x11);
        let datagram = world.peer(0).wire.protect_rtp(packet, index);
        world.inject(address, datagram);
        let due = step * 1_000 / a_second;
        if due > (step.saturating_sub(1)) * 1_000 / a_second {
            world.run(millis(1));
        }
    }
}

#[test]
fn the_longest_packets_fill_the_bound_and_no_more() {
    for layers in [&["q"][..], &["q", "h", "f", "g"]] {
        let mut world = World::new(1);
        let publisher = world.join();
        world.run(millis(300));
        let mut media = simulcast(1_000, layers);
        media.sources.clear();
        world.publish(publisher, media);
        let mut numbers = 10;
        // Small ones first, so that many are to be kept; then as many long ones.
        flood(&mut world, layers, &mut numbers, (12_000, 4_000), 40);
        let mut most = 0;
        for _ in 0..100 {
            flood(&mut world, layers, &mut numbers, (100, 1_500), LONGEST);
            most = most.max(world.plane.census().history_bytes);
        }
        assert!((3_500_000..=MOST).contains(&most), "{most} bytes of {} layers", layers.len());
        assert_eq!(world.count(Counter::RtpIn), 12_000 + 10_000);
    }
}

#[test]
fn a_layer_that_holds_everything_takes_no_packet_from_another() {
    let mut world = World::new(2);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let publication = world.publish(publisher, simulcast(1_000, &["q", "h"]));
    let (subscription, _) = world.subscribe(publication, viewer, picture(2_000));
    world.prefer(subscription, 0);
    // 25 Mbit/s above the layer that is watched.
    let source = &mut world.peer(publisher).publisher.sources[1];
    (source.packets_per_frame, source.packet_bytes) = (87, 1_200);
    world.run(millis(8_000));
    assert!(world.plane.census().history_bytes > 3_700_000, "{:?}", world.plane.census());
    let line = world.line(viewer, 0);
    assert!(line.holes().is_empty());
    assert!(line.frames().len() > 220 && line.frames().iter().all(|(layer, ..)| *layer == 0));
}

#[test]
fn a_packet_a_second_old_is_sent_again_at_twenty_megabits() {
    let mut world = World::new(3);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    world.subscribe(publication, viewer, picture(2_000));
    let source = &mut world.peer(publisher).publisher.sources[0];
    (source.packets_per_frame, source.packet_bytes) = (70, 1_200);
    world.run(millis(4_000));
    let newest = world.line(viewer, 0).in_order().last().unwrap().seq;
    let wanted = newest - 70 * 30;
    let mut bytes = Vec::new();
    write_nack(&mut bytes, Ssrc(7), Ssrc(2_000), &[SeqNo(wanted).wire()]);
    world.peer(viewer).say(bytes);
    world.run(millis(100));
    assert_eq!(world.dropped(Drop::RtxGone), 0);
    let line = world.line(viewer, 0);
    assert!(line.received.iter().any(|packet| packet.repaired && packet.seq == wanted));
}
