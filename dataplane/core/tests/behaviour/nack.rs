//! What a publisher's link loses is asked for again: after reordering had its time, once a round trip, and not for ever.

use std::collections::HashMap;

use crate::support::media::{camera, picture};
use crate::support::{World, clean, lossy, millis, outage};
use loupe_core::stats::{Counter, Figure};
use loupe_core::units::Time;
use loupe_netem::{DelayConfig, Jitter, Loss, profiles};

/// A publisher behind `up`, a viewer with a clean link; both for `ms`.
fn run(seed: u64, one_way_ms: u64, loss: Loss, repairing: bool, ms: u64) -> World {
    let mut world = World::new(seed);
    let publisher = world.join_by(lossy(one_way_ms, loss), clean(one_way_ms));
    let viewer = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    world.subscribe(publication, viewer, picture(2_000));
    world.peer(publisher).publisher.repairing = repairing;
    world.run(millis(ms));
    world
}

/// When each number was asked for.
fn requests(world: &mut World) -> HashMap<u16, Vec<Time>> {
    let mut requests: HashMap<u16, Vec<Time>> = HashMap::new();
    for (at, seq) in &world.peer(0).publisher.nacked {
        requests.entry(*seq).or_default().push(*at);
    }
    requests
}

#[test]
fn loss_before_the_server_is_repaired_for_the_viewer() {
    for (seed, loss) in [(1, profiles::iid(5.0)), (2, profiles::ge2x4()), (3, profiles::ge5x5())] {
        let mut world = run(seed, 20, loss, true, 20_000);
        let lost = world.count(Counter::LostIn);
        assert!(lost > 30, "only {lost} lost");
        let repaired = world.count(Counter::RtxIn);
        let unrepaired = world.count(Counter::UnrepairedIn);
        assert!(repaired * 100 >= lost * 97, "{repaired} of {lost} repaired");
        assert!(unrepaired * 100 <= lost, "{unrepaired} of {lost} given up");
        let line = world.line(1, 0);
        let holes = line.holes().len();
        assert!(holes as u64 <= unrepaired + 5, "{holes} holes");
        let frames = line.frames();
        assert!(frames.len() > 580, "{} frames", frames.len());
        assert_eq!(world.peer(1).wire.refused, 0);
    }
}

#[test]
fn repeats_are_a_round_trip_apart_and_end() {
    for one_way_ms in [5, 100] {
        let mut world = run(7, one_way_ms, profiles::iid(3.0), false, 15_000);
        let round_trip = millis(2 * one_way_ms);
        let requests = requests(&mut world);
        assert!(requests.len() > 30);
        for times in requests.values() {
            assert!(times.len() <= 10, "asked {} times", times.len());
            let longest = times.last().unwrap().since(times[0]);
            assert!(longest <= millis(1_050), "asked for {longest:?}");
            // Before anything was measured 100 ms stand for the round trip.
            let shortest = times.windows(2).map(|pair| pair[1].since(pair[0])).min();
            assert!(shortest.is_none_or(|shortest| shortest >= round_trip.min(millis(100))), "{shortest:?}");
        }
        let given_up = world.count(Counter::UnrepairedIn);
        assert!(given_up as usize + 40 >= requests.len(), "{given_up} of {}", requests.len());
    }
}

#[test]
fn a_measured_round_trip_spaces_the_repeats() {
    let spacing = |one_way_ms| {
        let mut world = run(11, one_way_ms, profiles::iid(20.0), true, 20_000);
        let later = requests(&mut world).into_values().filter(|times| times[0] > Time::from_millis(10_000));
        let repeats: Vec<_> =
            later.filter(|times| times.len() > 1).map(|times| times[1].since(times[0])).collect();
        assert!(repeats.len() > 10, "only {} repeats", repeats.len());
        repeats.into_iter().min().unwrap()
    };
    assert!((millis(25)..millis(70)).contains(&spacing(5)), "{:?}", spacing(5));
    assert!(spacing(150) >= millis(300), "{:?}", spacing(150));
}

#[test]
fn the_round_trip_is_unknown_until_an_answer_measures_it() {
    let told = |loss| {
        let mut world = run(12, 20, loss, true, 20_000);
        let handle = world.peer(0).handle;
        let stats = world.plane.stats(world.now);
        let (_, figures) = stats.transports.iter().find(|(transport, _)| *transport == handle).unwrap();
        figures.iter().find(|(name, _)| *name == "round_trip_in_seconds").unwrap().1.clone()
    };
    assert!(matches!(told(Loss::None), Figure::Unknown));
    let Figure::Measure(seconds) = told(profiles::iid(5.0)) else { panic!("not measured") };
    assert!((0.038..0.08).contains(&seconds), "{seconds} s");
}

#[test]
fn a_packet_is_not_asked_for_after_it_came() {
    let mut world = run(13, 20, profiles::iid(5.0), true, 10_000);
    let asked: usize = requests(&mut world).values().map(Vec::len).sum();
    let lost = world.count(Counter::LostIn) as usize;
    // A second request is due only where request or answer was lost too.
    assert!(asked >= lost && asked * 10 <= lost * 12, "{asked} requests for {lost} packets");
}

#[test]
fn reordering_by_a_few_milliseconds_asks_for_nothing() {
    let mut world = World::new(17);
    let mut up = clean(20);
    up.delay = DelayConfig { jitter: Jitter::Uniform { max_us: 6_000 }, ..up.delay };
    up.delay.reordering.allowed = true;
    let publisher = world.join_by(up, clean(20));
    let viewer = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(5_000));
    assert!(world.count(Counter::LostIn) > 100, "nothing was reordered");
    assert_eq!(world.peer(publisher).publisher.nacked.len(), 0);
    assert!(world.line(viewer, 0).holes().is_empty());
}

#[test]
fn an_outage_is_not_answered_by_a_flood_of_requests() {
    let loss = outage(5_000, 8_000);
    let mut world = run(19, 20, loss, true, 10_000);
    let after = |world: &mut World| world.peer(0).publisher.nacked.len();
    // 3 s of 150 packets a second are 450: more than is worth repairing live may be asked for, but each only once or
    // twice; what lies too far back is given up and a key frame asked for instead.
    assert!(after(&mut world) <= 450 * 2, "{} requests", after(&mut world));
    let frames = world.line(1, 0).frames();
    let (_, last, _) = frames.last().unwrap();
    assert!(*last > 280, "the picture did not come back: {last}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let runs: Vec<_> = (0..2).map(|_| run(23, 30, profiles::ge5x5(), true, 3_000)).collect();
    let seen = |world: &World| {
        world.line(1, 0).received.iter().map(|packet| (packet.at, packet.seq)).collect::<Vec<_>>()
    };
    assert_eq!(seen(&runs[0]), seen(&runs[1]));
}
