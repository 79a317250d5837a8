//! A viewer who is sent little: its estimate neither falls for that nor rises beyond what the path was shown to carry, and
//! probes are sent only while more would be of use.

use crate::support::clean;
use crate::support::session::{Session, thin};
use loupe_core::io::Command;
use loupe_core::stats::Counter;
use loupe_core::units::Bitrate;
use loupe_netem::{Capacity, Loss};

fn session(seed: u64, mbits: u64) -> Session {
    let link = thin(Capacity::constant(mbits * 1_000_000), 50, 300, Loss::None);
    let mut session = Session::begin(seed, clean(50), link);
    session.chooses = false;
    session
}

/// Reports that were not all probes or repairs to the viewer: each packet is there once.
fn repeats(session: &Session) -> (usize, usize) {
    let line = session.world.line(session.viewer, 0);
    (line.received.len(), line.rtx_packets.len())
}

#[test]
fn what_is_sent_does_not_bound_the_estimate_and_the_path_does() {
    for seed in 1..6 {
        let mut session = session(seed, 3);
        session.run(60_000);
        let (least, _, most) = session.estimates(session.at(5_000), session.world.now);
        // 200 kbit/s are sent; more would be useful up to about 3 Mbit/s.
        assert!(least >= 2_500_000.0 && most <= 3_150_000.0, "seed {seed}: {least:.0} to {most:.0}");
        let (_, p95, most) = session.queue(session.at(5_000), session.world.now);
        assert!(p95 <= 20 && most <= 100, "seed {seed}: queue {p95}, {most} ms");
        let line = session.world.line(session.viewer, 0);
        assert!(line.holes().is_empty(), "seed {seed}");
        assert_eq!(session.world.ends[session.viewer].peer.wire.refused, 0, "seed {seed}");
    }
}

#[test]
fn a_scene_that_stands_still_costs_neither_estimate_nor_probes() {
    for seed in 1..6 {
        let mut session = session(seed, 5);
        session.prefer(5);
        session.run(10_000);
        let before = session.estimates(session.at(9_000), session.world.now);
        let probes = session.world.count(Counter::ProbesOut);
        let publisher = session.publisher;
        for source in &mut session.world.peer(publisher).publisher.sources {
            if let Some(encoder) = &mut source.encoder {
                encoder.bits_per_second /= 20.0;
            }
        }
        session.run(60_000);
        let after = session.estimates(session.at(10_000), session.world.now);
        assert!(after.0 >= before.0 * 0.95, "seed {seed}: {before:?}, {after:?}");
        assert!(after.2 <= before.2 * 1.05, "seed {seed}: {before:?}, {after:?}");
        assert_eq!(session.world.count(Counter::ProbesOut), probes, "seed {seed}");
    }
}

#[test]
fn what_is_wanted_from_above_is_looked_for_and_no_more() {
    for seed in 1..6 {
        let mut session = session(seed, 20);
        let transport = session.world.peer(session.viewer).handle;
        session.run(5_000);
        let (.., before) = session.estimates(session.at(4_000), session.world.now);
        session.world.command(Command::Want { transport, rate: Some(Bitrate(8_000_000)) });
        session.run(2_000);
        let (.., wanted) = session.estimates(session.at(6_500), session.world.now);
        assert!((8_000_000.0..10_000_000.0).contains(&wanted), "seed {seed}: {before} then {wanted}");
        let (sent, repeated) = (session.world.count(Counter::ProbesOut), repeats(&session));
        assert!(before < 7_000_000.0 && repeated.1 as u64 == sent, "seed {seed}: {repeated:?}, {sent}");
        session.run(20_000);
        assert_eq!(session.world.count(Counter::ProbesOut), sent, "seed {seed}: enough is enough");
        session.world.command(Command::Want { transport, rate: Some(Bitrate(100_000)) });
        session.run(1_000);
        assert_eq!(session.world.count(Counter::ProbesOut), sent);
    }
}
