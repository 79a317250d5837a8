//! The emulator against what it promises: rates, queue bounds, loss figures, repeatability, a real trace.

use std::path::PathBuf;

use loupe_netem::{
    Capacity, DelayConfig, Direction, Jitter, Limit, Link, LinkConfig, Loss, QueueConfig, Reordering,
    percentile, profiles, trace,
};

/// Payload bytes whose packets have 1,200 and 1,500 bytes with their headers.
const PAYLOAD_1200: usize = 1_172;
const PAYLOAD_1500: usize = 1_472;

/// Where traces lie: beside the repository, unless the environment names another place.
fn shared(name: &str) -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("LOUPE_SHARED").map_or_else(beside, PathBuf::from).join(name)
}

/// A link that gets a packet every `gap_us` for `until_us`, and is then read out.
fn flood(config: LinkConfig, seed: u64, payload: usize, gap_us: u64, until_us: u64) -> Link<u64> {
    let mut link = Link::new(config, seed, Direction::Forward);
    for t in (0..until_us).step_by(gap_us as usize) {
        link.push(t, payload, t);
        while link.pop(t).is_some() {}
    }
    while link.pop(until_us).is_some() {}
    link
}

fn drain_time(us: u64) -> QueueConfig {
    QueueConfig { limit: Limit::DrainTime(us), ..QueueConfig::default() }
}

#[test]
fn a_megabit_carries_a_megabit() {
    for (bps, payload) in [(1_000_000, PAYLOAD_1200), (1_000_000, 73), (7_654_321, 999)] {
        let config = LinkConfig {
            capacity: Capacity::constant(bps),
            queue: drain_time(300_000),
            ..LinkConfig::default()
        };
        let gap = (payload as u64 + 28) * 8 * 1_000_000 / bps / 2;
        let link = flood(config, 1, payload, gap.max(1), 30_000_000);
        let log = link.log().expect("logged");
        let carried = log.carried_bytes(1_000_000, 29_000_000, None) as f64 * 8.0 / 28.0;
        let off = (carried / bps as f64 - 1.0).abs();
        assert!(off < 0.001, "{carried} of {bps} bit/s with {payload} bytes");
        let used = log.utilisation(1_000_000, 29_000_000, None).expect("sampled");
        assert!((used - 1.0).abs() < 0.001, "{used}");
    }
}

#[test]
fn a_queue_of_300_ms_holds_300_ms() {
    let config = LinkConfig {
        capacity: Capacity::constant(1_000_000),
        queue: drain_time(300_000),
        ..LinkConfig::default()
    };
    let link = flood(config, 1, PAYLOAD_1200, 5_000, 20_000_000);
    let delays = link.log().expect("logged").queue_delays(0, 20_000_000);
    // One packet of 1,200 bytes takes 9.6 ms.
    let most = percentile(&delays, 100).expect("packets");
    assert!((300_000 - 9_600..=300_000 + 9_600).contains(&most), "{most}");
}

#[test]
fn bursts_have_their_share_and_length() {
    let config = LinkConfig { loss: profiles::ge2x4(), ..LinkConfig::default() };
    let link = flood(config, 3, 100, 10, 10_000_000);
    let lost: Vec<bool> =
        link.log().expect("logged").packets.iter().map(|record| record.dropped.is_some()).collect();
    assert_eq!(lost.len(), 1_000_000);
    let count = lost.iter().filter(|lost| **lost).count();
    let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() + usize::from(lost[0]);
    let share = count as f64 / lost.len() as f64;
    let mean = count as f64 / bursts as f64;
    assert!((share - 0.02).abs() < 0.001, "{share}");
    assert!((mean - 4.0).abs() < 0.1, "{mean}");
}

#[test]
fn a_seed_repeats_its_run_byte_for_byte() {
    let config = LinkConfig {
        loss: Loss::Any(vec![profiles::ge5x5(), profiles::iid(1.0)]),
        duplication: 0.01,
        queue: drain_time(200_000),
        capacity: Capacity::constant(2_000_000),
        delay: DelayConfig {
            delay_us: 50_000,
            jitter: Jitter::rfc8868(),
            reordering: Reordering { probability: 0.01, extra_us: 20_000, ..Reordering::default() },
            ..DelayConfig::default()
        },
        ..LinkConfig::default()
    };
    let text = |seed| {
        flood(config.clone(), seed, PAYLOAD_1200, 4_000, 10_000_000).log().map(loupe_netem::Log::to_csv)
    };
    assert!(text(1).is_some_and(|text| text.lines().count() > 3_500));
    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
}

#[test]
fn an_lte_drive_delivers_its_mean_when_saturated() {
    let path = shared("traces/mahimahi/ATT-LTE-driving-2016.down");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("left out: the LTE driving trace is not beside the repository");
        return;
    };
    let capacity = trace::parse("ATT-LTE-driving-2016.down", &text).expect("a well-formed trace");
    for payload in [PAYLOAD_1500, PAYLOAD_1200] {
        let queue = QueueConfig { limit: Limit::Bytes(1_000_000), ..QueueConfig::default() };
        let config = LinkConfig { capacity: capacity.clone(), queue, ..LinkConfig::default() };
        // 24 Mbit/s or more, and a queue that outlasts the bursts beyond that.
        let link = flood(config, 1, payload, 400, 120_000_000);
        let carried = link.log().expect("logged").carried_bytes(0, 120_000_000, None);
        // Once the queue is full every byte of credit is used, but for one packet at each end.
        let offered = capacity.bits_between(2_000_000, 120_000_000).expect("bounded") / 8;
        let steady = link.log().expect("logged").carried_bytes(2_000_000, 120_000_000, None);
        assert!(steady.abs_diff(offered) <= 2 * 1_500, "{steady} of {offered} bytes with {payload} bytes");
        let kbps = carried as f64 * 8.0 / 120_000.0;
        assert!((kbps / 4_530.0 - 1.0).abs() < 0.01, "{kbps} kbit/s");
    }
}

#[test]
fn every_shared_trace_can_be_read_and_carries() {
    let mut read = 0;
    for folder in ["mahimahi", "norway3g", "onl"] {
        let Ok(entries) = std::fs::read_dir(shared("traces").join(folder)) else {
            eprintln!("left out: the traces in {folder} are not beside the repository");
            continue;
        };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let capacity = trace::parse(&name, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mean = capacity.bits_between(0, 120_000_000).expect("bounded") / 120;
            assert!((10_000..50_000_000).contains(&mean), "{name}: {mean} bit/s");
            read += 1;
        }
    }
    eprintln!("{read} traces read");
}
