//! Sound of viewers whose path loses some of it comes again with what follows it (RFC 2198), and of others never.

use std::collections::BTreeSet;

use crate::support::media::{microphone, redundant_sound, sound};
use crate::support::session::thin;
use crate::support::viewer::Line;
use crate::support::{World, clean, millis};
use loupe_core::io::{Command, Handle, Wish};
use loupe_core::stats::Figure;
use loupe_core::units::{Ssrc, Time};
use loupe_netem::{Capacity, Loss, profiles};

/// Ticks of a packet of sound.
const PACKET: u64 = 960;

/// A microphone and one viewer behind this loss, after `seconds`; the publication and the subscription.
fn heard(seed: u64, line: Line, loss: Loss, seconds: u64) -> (World, Handle, Handle) {
    let mut world = World::new(seed);
    let publisher = world.join_by(clean(5), clean(5));
    world.run(millis(300));
    let audio = world.publish(publisher, microphone(1_100));
    world.run(millis(500));
    let viewer = world.join_by(clean(40), thin(Capacity::constant(1_000_000), 40, 300, loss));
    world.run(millis(200));
    let (subscription, _) = world.subscribe(audio, viewer, line);
    world.run(millis(seconds * 1_000));
    (world, audio, subscription)
}

/// The viewer's only line; it joined second.
fn line(world: &World) -> &Line {
    world.line(1, 0)
}

/// Share of the packets from `from` on that never came, themselves and with their repeats, and bytes that these took over
/// those of the packets.
fn shares(line: &Line, from: Time) -> (f64, f64, f64) {
    let own: BTreeSet<u64> = line.since(from).map(|packet| packet.time).collect();
    let mut known = own.clone();
    known.extend(line.repeated.iter().filter(|(at, ..)| *at >= from).map(|(_, time, _)| *time));
    let (first, last) = (*own.first().expect("some came"), *own.last().expect("some came"));
    let all = ((last - first) / PACKET + 1) as f64;
    let share = |times: &BTreeSet<u64>| 1.0 - times.range(first..=last).count() as f64 / all;
    let bytes: usize = line.repeated.iter().filter(|(at, ..)| *at >= from).map(|(.., it)| it.len()).sum();
    let media: usize = line.since(from).map(|packet| packet.payload.len()).sum();
    (share(&own), share(&known), bytes as f64 / media as f64)
}

