//! A recorder's copy: the highest layer as its publisher sends it, what came late included, and never what was muted.
//! And beside it a probe's: key frames of the lowest layer, for which nothing is asked.

use std::collections::BTreeSet;

use crate::support::content;
use crate::support::media::{camera, microphone, picture, simulcast};
use crate::support::{World, clean, lossy, millis};
use loupe_core::io::{Command, Handle};
use loupe_core::rtp::RtpHeader;
use loupe_core::tap::{REPAIRED, SystemClocks, TapReader};
use loupe_core::units::Time;
use loupe_netem::{Loss, profiles};

struct Record {
    kind: u8,
    layer: u8,
    flags: u16,
    publication: u64,
    at: Time,
    body: Vec<u8>,
}

const RECORDER: u64 = 1;
const PROBE: u64 = 2;

fn records(world: &World) -> Vec<Record> {
    records_of(world, RECORDER)
}

fn records_of(world: &World, tap: u64) -> Vec<Record> {
    let mut found = Vec::new();
    for batch in world.tapped.iter().filter(|batch| batch.tap == tap) {
        let mut rest = &batch.records[..];
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let (record, after) = after.split_at(u32::from_be_bytes(*length) as usize);
            found.push(Record {
                kind: record[0],
                layer: record[1],
                flags: u16::from_be_bytes([record[2], record[3]]),
                publication: u64::from_be_bytes(record[4..12].try_into().unwrap()),
                at: Time(u64::from_be_bytes(record[12..20].try_into().unwrap())),
                body: record[20..].to_vec(),
            });
            rest = after;
        }
    }
    found
}

fn packets(world: &World) -> Vec<Record> {
    packets_of(world, RECORDER)
}

fn packets_of(world: &World, tap: u64) -> Vec<Record> {
    records_of(world, tap).into_iter().filter(|record| record.kind == 1).collect()
}

fn tap(world: &mut World, publication: Handle) {
    tap_for(world, publication, (RECORDER, TapReader::Recorder));
}

fn tap_for(world: &mut World, publication: Handle, (tap, reader): (u64, TapReader)) {
    let clocks = SystemClocks { monotonic_micros: 5, unix_micros: 7 };
    world.command(Command::Tap { publication, tap, reader, clocks });
}

#[test]
fn records_are_whole_and_say_what_came() {
    let mut world = World::new(1);
    let publisher = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    tap(&mut world, publication);
    world.run(millis(3_000));
    world.command(Command::Untap { publication, reader: TapReader::Recorder });
    let all = records(&world);
    assert_eq!((all[0].kind, &all[0].body[..8]), (0, &5_u64.to_be_bytes()[..]));
    assert_eq!(all.last().unwrap().kind, 7);
    assert!(all.iter().all(|record| record.publication == publication.0));
    assert!(all.windows(2).all(|pair| pair[0].at <= pair[1].at));
    let reports = all.iter().filter(|record| record.kind == 2).count();
    assert!((2..=4).contains(&reports), "{reports}");
    let packets = packets(&world);
    let source = &world.peer(publisher).publisher.sources[0];
    assert!(packets.len() > 300);
    for packet in &packets {
        let header = RtpHeader::parse(&packet.body).expect("a packet");
        assert_eq!((header.ssrc.0, header.payload_type), (1_000, 96));
    }
    // From the very first on; the last are on their way.
    let held =
        |packet: &Record| source.sent.contains_key(&u16::from_be_bytes([packet.body[2], packet.body[3]]));
    assert!(packets.iter().all(held));
    assert!(packets.len() + 10 >= source.sent.len(), "{} of {}", packets.len(), source.sent.len());
    assert!(world.tapped.iter().all(|batch| batch.records.len() < 40_000));
    // 20 ms each, not one per packet.
    assert!(world.tapped.len() <= 3_000 / 20 + 2, "{}", world.tapped.len());
}

#[test]
fn repairs_are_recorded_as_the_packets_they_repeat() {
    let mut world = World::new(2);
    let publisher = world.join_by(lossy(50, profiles::iid(5.0)), clean(50));
    world.run(millis(500));
    let publication = world.publish(publisher, camera(1_000));
    tap(&mut world, publication);
    world.run(millis(30_000));
    let packets = packets(&world);
    let repaired = packets.iter().filter(|packet| packet.flags & REPAIRED != 0).count();
    assert!(repaired > 50, "{repaired}");
    let mut numbers = BTreeSet::new();
    let mut seqs = loupe_core::seq::SeqUnwrapper::default();
    for packet in &packets {
        let header = RtpHeader::parse(&packet.body).expect("a packet");
        assert_eq!((header.ssrc.0, header.payload_type), (1_000, 96));
        assert!(numbers.insert(seqs.unwrap(header.sequence)), "recorded twice");
    }
    let (first, last) = (numbers.first().unwrap().0, numbers.last().unwrap().0);
    let held = numbers.len() as f64 / (last - first + 1) as f64;
    assert!(held >= 0.999, "{held}");
}

