//! A participant with sound keys that misbehaves: whoever has nothing to do with it loses nothing, no map grows, and
//! its publisher is not driven.

use crate::support::media::{camera, microphone, picture, sound};
use crate::support::{World, millis};
use loupe_core::census::Census;
use loupe_core::io::Handle;
use loupe_core::rtcp::{write_nack, write_pli};
use loupe_core::rtp::FixedHeader;
use loupe_core::stats::{Counter, Drop};
use loupe_core::units::{SeqNo, Ssrc};

const HOSTILE: usize = 2;

/// Peer 0 publishes; viewer 1 is the bystander, viewer 2 the hostile one, which publishes too, to viewer 3.
fn begin(seed: u64) -> (World, Handle) {
    let mut world = World::new(seed);
    for _ in 0..4 {
        world.join();
    }
    world.run(millis(300));
    let video = world.publish(0, camera(1_000));
    let audio = world.publish(0, microphone(1_100));
    let own = world.publish(HOSTILE, camera(3_000));
    world.subscribe(video, 1, picture(2_000));
    world.subscribe(audio, 1, sound(2_100));
    world.subscribe(video, HOSTILE, picture(2_200));
    world.subscribe(own, 3, picture(2_300));
    world.run(millis(2_000));
    (world, video)
}

/// The bystander has every packet, on time.
fn assert_unharmed(world: &mut World) {
    world.run(millis(200));
    assert_eq!(world.peer(1).wire.refused, 0);
    for number in [0, 1] {
        let line = world.line(1, number);
        assert!(line.holes().is_empty(), "line {number}: {:?}", line.holes());
        assert!(line.received.iter().all(|packet| !packet.repaired));
        let newest = line.received.last().unwrap().at;
        assert!(
            world.now.since(newest) <= millis(40),
            "line {number} stopped {:?} ago",
            world.now.since(newest)
        );
        let gap = line.received.windows(2).map(|pair| pair[1].at.since(pair[0].at)).max().unwrap();
        assert!(gap <= millis(40), "line {number}: a gap of {gap:?}");
    }
}

fn rtp(world: &mut World, ssrc: u32, index: u64, length: usize) -> Vec<u8> {
    let fixed = FixedHeader {
        payload_type: 96,
        marker: true,
        sequence: SeqNo(index).wire(),
        timestamp: index as u32,
        ssrc: Ssrc(ssrc),
    };
    let packet = [&fixed.bytes()[..], &vec![0x11; length][..]].concat();
    world.peer(HOSTILE).wire.protect_rtp(packet, index)
}

fn give(world: &mut World, datagram: Vec<u8>) {
    let address = world.peer(HOSTILE).wire.address;
    world.inject(address, datagram);
}

#[test]
fn replays_are_refused_and_forwarded_to_nobody() {
    let (mut world, _) = begin(1);
    world.peer(HOSTILE).publisher.sources[0].flowing = false;
    world.run(millis(100));
    let index = world.peer(HOSTILE).publisher.sources[0].index;
    let packets: Vec<Vec<u8>> = (0..100).map(|n| rtp(&mut world, 3_000, index + n, 500)).collect();
    for packet in &packets {
        give(&mut world, packet.clone());
    }
    world.run(millis(500)); // A hundred packets at once leave in their time.
    let (received, replays) = (world.line(3, 0).received.len(), world.dropped(Drop::SrtpReplay));
    for _ in 0..20 {
        for packet in &packets {
            give(&mut world, packet.clone());
        }
    }
    world.run(millis(100));
    assert_eq!(world.dropped(Drop::SrtpReplay), replays + 2_000);
    assert_eq!(world.line(3, 0).received.len(), received);
    assert_unharmed(&mut world);
}

