//! TCP cross traffic against what its algorithms are known to do: it fills a link, shares it with its like, keeps the
//! queue as its congestion control does, and comes back after losses and outages.

use loupe_netem::{
    Capacity, Congestion, DelayConfig, Demand, Direction, Limit, LinkConfig, LinkId, Loss, QueueConfig,
    RateSteps, TcpId, TcpSource, Topology, percentile,
};

const SECOND: u64 = 1_000_000;
const ALL: [Congestion; 3] = [Congestion::NewReno, Congestion::Cubic, Congestion::Bbr];

fn bottleneck(capacity: Capacity, queue_us: u64, loss: Loss) -> LinkConfig {
    LinkConfig {
        capacity,
        queue: QueueConfig { limit: Limit::DrainTime(queue_us), ..QueueConfig::default() },
        delay: DelayConfig { delay_us: 50_000, ..DelayConfig::default() },
        loss,
        ..LinkConfig::default()
    }
}

fn back() -> LinkConfig {
    LinkConfig {
        delay: DelayConfig { delay_us: 50_000, ..DelayConfig::default() },
        unlogged: true,
        ..LinkConfig::default()
    }
}

struct Shared {
    net: Topology<()>,
    link: LinkId,
    sources: Vec<(TcpId, u32)>,
}

/// Sources on one bottleneck, each with its congestion control and demand, run for some seconds.
fn run(config: LinkConfig, sources: &[(Congestion, Demand)], seconds: u64) -> Shared {
    let mut net = Topology::new(5);
    let link = net.add_link(config, Direction::Forward);
    let back = net.add_link(back(), Direction::Backward);
    let sources = sources
        .iter()
        .map(|(congestion, demand)| {
            net.add_tcp(&[link], &[back], TcpSource { congestion: *congestion, demand: demand.clone() })
        })
        .collect();
    while net.next_event().is_some_and(|t| t <= seconds * SECOND) {
        let t = net.next_event().expect("just looked");
        assert!(net.receive(t).is_none(), "TCP reaches nobody");
    }
    Shared { net, link, sources }
}

impl Shared {
    fn log(&self) -> &loupe_netem::Log {
        self.net.link(self.link).and_then(|view| view.log).expect("logged")
    }

    fn kbps(&self, source: usize, from: u64, to: u64) -> f64 {
        let bytes = self.log().carried_bytes(from * SECOND, to * SECOND, Some(self.sources[source].1));
        bytes as f64 * 8.0 / 1e3 / (to - from) as f64
    }

    fn queue_ms(&self, percent: u32, from: u64, to: u64) -> u64 {
        percentile(&self.log().queue_delays(from * SECOND, to * SECOND), percent).expect("packets") / 1_000
    }
}

fn bulk(from: u64, to: u64) -> Demand {
    Demand::Bulk(from * SECOND..to * SECOND)
}

#[test]
fn a_bulk_transfer_fills_the_link() {
    for congestion in ALL {
        let config = bottleneck(Capacity::constant(2_000_000), 300_000, Loss::None);
        let shared = run(config, &[(congestion, bulk(0, 60))], 60);
        let used = shared.kbps(0, 10, 60) / 2_000.0;
        assert!((0.93..1.001).contains(&used), "{congestion:?} uses {used}");
        let figures = shared.net.tcp(shared.sources[0].0).expect("added");
        let goodput = figures.delivered_bytes as f64 * 8.0 / 60.0 / 2e6;
        assert!(goodput > 0.85, "{congestion:?} delivers {goodput}");
    }
}

#[test]
fn loss_based_controls_fill_the_queue_and_bbr_does_not() {
    for (congestion, full) in
        [(Congestion::NewReno, true), (Congestion::Cubic, true), (Congestion::Bbr, false)]
    {
        let config = bottleneck(Capacity::constant(2_000_000), 1_000_000, Loss::None);
        let shared = run(config, &[(congestion, bulk(0, 60))], 60);
        let most = shared.queue_ms(100, 0, 60);
        let median = shared.queue_ms(50, 10, 60);
        assert_eq!(most > 900, full, "{congestion:?}: {most} ms");
        assert!(full || median < 100, "{congestion:?}: {median} ms");
    }
}

#[test]
fn two_of_a_kind_share_evenly() {
    for congestion in [Congestion::NewReno, Congestion::Cubic] {
        let config = bottleneck(Capacity::constant(10_000_000), 100_000, Loss::None);
        let shared = run(config, &[(congestion, bulk(0, 120)), (congestion, bulk(20, 120))], 120);
        let ratio = shared.kbps(0, 60, 120) / shared.kbps(1, 60, 120);
        assert!((0.5..2.0).contains(&ratio), "{congestion:?}: {ratio}");
    }
}

