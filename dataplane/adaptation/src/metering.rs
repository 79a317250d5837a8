//! What production's control plane reads once a second of the plane's snapshot (`mediaserver.adaptation.meters`).

use std::collections::BTreeMap;
use std::time::Duration;

use loupe_core::io::Handle;
use loupe_core::stats::{Figure, Figures};
use loupe_core::units::Time;

/// Between two snapshots.
const INTERVAL: Duration = Duration::from_secs(1);
/// Bytes that a transport was sent: all, and of these repair, parity and probes.
const SENT: [&str; 4] = ["bytes_out", "repair_bytes", "parity_bytes", "probe_bytes"];

/// What was sent to each transport.
#[derive(Debug, Default)]
pub(crate) struct Downlinks {
    read_at: Option<Time>,
    counted: BTreeMap<Handle, [u64; 4]>,
    overheads: BTreeMap<Handle, f64>,
}

impl Downlinks {
    /// Takes a snapshot when one is due.
    pub(crate) fn read(&mut self, now: Time, transports: &[(Handle, Figures)]) {
        if self.read_at.is_some_and(|before| now < before + INTERVAL) {
            return;
        }
        self.read_at = Some(now);
        let counted: BTreeMap<Handle, [u64; 4]> = transports
            .iter()
            .map(|(handle, figures)| (*handle, SENT.map(|name| count(figures, name))))
            .collect();
        let pairs =
            counted.iter().filter_map(|(handle, new)| Some((*handle, new, self.counted.get(handle)?)));
        self.overheads = pairs.map(|(handle, new, old)| (handle, overhead(new, old))).collect();
        self.counted = counted;
    }

    /// Bytes of repair for each byte of media over the last second; 0 where two snapshots are not there yet.
    pub(crate) fn repair_overhead(&self, transport: Handle) -> f64 {
        self.overheads.get(&transport).copied().unwrap_or(0.0)
    }
}

fn count(figures: &Figures, name: &str) -> u64 {
    match figures.iter().find(|(known, _)| *known == name) {
        Some((_, Figure::Count(count))) => *count,
        _ => 0,
    }
}

fn overhead(new: &[u64; 4], old: &[u64; 4]) -> f64 {
    let mut sent = *new;
    sent.iter_mut().zip(old).for_each(|(new, old)| *new = new.saturating_sub(*old));
    let [all, repair, parity, probes] = sent;
    repair as f64 / all.saturating_sub(repair + parity + probes).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_repair_is_held_against_its_media() {
        let counted = |all, repair| {
            let figures = vec![
                ("bytes_out", Figure::Count(all)),
                ("repair_bytes", Figure::Count(repair)),
                ("probe_bytes", Figure::Count(0)),
            ];
            vec![(Handle(7), figures)]
        };
        let mut downlinks = Downlinks::default();
        downlinks.read(Time::ZERO, &counted(10_000, 10_000));
        assert!(downlinks.repair_overhead(Handle(7)).abs() < 1e-9, "one snapshot says nothing");
        downlinks.read(Time::from_millis(900), &counted(20_000, 10_000));
        downlinks.read(Time::from_millis(1_000), &counted(21_000, 11_000));
        assert!((downlinks.repair_overhead(Handle(7)) - 0.1).abs() < 1e-9);
    }
}
