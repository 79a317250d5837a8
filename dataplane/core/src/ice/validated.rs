//! Addresses from which authenticated checks came, and when.

use std::time::Duration;

use super::{CONSENT_EXPIRY, Path};
use crate::units::Time;

/// Addresses one transport may hold. Browsers check from 2 to 4 at a time (two links, IPv4 and IPv6).
const MAX_ADDRESSES: usize = 8;
/// Success answers a second to one address. libwebrtc sends a check every 48 ms at its fastest.
const ANSWERS_PER_SECOND: u32 = 50;

#[derive(Debug)]
struct Validated {
    path: Path,
    last_check: Time,
    /// The second in which answers are being counted.
    counted_from: Time,
    answers: u32,
}

/// What a check did to the list.
pub(super) struct Admission {
    pub(super) admitted: Option<Path>,
    pub(super) evicted: Option<Path>,
    /// Whether the address may be answered.
    pub(super) answer: bool,
}

/// At most [`MAX_ADDRESSES`], unordered.
#[derive(Debug, Default)]
pub(super) struct ValidatedPaths(Vec<Validated>);

impl ValidatedPaths {
    /// Notes an authenticated check. The least recently checked makes room for a new address, but never `selected`:
    /// a peer that tries many addresses at once must not lose the one that carries its media.
    pub(super) fn check(&mut self, now: Time, path: Path, selected: Option<Path>) -> Admission {
        if let Some(known) = self.0.iter_mut().find(|entry| entry.path == path) {
            known.last_check = now;
            if now.since(known.counted_from) >= Duration::from_secs(1) {
                known.counted_from = now;
                known.answers = 0;
            }
            let answer = known.answers < ANSWERS_PER_SECOND;
            known.answers += u32::from(answer);
            return Admission { admitted: None, evicted: None, answer };
        }
        let evicted = if self.0.len() >= MAX_ADDRESSES { self.evict_oldest(selected) } else { None };
        self.0.push(Validated { path, last_check: now, counted_from: now, answers: 1 });
        Admission { admitted: Some(path), evicted, answer: true }
    }

    fn evict_oldest(&mut self, selected: Option<Path>) -> Option<Path> {
        let others = self.0.iter().enumerate().filter(|(_, entry)| Some(entry.path) != selected);
        let (oldest, _) = others.min_by_key(|(_, entry)| entry.last_check)?;
        Some(self.0.swap_remove(oldest).path)
    }

    pub(super) fn last_check(&self, path: Path) -> Option<Time> {
        self.0.iter().find(|entry| entry.path == path).map(|entry| entry.last_check)
    }

    /// The address checked last, other than `path`.
    pub(super) fn freshest(&self, path: Path) -> Option<(Path, Time)> {
        let others = self.0.iter().filter(|entry| entry.path != path);
        others.max_by_key(|entry| entry.last_check).map(|entry| (entry.path, entry.last_check))
    }

    /// When the first address other than `selected` expires.
    pub(super) fn next_expiry(&self, selected: Option<Path>) -> Time {
        let others = self.0.iter().filter(|entry| Some(entry.path) != selected);
        others.map(|entry| entry.last_check + CONSENT_EXPIRY).min().unwrap_or(Time::NEVER)
    }

    /// Removes one address other than `selected` that had no check for [`CONSENT_EXPIRY`].
    pub(super) fn expire(&mut self, now: Time, selected: Option<Path>) -> Option<Path> {
        let expired = self
            .0
            .iter()
            .position(|entry| Some(entry.path) != selected && now >= entry.last_check + CONSENT_EXPIRY)?;
        Some(self.0.swap_remove(expired).path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Path> + '_ {
        self.0.iter().map(|entry| entry.path)
    }
}