#[test]
fn a_short_queue_costs_reno_more_than_cubic() {
    let used = |congestion| {
        let config = bottleneck(Capacity::constant(5_000_000), 20_000, Loss::None);
        run(config, &[(congestion, bulk(0, 120))], 120).kbps(0, 20, 120) / 5_000.0
    };
    let (reno, cubic) = (used(Congestion::NewReno), used(Congestion::Cubic));
    // A saw tooth whose top is 49 segments, 41 of which the path holds: from half (24.5) or 0.7 (34) of it upwards.
    assert!((0.78..0.88).contains(&reno), "{reno}");
    assert!((0.88..1.0).contains(&cubic), "{cubic}");
}

#[test]
fn random_loss_costs_reno_what_the_formula_says_and_bbr_nothing() {
    let config = || bottleneck(Capacity::constant(20_000_000), 200_000, Loss::Iid(0.01));
    let shared = run(config(), &[(Congestion::NewReno, bulk(0, 120))], 120);
    // Mathis et al. 1997: MSS / RTT * sqrt(3 / (2 b p)), with b = 2 for delayed acknowledgements; 100 ms and 1 %.
    let expected = 1_500.0 * 8.0 / 1e3 / 0.1 * (1.5_f64 / 2.0 / 0.01).sqrt();
    let ratio = shared.kbps(0, 20, 120) / expected;
    assert!((0.7..1.6).contains(&ratio), "{ratio} of {expected} kbit/s");
    let shared = run(config(), &[(Congestion::Bbr, bulk(0, 60))], 60);
    assert!(shared.kbps(0, 20, 60) > 16_000.0);
}

#[test]
fn an_outage_ends_in_a_timeout_and_is_got_over() {
    let steps =
        RateSteps::new(&[(0, 2_000_000), (20 * SECOND, 0), (25 * SECOND, 2_000_000)]).expect("rising");
    for congestion in ALL {
        let config = bottleneck(
            Capacity::Steps(steps.clone()),
            300_000,
            Loss::Schedule(std::iter::once(20 * SECOND..25 * SECOND).collect()),
        );
        let shared = run(config, &[(congestion, bulk(0, 60))], 60);
        assert!(shared.kbps(0, 21, 25) < 1.0);
        let after = shared.kbps(0, 35, 60);
        assert!(after > 1_700.0, "{congestion:?}: {after}");
    }
}

#[test]
fn a_bulk_transfer_ends_when_it_should() {
    let config = bottleneck(Capacity::constant(2_000_000), 300_000, Loss::None);
    let shared = run(config, &[(Congestion::Cubic, bulk(5, 20))], 40);
    assert!(shared.kbps(0, 0, 5) < 1.0 && shared.kbps(0, 10, 20) > 1_800.0);
    assert!(shared.kbps(0, 22, 40) < 1.0);
    assert_eq!(shared.net.tcp(shared.sources[0].0).expect("added").completed, 1);
}

#[test]
fn bursts_are_as_long_as_their_connections_and_idle_between() {
    let demand = |begins_busy| Demand::Bursts {
        during: 0..300 * SECOND,
        connections: 30,
        bytes: 30_000..50_000,
        mean_idle_us: 10 * SECOND,
        begins_busy,
    };
    let config = bottleneck(Capacity::constant(20_000_000), 300_000, Loss::None);
    let shared = run(config, &[(Congestion::Cubic, demand(true)), (Congestion::Cubic, demand(false))], 320);
    let first = shared.net.tcp(shared.sources[0].0).expect("added");
    // A connection of 40 kB takes three round trips of 100 ms, a burst 9 s; with the idle time 19 s in 300.
    assert!((200..900).contains(&first.completed), "{first:?}");
    let mean = first.delivered_bytes as f64 / first.completed as f64;
    assert!((38_000.0..43_500.0).contains(&mean), "{mean} bytes");
    assert!(shared.kbps(0, 0, 2) > 500.0, "it begins with a burst");
    let second = shared.net.tcp(shared.sources[1].0).expect("added");
    assert!(second.completed > 100 && second != first);
}

#[test]
fn the_same_seed_gives_the_same_log() {
    let text = || {
        let config = bottleneck(Capacity::constant(2_000_000), 300_000, Loss::Iid(0.01));
        let sources = ALL.map(|congestion| (congestion, bulk(0, 10)));
        run(config, &sources, 12).log().to_csv()
    };
    assert!(text().lines().count() > 1_500);
    assert_eq!(text(), text());
}
