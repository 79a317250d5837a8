//! What a viewer's link carries is found, used and followed: constant links, steps, loss, outages.

mod support;

use loupe_core::units::Time;
use loupe_netem::{Capacity, DelayConfig, Limit, LinkConfig, Loss, QueueConfig, RateSteps, profiles};
use support::session::Session;

fn link(capacity: Capacity, one_way_ms: u64, queue_ms: u64, loss: Loss) -> LinkConfig {
    let delay = DelayConfig { delay_us: one_way_ms * 1_000, ..DelayConfig::default() };
    let queue = QueueConfig { limit: Limit::DrainTime(queue_ms * 1_000), ..QueueConfig::default() };
    LinkConfig { capacity, delay, queue, loss, ..LinkConfig::default() }
}

fn back(one_way_ms: u64) -> LinkConfig {
    let delay = DelayConfig { delay_us: one_way_ms * 1_000, ..DelayConfig::default() };
    LinkConfig { delay, ..LinkConfig::default() }
}

fn show(session: &Session) {
    if let Ok(span) = std::env::var("LOUPE_PACKETS") {
        let (from, to) = span.split_once('-').unwrap();
        let (from, to): (f64, f64) = (from.parse().unwrap(), to.parse().unwrap());
        eprintln!("plis {:?}", session.world.ends[session.publisher].peer.publisher.plis);
        for (at, event) in &session.world.events {
            let at = at.0 as f64 / 1e6;
            if at >= from && at < to {
                eprintln!("event {at:.4} {event:?}");
            }
        }
        for packet in &session.world.line(session.viewer, 0).received {
            let at = packet.at.0 as f64 / 1e6;
            if at >= from && at < to {
                eprintln!(
                    "got {at:.4} seq {} {:?} t{} {}",
                    packet.seq,
                    packet.content(),
                    packet.numbers().temporal,
                    if packet.repaired { "rtx" } else { "" }
                );
            }
        }
        for record in &session.log().packets {
            let at = record.t_in as f64 / 1e6;
            if at >= from && at < to {
                eprintln!("pkt {at:.4} {} q{} {:?}", record.bytes, record.queue_bytes, record.dropped);
            }
        }
    }
    if std::env::var_os("LOUPE_TABLE").is_some() {
        eprintln!("{}", session.table());
    }
    let (from, to) = (session.samples[0].at, session.world.now);
    let counters = session.world.plane.stats(session.world.now).counters;
    eprintln!(
        "queue {:?} ms, overflow {} B, estimates {:.0?}",
        session.queue(from, to),
        session.overflowed(from, to),
        session.estimates(from, to)
    );
    eprintln!("freezes {:?}, decoded {}", session.freezes(from, to), session.decoded().len());
    eprintln!("drops {:?}", counters.named_drops().filter(|drop| drop.1 > 0).collect::<Vec<_>>());
    eprintln!("counts {:?}", counters.named().filter(|drop| drop.1 > 0).collect::<Vec<_>>());
}

#[test]
fn constant_links() {
    for kbits in [200, 300, 1_000, 5_000] {
        let down = link(Capacity::constant(kbits * 1_000), 50, 300, Loss::None);
        let mut session = Session::begin(1, back(50), down);
        session.run(10_000);
        eprintln!("== {kbits} kbit/s");
        show(&session);
    }
}

fn steps(steps: &[(u64, u64)]) -> Capacity {
    let steps: Vec<(u64, u64)> = steps.iter().map(|(ms, kbits)| (ms * 1_000, kbits * 1_000)).collect();
    Capacity::Steps(RateSteps::new(&steps).expect("rising"))
}

#[test]
fn a_step_down_and_up() {
    let down = link(steps(&[(0, 2_000), (20_000, 250), (40_000, 2_000)]), 50, 300, Loss::None);
    let mut session = Session::begin(1, back(50), down);
    session.run(45_000);
    show(&session);
    let _ = Time::ZERO;
}

#[test]
fn random_loss() {
    for loss in [profiles::iid(10.0), profiles::ge10x3()] {
        let mut session = Session::begin(1, back(50), link(Capacity::constant(3_000_000), 50, 300, loss));
        session.run(30_000);
        show(&session);
    }
}
