//! A key frame that the control plane wants (the recorder, to begin a segment) is asked of the layers that matter, as
//! often as a publisher can bear and no more.

use crate::support::media::{camera, microphone, picture, simulcast, sound};
use crate::support::{World, millis};
use loupe_core::io::{Command, Handle};
use loupe_core::units::Time;

const LAYERS: [u32; 3] = [1_000, 1_002, 1_004];

/// A camera with three layers and a microphone; viewer 1 watches `layer`, if any.
fn begin(seed: u64, layer: Option<u8>) -> (World, Handle) {
    let mut world = World::new(seed);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let publication = world.publish(publisher, simulcast(1_000, &["q", "h", "f"]));
    if let Some(layer) = layer {
        let (subscription, _) = world.subscribe(publication, viewer, picture(2_000));
        world.prefer(subscription, layer);
    }
    world.run(millis(3_000));
    world.peer(publisher).publisher.plis.clear();
    (world, publication)
}

/// The sources that were asked, and when, after `ms` more.
fn asked(world: &mut World, ms: u64) -> Vec<(Time, u32)> {
    world.run(millis(ms));
    let mut asked = std::mem::take(&mut world.peer(0).publisher.plis);
    asked.sort_unstable();
    asked
}

fn sources(asked: &[(Time, u32)]) -> Vec<u32> {
    asked.iter().map(|(_, source)| *source).collect()
}

#[test]
fn the_layer_that_is_watched_is_asked() {
    let (mut world, publication) = begin(1, Some(1));
    world.command(Command::RequestKeyframe { publication });
    let keyframes = |world: &World| world.line(1, 0).frames().iter().filter(|(_, _, key)| *key).count();
    let before = keyframes(&world);
    let requested = world.now;
    let asked = asked(&mut world, 300);
    assert_eq!(sources(&asked), [LAYERS[1]]);
    assert_eq!(asked[0].0.since(requested), millis(10), "at once, over a link of 10 ms");
    assert_eq!(keyframes(&world), before + 1);
}

#[test]
fn all_that_flow_are_asked_where_nobody_watches() {
    let (mut world, publication) = begin(2, None);
    world.command(Command::RequestKeyframe { publication });
    assert_eq!(sources(&asked(&mut world, 300)), LAYERS);
    world.peer(0).publisher.sources[2].flowing = false;
    world.run(millis(5_000));
    world.command(Command::RequestKeyframe { publication });
    assert_eq!(sources(&asked(&mut world, 300)), LAYERS[..2]);
}

#[test]
fn a_request_within_the_throttle_waits_for_its_turn() {
    let (mut world, publication) = begin(3, Some(2));
    world.peer(0).publisher.obedient = false;
    for _ in 0..100 {
        world.command(Command::RequestKeyframe { publication });
        world.run(millis(1));
    }
    let asked = asked(&mut world, 2_000);
    assert_eq!(sources(&asked), [LAYERS[2]; 2]);
    assert_eq!(asked[1].0.since(asked[0].0), millis(500));
}

#[test]
fn sound_is_never_asked_and_what_is_gone_has_no_effect() {
    let mut world = World::new(4);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let audio = world.publish(publisher, microphone(1_100));
    let video = world.publish(publisher, camera(1_000));
    world.subscribe(audio, viewer, sound(2_100));
    world.run(millis(1_000));
    world.peer(0).publisher.plis.clear();
    world.command(Command::Close { handle: video });
    world.command(Command::RequestKeyframe { publication: audio });
    world.command(Command::RequestKeyframe { publication: video });
    world.command(Command::RequestKeyframe { publication: Handle(999) });
    assert_eq!(asked(&mut world, 1_000), []);
}

#[test]
fn a_publisher_that_agreed_to_full_intra_requests_alone_gets_them_as_commands_of_their_own() {
    let mut world = World::new(9);
    let publisher = world.join();
    world.run(millis(300));
    let mut media = camera(1_000);
    (media.inbound.pli, media.inbound.fir) = (false, true);
    let publication = world.publish(publisher, media);
    world.run(millis(1_000));
    for number in 0..3 {
        let viewer = world.join();
        world.run(millis(700));
        world.subscribe(publication, viewer, picture(2_000 + 10 * number));
        world.run(millis(300));
        assert!(world.line(viewer, 0).received[0].content().keyframe, "viewer {viewer}");
    }
    let publisher = &world.peer(publisher).publisher;
    assert_eq!(publisher.firs, [(1_000, 1), (1_000, 2), (1_000, 3)]);
    assert_eq!(publisher.plis, []);
}
