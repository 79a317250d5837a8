//! A viewer may get fewer temporal or spatial layers of an encoding: what is left out leaves no trace in any counter, and
//! more begins only where it can be decoded.

use std::time::Duration;

use crate::support::media::{camera, picture, scalable_camera};
use crate::support::source::Encoder;
use crate::support::viewer::{Line, Received};
use crate::support::{World, clean, lossy, millis};
use loupe_core::io::{Command, Handle, Wish};
use loupe_core::stats::Drop;
use loupe_core::units::Time;
use loupe_netem::profiles;

/// A camera with two temporal layers of VP8 that changes between them at every frame.
fn two_temporal_layers(ssrc: u32) -> crate::support::media::Media {
    let mut media = camera(ssrc);
    media.sources[0].interval = Duration::from_millis(40);
    media.sources[0].encoder = Some(Encoder::new(600_000.0, 5));
    media
}

fn wish(world: &mut World, subscription: Handle, spatial: Option<u8>, temporal: Option<u8>) {
    let wish = Wish { spatial, temporal, ..Wish::default() };
    world.command(Command::Prefer { subscription, wish });
}

fn pictures(line: &Line, from: Time) -> Vec<Vec<&Received>> {
    let mut pictures: Vec<Vec<&Received>> = Vec::new();
    for packet in line.in_order().into_iter().filter(|packet| packet.at >= from) {
        match pictures.last_mut().filter(|picture| picture[0].time == packet.time) {
            Some(picture) => picture.push(packet),
            None => pictures.push(vec![packet]),
        }
    }
    pictures
}

/// Numbers and picture ids without a gap; the lowest temporal layer counted as it was.
fn assert_unbroken(line: &Line) {
    assert!(line.holes().is_empty(), "{:?}", line.holes());
    for pair in pictures(line, Time::ZERO).windows(2) {
        let (before, after) = (pair[0][0].numbers(), pair[1][0].numbers());
        assert_eq!(after.picture_id, (before.picture_id + 1) & 0x7fff);
        let step = u8::from(after.temporal == 0);
        assert_eq!(after.tl0_pic_idx, before.tl0_pic_idx.wrapping_add(step));
    }
}

#[test]
fn the_upper_temporal_layer_goes_and_comes_without_a_trace() {
    for (seed, up) in [(1, clean(10)), (2, lossy(20, profiles::iid(3.0)))] {
        let mut world = World::new(seed);
        let publisher = world.join_by(up, clean(10));
        let viewer = world.join();
        world.run(millis(300));
        let publication = world.publish(publisher, two_temporal_layers(1_000));
        let (subscription, line) = world.subscribe(publication, viewer, picture(2_000));
        let (mut low, mut all) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            world.run(millis(3_000));
            all.push((world.now - millis(2_000), world.now));
            wish(&mut world, subscription, None, Some(0));
            world.run(millis(3_000));
            low.push((world.now - millis(2_000), world.now));
            wish(&mut world, subscription, None, None);
        }
        let line = world.line(viewer, line);
        let count = |(from, to): &(Time, Time), temporal: u8| {
            let of =
                |picture: &&Vec<&Received>| picture[0].at < *to && picture[0].numbers().temporal == temporal;
            pictures(line, *from).iter().filter(of).count()
        };
        for span in &all {
            let counts = [count(span, 0), count(span, 1)];
            assert!(counts.iter().all(|count| (23..=26).contains(count)), "seed {seed}: {counts:?}");
        }
        for span in &low {
            let counts = [count(span, 0), count(span, 1)];
            assert!((23..=26).contains(&counts[0]) && counts[1] == 0, "seed {seed}: {counts:?}");
        }
        assert!(world.dropped(Drop::UnwantedLayer) > 100);
        if seed == 1 {
            assert_unbroken(line);
            assert_eq!(world.peer(publisher).publisher.plis.len(), 1, "no key frame is needed for any of it");
        }
    }
}

#[test]
fn the_upper_temporal_layer_comes_back_only_where_it_begins() {
    let mut world = World::new(3);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let mut media = two_temporal_layers(1_000);
    media.sources[0].sync_every = 10;
    let publication = world.publish(publisher, media);
    let (subscription, line) = world.subscribe(publication, viewer, picture(2_000));
    for _ in 0..12 {
        world.run(millis(1_130));
        wish(&mut world, subscription, None, Some(0));
        world.run(millis(700));
        wish(&mut world, subscription, None, None);
    }
    let line = world.line(viewer, line);
    let mut absent = 0;
    let mut began = 0;
    for picture in pictures(line, Time::ZERO) {
        let numbers = picture[0].numbers();
        // One picture of the lowest layer stands between two of the upper one.
        if numbers.temporal == 1 && absent > 1 {
            assert!(numbers.sync, "{numbers:?} after {absent}");
            began += 1;
        }
        // With a key frame everything begins.
        let begins = numbers.temporal > 0 || picture[0].content().keyframe;
        absent = if begins { 0 } else { absent + 1 };
    }
    assert!((5..=12).contains(&began), "{began}");
    assert_unbroken(line);
}

#[test]
fn spatial_layers_go_at_once_and_come_back_with_a_key_frame() {
    let mut world = World::new(4);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let publication = world.publish(publisher, scalable_camera(1_000, 3));
    let (subscription, line) = world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(1_500));
    let mut spans = vec![(world.now - millis(1_000), world.now, 2)];
    for spatial in [0, 1, 2, 0, 2] {
        wish(&mut world, subscription, Some(spatial), None);
        world.run(millis(1_500));
        spans.push((world.now - millis(1_000), world.now, spatial));
    }
    let asked = world.peer(publisher).publisher.plis.len();
    assert_eq!(asked, 1 + 3, "the beginning, and each time more is wanted");
    let line = world.line(viewer, line);
    assert!(line.holes().is_empty());
    for (from, to, highest) in spans {
        let pictures = pictures(line, from);
        let pictures: Vec<_> = pictures.iter().filter(|picture| picture[0].at < to).collect();
        assert!(pictures.len() >= 29);
        for picture in pictures {
            let layers: Vec<u8> = picture.iter().map(|packet| packet.content().layer).collect();
            let whole: Vec<u8> = (0..=highest).flat_map(|layer| [layer, layer]).collect();
            assert_eq!(layers, whole);
            let markers = picture.iter().map(|packet| packet.marker);
            assert!(markers.rev().eq((0..picture.len()).map(|back| back == 0)), "the last packet ends it");
        }
    }
    let mut had = 2;
    for picture in pictures(line, Time::ZERO) {
        let highest = picture.iter().map(|packet| packet.content().layer).max().expect("a packet");
        assert!(highest <= had || picture[0].content().keyframe, "{highest} after {had}");
        had = highest;
    }
}
