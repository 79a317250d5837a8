//! What holds for every configuration: repeatable, in order unless asked otherwise, nothing lost unaccounted.

use loupe_netem::{
    Capacity, CoDelConfig, DelayConfig, Direction, Jitter, Limit, Link, LinkConfig, Loss, Opportunities,
    QueueConfig, RateSteps, Reordering,
};
use proptest::prelude::*;

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        Just(Loss::None),
        (0.0..0.5).prop_map(Loss::Iid),
        (0.01..0.3, 1.0..6.0).prop_map(|(share, burst)| Loss::bursts(share, burst)),
        (1_000_u64..500_000, 1_000_u64..100_000).prop_map(|(mean_good_us, mean_bad_us)| Loss::Outages {
            mean_good_us,
            mean_bad_us,
            horizon_us: 1_000_000,
        }),
    ]
}

fn capacity() -> impl Strategy<Value = Capacity> {
    let steps = prop::collection::vec((1_u64..300_000, 0_u64..20_000_000), 1..6).prop_map(|parts| {
        let mut t = 0;
        let steps: Vec<(u64, u64)> = parts
            .into_iter()
            .map(|(length, bps)| {
                t += length;
                (t - length, bps)
            })
            .collect();
        Capacity::Steps(RateSteps::new(&steps).expect("rising").looped(t).expect("beyond the last"))
    });
    let instants = prop::collection::vec(0_u64..20, 1..40).prop_map(|gaps| {
        let mut t = 1;
        let instants: Vec<u64> = gaps
            .into_iter()
            .map(|gap| {
                t += gap;
                t
            })
            .collect();
        Capacity::Opportunities(Opportunities::new(&instants).expect("rising, not ending at 0"))
    });
    prop_oneof![Just(Capacity::Unlimited), (0_u64..50_000_000).prop_map(Capacity::constant), steps, instants]
}

fn queue() -> impl Strategy<Value = QueueConfig> {
    let limit = prop_oneof![
        Just(Limit::Unbounded),
        (0_u64..100_000).prop_map(Limit::Bytes),
        (0_u64..500_000).prop_map(Limit::DrainTime),
    ];
    (limit, prop::option::of(1_000_u64..500_000), any::<bool>()).prop_map(|(limit, head_drop_us, codel)| {
        QueueConfig { limit, head_drop_us, strict_priority: false, codel: codel.then(CoDelConfig::default) }
    })
}

fn delay() -> impl Strategy<Value = DelayConfig> {
    let jitter = prop_oneof![
        Just(Jitter::None),
        Just(Jitter::rfc8868()),
        (0_u64..30_000).prop_map(|max_us| Jitter::Uniform { max_us }),
        Just(Jitter::Trace(vec![(100_000, 20_000), (200_000, 0)])),
    ];
    (0_u64..200_000, jitter).prop_map(|(delay_us, jitter)| DelayConfig {
        delay_us,
        jitter,
        ..DelayConfig::default()
    })
}

fn config() -> impl Strategy<Value = LinkConfig> {
    (loss(), 0.0..0.2, queue(), capacity(), delay(), 0_u64..40).prop_map(
        |(loss, duplication, queue, capacity, delay, l2_overhead)| LinkConfig {
            loss,
            duplication,
            queue,
            capacity,
            delay,
            l2_overhead,
            unlogged: false,
        },
    )
}

/// Gaps between pushes in microseconds, and payload bytes.
fn pushes() -> impl Strategy<Value = Vec<(u64, usize)>> {
    prop::collection::vec((0_u64..20_000, 0_usize..3_000), 1..200)
}

/// Pushes, reads in between, and stops reading at the last push. Returns what came out.
fn run(link: &mut Link<usize>, pushes: &[(u64, usize)]) -> Vec<(u64, usize)> {
    let mut t = 0;
    let mut seen = Vec::new();
    for (n, (gap, bytes)) in pushes.iter().enumerate() {
        t += gap;
        link.push(t, *bytes, n);
        seen.extend(std::iter::from_fn(|| link.pop(t)));
    }
    seen
}

