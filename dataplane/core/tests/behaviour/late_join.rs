//! A viewer that joins in the middle: the publisher is asked for a key frame within its throttle, and the first packet
//! the viewer gets begins one.

use crate::support::content::Numbers;
use crate::support::media::{camera, microphone, picture, sound};
use crate::support::{World, clean, lossy, millis, outage};
use loupe_core::io::Command;
use loupe_core::stats::Drop;
use loupe_core::units::Time;
use loupe_netem::{Loss, profiles};

fn begin(seed: u64, up: Loss) -> (World, loupe_core::io::Handle) {
    let mut world = World::new(seed);
    let publisher = world.join_by(lossy(10, up), clean(10));
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    world.run(millis(3_000));
    (world, publication)
}

#[test]
fn the_first_packet_begins_a_key_frame_and_comes_within_a_round_trip() {
    let (mut world, publication) = begin(1, Loss::None);
    let viewer = world.join();
    world.run(millis(200));
    assert_eq!(world.peer(0).publisher.plis.len(), 0, "nobody watched, nobody asked");
    let joined = world.now;
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(1_000));
    let plis = world.peer(0).publisher.plis.clone();
    assert_eq!(plis.len(), 1);
    assert_eq!(plis[0].0.since(joined), millis(10), "asked at once");
    let line = world.line(viewer, 0);
    let first = &line.received[0];
    assert!(first.content().keyframe && first.content().index == 0, "{:?}", first.content());
    assert!(first.at.since(joined) <= millis(10 + 34 + 10 + 10 + 1), "{:?}", first.at.since(joined));
    assert!(line.holes().is_empty());
}

#[test]
fn fifty_viewers_that_join_at_once_cost_one_key_frame() {
    let (mut world, publication) = begin(2, Loss::None);
    let viewers: Vec<usize> = (0..50).map(|_| world.join()).collect();
    world.run(millis(300));
    for viewer in &viewers {
        world.subscribe(publication, *viewer, picture(2_000 + 10 * *viewer as u32));
    }
    world.run(millis(1_000));
    assert_eq!(world.peer(0).publisher.plis.len(), 1);
    for viewer in viewers {
        let frames = world.line(viewer, 0).frames();
        assert!(frames[0].2 && frames.len() > 25, "viewer {viewer}: {} frames", frames.len());
    }
}

#[test]
fn joining_one_after_another_costs_two_key_frames_a_second_at_most() {
    let (mut world, publication) = begin(3, Loss::None);
    let start = world.now;
    for number in 0..40 {
        let viewer = world.join();
        world.run(millis(50));
        world.subscribe(publication, viewer, picture(2_000 + 10 * number));
        world.run(millis(50));
    }
    world.run(millis(1_000));
    let plis: Vec<Time> = world.peer(0).publisher.plis.iter().map(|(at, _)| *at).collect();
    assert!(plis.windows(2).all(|pair| pair[1].since(pair[0]) >= millis(500)), "{plis:?}");
    let span = world.now.since(start).as_secs() as usize;
    assert!(plis.len() <= span * 2 + 1, "{} in {span} s", plis.len());
    for viewer in 1..=40 {
        let line = world.line(viewer, 0);
        assert!(line.received[0].content().keyframe && line.frames().len() > 10, "viewer {viewer}");
    }
}

#[test]
fn a_request_that_is_lost_is_repeated() {
    let mut world = World::new(4);
    // Nothing reaches the publisher while the viewer joins.
    let publisher = world.join_by(clean(10), lossy(10, outage(3_000, 4_200)));
    let viewer = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    world.run(millis(3_000));
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(3_000));
    let line = world.line(viewer, 0);
    assert!(line.received[0].content().keyframe);
    assert!(line.received[0].at < Time::from_millis(5_500), "{:?}", line.received[0].at);
}

#[test]
fn a_key_frame_that_lost_its_beginning_is_repaired_and_shown() {
    for seed in 30..45 {
        let (mut world, publication) = begin(seed, profiles::iid(15.0));
        let viewer = world.join();
        world.run(millis(200));
        world.subscribe(publication, viewer, picture(2_000));
        world.run(millis(2_000));
        let line = world.line(viewer, 0);
        let frames = line.frames();
        assert!(frames[0].2, "seed {seed}: the first whole frame is no key frame");
        let first = line.in_order()[0].content();
        assert_eq!((first.keyframe, first.index, frames[0].1), (true, 0, first.frame), "seed {seed}");
        assert!(frames.windows(2).take(20).all(|pair| pair[1].1 == pair[0].1 + 1), "seed {seed}: {frames:?}");
    }
}

