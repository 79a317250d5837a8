//! What one viewer says is about that viewer: whatever it claims of its link and of what it missed, the publisher is
//! asked for nothing by it but key frames, and no other viewer gets a packet more or less.

use crate::support::media::{Media, camera, microphone, picture, sound};
use crate::support::{World, millis};
use loupe_core::io::Event;
use loupe_core::rtcp::report::ReportBlock;
use loupe_core::rtcp::{write_bye, write_nack, write_receiver_report, write_remb};
use loupe_core::stats::Counter;
use loupe_core::units::{Bitrate, SeqNo, Ssrc, Time};

const HOSTILE: usize = 2;

/// What a publisher is told and what its bystander viewer 1 received.
#[derive(PartialEq, Debug)]
struct Seen {
    rembs: Vec<(Time, u64)>,
    nacked: usize,
    blocks: Vec<(Time, ReportBlock)>,
    bystander: Vec<(Time, u64)>,
}

fn without_transport_feedback(mut media: Media) -> Media {
    media.inbound.transport_cc = false;
    media.inbound.remb = true;
    media
}

/// What the viewer that lies says of its link besides: which packets arrived when, or nothing.
#[derive(Clone, Copy, PartialEq)]
enum Link {
    Reported,
    Unreported,
}

/// Peer 0 publishes to viewer 1 and to viewer 2, which says every 10 ms what `lie` makes of the number of the turn and of
/// the newest number it received.
fn run(media: Media, link: Link, lie: impl Fn(u64, u64) -> Vec<u8>) -> (World, Seen) {
    let mut world = World::new(1);
    for _ in 0..3 {
        world.join();
    }
    world.run(millis(300));
    let video = world.publish(0, media);
    let audio = world.publish(0, microphone(1_100));
    for (viewer, base) in [(1, 2_000), (HOSTILE, 2_200)] {
        let lines = [(video, picture(base)), (audio, sound(base + 50))];
        for (publication, mut line) in lines {
            if viewer == HOSTILE && link == Link::Unreported {
                line.media.extensions.transport_cc = 0;
            }
            world.subscribe(publication, viewer, line);
        }
    }
    world.run(millis(2_000));
    // Honest reports would blur the comparison.
    world.peer(HOSTILE).viewer.reports = false;
    for turn in 0..800 {
        let newest = world.line(HOSTILE, 0).received.last().unwrap().seq;
        let bytes = lie(turn, newest);
        if !bytes.is_empty() {
            world.peer(HOSTILE).say(bytes);
        }
        world.run(millis(10));
    }
    let publisher = &world.ends[0].peer.publisher;
    let bystander = [0, 1].into_iter().flat_map(|line| &world.line(1, line).received);
    let seen = Seen {
        rembs: publisher.rembs.clone(),
        nacked: publisher.nacked.len(),
        blocks: publisher.blocks.clone(),
        bystander: bystander.map(|packet| (packet.at, packet.seq)).collect(),
    };
    (world, seen)
}

/// 1 kbit/s and 10 Gbit/s by turns.
fn estimates(turn: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let claimed = Bitrate(if turn.is_multiple_of(2) { 1_000 } else { 10_000_000_000 });
    write_remb(&mut bytes, Ssrc(902), claimed, &[Ssrc(2_200), Ssrc(1_000)]);
    bytes
}

#[test]
fn an_estimate_reaches_the_control_plane_and_never_the_publisher() {
    let (honest, expected) = run(camera(1_000), Link::Unreported, |_, _| Vec::new());
    let (world, seen) = run(camera(1_000), Link::Unreported, |turn, _| estimates(turn));
    assert_eq!(seen, expected);
    assert!(seen.rembs.is_empty());
    let told = |world: &World| {
        let handle = world.ends[HOSTILE].peer.handle;
        let of = |event: &Event| matches!(event, Event::Bandwidth { transport, .. } if *transport == handle);
        world.events_of(of).len()
    };
    assert!(told(&honest) <= 2 && told(&world) >= 20, "{} and {} in 8 s", told(&honest), told(&world));
    assert!(told(&world) <= 8 * 20 + 2, "{} in 8 s", told(&world));
}

#[test]
fn our_own_estimate_to_a_publisher_does_not_heed_a_viewers() {
    let media = || without_transport_feedback(camera(1_000));
    let (_, expected) = run(media(), Link::Unreported, |_, _| Vec::new());
    let (_, seen) = run(media(), Link::Unreported, |turn, _| estimates(turn));
    assert_eq!(seen, expected);
    assert!(
        seen.rembs.len() >= 9 && seen.rembs.iter().all(|(_, rate)| *rate > 1_000_000),
        "{:?}",
        seen.rembs
    );
}

#[test]
fn claims_of_loss_are_not_passed_on() {
    let (_, expected) = run(camera(1_000), Link::Reported, |_, _| Vec::new());
    let (world, seen) = run(camera(1_000), Link::Reported, |turn, _| {
        let block = |number: u64| ReportBlock {
            ssrc: Ssrc(if number == 0 { 2_200 } else { (turn * 31 + number) as u32 }),
            fraction_lost: 255,
            cumulative_lost: 0x007f_ffff,
            highest_sequence: u32::MAX,
            jitter: u32::MAX,
            last_sender_report: turn as u32,
            delay_since_last_sender_report: u32::MAX,
        };
        let mut bytes = Vec::new();
        let blocks: Vec<ReportBlock> = (0..31).map(block).collect();
        write_receiver_report(&mut bytes, Ssrc(902), &blocks);
        // A goodbye in another's name, and a packet that claims to be longer than it is.
        write_bye(&mut bytes, &[Ssrc(1_000), Ssrc(1_100), Ssrc(2_000)]);
        bytes.extend_from_slice(&[0x81, 201, 0xff, 0xff, 0, 0, 0, 1]);
        bytes
    });
    assert_eq!(seen, expected);
    assert!(world.line(HOSTILE, 0).received.len() > 1_000, "it is served all the same");
}

#[test]
fn requests_for_packets_cost_the_publisher_and_the_others_nothing() {
    let (_, expected) = run(camera(1_000), Link::Reported, |_, _| Vec::new());
    // The whole window, a hundred times a second.
    let (world, seen) = run(camera(1_000), Link::Reported, |_, newest| {
        let all: Vec<u16> = (newest.saturating_sub(900)..=newest).map(|seq| SeqNo(seq).wire()).collect();
        let mut bytes = Vec::new();
        write_nack(&mut bytes, Ssrc(902), Ssrc(2_200), &all);
        bytes
    });
    assert_eq!(seen, expected);
    assert_eq!(seen.nacked, 0);
    let line = world.line(HOSTILE, 0);
    let from = Time::from_millis(2_300);
    let payload = |repaired| {
        line.since(from).filter(|it| it.repaired == repaired).map(|it| it.payload.len()).sum::<usize>()
    };
    let (stream, repairs) = (payload(false), payload(true));
    // A quarter of the stream, and one second's worth as burst: 8 s of stream, 9 s of budget.
    assert!(repairs * 4 * 8 <= stream * 9 * 102 / 100, "{repairs} of {stream}");
    assert!(repairs * 5 > stream, "the budget was used: {repairs} of {stream}");
    assert!(world.count(Counter::RtxOut) > 100);
    let mut times: std::collections::HashMap<u64, usize> = std::collections::HashMap::new();
    line.received.iter().filter(|it| it.repaired).for_each(|it| *times.entry(it.seq).or_default() += 1);
    assert!(times.values().all(|count| *count <= 4), "more than four times");
}
