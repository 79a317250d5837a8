//! A simulcast viewer gets one unbroken picture: layers change at key frames only, and no counter shows the seam.

use crate::support::media::{picture, simulcast};
use crate::support::viewer::Line;
use crate::support::{World, clean, lossy, millis};
use loupe_core::io::{Command, Event, Handle, Wish};
use loupe_core::units::Time;
use loupe_netem::profiles;

const FPS_TICKS: u64 = 3_000;

/// A publisher with three layers and a viewer that wants the lowest, after two seconds.
fn start(world: &mut World, publisher: usize) -> (Handle, Handle) {
    let viewer = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, simulcast(1_000, &["q", "h", "f"]));
    let (subscription, _) = world.subscribe(publication, viewer, picture(2_000));
    world.prefer(subscription, 0);
    world.run(millis(2_000));
    (publication, subscription)
}

fn layers(line: &Line) -> Vec<u8> {
    let mut layers: Vec<u8> = line.in_order().iter().map(|packet| packet.content().layer).collect();
    layers.dedup();
    layers
}

/// One line of numbers, picture ids, TL0PICIDX and timestamps, whatever layer feeds it.
fn assert_unbroken(line: &Line) {
    assert!(line.holes().is_empty(), "holes {:?}", line.holes());
    let packets = line.in_order();
    for pair in packets.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let (old, new) = (before.content(), after.content());
        let same_frame = (old.layer, old.frame) == (new.layer, new.frame);
        let step = u16::from(!same_frame);
        let (ids, next_ids) = (before.numbers(), after.numbers());
        assert_eq!((ids.picture_id + step) & 0x7fff, next_ids.picture_id, "{old:?} then {new:?}");
        assert_eq!(ids.tl0_pic_idx.wrapping_add(step as u8), next_ids.tl0_pic_idx, "{old:?} then {new:?}");
        if same_frame {
            assert_eq!(before.time, after.time);
            assert_eq!(new.index, old.index + 1);
            continue;
        }
        assert_eq!((old.index + 1, new.index), (old.count, 0), "a frame was cut: {old:?} then {new:?}");
        let ticks = after.time - before.time;
        assert!((1..=FPS_TICKS * 2).contains(&ticks), "{ticks} ticks from {old:?} to {new:?}");
        assert!(old.layer == new.layer || new.keyframe, "{new:?} begins a layer without a key frame");
    }
}

#[test]
fn every_switch_is_at_a_key_frame_and_leaves_no_seam() {
    for seed in 1..4 {
        let mut world = World::new(seed);
        let publisher = world.join();
        let (_, subscription) = start(&mut world, publisher);
        for layer in [2, 1, 0, 1, 2, 0] {
            world.prefer(subscription, layer);
            world.run(millis(1_500));
        }
        let line = world.line(1, 0);
        assert_eq!(layers(line), [0, 2, 1, 0, 1, 2, 0]);
        assert_unbroken(line);
        // 11 s of 30 frames.
        assert!((328..=332).contains(&line.frames().len()), "{} frames", line.frames().len());
        assert_eq!(world.peer(1).wire.refused, 0);
    }
}

#[test]
fn the_old_layer_goes_on_until_the_key_frame() {
    let mut world = World::new(5);
    let publisher = world.join();
    let (_, subscription) = start(&mut world, publisher);
    world.peer(publisher).publisher.obedient = false;
    let asked = world.now;
    world.prefer(subscription, 2);
    world.run(millis(3_000));
    assert_eq!(layers(world.line(1, 0)), [0]);
    let plis = world.peer(publisher).publisher.plis.clone();
    let asked: Vec<Time> =
        plis.iter().filter(|(at, ssrc)| *at > asked && *ssrc == 1_004).map(|(at, _)| *at).collect();
    assert!((3..=4).contains(&asked.len()), "asked at {asked:?}");
    world.peer(publisher).publisher.sources[2].keyframe_wanted = true;
    world.run(millis(500));
    let line = world.line(1, 0);
    assert_eq!(layers(line), [0, 2]);
    assert_unbroken(line);
    let told = world.events_of(|event| matches!(event, Event::LayerForwarded { layer: Some(2), .. }));
    assert_eq!(told.len(), 1);
}

#[test]
fn a_switch_asks_for_its_key_frame_at_once() {
    let mut world = World::new(6);
    let publisher = world.join();
    let (_, subscription) = start(&mut world, publisher);
    let wished = world.now;
    world.prefer(subscription, 1);
    world.run(millis(1_000));
    let line = world.line(1, 0);
    let first = line.received.iter().find(|packet| packet.content().layer == 1).expect("it switched");
    // To the publisher and back to the viewer 10 ms each way, and the wait for the next frame.
    assert!(first.at.since(wished) <= millis(10 + 34 + 10 + 10 + 1), "{:?}", first.at.since(wished));
}

