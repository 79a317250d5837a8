//! What the path cannot take at once waits at the server and not in the path: there sound passes it, repairs go before it, and
//! what became stale is dropped.

use std::collections::BTreeMap;

use crate::support::session::{Session, steps, thin};
use crate::support::{clean, millis};
use loupe_core::io::Command;
use loupe_core::stats::Drop;
use loupe_core::units::{Bitrate, Time};
use loupe_netem::{Capacity, Loss, profiles};

/// A session that takes one option, whatever the path.
fn fixed(seed: u64, choice: usize, link: loupe_netem::LinkConfig, ms: u64) -> Session {
    let mut session = Session::begin(seed, clean(50), link);
    session.chooses = false;
    session.prefer(choice);
    session.run(ms);
    session
}

/// How long each picture packet that arrived had been at the server and in the path beyond what the quickest was, by (layer,
/// frame), repairs left out.
fn ages(session: &Session) -> Vec<(Time, u64)> {
    let interval = 40_000;
    let packets = session.world.line(session.viewer, 0).received.iter().filter(|packet| !packet.repaired);
    let moments = packets.map(|packet| {
        let content = packet.content();
        (packet.at, content.layer, packet.at.0 - u64::from(content.frame) * interval)
    });
    let moments: Vec<_> = moments.collect();
    let mut quickest = BTreeMap::new();
    for (_, layer, moment) in &moments {
        let least = quickest.entry(*layer).or_insert(*moment);
        *least = (*least).min(*moment);
    }
    moments.into_iter().map(|(at, layer, moment)| (at, (moment - quickest[&layer]) / 1_000)).collect()
}

#[test]
fn sound_passes_a_key_frame() {
    for seed in 1..6 {
        let link = thin(Capacity::constant(800_000), 50, 300, Loss::None);
        let mut session = fixed(seed, 3, link, 5_000);
        let transport = session.world.peer(session.viewer).handle;
        // Nothing more is looked for.
        session.world.command(Command::Want { transport, rate: Some(Bitrate(650_000)) });
        let from = session.world.now;
        for _ in 0..10 {
            session.world.peer(session.viewer).viewer.want_keyframe(0);
            session.run(2_000);
        }
        let to = session.world.now;
        let keyframes = session.world.line(session.viewer, 0).since(from);
        assert!(keyframes.filter(|packet| packet.content().keyframe).count() >= 80);
        // 8.3 kB take the link 83 ms.
        let (_, most) = session.sound_waits(from, to);
        assert!(most <= 60, "seed {seed}: sound waited {most} ms");
        assert_eq!(session.world.dropped(Drop::Stale), 0);
    }
}

#[test]
fn nothing_leaves_that_waited_for_longer_than_it_is_shown() {
    for seed in 1..6 {
        let link = thin(steps(&[(0, 1_000), (10_000, 350), (20_000, 1_000)]), 50, 1_000, Loss::None);
        let session = fixed(seed, 3, link, 25_000);
        let (from, to) = (Time::from_millis(12_000), Time::from_millis(20_000));
        let within = |age: &&(Time, u64)| age.0 >= from && age.0 < to;
        let ages = ages(&session);
        let oldest = ages.iter().filter(within).map(|(_, age)| *age).max().unwrap_or(0);
        let queue = session.queue(from, to).2;
        // What is in the path waits there, too, and may be two packets of 27 ms.
        assert!((250..=400 + queue + 30).contains(&oldest), "seed {seed}: {oldest} ms, queue {queue} ms");
        let (_, p95, most) = session.queue(from, to);
        assert!(p95 <= 130 && most <= 200, "seed {seed}: {p95}, {most} ms");
        assert!(session.world.dropped(Drop::Stale) > 0);
        let after = ages.iter().filter(|(at, _)| *at > to + millis(2_000)).map(|(_, age)| *age).max();
        assert!(after.is_some_and(|age| age <= 200), "seed {seed}: {after:?} at last");
    }
}

#[test]
fn repairs_do_not_wait_behind_pictures() {
    for seed in 1..6 {
        let link = thin(Capacity::constant(540_000), 50, 300, profiles::iid(4.0));
        let session = fixed(seed, 3, link, 30_000);
        let (from, line) = (session.at(5_000), session.world.line(session.viewer, 0));
        let repaired = line.since(from).filter(|packet| packet.repaired);
        let mut delays: Vec<u64> = repaired
            .filter_map(|packet| Some(packet.at.since(*line.asked.get(&packet.seq)?).as_millis() as u64))
            .collect();
        delays.sort_unstable();
        let ages = ages(&session);
        let mut waits: Vec<u64> =
            ages.into_iter().filter(|(at, _)| *at >= from).map(|(_, age)| age).collect();
        waits.sort_unstable();
        let (repair, wait) = (delays[delays.len() / 2], waits[waits.len() / 2]);
        assert!(delays.len() >= 30);
        // 100 ms of these are the path.
        assert!(repair <= 160 && wait >= repair + 40, "seed {seed}: repairs {repair} ms, pictures {wait} ms");
    }
}