/// Follows the link's own events for at most an hour of its time.
fn drain(link: &mut Link<usize>) -> Vec<(u64, usize)> {
    let mut seen = Vec::new();
    while let Some(t) = link.next_event().filter(|t| *t < 3_600_000_000) {
        seen.extend(std::iter::from_fn(|| link.pop(t)));
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn same_input_same_log(config in config(), seed: u64, pushes in pushes()) {
        let text = || {
            let mut link = Link::new(config.clone(), seed, Direction::Backward);
            let seen = run(&mut link, &pushes);
            (seen, link.log().expect("logged").to_csv())
        };
        prop_assert_eq!(text(), text());
    }

    #[test]
    fn reading_often_or_late_is_the_same(config in config(), seed: u64, pushes in pushes()) {
        let mut often = Link::new(config, seed, Direction::Forward);
        let mut late = often.clone();
        let mut seen = run(&mut often, &pushes);
        seen.extend(drain(&mut often));
        let mut t = 0;
        for (n, (gap, bytes)) in pushes.iter().enumerate() {
            t += gap;
            late.push(t, *bytes, n);
        }
        prop_assert_eq!(seen, drain(&mut late));
    }

    #[test]
    fn nothing_overtakes(config in config(), seed: u64, pushes in pushes()) {
        let mut link = Link::new(config, seed, Direction::Forward);
        let mut seen = run(&mut link, &pushes);
        seen.extend(drain(&mut link));
        for pair in seen.windows(2) {
            prop_assert!(pair[0].0 <= pair[1].0);
            prop_assert!(pair[0].1 <= pair[1].1);
        }
    }

    #[test]
    fn times_of_a_packet_rise(config in config(), seed: u64, pushes in pushes()) {
        let mut link = Link::new(config, seed, Direction::Forward);
        run(&mut link, &pushes);
        drain(&mut link);
        for record in &link.log().expect("logged").packets {
            let times = [Some(record.t_in), record.t_enq, record.t_start, record.t_done, record.t_out];
            let known: Vec<u64> = times.into_iter().flatten().collect();
            prop_assert!(known.is_sorted(), "{:?}", record);
            prop_assert!(record.dropped.is_none() || record.t_start.is_none());
        }
    }

    #[test]
    fn every_packet_is_accounted_for(config in config(), seed: u64, pushes in pushes(), reorder in any::<bool>()) {
        let mut config = config;
        if reorder {
            config.delay.reordering = Reordering { allowed: true, probability: 0.1, extra_us: 30_000 };
        }
        let mut link = Link::new(config, seed, Direction::Forward);
        let mut seen = run(&mut link, &pushes);
        for end in 0..2 {
            let counts = link.counts();
            let gone = counts.delivered + counts.dropped_in_all() + link.held() as u64;
            prop_assert_eq!(counts.pushed + counts.duplicated, gone);
            prop_assert_eq!(counts.delivered, seen.len() as u64);
            prop_assert_eq!(counts.pushed, pushes.len() as u64);
            if end == 0 {
                seen.extend(drain(&mut link));
            }
        }
    }

    #[test]
    fn never_more_than_the_capacity(config in config(), seed: u64, pushes in pushes()) {
        let mut link = Link::new(config.clone(), seed, Direction::Forward);
        run(&mut link, &pushes);
        drain(&mut link);
        let log = link.log().expect("logged");
        let Some(last) = log.packets.iter().filter_map(|record| record.t_done).max() else { return Ok(()) };
        let Some(bits) = config.capacity.bits_between(0, last + 1) else { return Ok(()) };
        let carried = log.carried_bytes(0, last + 1, None) * 8;
        prop_assert!(carried <= bits + 1, "{} of {}", carried, bits);
    }
}
