//! A download through a viewer's link: pictures keep a fair part of it, leave it its own, and have all again when it ends.

use crate::support::session::{Session, thin};
use crate::support::tcp::{Control, Tcp};
use crate::support::{clean, millis};
use loupe_netem::{Capacity, Loss};

/// Shares of the link while both are there, (ours, the download's), and how long it took to have all again.
fn run(seed: u64, control: Control, queue_ms: u64, first: bool) -> ((f64, f64), u64) {
    let link = thin(Capacity::constant(2_000_000), 50, queue_ms, Loss::None);
    let mut session = Session::begin(seed, clean(50), link);
    let begin = session.world.now + if first { millis(0) } else { millis(15_000) };
    let end = begin + millis(60_000);
    session.world.ends[session.viewer].tcp.push(Tcp::new(control, begin, end, millis(50)));
    session.run(90_000);
    let from = begin + millis(10_000);
    let carried = |flow| session.log().carried_bytes(from.0, end.0, flow) as f64;
    let all = carried(None);
    let back = session.first(end, |sample| sample.estimate >= 1_600_000.0);
    ((carried(Some(0)) / all, carried(Some(1)) / all), back.unwrap_or(u64::MAX))
}

#[test]
fn a_download_and_pictures_share() {
    for control in [Control::Reno, Control::Cubic] {
        for first in [false, true] {
            let ((ours, its), back) = run(1, control, 300, first);
            assert!((0.3..0.65).contains(&ours), "{control:?}, first {first}: {ours:.2}");
            assert!(its >= 0.35, "{control:?}, first {first}: {its:.2}");
            assert!(back <= 5_000, "{control:?}, first {first}: {back} ms");
        }
    }
}

#[test]
fn in_a_queue_of_a_second_pictures_are_not_starved() {
    for control in [Control::Reno, Control::Cubic] {
        let ((ours, its), _) = run(2, control, 1_000, false);
        // 400 kbit/s of 2 Mbit/s.
        assert!(ours >= 0.2 && its >= 0.35, "{control:?}: {ours:.2}, {its:.2}");
    }
}