#[test]
fn a_viewer_subscribed_before_its_keys_begins_when_it_has_them() {
    let (mut world, publication) = begin(6, Loss::None);
    let viewer = world.join_without_keys(clean(10), clean(10));
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(700));
    assert_eq!(world.line(viewer, 0).received.len(), 0);
    world.give_keys(viewer);
    let keyed = world.now;
    world.run(millis(1_000));
    let first = &world.line(viewer, 0).received[0];
    assert!(first.content().keyframe && first.content().index == 0, "{:?}", first.content());
    // At once, or where a request went out less than 500 ms before, when the next may.
    assert!(first.at.since(keyed) <= millis(500 + 65), "{:?}", first.at.since(keyed));
    assert!(world.line(viewer, 0).holes().is_empty());
}

#[test]
fn sound_begins_with_the_next_packet() {
    let mut world = World::new(5);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let publication = world.publish(publisher, microphone(1_100));
    world.run(millis(2_000));
    let joined = world.now;
    world.subscribe(publication, viewer, sound(2_100));
    world.run(millis(500));
    let first = &world.line(viewer, 0).received[0];
    assert!(first.at.since(joined) <= millis(31), "{:?}", first.at.since(joined));
    assert_eq!(world.peer(publisher).publisher.plis.len(), 0);
}

/// Under the same keys no index may be used twice with other bytes (RFC 3711 section 9.1), and the viewer's replay window
/// would refuse it.
#[test]
fn a_source_that_is_used_again_goes_on_where_it_stopped() {
    let (mut world, publication) = begin(9, Loss::None);
    let viewer = world.join();
    world.run(millis(200));
    for _ in 0..3 {
        let (subscription, _) = world.subscribe(publication, viewer, picture(2_000));
        world.run(millis(2_000));
        world.command(Command::Close { handle: subscription });
        world.run(millis(200));
    }
    // All lines of the viewer have one source: its first takes what they all get.
    let seqs: Vec<u64> = world.line(viewer, 0).received.iter().map(|packet| packet.seq).collect();
    assert!(seqs.len() > 600, "{} packets", seqs.len());
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "one unbroken line");
}

/// Frames of the viewer's first line around the moment when something else fed it: time, picture id and TL0PICIDX.
fn seam(world: &World, viewer: usize, at: Time) -> [(Time, u64, u64, Numbers); 2] {
    let received = &world.line(viewer, 0).received;
    let next = received.iter().position(|packet| packet.at >= at).expect("it came");
    [next - 1, next].map(|index| {
        let packet = &received[index];
        (packet.at, packet.seq, packet.time, packet.numbers())
    })
}

#[test]
fn another_publication_under_a_source_that_is_used_again_goes_on_in_all_its_numbers() {
    let (mut world, first) = begin(10, Loss::None);
    let (other, viewer) = (world.join(), world.join());
    world.run(millis(200));
    let second = world.publish(other, camera(1_300));
    // An encoder of its own, whose numbers lie below those of the first.
    let source = &mut world.peer(other).publisher.sources[0];
    (source.clock_offset, source.index) = (77, 300);
    source.numbers = Numbers { picture_id: 11, tl0_pic_idx: 3, ..source.numbers };
    let (subscription, _) = world.subscribe(first, viewer, picture(2_000));
    world.run(millis(3_000));
    world.command(Command::Close { handle: subscription });
    world.run(millis(700));
    let again = world.now;
    world.subscribe(second, viewer, picture(2_000));
    world.run(millis(1_000));
    let [before, after] = seam(&world, viewer, again);
    assert_eq!(after.1, before.1 + 1);
    let elapsed = after.0.since(before.0).as_micros() as u64 * 90 / 1_000;
    assert!((after.2 - before.2).abs_diff(elapsed) < 300, "{} ticks, {elapsed}", after.2 - before.2);
    assert_eq!(after.3.picture_id, (before.3.picture_id + 1) & 0x7fff);
    assert_eq!(after.3.tl0_pic_idx, before.3.tl0_pic_idx.wrapping_add(1));
}

#[test]
fn what_was_overtaken_at_the_beginning_of_a_stream_is_shown() {
    let mut world = World::new(11);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    world.subscribe(publication, viewer, picture(2_000));
    let (now, peer) = (world.now, world.peer(publisher));
    let source = &mut peer.publisher.sources[0];
    let mut packets = source.next_frame(now, &mut peer.publisher.next_transport_seq);
    // The first of the key frame comes last.
    packets.rotate_left(1);
    let datagrams: Vec<_> = packets.into_iter().map(|(it, index)| peer.wire.protect_rtp(it, index)).collect();
    datagrams.into_iter().for_each(|datagram| world.send(publisher, datagram));
    world.run(millis(1_000));
    let frames = world.line(viewer, 0).frames();
    assert_eq!((frames[0].1, frames[0].2), (0, true), "the first frame, whole");
    assert_eq!([Drop::Duplicate, Drop::TooOld].map(|reason| world.dropped(reason)), [0, 0]);
}