fn redundant(world: &World, subscription: Handle) -> u64 {
    let stats = world.plane.stats(world.now);
    let (_, figures) = stats.subscriptions.iter().find(|(handle, _)| *handle == subscription).unwrap();
    match figures.iter().find(|(name, _)| *name == "redundant") {
        Some((_, Figure::Count(count))) => *count,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_clean_path_gets_plain_packets() {
    let (world, _, subscription) = heard(1, redundant_sound(2_100), Loss::None, 30);
    assert_eq!((line(&world).repeated.len(), redundant(&world, subscription)), (0, 0));
    assert!(line(&world).received.len() >= 1_490);
}

#[test]
fn single_losses_are_made_up_for() {
    for seed in 1..6 {
        let (world, _, subscription) = heard(seed, redundant_sound(2_100), profiles::iid(10.0), 60);
        let (lost, missed, _) = shares(line(&world), Time::from_millis(5_000));
        assert!(lost > 0.07 && missed < 0.02, "seed {seed}: {lost} lost, {missed} missed");
        assert!(redundant(&world, subscription) > 2_000);
    }
}

#[test]
fn what_is_lost_in_bursts_is_repeated_farther_back() {
    for seed in 1..6 {
        let (world, ..) = heard(seed, redundant_sound(2_100), Loss::bursts(0.05, 2.0), 60);
        let from = Time::from_millis(10_000);
        let (lost, missed, _) = shares(line(&world), from);
        assert!(missed < lost * 0.4, "seed {seed}: {lost} lost, {missed} missed");
        let seen = line(&world);
        let far = seen.repeated.iter().filter(|(at, time, _)| {
            let carrier = seen.received.iter().find(|packet| packet.at == *at).unwrap();
            *at >= from && carrier.time >= time + 2 * PACKET
        });
        assert!(far.count() > 1_500, "seed {seed}");
    }
}

#[test]
fn repeats_are_what_was_sent_and_the_sound_is_one_line() {
    let (world, ..) = heard(3, redundant_sound(2_100), profiles::iid(5.0), 20);
    let seen = line(&world);
    let mut compared = 0;
    for (_, time, payload) in &seen.repeated {
        if let Some(own) = seen.received.iter().find(|packet| packet.time == *time) {
            assert_eq!(own.payload, *payload);
            compared += 1;
        }
    }
    assert!(compared > 200);
    // Plain and redundant packets alternate without a break in numbers or times.
    let packets = seen.in_order();
    assert!(
        packets.windows(2).all(|pair| pair[1].time - pair[0].time == (pair[1].seq - pair[0].seq) * PACKET)
    );
}

#[test]
fn it_takes_no_more_than_its_share_of_a_thin_path() {
    let mut world = World::new(4);
    let publisher = world.join_by(clean(5), clean(5));
    world.run(millis(300));
    let audio = world.publish(publisher, microphone(1_100));
    let loss = profiles::iid(10.0);
    let viewer = world.join_by(clean(40), thin(Capacity::constant(70_000), 40, 300, loss));
    world.run(millis(200));
    world.subscribe(audio, viewer, redundant_sound(2_100));
    world.run(millis(60_000));
    let (.., more) = shares(line(&world), Time::from_millis(20_000));
    assert!(more < 0.3, "{more}");
}

#[test]
fn it_ends_with_the_loss() {
    let until = Loss::Schedule((0..100).map(|n| n * 100_000..n * 100_000 + 25_000).collect());
    let (mut world, _, subscription) = heard(5, redundant_sound(2_100), until, 10);
    assert!(redundant(&world, subscription) > 100);
    // A quarter was lost: that it is not is believed after a thousand packets.
    world.run(millis(35_000));
    let before = redundant(&world, subscription);
    world.run(millis(10_000));
    assert_eq!(redundant(&world, subscription), before);
}

#[test]
fn who_did_not_agree_gets_plain_packets() {
    let (world, ..) = heard(6, sound(2_100), profiles::iid(10.0), 10);
    assert!(line(&world).repeated.is_empty() && line(&world).received.len() > 400);
}

#[test]
fn nothing_is_repeated_from_before_a_mute_or_a_pause() {
    let (mut world, audio, subscription) = heard(7, redundant_sound(2_100), profiles::iid(10.0), 10);
    for round in 0..20 {
        let silence = if round % 2 == 0 {
            [
                Command::Mute { publication: audio, muted: true },
                Command::Mute { publication: audio, muted: false },
            ]
        } else {
            [true, false]
                .map(|paused| Command::Prefer { subscription, wish: Wish { paused, ..Wish::default() } })
        };
        let [begins, ends] = silence;
        world.command(begins);
        world.run(millis(200));
        let seen = (line(&world).repeated.len(), line(&world).received.len());
        world.command(ends);
        world.run(millis(400));
        let line = line(&world);
        let first = line.received[seen.1..].iter().map(|packet| packet.time).min().unwrap();
        // Its first packets may be lost, so that only their repeats come.
        let earliest = line.repeated[seen.0..].iter().map(|(_, time, _)| *time).min().unwrap_or(first);
        assert!(earliest + 6 * PACKET >= first, "round {round}");
    }
}

#[test]
fn what_a_report_misses_leaves_again_before_anybody_asks() {
    let mut silent = sound(2_100);
    (silent.nacks, silent.media.rtx_ssrc, silent.media.rtx_payload_type) =
        (false, Some(Ssrc(2_101)), Some(121));
    let (world, ..) = heard(8, silent, profiles::iid(5.0), 20);
    let line = line(&world);
    let (first, last) = (line.received.first().unwrap().time, line.received.last().unwrap().time);
    let came: BTreeSet<u64> = line.received.iter().map(|packet| packet.time).collect();
    let missed = 1.0 - came.len() as f64 / ((last - first) / PACKET + 1) as f64;
    assert!(
        line.rtx_packets.len() > 25 && missed < 0.01,
        "{} repairs, {missed} missed",
        line.rtx_packets.len()
    );
}