#[test]
fn wrong_tags_change_nothing() {
    let (mut world, _) = begin(2);
    let refused = world.dropped(Drop::SrtpAuthentication);
    world.peer(HOSTILE).publisher.sources[0].flowing = false;
    let index = world.peer(HOSTILE).publisher.sources[0].index;
    world.run(millis(30));
    let forwarded = world.line(3, 0).received.len();
    for number in 0..2_000 {
        let mut packet = rtp(&mut world, 3_000, index + number % 40_000, 100);
        let last = packet.len() - 1 - number as usize % 16;
        packet[last] ^= 1 << (number % 8);
        give(&mut world, packet);
        let mut report = Vec::new();
        write_pli(&mut report, Ssrc(902), Ssrc(2_200));
        let mut report = world.peer(HOSTILE).wire.protect_rtcp(report);
        report[9] ^= 1;
        give(&mut world, report);
        // As fast as reports are taken at all.
        if number % 200 == 199 {
            world.run(millis(250));
        }
    }
    assert_eq!(world.dropped(Drop::SrtpAuthentication), refused + 4_000);
    assert_eq!(world.line(3, 0).received.len(), forwarded);
    // The stream itself goes on: nothing was committed.
    let received = world.line(3, 0).received.len();
    let now = world.now;
    let source = &mut world.peer(HOSTILE).publisher.sources[0];
    (source.flowing, source.next) = (true, now);
    world.run(millis(500));
    assert!(world.line(3, 0).received.len() > received + 60);
    assert_unharmed(&mut world);
}

#[test]
fn a_hundred_thousand_sources_leave_no_trace() {
    let (mut world, _) = begin(3);
    let before = world.plane.census();
    for ssrc in 0..100_000 {
        let datagram = rtp(&mut world, 100_000 + ssrc, 1, 20);
        give(&mut world, datagram);
        if ssrc % 100 == 0 {
            world.run(millis(1));
        }
    }
    let after = world.plane.census();
    assert!(after.sources <= before.sources + 16, "{} sources", after.sources);
    assert_eq!(
        after,
        Census { sources: after.sources, ripe: after.ripe, history_bytes: after.history_bytes, ..before }
    );
    assert_unharmed(&mut world);
}

#[test]
fn a_hundred_thousand_reporters_are_not_all_remembered() {
    let (mut world, _) = begin(4);
    for ssrc in 0..100_000 {
        let mut report = Vec::new();
        write_pli(&mut report, Ssrc(100_000 + ssrc), Ssrc(2_200));
        let report = world.peer(HOSTILE).wire.protect_rtcp(report);
        give(&mut world, report);
        // As fast as reports are taken at all.
        if ssrc % 200 == 199 {
            world.run(millis(250));
        }
    }
    assert_eq!(world.dropped(Drop::RateLimited), 0);
    assert!(world.plane.census().rtcp_sources <= 64 + 8, "{:?}", world.plane.census());
    assert_unharmed(&mut world);
}

#[test]
fn a_storm_of_requests_is_answered_within_its_budget() {
    let (mut world, _) = begin(5);
    let before = world.ends[HOSTILE].down.counts().pushed;
    for _ in 0..2_000 {
        let newest = world.line(HOSTILE, 0).in_order().last().unwrap().seq;
        let all: Vec<u16> = (newest - 400..=newest).map(|seq| SeqNo(seq).wire()).collect();
        let mut report = Vec::new();
        write_nack(&mut report, Ssrc(902), Ssrc(2_200), &all);
        let report = world.peer(HOSTILE).wire.protect_rtcp(report);
        give(&mut world, report);
        world.run(millis(1));
    }
    // 2 s of 150 packets, and at most a quarter more with one second's burst.
    let sent = world.ends[HOSTILE].down.counts().pushed - before;
    assert!(sent < 2 * 150 + 3 * 150 / 4 + 100, "{sent} datagrams");
    assert!(world.dropped(Drop::RtxBudget) + world.dropped(Drop::RtxGone) > 500_000);
    assert_eq!(world.peer(0).publisher.nacked.len(), 0);
    assert_unharmed(&mut world);
}

#[test]
fn a_thousand_key_frame_requests_a_second_cost_the_publisher_two() {
    let (mut world, video) = begin(6);
    let before = world.peer(0).publisher.plis.len();
    for _ in 0..5_000 {
        let mut report = Vec::new();
        write_pli(&mut report, Ssrc(902), Ssrc(2_200));
        let report = world.peer(HOSTILE).wire.protect_rtcp(report);
        give(&mut world, report);
        world.command(loupe_core::io::Command::RequestKeyframe { publication: video });
        world.run(millis(1));
    }
    let asked = world.peer(0).publisher.plis.len() - before;
    assert!((9..=11).contains(&asked), "{asked} in 5 s");
    let plis = &world.peer(0).publisher.plis;
    assert!(plis.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= millis(500)));
    assert_unharmed(&mut world);
}