/// 40 ms of packets are lost, and their publisher answers no request until `silent` ms after. What came by repair then,
/// and how many packets of the time are still missing, in the recording and at a viewer.
fn repaired_after(silent: u64) -> (Vec<Record>, usize, usize) {
    let mut world = World::new(3);
    let publisher = world.join();
    let viewer = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    world.subscribe(publication, viewer, picture(2_000));
    tap(&mut world, publication);
    world.run(millis(2_000));
    world.peer(publisher).publisher.repairing = false;
    world.ends[publisher].up = loupe_netem::Link::new(
        lossy(10, Loss::Schedule(std::iter::once(2_300_000..2_340_000).collect())),
        3,
        loupe_netem::Direction::Forward,
    );
    world.run(millis(silent));
    let (recorded, seen) = (packets(&world).len(), world.line(viewer, 0).received.len());
    assert!(recorded > 0);
    world.peer(publisher).publisher.repairing = true;
    let missing = world.line(viewer, 0).holes().len();
    assert!(missing > 0, "the viewer lost nothing");
    world.run(millis(1_000));
    let line = world.line(viewer, 0);
    assert_eq!(line.holes().len(), missing, "viewers get nothing so late");
    assert!(line.received.len() > seen);
    let all = packets(&world);
    let mut seqs = loupe_core::seq::SeqUnwrapper::default();
    let number = |packet: &Record| u16::from_be_bytes([packet.body[2], packet.body[3]]);
    let numbers: BTreeSet<u64> = all.iter().map(|packet| seqs.unwrap(number(packet)).0).collect();
    let span = numbers.last().unwrap() - numbers.first().unwrap() + 1;
    let holes = span as usize - numbers.len();
    (all.into_iter().filter(|packet| packet.flags & REPAIRED != 0).collect(), holes, missing)
}

#[test]
fn what_is_too_late_for_viewers_is_still_asked_for_and_recorded_alone() {
    for silent in [2_500, 5_000] {
        let (late, holes, missing) = repaired_after(silent);
        assert_eq!((late.len(), holes), (missing, 0), "after {silent} ms");
        let asked_again = Time::from_millis(2_300 + silent);
        assert!(late.iter().all(|packet| packet.at >= asked_again), "after {silent} ms");
    }
}

#[test]
fn nothing_is_asked_for_without_end() {
    let (late, holes, missing) = repaired_after(7_000);
    assert_eq!((late.len(), holes), (0, missing));
}

#[test]
fn the_highest_layer_is_recorded_and_a_key_frame_asked_every_ten_seconds() {
    let mut world = World::new(4);
    let publisher = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, simulcast(1_000, &["l", "h"]));
    tap(&mut world, publication);
    world.run(millis(35_000));
    let settled: Vec<_> =
        packets(&world).into_iter().filter(|packet| packet.at > Time::from_millis(3_000)).collect();
    assert!(settled.iter().all(|packet| packet.layer == 1));
    let asked = world.peer(publisher).publisher.plis.clone();
    let asked: Vec<_> = asked.iter().filter(|(at, _)| *at > Time::from_millis(3_000)).collect();
    assert!((2..=4).contains(&asked.len()), "{asked:?}");
    // The upper layer stops: the lower is recorded, from a key frame on.
    world.peer(publisher).publisher.sources[1].flowing = false;
    world.run(millis(5_000));
    let after: Vec<_> =
        packets(&world).into_iter().filter(|packet| packet.at > Time::from_millis(38_000)).collect();
    assert!(!after.is_empty() && after.iter().all(|packet| packet.layer == 0));
}

