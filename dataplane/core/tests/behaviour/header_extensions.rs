//! Header extensions reach the viewer under the viewer's identifiers, in one-byte or two-byte form (RFC 8285).

use crate::support::media::{Media, PUBLISHED, VIEWED, camera, microphone, picture, sound};
use crate::support::viewer::Line;
use crate::support::{World, millis};
use loupe_core::io::ExtensionIds;

const CAPTURE_TIME: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const PLAYOUT_DELAY: [u8; 3] = [0x00, 0xa0, 0x64];
const DESCRIPTOR: [u8; 5] = [0xc0, 0x00, 0x07, 0x80, 0x11];
const LONG_DESCRIPTOR: [u8; 40] = [0xab; 40];
const ORIENTATION: [u8; 1] = [0x0b];
const AUDIO_LEVEL: [u8; 1] = [0x9e];

fn shifted(ids: ExtensionIds, by: u8) -> ExtensionIds {
    ExtensionIds {
        abs_capture_time: ids.abs_capture_time + by,
        playout_delay: ids.playout_delay + by,
        dependency_descriptor: ids.dependency_descriptor + by,
        video_orientation: ids.video_orientation + by,
        audio_level: ids.audio_level + by,
        transport_cc: ids.transport_cc + by,
        ..ids
    }
}

/// Sends `media` with these extensions on every packet to `line`.
fn carry(mut media: Media, line: Line, extras: &[(u8, &[u8])]) -> World {
    let mut world = World::new(1);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    media.sources[0].extras = extras.iter().map(|(id, data)| (*id, data.to_vec())).collect();
    let publication = world.publish(publisher, media);
    world.subscribe(publication, viewer, line);
    world.run(millis(1_000));
    assert!(world.line(viewer, 0).received.len() > 40);
    world
}

/// The element `id` of every packet, the same in all.
fn element(world: &World, id: u8) -> Vec<u8> {
    let mut values: Vec<Vec<u8>> = Vec::new();
    for packet in &world.line(1, 0).received {
        let mut found = packet.extensions.iter().filter(|(known, _)| *known == id);
        values.push(found.next().unwrap_or_else(|| panic!("no element {id}")).1.clone());
        assert!(found.next().is_none(), "element {id} twice");
    }
    values.dedup();
    assert_eq!(values.len(), 1, "element {id} changes");
    values.remove(0)
}

fn video_extras(ids: &ExtensionIds) -> Vec<(u8, &'static [u8])> {
    vec![
        (ids.abs_capture_time, &CAPTURE_TIME),
        (ids.playout_delay, &PLAYOUT_DELAY),
        (ids.dependency_descriptor, &DESCRIPTOR),
        (ids.video_orientation, &ORIENTATION),
    ]
}

fn assert_video(world: &World, ids: &ExtensionIds) {
    assert_eq!(element(world, ids.mid), b"v");
    assert_eq!(element(world, ids.abs_capture_time), CAPTURE_TIME);
    assert_eq!(element(world, ids.playout_delay), PLAYOUT_DELAY);
    assert_eq!(element(world, ids.dependency_descriptor), DESCRIPTOR);
    assert_eq!(element(world, ids.video_orientation), ORIENTATION);
}

#[test]
fn each_extension_of_a_picture_is_carried_under_the_viewer_s_id() {
    let world = carry(camera(1_000), picture(2_000), &video_extras(&PUBLISHED));
    assert_video(&world, &VIEWED);
    let known = [14, 13, 12, 4, 3, 2, 1];
    for packet in &world.line(1, 0).received {
        assert!(!packet.two_byte);
        assert_eq!(packet.extensions.len(), known.len(), "nothing that was not negotiated");
        assert!(packet.extensions.iter().all(|(id, _)| known.contains(id)));
    }
}

#[test]
fn the_audio_level_is_carried() {
    let world = carry(microphone(1_000), sound(2_000), &[(PUBLISHED.audio_level, &AUDIO_LEVEL)]);
    assert_eq!(element(&world, VIEWED.audio_level), AUDIO_LEVEL);
    assert_eq!(element(&world, VIEWED.mid), b"a");
}

#[test]
fn two_byte_identifiers_of_a_publisher_become_one_byte_ones() {
    let mut media = camera(1_000);
    media.inbound.extensions = shifted(PUBLISHED, 100);
    let world = carry(media, picture(2_000), &video_extras(&shifted(PUBLISHED, 100)));
    assert_video(&world, &VIEWED);
    assert!(world.line(1, 0).received.iter().all(|packet| !packet.two_byte));
    assert!(!world.ends[0].peer.publisher.feedback.is_empty(), "its transport-wide numbers are understood");
}

#[test]
fn two_byte_identifiers_of_a_viewer_are_written_as_such() {
    let mut line = picture(2_000);
    line.media.extensions = shifted(VIEWED, 50);
    let world = carry(camera(1_000), line, &video_extras(&PUBLISHED));
    assert_video(&world, &shifted(VIEWED, 50));
    assert!(world.line(1, 0).received.iter().all(|packet| packet.two_byte));
}

#[test]
fn an_element_too_long_for_one_byte_form_turns_the_block_into_two_byte_form() {
    let extras: [(u8, &[u8]); 2] =
        [(PUBLISHED.dependency_descriptor, &LONG_DESCRIPTOR), (PUBLISHED.video_orientation, &ORIENTATION)];
    let world = carry(camera(1_000), picture(2_000), &extras);
    assert_eq!(element(&world, VIEWED.dependency_descriptor), LONG_DESCRIPTOR);
    assert_eq!(element(&world, VIEWED.video_orientation), ORIENTATION);
    assert!(world.line(1, 0).received.iter().all(|packet| packet.two_byte));
    assert!(world.line(1, 0).holes().is_empty());
}

#[test]
fn what_the_viewer_did_not_negotiate_is_left_out() {
    let mut line = picture(2_000);
    line.media.extensions = ExtensionIds::default();
    line.media.mid = None;
    let world = carry(camera(1_000), line, &video_extras(&PUBLISHED));
    assert!(world.line(1, 0).received.iter().all(|packet| packet.extensions.is_empty()));
}

#[test]
fn the_send_time_is_that_of_the_server() {
    let world = carry(camera(1_000), picture(2_000), &[]);
    for packet in &world.line(1, 0).received {
        let (_, data) = packet.extensions.iter().find(|(id, _)| *id == VIEWED.abs_send_time).unwrap();
        let written = u32::from_be_bytes([0, data[0], data[1], data[2]]);
        // 6.18 fixed point seconds; it left 10 ms before it came.
        let left = (packet.at.0 - 10_000) as f64 / 1e6;
        assert!((f64::from(written) / 262_144.0 - left).abs() < 0.000_2, "{written} at {left}");
    }
}
