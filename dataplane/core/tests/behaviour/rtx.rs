//! What a viewer's link loses is sent again under RFC 4588: the same packet, at most four times, within a budget.

use std::collections::HashMap;

use crate::support::media::{camera, microphone, picture, sound};
use crate::support::{World, clean, lossy, millis};
use loupe_core::io::Handle;
use loupe_core::rtcp::write_nack;
use loupe_core::stats::{Counter, Drop};
use loupe_core::units::{SeqNo, Ssrc, Time};
use loupe_netem::{Loss, profiles};

/// A publisher with a clean link; viewer 1 behind `down`, viewer 2 with a clean link.
fn run(seed: u64, down: Loss, ms: u64) -> World {
    let mut world = World::new(seed);
    let publisher = world.join();
    let viewers = [world.join_by(clean(25), lossy(25, down)), world.join()];
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    for viewer in viewers {
        world.subscribe(publication, viewer, picture(2_000 + 10 * viewer as u32));
    }
    world.run(millis(ms));
    world
}

fn original(world: &World) -> HashMap<(u32, u8), Vec<u8>> {
    let packets = world.line(2, 0).received.iter();
    packets.map(|packet| ((packet.content().frame, packet.content().index), packet.payload.clone())).collect()
}

#[test]
fn loss_behind_the_server_is_repaired() {
    for (seed, loss) in [(1, profiles::iid(5.0)), (2, profiles::ge2x4()), (3, profiles::ge5x5())] {
        let mut world = run(seed, loss, 20_000);
        let line = world.line(1, 0);
        let repaired = line.received.iter().filter(|packet| packet.repaired).count();
        assert!(repaired > 30, "only {repaired} repaired");
        let (holes, all) = (line.holes().len(), line.in_order().len());
        // Two answers that are lost as well: (loss)^3 of all packets, more in bursts.
        assert!(holes * 200 <= all, "{holes} holes in {all}");
        assert_eq!(world.peer(1).wire.refused, 0);
        assert_eq!(world.peer(0).publisher.nacked.len(), 0, "the publisher has no part in it");
    }
}

/// Answers that came twice, 25 ms apart, to a viewer behind so much loss, of how many that came.
fn twice(loss: Loss) -> (usize, usize) {
    let mut world = World::new(4);
    let publisher = world.join();
    let viewer = world.join_by(clean(40), lossy(40, loss));
    world.run(millis(500));
    let publication = world.publish(publisher, camera(1_000));
    let mut line = picture(2_000);
    line.retry = millis(80);
    world.subscribe(publication, viewer, line);
    world.run(millis(50_000));
    let mut answers: HashMap<u64, Vec<Time>> = HashMap::new();
    for packet in world.line(1, 0).received.iter().filter(|packet| packet.repaired) {
        answers.entry(packet.seq).or_default().push(packet.at);
    }
    let is_copy = |pair: &&[Time]| (millis(24)..=millis(26)).contains(&pair[1].since(pair[0]));
    let copies = answers.values().filter(|times| times.windows(2).any(|pair| is_copy(&pair)));
    (copies.count(), answers.len())
}

#[test]
fn where_much_is_lost_a_second_answer_leaves_twice() {
    let (copies, answers) = twice(profiles::iid(10.0));
    // One answer in ten is lost, and one copy in ten of those that take its place.
    assert!((answers / 20..answers / 5).contains(&copies), "{copies} of {answers}");
    assert_eq!(twice(profiles::iid(2.0)).0, 0, "where little is lost the second answer comes");
}

#[test]
fn a_repaired_packet_is_the_original_under_its_original_number() {
    let world = run(5, profiles::iid(5.0), 10_000);
    let originals = original(&world);
    let line = world.line(1, 0);
    let numbers: HashMap<(u32, u8), u64> = line
        .received
        .iter()
        .filter(|packet| !packet.repaired)
        .map(|packet| ((packet.content().frame, packet.content().index), packet.seq))
        .collect();
    let first = line.in_order()[0];
    let mut seen = 0;
    for packet in line.received.iter().filter(|packet| packet.repaired) {
        let content = packet.content();
        let key = (content.frame, content.index);
        assert_eq!(packet.payload, originals[&key], "frame {} packet {}", key.0, key.1);
        assert!(!numbers.contains_key(&key), "it was not lost");
        // Five packets a frame, none skipped: the number follows from what the packet says of itself.
        let place = u64::from(content.frame - first.content().frame) * 5 + u64::from(content.index);
        assert_eq!(packet.seq + u64::from(first.content().index), first.seq + place);
        assert_eq!(packet.marker, content.index + 1 == content.count);
        let neighbour =
            line.received.iter().find(|other| !other.repaired && other.content().frame == content.frame);
        assert!(neighbour.is_none_or(|other| other.time == packet.time));
        seen += 1;
    }
    assert!(seen > 30, "only {seen}");
    let rtx: Vec<u16> = line.rtx_packets.iter().map(|(_, number)| *number).collect();
    assert!(
        rtx.windows(2).all(|pair| SeqNo(u64::from(pair[1])) > SeqNo(u64::from(pair[0]))),
        "their own line"
    );
}