#[test]
fn nothing_muted_is_recorded_and_sound_is() {
    let mut world = World::new(5);
    let publisher = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, microphone(1_000));
    tap(&mut world, publication);
    world.run(millis(1_000));
    world.command(Command::Mute { publication, muted: true });
    world.run(millis(1_000));
    world.command(Command::Mute { publication, muted: false });
    world.run(millis(1_000));
    world.command(Command::Close { handle: publication });
    let times: Vec<u64> = packets(&world).iter().map(|packet| packet.at.micros() / 1_000).collect();
    assert!(times.iter().any(|at| *at < 1_300) && times.iter().any(|at| *at > 2_300));
    assert!(!times.iter().any(|at| (1_301..2_300).contains(at)), "{times:?}");
    assert!(world.tapped.last().is_some_and(|batch| batch.ended));
    assert!(world.peer(publisher).publisher.plis.is_empty());
}

#[test]
fn a_recorder_and_a_probe_read_the_same_source_and_end_apart() {
    let mut world = World::new(6);
    let publisher = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, simulcast(1_000, &["l", "h"]));
    tap_for(&mut world, publication, (PROBE, TapReader::Probe));
    tap(&mut world, publication);
    show_keyframes(&mut world, publication, 5);
    let settled = |world: &World, tap, layer| {
        let found = packets_of(world, tap);
        let late: Vec<_> = found.iter().filter(|packet| packet.at > Time::from_millis(3_000)).collect();
        assert!(
            late.len() >= 4 && late.iter().all(|packet| packet.layer == layer),
            "tap {tap}: {}",
            late.len()
        );
    };
    settled(&world, RECORDER, 1);
    settled(&world, PROBE, 0);
    world.command(Command::Untap { publication, reader: TapReader::Recorder });
    let ended = packets(&world).len();
    let looked = packets_of(&world, PROBE).len();
    // Another probe takes the place of the first, and of nobody else.
    tap_for(&mut world, publication, (3, TapReader::Probe));
    show_keyframes(&mut world, publication, 2);
    assert_eq!(packets(&world).len(), ended);
    assert_eq!(records(&world).last().unwrap().kind, 7);
    assert_eq!(records_of(&world, PROBE).last().unwrap().kind, 7);
    assert!(packets_of(&world, PROBE).len() <= looked + 2);
    assert!(packets_of(&world, 3).len() >= 4);
    world.command(Command::Close { handle: publication });
    world.run(millis(100));
    assert_eq!(records_of(&world, 3).last().unwrap().kind, 7);
}

#[test]
fn a_probe_is_given_whole_key_frames_and_nothing_else() {
    let mut world = World::new(8);
    let publisher = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, simulcast(1_000, &["l", "h"]));
    tap_for(&mut world, publication, (PROBE, TapReader::Probe));
    show_keyframes(&mut world, publication, 6);
    let of_lowest = |bytes: &[u8]| {
        let header = RtpHeader::parse(bytes).expect("a packet");
        content::read(&bytes[usize::from(header.header_length)..])
            .expect("a test's")
            .keyframe
            .then_some(header.sequence)
    };
    let sent = &world.peer(publisher).publisher.sources[0].sent;
    let wanted: BTreeSet<u16> = sent.values().filter_map(|bytes| of_lowest(bytes)).collect();
    let got: Vec<_> = packets_of(&world, PROBE)
        .iter()
        .filter(|packet| packet.layer == 0)
        .map(|packet| of_lowest(&packet.body).expect("of a key frame"))
        .collect();
    // Two packets each; that of the beginning and six that were asked for.
    assert!(wanted.len() >= 12, "{}", wanted.len());
    assert_eq!(got, Vec::from_iter(wanted));
    assert!(records_of(&world, PROBE).iter().all(|record| record.kind != 2), "a report");
}

/// Asks for a key frame a second.
fn show_keyframes(world: &mut World, publication: Handle, seconds: u32) {
    for _ in 0..seconds {
        world.command(Command::RequestKeyframe { publication });
        world.run(millis(1_000));
    }
}

#[test]
fn nothing_is_asked_of_a_publisher_for_a_probe() {
    let asked = |reader| {
        let mut world = World::new(7);
        let publisher = world.join_by(lossy(50, profiles::iid(5.0)), clean(50));
        world.run(millis(300));
        let publication = world.publish(publisher, simulcast(1_000, &["l", "h"]));
        if let Some(reader) = reader {
            tap_for(&mut world, publication, (RECORDER, reader));
        }
        world.run(millis(25_000));
        let publisher = &world.peer(publisher).publisher;
        (publisher.plis.len(), publisher.nacked.len())
    };
    let (nobody, recorder) = (asked(None), asked(Some(TapReader::Recorder)));
    assert_eq!(asked(Some(TapReader::Probe)), nobody);
    assert!(recorder.0 > nobody.0 && recorder.1 >= nobody.1, "{recorder:?} {nobody:?}");
}
