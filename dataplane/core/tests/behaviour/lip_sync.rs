//! Sender reports to viewers keep the publisher's clock: picture and sound of one moment stay one moment.

use crate::support::media::{camera, microphone, picture, simulcast, sound};
use crate::support::viewer::{Line, Received};
use crate::support::{World, millis};
use loupe_core::units::{NtpTime, Time};

/// The publisher's wall clock at a packet, as the line's latest report tells it: microseconds since `origin`.
fn capture_micros(line: &Line, packet: &Received, origin: NtpTime) -> i64 {
    let (_, report) = line.reports.iter().rfind(|(at, _)| *at <= packet.at).expect("a report before it");
    let ticks = (packet.time as u32).wrapping_sub(report.rtp_timestamp) as i32;
    report.ntp.micros_since(origin) + i64::from(ticks) * 1_000_000 / i64::from(line.clock_rate)
}

/// How far the viewer's idea of a packet's capture is from the truth: it was sent 20 ms before it came.
fn error_micros(line: &Line, packet: &Received, origin: NtpTime) -> i64 {
    let Time(arrival) = packet.at;
    capture_micros(line, packet, origin) - (arrival as i64 - 20_000)
}

#[test]
fn picture_and_sound_of_one_moment_tell_one_wall_clock() {
    let mut world = World::new(1);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let video = world.publish(publisher, camera(1_000));
    let audio = world.publish(publisher, microphone(1_100));
    world.subscribe(video, viewer, picture(2_000));
    world.subscribe(audio, viewer, sound(2_100));
    world.run(millis(10_000));
    let origin = world.peer(publisher).publisher.wall_clock(Time::ZERO);
    for number in [0, 1] {
        let line = world.line(viewer, number);
        assert!((9..=12).contains(&line.reports.len()), "{} reports", line.reports.len());
        let settled: Vec<&Received> = line.since(Time::from_millis(2_000)).collect();
        assert!(settled.len() > 300);
        for packet in settled {
            // An NTP fraction and a tick are below 25 us.
            let error = error_micros(line, packet, origin);
            assert!(error.abs() <= 50, "line {number}: {error} us off");
        }
    }
}

#[test]
fn the_first_report_comes_soon() {
    let mut world = World::new(2);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let video = world.publish(publisher, camera(1_000));
    world.run(millis(2_000));
    let joined = world.now;
    world.subscribe(video, viewer, picture(2_000));
    world.run(millis(1_000));
    let first = world.line(viewer, 0).reports[0].0.since(joined);
    assert!(first <= millis(250), "{first:?}");
}

#[test]
fn a_switch_of_layers_keeps_the_clock() {
    let mut world = World::new(3);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let publication = world.publish(publisher, simulcast(1_000, &["q", "h", "f"]));
    let (subscription, _) = world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(3_000));
    let origin = world.peer(publisher).publisher.wall_clock(Time::ZERO);
    for layer in [0, 2, 1, 0, 2] {
        world.prefer(subscription, layer);
        world.run(millis(2_500));
    }
    let line = world.line(viewer, 0);
    let mut layers: Vec<u8> = Vec::new();
    for packet in line.since(Time::from_millis(2_500)) {
        let error = error_micros(line, packet, origin);
        assert!(error.abs() <= 100, "{error} us off in layer {}", packet.content().layer);
        if layers.last() != Some(&packet.content().layer) {
            layers.push(packet.content().layer);
        }
    }
    assert_eq!(layers, [2, 0, 2, 1, 0, 2]);
}

#[test]
fn reports_count_what_was_sent() {
    let mut world = World::new(4);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let video = world.publish(publisher, camera(1_000));
    world.subscribe(video, viewer, picture(2_000));
    world.run(millis(5_000));
    let line = world.line(viewer, 0);
    let (at, report) = line.reports.last().unwrap();
    let before: Vec<&Received> = line.received.iter().filter(|packet| packet.at <= *at).collect();
    assert_eq!(report.packets as usize, before.len());
    assert_eq!(report.octets as usize, before.iter().map(|packet| packet.payload.len()).sum::<usize>());
}
