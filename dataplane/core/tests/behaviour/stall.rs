//! A source that falls silent is told at 500 ms and at 1 s, and again when it flows.

use crate::support::media::{camera, microphone, picture};
use crate::support::{World, millis};
use loupe_core::io::{Command, Event, Handle};
use loupe_core::units::Time;

fn begin(seed: u64, interval_ms: u64) -> (World, Handle) {
    let mut world = World::new(seed);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let mut media = camera(1_000);
    media.sources[0].interval = millis(interval_ms);
    let publication = world.publish(publisher, media);
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(10_000));
    (world, publication)
}

fn stalls(world: &World) -> Vec<(Time, u32)> {
    let told = world.events.iter().filter_map(|(at, event)| match event {
        Event::Stalled { silent_ms, .. } => Some((*at, *silent_ms)),
        _ => None,
    });
    told.collect()
}

fn flow(world: &mut World, flowing: bool) {
    let now = world.now;
    let source = &mut world.peer(0).publisher.sources[0];
    source.flowing = flowing;
    source.next = now;
}

#[test]
fn silence_is_told_twice_and_its_end_once() {
    let (mut world, _) = begin(1, 33);
    assert_eq!(stalls(&world), []);
    let silent = world.now;
    flow(&mut world, false);
    world.run(millis(5_000));
    let told = stalls(&world);
    assert_eq!(told.iter().map(|(_, ms)| *ms).collect::<Vec<_>>(), [500, 1_000]);
    // From the frame that should have come: up to an interval before or after the last one arrived, 10 ms late.
    let after = [told[0].0.since(silent), told[1].0.since(silent)];
    assert!((millis(480)..millis(560)).contains(&after[0]), "{after:?}");
    assert!((millis(980)..millis(1_060)).contains(&after[1]), "{after:?}");
    let back = world.now;
    flow(&mut world, true);
    world.run(millis(2_000));
    let told = stalls(&world);
    assert_eq!(told.len(), 3);
    assert_eq!((told[2].0.since(back), told[2].1), (millis(10), 0));
}

#[test]
fn a_short_silence_is_told_once() {
    let (mut world, _) = begin(2, 33);
    flow(&mut world, false);
    world.run(millis(700));
    flow(&mut world, true);
    world.run(millis(3_000));
    assert_eq!(stalls(&world).iter().map(|(_, ms)| *ms).collect::<Vec<_>>(), [500, 0]);
}

#[test]
fn a_slow_source_is_not_stalled_by_its_own_pace() {
    // One frame each 900 ms, as a shared screen sends.
    let (mut world, _) = begin(3, 900);
    let settled = world.now;
    world.run(millis(20_000));
    let late: Vec<_> = stalls(&world).into_iter().filter(|(at, _)| *at > settled).collect();
    assert_eq!(late, []);
}

#[test]
fn a_stalled_picture_is_asked_for_a_key_frame() {
    let (mut world, _) = begin(4, 33);
    let before = world.peer(0).publisher.plis.len();
    flow(&mut world, false);
    world.run(millis(1_300));
    assert_eq!(world.peer(0).publisher.plis.len(), before + 1);
}

#[test]
fn muted_pictures_and_silent_sound_do_not_stall() {
    let (mut world, publication) = begin(5, 33);
    let sound = world.publish(0, microphone(1_100));
    world.run(millis(1_000));
    world.command(Command::Mute { publication, muted: true });
    flow(&mut world, false);
    world.peer(0).publisher.sources[1].flowing = false;
    world.run(millis(5_000));
    assert_eq!(stalls(&world), []);
    world.command(Command::Close { handle: sound });
}
