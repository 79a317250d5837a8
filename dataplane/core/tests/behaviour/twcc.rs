//! Transport-wide numbers and feedback both ways: each packet of a publisher is reported, each packet to a viewer is
//! numbered, and what viewers report settles what was sent.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::media::{camera, microphone, picture, sound};
use crate::support::publisher::FeedbackSeen;
use crate::support::{World, clean, lossy, millis};
use loupe_core::stats::Figure;
use loupe_core::units::Time;
use loupe_netem::{Loss, profiles};

fn run(seed: u64, up: Loss, down: Loss) -> World {
    let mut world = World::new(seed);
    let publisher = world.join_by(lossy(20, up), clean(20));
    let viewer = world.join_by(clean(20), lossy(20, down));
    world.run(millis(300));
    let video = world.publish(publisher, camera(1_000));
    let audio = world.publish(publisher, microphone(1_100));
    world.subscribe(video, viewer, picture(2_000));
    world.subscribe(audio, viewer, sound(2_100));
    world.run(millis(10_000));
    world
}

#[test]
fn a_publisher_hears_of_each_packet_every_50_ms() {
    let mut world = run(1, Loss::None, Loss::None);
    let sent = world.peer(0).publisher.next_transport_seq.wrapping_sub(65_400);
    let reports = &world.peer(0).publisher.feedback;
    let mut expected = 65_400_u16;
    for report in reports {
        for status in &report.statuses {
            assert_eq!(status.sequence, expected, "each number once, in order, across the turn");
            assert!(status.arrival_micros.is_some());
            expected = expected.wrapping_add(1);
        }
    }
    let reported = expected.wrapping_sub(65_400);
    assert!(reported <= sent && sent - reported < 30, "{reported} of {sent} reported");
    let gaps: Vec<Duration> = reports.windows(2).map(|pair| pair[1].at.since(pair[0].at)).collect();
    assert!(gaps.iter().all(|gap| (millis(50)..=millis(75)).contains(gap)), "{:?}", gaps.iter().max());
    assert!(reports.windows(2).all(|pair| pair[1].count == pair[0].count.wrapping_add(1)));
}

/// When each packet arrived by the server's clock, in microseconds.
fn arrivals(reports: &[FeedbackSeen]) -> Vec<i64> {
    let of = |report: &FeedbackSeen| {
        let base = i64::from(report.reference_time) * 64_000;
        report
            .statuses
            .iter()
            .filter_map(move |status| Some(base + status.arrival_micros?))
            .collect::<Vec<_>>()
    };
    reports.iter().flat_map(of).collect()
}

#[test]
fn arrival_times_are_those_of_the_packets() {
    let mut world = run(2, Loss::None, Loss::None);
    let times = arrivals(&world.peer(0).publisher.feedback);
    // Sent at 350 ms for the first time and 20 ms on the way; ticks of 250 us.
    assert!((times[0] - 370_000).abs() <= 250, "{}", times[0]);
    assert!(times.windows(2).all(|pair| (0..=20_250).contains(&(pair[1] - pair[0]))));
    let last = times.last().unwrap();
    assert!((10_200_000..=10_300_000).contains(last), "{last}");
}

#[test]
fn lost_packets_are_reported_as_lost_and_late_ones_again() {
    let mut world = run(3, profiles::ge5x5(), Loss::None);
    let sent = world.peer(0).publisher.next_transport_seq.wrapping_sub(65_400);
    let reports = &world.peer(0).publisher.feedback;
    let mut told: HashMap<u16, bool> = HashMap::new();
    for status in reports.iter().flat_map(|report| &report.statuses) {
        *told.entry(status.sequence).or_default() |= status.arrival_micros.is_some();
    }
    assert!(told.len() + 40 >= usize::from(sent), "{} of {sent} told of", told.len());
    let lost = told.values().filter(|received| !**received).count();
    let lost_on_link = world.ends[0].up.counts().dropped_in_all() as usize;
    assert!(lost > 10 && lost.abs_diff(lost_on_link) <= 4, "{lost} told, {lost_on_link} lost");
}

#[test]
fn numbers_to_a_viewer_are_consecutive_over_all_its_sources_and_repairs() {
    let mut world = run(4, Loss::None, profiles::iid(5.0));
    let viewer = &world.peer(1).viewer;
    let mut numbers: Vec<u64> = viewer.arrivals.iter().map(|(seq, _)| seq.0).collect();
    let all = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), all, "a number was given twice");
    let missing = (numbers[all - 1] - numbers[0] + 1) as usize - all;
    let lost = world.ends[1].down.counts().dropped_in_all() as usize;
    // Reports and check answers have no numbers but are lost on the same link.
    assert!(missing > 50 && missing <= lost && lost - missing < 15, "{missing} missing, {lost} lost");
    assert!(world.line(1, 0).received.iter().any(|packet| packet.repaired));
}

#[test]
fn a_viewer_s_feedback_settles_what_was_sent() {
    let loss_ratio = |loss| {
        let mut world = run(5, Loss::None, loss);
        let handle = world.peer(1).handle;
        let stats = world.plane.stats(world.now);
        let (_, figures) = stats.transports.iter().find(|(transport, _)| *transport == handle).unwrap();
        let figure = |name| figures.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        let Figure::Measure(round_trip) = figure("round_trip_seconds") else { panic!("no round trip") };
        assert!((0.039..0.045).contains(&round_trip), "{round_trip} s");
        let Figure::Measure(ratio) = figure("loss_ratio") else { panic!("no loss ratio") };
        ratio
    };
    assert!(loss_ratio(Loss::None).abs() < 1e-9);
    let ratio = loss_ratio(profiles::iid(20.0));
    assert!((0.1..0.3).contains(&ratio), "{ratio}");
}

#[test]
fn a_publisher_without_transport_wide_feedback_gets_estimates() {
    let mut world = World::new(6);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let mut media = camera(1_000);
    media.inbound.transport_cc = false;
    media.inbound.remb = true;
    let publication = world.publish(publisher, media);
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(5_000));
    assert_eq!(world.peer(publisher).publisher.feedback.len(), 0);
    let rembs = world.peer(publisher).publisher.rembs.clone();
    assert!((4..=6).contains(&rembs.len()), "{} estimates", rembs.len());
    assert!(rembs.windows(2).all(|pair| pair[1].1 >= pair[0].1), "without loss it rises: {rembs:?}");
    // 5 packets of 1,100 bytes, 30 times a second.
    assert!(rembs.last().is_some_and(|(at, rate)| *at > Time::from_millis(4_000) && *rate > 1_320_000));
}