#[test]
fn what_exceeds_the_rate_is_dropped_before_it_is_opened() {
    let (mut world, _) = begin(9);
    world.peer(HOSTILE).publisher.sources[0].flowing = false;
    world.run(millis(1_000));
    let index = world.peer(HOSTILE).publisher.sources[0].index;
    // More than the burst: half a second of 6,000 packets.
    let packets: Vec<Vec<u8>> = (0..4_000).map(|n| rtp(&mut world, 3_000, index + n, 20)).collect();
    packets.iter().for_each(|packet| give(&mut world, packet.clone()));
    let refused = world.dropped(Drop::RateLimited);
    assert_eq!(refused, 1_000);
    // Had they been opened, they would be replays now.
    world.run(millis(1_000));
    packets[3_000..].iter().for_each(|packet| give(&mut world, packet.clone()));
    assert_eq!((world.dropped(Drop::RateLimited), world.dropped(Drop::SrtpReplay)), (refused, 0));
    let mut reports = Vec::new();
    for _ in 0..2_000 {
        let mut report = Vec::new();
        write_pli(&mut report, Ssrc(902), Ssrc(2_200));
        reports.push(world.peer(HOSTILE).wire.protect_rtcp(report));
    }
    let plis = world.count(Counter::PlisReceived);
    reports.iter().for_each(|report| give(&mut world, report.clone()));
    assert_eq!(world.count(Counter::PlisReceived), plis + 500);
    assert_eq!(world.dropped(Drop::RateLimited), refused + 1_500);
    world.run(millis(1_000));
    reports[1_900..].iter().for_each(|report| give(&mut world, report.clone()));
    assert_eq!((world.count(Counter::PlisReceived), world.dropped(Drop::SrtpReplay)), (plis + 600, 0));
    assert_unharmed(&mut world);
}

#[test]
fn one_datagram_asks_for_a_thousand_packets_at_most() {
    let (mut world, _) = begin(10);
    let mut report = Vec::new();
    let all: Vec<u16> = (0..1_000).collect();
    for _ in 0..8 {
        write_nack(&mut report, Ssrc(902), Ssrc(2_200), &all);
    }
    let report = world.peer(HOSTILE).wire.protect_rtcp(report);
    let before = world.count(Counter::NacksReceived);
    give(&mut world, report);
    assert_eq!(world.count(Counter::NacksReceived), before + 1_000);
    assert_unharmed(&mut world);
}

#[test]
fn ten_times_the_rate_is_cut_to_what_a_camera_may_send() {
    let (mut world, _) = begin(7);
    let accepted = world.count(Counter::RtpIn);
    let index = world.peer(HOSTILE).publisher.sources[0].index + 5_000;
    world.peer(HOSTILE).publisher.sources[0].flowing = false;
    // 300 Mbit/s for a second; a camera may send 30, and half a second of it at once.
    for number in 0..34_000 {
        let datagram = rtp(&mut world, 3_000, index + number, 1_100);
        give(&mut world, datagram);
        if number % 34 == 0 {
            world.run(millis(1));
        }
    }
    // Peer 0 sent 150 packets of video and 50 of sound meanwhile.
    let through = world.count(Counter::RtpIn) - accepted - 200;
    let bytes = through * 1_128;
    assert!(bytes * 8 <= 45_500_000, "{} bits", bytes * 8);
    assert!(world.dropped(Drop::RateLimited) > 28_000, "{}", world.dropped(Drop::RateLimited));
    assert_unharmed(&mut world);
}

#[test]
fn a_flood_of_dtls_is_bounded() {
    let (mut world, _) = begin(8);
    let transport = world.peer(HOSTILE).handle;
    world.command(loupe_core::io::Command::SendDtls { transport, payload: vec![22; 100] });
    let events = world.events.len();
    for _ in 0..10_000 {
        give(&mut world, [&[22, 0xfe, 0xfd][..], &[0; 60]].concat());
    }
    assert!(world.events.len() - events <= 64, "{} events", world.events.len() - events);
    assert_eq!(world.dropped(Drop::DtlsOverflow), 10_000 - (world.events.len() - events) as u64);
    assert_unharmed(&mut world);
}
