//! What a viewer's link carries is found, used and followed: unknown links, steps, loss, longer paths, spikes, outages.
//! Every bound holds for all seeds. Beside what the estimator decides, layer choice is the plainest one.

use crate::support::session::{Session, steps, thin};
use crate::support::{clean, millis};
use loupe_core::io::Phase;
use loupe_core::stats::{Counter, Drop};
use loupe_core::units::Time;
use loupe_netem::{Capacity, Direction, Jitter, Limit, Loss, QueueConfig, profiles};

const SEEDS: std::ops::Range<u64> = 1..6;

fn run(seed: u64, one_way_ms: u64, down: loupe_netem::LinkConfig, ms: u64) -> Session {
    let mut session = Session::begin(seed, clean(one_way_ms), down);
    session.run(ms);
    session
}

#[test]
fn an_unknown_link_is_found_within_two_seconds_and_not_flooded() {
    for seed in SEEDS {
        for kbits in [200, 300, 1_000, 5_000] {
            let link = thin(Capacity::constant(kbits * 1_000), 50, 300, Loss::None);
            let session = run(seed, 50, link, 12_000);
            let (from, to) = session.span();
            let (_, p95, most) = session.queue(from, to);
            assert!(p95 <= 110 && most <= 180, "{kbits} kbit/s, seed {seed}: queue {p95}, {most} ms");
            assert_eq!(session.overflowed(from, to), 0, "{kbits} kbit/s, seed {seed}");
            let (least, mean, _) = session.estimates(session.at(2_000), to);
            // Of 5 Mbit/s no more is looked for than twice what is of use.
            let capacity = f64::from(kbits as u32) * 1e3;
            assert!(least >= 0.75 * capacity, "{kbits} kbit/s, seed {seed}: {least:.0}");
            assert!(mean <= 1.05 * capacity, "{kbits} kbit/s, seed {seed}: {mean:.0}");
            let first = session.decoded()[0].0.since(from);
            assert!(first <= millis(1_200), "{kbits} kbit/s, seed {seed}: first picture after {first:?}");
        }
    }
}

#[test]
fn a_fall_is_drained_at_once_and_a_rise_used_within_three_seconds() {
    for seed in SEEDS {
        let capacity = steps(&[(0, 2_000), (20_000, 250), (40_000, 2_000)]);
        let session = run(seed, 50, thin(capacity, 50, 300, Loss::None), 45_000);
        let (begin, end) = session.span();
        let (fall, rise) = (Time::from_millis(20_000), Time::from_millis(40_000));
        assert!(begin < fall && rise < end);
        // Two reports, 100 ms apart, may pass before one can show it.
        let lost = session.overflowed(fall, rise);
        assert!(lost <= 45_000, "seed {seed}: {lost} B");
        let (_, drained, _) = session.queue(fall + millis(900), fall + millis(1_100));
        assert!(drained <= 130, "seed {seed}: {drained} ms after 0.9 s");
        let (_, p95, _) = session.queue(fall + millis(2_500), rise);
        assert!(p95 <= 70, "seed {seed}: {p95} ms at 250 kbit/s");
        let (_, _, longest) = session.freezes(fall - millis(200), rise);
        assert!(longest <= 1_000, "seed {seed}: frozen for {longest} ms");
        let back = session.first(rise, |sample| sample.choice >= 4).unwrap_or(u64::MAX);
        assert!(back <= 2_500, "seed {seed}: back after {back} ms");
    }
}

#[test]
fn a_deep_queue_is_drained_too() {
    for seed in SEEDS {
        let capacity = steps(&[(0, 2_000), (20_000, 250), (40_000, 2_000)]);
        let mut link = thin(capacity, 50, 300, Loss::None);
        link.queue = QueueConfig { limit: Limit::Bytes(75_000), ..QueueConfig::default() };
        let session = run(seed, 50, link, 40_000);
        let fall = Time::from_millis(20_000);
        let (_, _, after) = session.queue(fall + millis(2_300), fall + millis(2_600));
        assert!(after <= 150, "seed {seed}: {after} ms after 2.3 s");
        let (_, p95, _) = session.queue(fall + millis(3_000), session.span().1);
        assert!(p95 <= 70, "seed {seed}: {p95} ms");
    }
}

#[test]
fn random_loss_costs_no_rate() {
    for seed in SEEDS {
        for loss in [profiles::iid(10.0), profiles::ge10x3()] {
            let session = run(seed, 50, thin(Capacity::constant(3_000_000), 50, 300, loss.clone()), 30_000);
            let (_, mean, _) = session.estimates(session.at(3_000), session.span().1);
            assert!(mean >= 2_400_000.0, "seed {seed}, {loss:?}: {mean:.0}");
            let top = session.share_at(5, session.at(3_000), session.span().1);
            assert!(top >= 0.95, "seed {seed}, {loss:?}: {top:.2} of the time at the top");
        }
    }
}