#[test]
fn a_layer_that_vanishes_is_replaced_by_the_best_that_flows() {
    let mut world = World::new(7);
    let publisher = world.join();
    let (publication, subscription) = start(&mut world, publisher);
    world.command(Command::Prefer { subscription, wish: Wish::default() });
    world.run(millis(1_000));
    assert_eq!(layers(world.line(1, 0)).last(), Some(&2));
    let gone = world.now;
    world.peer(publisher).publisher.sources[2].flowing = false;
    world.run(millis(3_000));
    let line = world.line(1, 0);
    assert_eq!(layers(line), [0, 2, 1]);
    let first = line.since(gone).find(|packet| packet.content().layer == 1).expect("it fell back");
    assert!(first.content().keyframe && first.content().index == 0);
    assert!(first.at.since(gone) <= millis(700 + 200), "after {:?}", first.at.since(gone));
    let told = world.events_of(|event| matches!(event, Event::LayersChanged { .. }));
    let (_, last) = told.last().unwrap();
    assert_eq!(*last, Event::LayersChanged { publication, active: 0b011 });
    world.peer(publisher).publisher.sources[2].flowing = true;
    world.peer(publisher).publisher.sources[2].next = world.now;
    world.run(millis(1_000));
    let line = world.line(1, 0);
    assert_eq!(layers(line), [0, 2, 1, 2], "it comes back with the layer");
    assert!(line.holes().is_empty());
}

#[test]
fn the_lowest_layer_may_pause_for_longer_before_it_counts_as_gone() {
    let mut world = World::new(12);
    let publisher = world.join();
    let (publication, _) = start(&mut world, publisher);
    let changes = |world: &World| {
        let told = world.events_of(|event| matches!(event, Event::LayersChanged { .. }));
        told.last().map(|(_, event)| event.clone())
    };
    let before = changes(&world);
    for (span, expected) in
        [(1_300, before), (2_000, Some(Event::LayersChanged { publication, active: 0b110 }))]
    {
        world.peer(publisher).publisher.sources[0].flowing = false;
        world.run(millis(span));
        assert_eq!(changes(&world), expected, "after {span} ms");
        world.peer(publisher).publisher.sources[0].flowing = true;
        world.peer(publisher).publisher.sources[0].next = world.now;
        world.run(millis(500));
    }
    assert_eq!(changes(&world), Some(Event::LayersChanged { publication, active: 0b111 }));
}

#[test]
fn a_paused_subscription_sends_nothing_and_begins_again_at_a_key_frame() {
    let mut world = World::new(8);
    let publisher = world.join();
    let (_, subscription) = start(&mut world, publisher);
    world.command(Command::Prefer {
        subscription,
        wish: Wish { layer: Some(0), paused: true, ..Wish::default() },
    });
    world.run(millis(50));
    let before = world.line(1, 0).received.len();
    world.run(millis(2_000));
    assert_eq!(world.line(1, 0).received.len(), before);
    world.prefer(subscription, 0);
    world.run(millis(1_000));
    let line = world.line(1, 0);
    let first = line.received[before].content();
    assert!(first.keyframe && first.index == 0, "{first:?}");
    assert!(line.holes().is_empty());
    let (before, after) = (&line.received[before - 1], &line.received[before]);
    let elapsed = after.at.since(before.at).as_micros() as u64 * 90 / 1_000;
    let ticks = after.time - before.time;
    assert!(ticks.abs_diff(elapsed) <= FPS_TICKS * 2, "{ticks} ticks for {elapsed}");
}

#[test]
fn a_layer_that_comes_and_goes_is_not_followed_each_time() {
    let mut world = World::new(9);
    let publisher = world.join();
    let (_, subscription) = start(&mut world, publisher);
    world.command(Command::Prefer { subscription, wish: Wish::default() });
    world.run(millis(2_000));
    for _ in 0..6 {
        for (flowing, span) in [(false, 1_500), (true, 1_000)] {
            world.peer(publisher).publisher.sources[2].flowing = flowing;
            world.run(millis(span));
        }
    }
    assert_eq!(layers(world.line(1, 0)), [0, 2, 1, 2, 1]);
    world.run(millis(3_500));
    assert_eq!(layers(world.line(1, 0)).last(), Some(&2), "it flowed for three seconds");
}

#[test]
fn a_switch_whose_key_frame_lost_packets_is_repaired() {
    for seed in 20..26 {
        let mut world = World::new(seed);
        let publisher = world.join_by(lossy(20, profiles::iid(10.0)), clean(20));
        let (_, subscription) = start(&mut world, publisher);
        for layer in [2, 0, 1, 0, 2] {
            world.prefer(subscription, layer);
            world.run(millis(2_000));
        }
        // What is under repair comes before the line is looked at.
        world.peer(publisher).publisher.sources.iter_mut().for_each(|source| source.flowing = false);
        world.run(millis(1_000));
        let line = world.line(1, 0);
        // Before them the first layer of which a packet came through may stand in for the wanted one.
        let seen = layers(line);
        assert!(seen.ends_with(&[0, 2, 0, 1, 0, 2]), "seed {seed}: {seen:?}");
        // What the old layer missed when the new one began is of no use any more; no key frame lacks anything.
        let packets = line.in_order();
        for hole in line.holes() {
            let near = packets
                .iter()
                .filter(|packet| packet.seq.abs_diff(hole) <= 60)
                .map(|packet| packet.content());
            let around: std::collections::BTreeSet<u8> = near.map(|content| content.layer).collect();
            assert_eq!(around.len(), 2, "seed {seed}: a hole at {hole} far from any switch");
        }
        let frames = line.frames();
        let switches = frames.windows(2).filter(|pair| pair[0].0 != pair[1].0);
        let whole = switches.filter(|pair| pair[1].2).count();
        assert_eq!(whole + 1, seen.len(), "seed {seed}: a key frame stayed incomplete");
    }
}
