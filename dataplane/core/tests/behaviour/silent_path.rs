//! A path that went silent is asked again and again, by sound if there is any and by the lowest layer if there is none;
//! what began meanwhile is there when it comes back.

use loupe_core::io::{Event, Phase};

use crate::support::media::{camera, microphone, picture, sound};
use crate::support::{World, clean, lossy, millis, outage};

/// The viewer's line after an outage of four seconds on their way down.
fn after_outage(seed: u64, with_sound: bool) -> (World, usize) {
    let mut world = World::new(seed);
    let publisher = world.join();
    let viewer = world.join_by(clean(20), lossy(20, outage(5_000, 9_000)));
    world.run(millis(300));
    let video = world.publish(publisher, camera(1_000));
    world.subscribe(video, viewer, picture(2_000));
    if with_sound {
        let audio = world.publish(publisher, microphone(1_100));
        world.subscribe(audio, viewer, sound(2_100));
    }
    world.run(millis(14_700));
    (world, viewer)
}

#[test]
fn pictures_come_back_with_sound_and_without() {
    for seed in 1..5 {
        for with_sound in [true, false] {
            let (world, viewer) = after_outage(seed, with_sound);
            let back = loupe_core::units::Time::from_millis(11_500);
            let came = world.line(viewer, 0).since(back).count();
            assert!(came > 60, "seed {seed}, sound {with_sound}: {came} packets of pictures in 3.5 s");
        }
    }
}

#[test]
fn a_path_that_is_asked_in_vain_is_told_to_be_silent_all_the_while() {
    for seed in 1..5 {
        for with_sound in [true, false] {
            let (world, _) = after_outage(seed, with_sound);
            let told: Vec<_> = world
                .events
                .iter()
                .filter_map(|(at, event)| match event {
                    Event::Bandwidth { link, .. } => Some((at.0 / 1_000, link.phase)),
                    _ => None,
                })
                .collect();
            let (began, _) = told.iter().find(|(_, phase)| *phase == Phase::Silent).expect("told at all");
            assert!(
                (5_000..6_000).contains(began),
                "seed {seed}, sound {with_sound}: silent from {began} ms"
            );
            let (end, _) =
                told.iter().find(|(at, phase)| at > began && *phase != Phase::Silent).expect("over");
            assert!((9_000..10_500).contains(end), "seed {seed}, sound {with_sound}: silent to {end} ms");
        }
    }
}

#[test]
fn who_is_sent_pictures_alone_is_found_again_after_a_long_time_without_reports() {
    for (seed, transport_cc) in [(5, true), (6, false)] {
        let (mut world, viewer, _) = World::with_camera_alone(seed, transport_cc);
        let heard = |world: &mut World, heard: bool| {
            let viewer = &mut world.peer(viewer).viewer;
            (viewer.reports, viewer.feedback) = (heard, heard && transport_cc);
        };
        heard(&mut world, false);
        world.run(millis(20_000));
        let from = world.now;
        world.run(millis(20_000));
        let came = world.line(viewer, 0).since(from).count();
        assert!((1..500).contains(&came), "transport_cc {transport_cc}: {came} packets in 20 s");
        heard(&mut world, true);
        world.run(millis(12_500));
        let back = world.now;
        world.run(millis(2_000));
        let came = world.line(viewer, 0).since(back).count();
        assert!(came > 60, "transport_cc {transport_cc}: {came} packets in 2 s");
    }
}

/// Packets from 12 s to 20 s of a voice that flows all the while and of a second one, which begins at `begins`; the path
/// is silent from 5 s to 9 s.
fn two_voices(seed: u64, begins: u64) -> [usize; 2] {
    let mut world = World::new(seed);
    let (publisher, other) = (world.join(), world.join());
    let viewer = world.join_by(clean(20), lossy(20, outage(5_000, 9_000)));
    world.run(millis(300));
    let first = world.publish(publisher, microphone(1_100));
    world.subscribe(first, viewer, sound(2_100));
    let second = world.publish(other, microphone(1_200));
    world.peer(other).publisher.sources[0].flowing = false;
    world.subscribe(second, viewer, sound(2_200));
    world.run(millis(begins - 300));
    world.peer(other).publisher.sources[0].flowing = true;
    world.run(millis(20_000 - begins));
    let from = loupe_core::units::Time::from_millis(12_000);
    [0, 1].map(|line| world.line(viewer, line).since(from).count())
}

#[test]
fn who_begins_to_speak_in_a_silence_is_heard_after_it() {
    for (seed, begins) in [(1, 4_000), (2, 6_500), (3, 7_000), (4, 7_330), (5, 8_500)] {
        let came = two_voices(seed, begins);
        assert!(came.iter().all(|came| *came > 380), "from {begins} ms on: {came:?} packets in 8 s");
    }
}
