//! However much there is to say, each datagram of RTCP fits any path, and each is a compound packet of its own: a report
//! first and a name in it (RFC 3550 section 6.1), or feedback alone where that was negotiated (RFC 5506).

use std::collections::{BTreeMap, BTreeSet};

use crate::support::media::{Media, camera, microphone, picture, sound};
use crate::support::{World, clean, lossy, millis};
use loupe_core::io::Handle;
use loupe_core::rtcp::{Rtcp, compound};
use loupe_core::rtp::FixedHeader;
use loupe_core::units::{SeqNo, Ssrc, Time};

/// A datagram at most, index and tag of SRTCP included.
const MOST: usize = 1_200;
const TRAILER: usize = 4 + 16;
/// As many as one transport may send.
const MICROPHONES: u32 = 60;

/// Checks every compound that a peer received; how many began with a report.
fn reports(world: &mut World, peer: usize, may_reduce: bool) -> usize {
    let mut reports = 0;
    for (_, bytes) in &world.peer(peer).compounds {
        assert!(bytes.len() + TRAILER <= MOST, "{} bytes", bytes.len() + TRAILER);
        let packets: Vec<Rtcp<'_>> = compound(bytes).map(|packet| packet.expect("sound RTCP")).collect();
        let begins = matches!(packets[0], Rtcp::SenderReport(_) | Rtcp::ReceiverReport(_));
        let named = packets.iter().any(|packet| matches!(packet, Rtcp::SourceDescription));
        let feedback_alone = packets
            .iter()
            .all(|packet| matches!(packet, Rtcp::Nack(_) | Rtcp::Pli(_) | Rtcp::TransportFeedback(_)));
        assert!(begins && named || may_reduce && feedback_alone, "{packets:?}");
        reports += usize::from(begins);
    }
    reports
}

fn microphones(world: &mut World, peer: usize) -> Vec<Handle> {
    (0..MICROPHONES).map(|number| world.publish(peer, microphone(1_000 + number))).collect()
}

#[test]
fn sixty_sources_of_a_viewer_are_all_reported_every_second() {
    let mut world = World::new(1);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    for (number, publication) in microphones(&mut world, publisher).into_iter().enumerate() {
        let mut line = sound(5_000 + number as u32);
        line.media.cname = format!("{number:>3}{}", "x".repeat(number * 4));
        world.subscribe(publication, viewer, line);
    }
    world.run(millis(6_000));
    assert!(reports(&mut world, viewer, false) >= 5 * 5);
    for line in 0..MICROPHONES as usize {
        let told: Vec<Time> = world.line(viewer, line).reports.iter().map(|(at, _)| *at).collect();
        assert!((4..=7).contains(&told.len()), "line {line}: {told:?}");
        assert!(told.windows(2).all(|pair| pair[1].since(pair[0]) == millis(1_000)), "{told:?}");
    }
}

#[test]
fn sixty_sources_of_a_publisher_are_all_reported_on_every_second() {
    let mut world = World::new(2);
    let publisher = world.join();
    world.run(millis(300));
    microphones(&mut world, publisher);
    world.run(millis(5_500));
    assert!(reports(&mut world, publisher, true) >= 5 * 2);
    let mut moments: BTreeMap<Time, BTreeSet<Ssrc>> = BTreeMap::new();
    for (at, block) in &world.peer(publisher).publisher.blocks {
        moments.entry(*at).or_default().insert(block.ssrc);
    }
    assert_eq!(moments.len(), 5);
    assert!(moments.values().all(|sources| sources.len() == MICROPHONES as usize), "{moments:?}");
}

/// `count` packets of source 1,000 from number `first` on at this moment, without each 18th: no two losses share an
/// entry of a request.
fn with_holes(world: &mut World, first: u64, count: u64) -> BTreeSet<u16> {
    let address = world.peer(0).wire.address;
    let mut lost = BTreeSet::new();
    for index in first..first + count {
        if index % 18 == 17 && index + 1 < first + count {
            lost.insert(SeqNo(index).wire());
            continue;
        }
        let header = FixedHeader {
            payload_type: 96,
            marker: false,
            sequence: SeqNo(index).wire(),
            timestamp: 1,
            ssrc: Ssrc(1_000),
        };
        let packet = [&header.bytes()[..], &[0x10, 1, 2, 3]].concat();
        let datagram = world.peer(0).wire.protect_rtp(packet, index);
        world.inject(address, datagram);
    }
    lost
}

fn without_reduced_size(mut media: Media) -> Media {
    media.inbound.reduced_size = false;
    media
}

#[test]
fn five_hundred_losses_that_lie_far_apart_are_asked_for_at_once() {
    for may_reduce in [true, false] {
        let mut world = World::new(3);
        let publisher = world.join();
        world.run(millis(300));
        // Ten of them, so that the transport may send as many packets at once.
        for number in 0..10 {
            let mut media = camera(1_000 + 10 * number);
            media.inbound.reduced_size = may_reduce && number == 5;
            media.sources.clear();
            world.publish(publisher, media);
        }
        let lost = with_holes(&mut world, 100, 9_000);
        assert!((490..=512).contains(&lost.len()), "{}", lost.len());
        world.run(millis(19));
        let asked: BTreeSet<u16> =
            world.peer(publisher).publisher.nacked.iter().map(|(_, seq)| *seq).collect();
        assert_eq!(asked, lost);
        assert!(world.peer(publisher).compounds.len() >= 2);
        reports(&mut world, publisher, may_reduce);
    }
}

#[test]
fn feedback_follows_a_report_unless_both_agreed_to_less() {
    for may_reduce in [true, false] {
        let mut world = World::new(4);
        let publisher = world.join_by(lossy(10, loupe_netem::profiles::iid(10.0)), clean(10));
        let viewer = world.join();
        world.run(millis(300));
        let media = if may_reduce { camera(1_000) } else { without_reduced_size(camera(1_000)) };
        let publication = world.publish(publisher, media);
        world.publish(publisher, without_reduced_size(microphone(1_100)));
        world.subscribe(publication, viewer, picture(2_000));
        world.run(millis(3_000));
        let all = world.peer(publisher).compounds.len();
        let with_report = reports(&mut world, publisher, may_reduce);
        assert!(all > 60, "{all} compounds");
        assert_eq!(with_report == all, !may_reduce, "{with_report} of {all}");
        let received = &world.peer(publisher).publisher;
        assert!(!received.plis.is_empty() && !received.nacked.is_empty() && received.feedback.len() > 40);
    }
}

#[test]
fn a_long_silence_of_feedback_is_told_in_several_datagrams() {
    // Large deltas and many gaps: feedback of 50 ms at 4,000 packets a second.
    let mut world = World::new(5);
    let publisher = world.join_by(lossy(10, loupe_netem::profiles::iid(50.0)), clean(10));
    world.run(millis(300));
    let media = without_reduced_size(camera(1_000));
    world.publish(publisher, media);
    let source = &mut world.peer(publisher).publisher.sources[0];
    (source.packets_per_frame, source.packet_bytes) = (200, 300);
    world.run(millis(3_000));
    assert!(reports(&mut world, publisher, false) > 60);
}
