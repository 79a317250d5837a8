//! Viewers without transport-wide feedback: their own estimates (REMB) or plain reception reports must do.

use crate::support::media::{camera, microphone, picture, sound};
use crate::support::session::thin;
use crate::support::{World, clean, millis};
use loupe_core::io::{Event, Phase};
use loupe_core::rtcp::report::ReportBlock;
use loupe_core::rtcp::{write_receiver_report, write_remb};
use loupe_core::stats::Figure;
use loupe_core::units::{Bitrate, Ssrc, Time};
use loupe_netem::{Capacity, DelayStep, LinkConfig, Loss};

/// A camera and a microphone at a viewer that negotiated no transport-wide feedback.
fn meeting() -> (World, usize) {
    meeting_by(clean(10))
}

fn meeting_by(down: LinkConfig) -> (World, usize) {
    let mut world = World::new(3);
    let (publisher, viewer) = (world.join(), world.join_by(clean(10), down));
    world.peer(viewer).viewer.feedback = false;
    world.run(millis(300));
    let video = world.publish(publisher, camera(1_000));
    let audio = world.publish(publisher, microphone(1_100));
    let mut lines = [picture(2_000), sound(2_100)];
    lines.iter_mut().for_each(|line| line.media.extensions.transport_cc = 0);
    let [first, second] = lines;
    world.subscribe(video, viewer, first);
    world.subscribe(audio, viewer, second);
    world.run(millis(2_000));
    (world, viewer)
}

fn estimates(world: &World) -> Vec<(Time, u64, Phase)> {
    let of = |event: &(Time, Event)| match event.1 {
        Event::Bandwidth { estimate, link, .. } => Some((event.0, estimate.0, link.phase)),
        _ => None,
    };
    world.events.iter().filter_map(of).collect()
}

/// The viewer reports `lost` of 256 pictures' packets and lets a round trip of `turn_ms` be reckoned; then a second passes.
fn report(world: &mut World, viewer: usize, lost: u8, turn_ms: u64) {
    let (at, figures) = world.line(viewer, 0).reports.last().copied().expect("a sender report");
    // It says that it answered at once; what is missing from the wait is a queue.
    let waited = world.now.since(at).saturating_sub(millis(turn_ms)).as_micros() * 65_536 / 1_000_000;
    let block = ReportBlock {
        ssrc: Ssrc(2_000),
        fraction_lost: lost,
        cumulative_lost: 100,
        highest_sequence: 0,
        jitter: 0,
        last_sender_report: figures.ntp.middle(),
        delay_since_last_sender_report: waited as u32,
    };
    let mut bytes = Vec::new();
    write_receiver_report(&mut bytes, Ssrc(7), &[block]);
    world.peer(viewer).say(bytes);
    world.run(millis(1_000));
}

#[test]
fn the_viewer_s_own_estimate_is_told_and_paces_once_packets_queued() {
    let (mut world, viewer) = meeting();
    report(&mut world, viewer, 0, 300);
    for rate in [2_000_000, 600_000] {
        let from = world.now;
        for _ in 0..3 {
            let mut bytes = Vec::new();
            write_remb(&mut bytes, Ssrc(7), Bitrate(rate), &[Ssrc(2_000)]);
            world.peer(viewer).say(bytes);
            world.run(millis(1_000));
        }
        let told = estimates(&world);
        let (_, last, phase) = told.last().copied().expect("told");
        assert_eq!((last / 10_000, phase), (rate / 10_000, Phase::Steady));
        let since = |line: usize| world.line(viewer, line).since(from + millis(1_000));
        let bytes: usize = since(0).map(|packet| packet.payload.len() + 60).sum();
        // The pacer allows a fifth more; the camera sends 1.4 Mbit/s.
        let sent = bytes as u64 * 8 / 2;
        assert!(sent <= rate * 13 / 10, "{sent} at {rate}");
        assert!((98..=102).contains(&since(1).count()), "sound is not touched");
    }
}