#[test]
fn bursts_of_loss_and_jitter_on_a_thin_link_cost_nothing_either() {
    for seed in SEEDS {
        let mut link = thin(Capacity::constant(300_000), 75, 600, profiles::ge2x4());
        link.delay.jitter = Jitter::Nrbpdv { std_us: 10_000, clip_std: 3 };
        let session = run(seed, 75, link, 60_000);
        let (from, to) = (session.at(10_000), session.span().1);
        let (_, p95, _) = session.queue(from, to);
        assert!(p95 <= 80, "seed {seed}: {p95} ms");
        let whole = session.share_at(1, from, to);
        assert!(whole >= 0.95, "seed {seed}: {whole:.2} of the time the whole layer");
    }
}

#[test]
fn longer_and_shorter_paths_are_no_congestion() {
    for seed in SEEDS {
        let (loss, moved) = profiles::satellite(75_000, 100_000_000, seed, Direction::Forward);
        let mut link = thin(Capacity::constant(4_000_000), 75, 300, loss);
        link.delay.steps = moved;
        let session = run(seed, 75, link, 80_000);
        let (least, _, _) = session.estimates(session.at(10_000), session.span().1);
        assert!(least >= 3_200_000.0, "seed {seed}: {least:.0}");
        assert!(session.share_at(5, session.at(10_000), session.span().1) >= 0.98, "seed {seed}");
    }
}

#[test]
fn spikes_are_no_congestion() {
    for seed in SEEDS {
        let mut link = thin(Capacity::constant(10_000_000), 15, 300, Loss::bursts(0.01, 2.0));
        // From 0.2 to 0.9 s, a few times a minute.
        let spikes = (0..6_u64).flat_map(|n| {
            let at = 12_000_000 + n * 9_300_000 + seed * 777_000;
            [(at, 200_000 + (n * 140_000 + seed * 97_000) % 700_000), (at + 1_000, 0)]
        });
        link.delay.jitter = Jitter::Trace(spikes.collect());
        let session = run(seed, 15, link, 65_000);
        let (from, to) = (session.at(5_000), session.span().1);
        assert!(session.share_at(5, from, to) >= 0.97, "seed {seed}");
        let switches = session.samples.windows(2).filter(|pair| pair[1].choice < pair[0].choice).count();
        assert!(switches <= 1, "seed {seed}: {switches} times down");
    }
}

#[test]
fn a_dead_link_gets_nothing_stale_and_is_used_again_at_once() {
    for seed in SEEDS {
        let dead = [(0, 1_000), (15_000, 0), (18_000, 1_000), (35_000, 0), (38_000, 1_000)];
        let mut link = thin(steps(&dead), 50, 300, Loss::None);
        link.queue = QueueConfig { limit: Limit::Bytes(64_000), ..QueueConfig::default() };
        let session = run(seed, 50, link, 45_000);
        for (gone, back) in [(15_000, 18_000), (35_000, 38_000)] {
            let (gone, back) = (Time::from_millis(gone), Time::from_millis(back));
            let silent = session.first(gone, |sample| sample.link.phase == Phase::Silent).unwrap_or(u64::MAX);
            // The last report leaves up to 100 ms after the last packet came, and takes 50 ms each way.
            assert!(silent <= 600, "seed {seed}: silent after {silent} ms");
            let pictures = |record: &&loupe_netem::PacketRecord| {
                record.t_in > (gone + millis(600)).0 && record.t_in < back.0 && record.bytes > 200
            };
            assert_eq!(session.log().packets.iter().filter(pictures).count(), 0, "seed {seed}");
            let shown = session.decoded().into_iter().map(|(at, _)| at).filter(|at| *at > back + millis(550));
            let first = shown.min().map_or(u64::MAX, |at| at.since(back).as_millis() as u64);
            assert!(first <= 1_100, "seed {seed}: a fresh picture after {first} ms");
            let whole = session.first(back + millis(1), |sample| sample.estimate >= 800_000.0);
            assert!(whole.is_some_and(|ms| ms <= 2_000), "seed {seed}: {whole:?}");
        }
        let counters = session.world.plane.stats(session.world.now).counters;
        assert!(counters.dropped(Drop::Stale) > 0);
        assert!(counters.count(Counter::PlisSent) <= 12, "{}", counters.count(Counter::PlisSent));
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let log = || {
        let mut link = thin(steps(&[(0, 1_000), (8_000, 300)]), 50, 300, profiles::ge5x5());
        link.delay.jitter = Jitter::rfc8868();
        run(7, 50, link, 12_000).log().to_csv()
    };
    assert_eq!(log(), log());
}
