//! A muted publication leaves nothing at its viewers, and comes back whole.

use crate::support::media::{camera, microphone, picture, sound};
use crate::support::{World, millis};
use loupe_core::io::{Command, Handle};
use loupe_core::stats::Drop;

/// Picture and sound of one publisher at one viewer.
fn begin(seed: u64) -> (World, [Handle; 2]) {
    let mut world = World::new(seed);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let video = world.publish(publisher, camera(1_000));
    let audio = world.publish(publisher, microphone(1_100));
    world.subscribe(video, viewer, picture(2_000));
    world.subscribe(audio, viewer, sound(2_100));
    world.run(millis(3_000));
    (world, [video, audio])
}

fn mute(world: &mut World, publication: Handle, muted: bool) {
    world.command(Command::Mute { publication, muted });
}

#[test]
fn muting_one_source_leaves_the_other_alone() {
    let (mut world, [video, audio]) = begin(1);
    for (muted, line, other) in [(video, 0, 1), (audio, 1, 0)] {
        mute(&mut world, muted, true);
        world.run(millis(20));
        let before = [world.line(1, line).received.len(), world.line(1, other).received.len()];
        world.run(millis(2_000));
        assert_eq!(world.line(1, line).received.len(), before[0]);
        assert!(world.line(1, other).received.len() > before[1] + 90);
        mute(&mut world, muted, false);
        world.run(millis(1_000));
    }
    assert!(world.dropped(Drop::Muted) > 300);
}

#[test]
fn a_picture_comes_back_at_a_key_frame_in_one_line_of_numbers() {
    let (mut world, [video, _]) = begin(2);
    mute(&mut world, video, true);
    world.run(millis(2_000));
    let before = world.line(1, 0).received.len();
    let asked = world.peer(0).publisher.plis.len();
    mute(&mut world, video, false);
    let back = world.now;
    world.run(millis(1_000));
    assert_eq!(world.peer(0).publisher.plis.len(), asked + 1);
    let line = world.line(1, 0);
    let first = &line.received[before];
    assert!(first.content().keyframe && first.content().index == 0);
    assert!(first.at.since(back) <= millis(65), "{:?}", first.at.since(back));
    assert!(line.holes().is_empty());
    let last = &line.received[before - 1];
    let elapsed = first.at.since(last.at).as_micros() as u64 * 90 / 1_000;
    assert!((first.time - last.time).abs_diff(elapsed) < 300, "{} ticks, {elapsed}", first.time - last.time);
}

#[test]
fn a_picture_without_sound_comes_back_however_long_nothing_was_sent_or_heard() {
    for (seed, transport_cc) in [(7, true), (8, false)] {
        let (mut world, viewer, video) = World::with_camera_alone(seed, transport_cc);
        mute(&mut world, video, true);
        world.run(millis(40_000));
        mute(&mut world, video, false);
        let back = world.now;
        world.run(millis(1_000));
        assert!(world.line(viewer, 0).since(back).count() > 50, "transport_cc {transport_cc}");
    }
}

#[test]
fn sound_comes_back_with_the_next_packet() {
    let (mut world, [_, audio]) = begin(3);
    mute(&mut world, audio, true);
    world.run(millis(2_000));
    let before = world.line(1, 1).received.len();
    mute(&mut world, audio, false);
    let back = world.now;
    world.run(millis(500));
    let line = world.line(1, 1);
    assert!(line.received[before].at.since(back) <= millis(31));
    assert!(line.holes().is_empty());
}

#[test]
fn nobody_is_asked_for_key_frames_that_nobody_would_see() {
    let (mut world, [video, _]) = begin(4);
    mute(&mut world, video, true);
    let before = world.peer(0).publisher.plis.len();
    world.run(millis(5_000));
    assert_eq!(world.peer(0).publisher.plis.len(), before);
}

#[test]
fn who_joins_a_muted_publication_gets_nothing_until_it_is_unmuted() {
    let (mut world, [video, _]) = begin(5);
    mute(&mut world, video, true);
    let viewer = world.join();
    world.run(millis(300));
    world.subscribe(video, viewer, picture(2_200));
    world.run(millis(2_000));
    assert_eq!(world.line(viewer, 0).received.len(), 0);
    mute(&mut world, video, false);
    world.run(millis(1_000));
    let line = world.line(viewer, 0);
    assert!(line.received[0].content().keyframe && line.frames().len() > 25);
}

#[test]
fn muting_twice_is_muting_once() {
    let (mut world, [video, _]) = begin(6);
    for muted in [true, true, false, false] {
        mute(&mut world, video, muted);
    }
    world.run(millis(1_000));
    let line = world.line(1, 0);
    assert!(line.holes().is_empty() && line.frames().len() > 110, "{} frames", line.frames().len());
}

#[test]
fn who_joins_after_the_end_of_a_mute_sees_nothing_from_before_it() {
    let (mut world, [video, _]) = begin(7);
    mute(&mut world, video, true);
    world.run(millis(300));
    world.peer(0).publisher.sources[0].keyframe_wanted = true;
    world.run(millis(60));
    let hidden = world.peer(0).publisher.sources[0].frame;
    let viewer = world.join();
    world.run(millis(60));
    mute(&mut world, video, false);
    world.subscribe(video, viewer, picture(2_200));
    world.run(millis(1_000));
    let line = world.line(viewer, 0);
    let first = line.received[0].content();
    assert!(first.keyframe && first.frame > hidden, "frame {}, of which {hidden} were hidden", first.frame);
    assert!(line.frames().len() > 20);
}