#[test]
fn the_viewer_s_own_estimate_is_no_limit_while_nothing_queues_or_is_lost() {
    let (mut world, viewer) = meeting();
    world.run(millis(5_000));
    let mut bytes = Vec::new();
    write_remb(&mut bytes, Ssrc(7), Bitrate(70_000), &[Ssrc(2_000)]);
    world.peer(viewer).say(bytes);
    let from = world.now;
    world.run(millis(2_000));
    let (_, told, phase) = estimates(&world).last().copied().expect("told");
    assert!(told > 1_000_000, "{told}");
    assert_eq!(phase, Phase::Steady);
    let bytes: usize = world.line(viewer, 0).since(from).map(|packet| packet.payload.len()).sum();
    assert!(bytes * 8 / 2 > 1_000_000, "{bytes}");
}

#[test]
fn without_any_estimate_reception_reports_tell_of_a_queue() {
    let (mut world, viewer) = meeting();
    // The viewer's own reports tell no loss and 20 ms.
    world.run(millis(5_000));
    let (_, good, _) = estimates(&world).last().copied().expect("told");
    assert!(good >= 1_300_000, "{good}");
    let before = world.now;
    for _ in 0..6 {
        report(&mut world, viewer, 40, 300);
    }
    let low = estimates(&world).into_iter().filter(|(at, ..)| *at > before).map(|(_, rate, _)| rate).min();
    assert!(low.is_some_and(|low| low < good * 8 / 10), "{low:?} after {good}");
}

#[test]
fn a_path_that_becomes_longer_keeps_what_it_carries() {
    for longer_us in [120_000, 600_000] {
        let mut down = thin(Capacity::constant(3_000_000), 25, 300, Loss::None);
        down.delay.steps = vec![DelayStep { t_us: 20_000_000, delay_us: 25_000 + longer_us }];
        let (mut world, viewer) = meeting_by(down);
        world.run(millis(30_000));
        let from = world.now;
        world.run(millis(20_000));
        let told = estimates(&world);
        let least = told.iter().filter(|(at, ..)| *at > from).map(|(_, rate, _)| *rate).min();
        let (_, last, _) = told.last().copied().expect("told");
        assert!(last >= 1_300_000 && least.is_none_or(|it| it >= 1_200_000), "{last}, {least:?}");
        let bytes: usize = world.line(viewer, 0).since(from).map(|packet| packet.payload.len()).sum();
        assert!(bytes * 8 / 20 > 1_000_000, "{bytes}");
    }
}

#[test]
fn a_disaster_leaves_only_sound_for_ten_seconds() {
    let (mut world, viewer) = meeting();
    let from = world.now;
    world.peer(viewer).viewer.reports = false;
    for _ in 0..5 {
        report(&mut world, viewer, 200, 600);
    }
    let opened = estimates(&world).into_iter().find(|(at, _, phase)| *at > from && *phase == Phase::Silent);
    let (at, ..) = opened.expect("RFC 8083");
    world.run(millis(3_000));
    let pictures = world.line(viewer, 0).since(at + millis(100)).count();
    assert_eq!(pictures, 0);
    assert!(world.line(viewer, 1).since(at + millis(100)).count() >= 20, "sound goes on, thinned");
    world.run(millis(12_000));
    assert!(world.line(viewer, 0).since(at + millis(10_500)).count() > 0, "it is tried again");
}

#[test]
fn the_jitter_of_the_worst_source_is_told_in_seconds() {
    let (mut world, viewer) = meeting();
    // 20 ms of the picture's clock and 10 ms of the sound's.
    let blocks = [(2_000, 1_800), (2_100, 480)].map(|(ssrc, jitter)| ReportBlock {
        ssrc: Ssrc(ssrc),
        fraction_lost: 0,
        cumulative_lost: 0,
        highest_sequence: 0,
        jitter,
        last_sender_report: 0,
        delay_since_last_sender_report: 0,
    });
    let mut bytes = Vec::new();
    write_receiver_report(&mut bytes, Ssrc(7), &blocks);
    world.peer(viewer).say(bytes);
    world.run(millis(30));
    let handle = world.peer(viewer).handle;
    let stats = world.plane.stats(world.now);
    let (_, figures) = stats.transports.iter().find(|(transport, _)| *transport == handle).unwrap();
    let told = figures.iter().find(|(name, _)| *name == "jitter_seconds");
    assert!(matches!(told, Some((_, Figure::Measure(seconds))) if (seconds - 0.02).abs() < 1e-6), "{told:?}");
}