/// Asks for `numbers` again `times` times, 100 ms apart.
fn storm(world: &mut World, numbers: &[u16], times: usize) {
    for _ in 0..times {
        let mut bytes = Vec::new();
        write_nack(&mut bytes, Ssrc(7), Ssrc(2_010), numbers);
        world.peer(1).say(bytes);
        world.run(millis(100));
    }
}

#[test]
fn one_packet_is_sent_again_four_times_at_most() {
    let mut world = run(7, Loss::None, 3_000);
    let seq = world.line(1, 0).in_order().last().unwrap().seq;
    let number = SeqNo(seq).wire();
    storm(&mut world, &[number], 10);
    let line = world.line(1, 0);
    let copies = line.received.iter().filter(|packet| packet.repaired && packet.seq == seq).count();
    assert_eq!(copies, 4);
    assert_eq!(world.count(Counter::RtxOut), 4);
    assert_eq!(world.dropped(Drop::RtxGone), 6);
}

#[test]
fn answers_to_one_packet_are_about_a_round_trip_apart() {
    let mut world = run(9, Loss::None, 4_000);
    let seq = world.line(1, 0).in_order().last().unwrap().seq;
    // The round trip is 50 ms, known from receiver reports.
    for _ in 0..20 {
        let mut bytes = Vec::new();
        write_nack(&mut bytes, Ssrc(7), Ssrc(2_010), &[SeqNo(seq).wire()]);
        world.peer(1).say(bytes);
        world.run(millis(10));
    }
    let copies = world.line(1, 0).received.iter().filter(|packet| packet.repaired).map(|packet| packet.at);
    let copies: Vec<_> = copies.collect();
    assert_eq!(copies.len(), 4);
    assert!(copies.windows(2).all(|pair| pair[1].since(pair[0]) >= millis(37)), "{copies:?}");
}

#[test]
fn repairs_stay_within_a_quarter_of_the_stream() {
    let mut world = run(11, Loss::None, 4_000);
    let before = world.line(1, 0).received.len();
    for _ in 0..40 {
        let newest: Vec<u16> = world
            .line(1, 0)
            .in_order()
            .iter()
            .rev()
            .take(100)
            .map(|packet| SeqNo(packet.seq).wire())
            .collect();
        let newest: Vec<u16> = newest.into_iter().rev().collect();
        let mut bytes = Vec::new();
        write_nack(&mut bytes, Ssrc(7), Ssrc(2_010), &newest);
        world.peer(1).say(bytes);
        world.run(millis(100));
    }
    let line = world.line(1, 0);
    let since = &line.received[before..];
    let sum = |repaired| {
        since.iter().filter(|packet| packet.repaired == repaired).map(|p| p.payload.len()).sum::<usize>()
    };
    let (stream, repairs) = (sum(false), sum(true));
    // A quarter a second, and one second's worth as burst: 4 s of stream, 5 s of budget.
    assert!(repairs * 4 * 4 <= stream * 5 * 11 / 10, "{repairs} of {stream}");
    assert!(repairs * 6 > stream, "the budget can be used: {repairs} of {stream}");
    assert!(world.dropped(Drop::RtxBudget) > 0);
    assert!(world.line(2, 0).holes().is_empty());
}

#[test]
fn what_is_too_old_or_was_never_sent_is_not_answered() {
    let mut world = run(13, Loss::None, 6_000);
    let first = world.line(1, 0).in_order()[0].seq;
    let newest = world.line(1, 0).in_order().last().unwrap().seq;
    let never = [SeqNo(first).wire(), SeqNo(newest + 500).wire()];
    storm(&mut world, &never, 1);
    // 700 packets back is 4.7 s, 150 back one second.
    storm(&mut world, &[SeqNo(newest - 700).wire(), SeqNo(newest - 150).wire()], 1);
    let repaired: Vec<u64> =
        world.line(1, 0).received.iter().filter(|packet| packet.repaired).map(|packet| packet.seq).collect();
    assert_eq!(repaired, [newest - 150]);
}

#[test]
fn a_source_without_repair_stream_is_not_repaired() {
    let mut world = World::new(15);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let publication: Handle = world.publish(publisher, microphone(1_000));
    world.subscribe(publication, viewer, sound(2_010));
    world.run(millis(1_000));
    let newest = world.line(viewer, 0).in_order().last().unwrap().seq;
    let mut bytes = Vec::new();
    write_nack(&mut bytes, Ssrc(7), Ssrc(2_010), &[SeqNo(newest).wire()]);
    world.peer(viewer).say(bytes);
    world.run(millis(500));
    assert_eq!((world.count(Counter::RtxOut), world.dropped(Drop::RtxGone)), (0, 1));
}

#[test]
fn what_is_asked_of_a_source_that_nobody_is_sent_is_counted() {
    let mut world = run(12, Loss::None, 500);
    let mut bytes = Vec::new();
    write_nack(&mut bytes, Ssrc(7), Ssrc(9_999), &[1, 2, 300]);
    world.peer(1).say(bytes);
    world.run(millis(100));
    assert_eq!((world.dropped(Drop::RtxGone), world.count(Counter::RtxOut)), (3, 0));
}
