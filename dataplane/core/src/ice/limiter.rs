//! How many refusals one source may draw from us, so that nobody can aim our answers at a third party.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::units::Time;

/// At most one refusal each second per source.
const INTERVAL: Duration = Duration::from_secs(1);
/// Sources remembered, hence refusals a second in all; further ones get none.
const MAX_SOURCES: usize = 4_096;

/// An IPv4 address, or the /64 network of an IPv6 one: what one attacker may be assumed to hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Source {
    V4(u32),
    V6(u64),
}

impl Source {
    fn of(address: SocketAddr) -> Source {
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => Source::V4(ip.to_bits()),
            IpAddr::V6(ip) => Source::V6((ip.to_bits() >> 64) as u64),
        }
    }
}

/// The refusals of the last second, by source. A tree and not a hash map: sources are the attacker's to choose.
#[derive(Debug, Default)]
pub struct AnswerLimiter {
    answered: BTreeMap<Source, Time>,
    /// The same, oldest first.
    order: VecDeque<(Time, Source)>,
}

impl AnswerLimiter {
    /// Whether a refusal may go to `address` now; if so it is counted.
    pub fn admit(&mut self, now: Time, address: SocketAddr) -> bool {
        while let Some((_, source)) = self.order.front().filter(|(then, _)| now.since(*then) >= INTERVAL) {
            self.answered.remove(source);
            self.order.pop_front();
        }
        let source = Source::of(address);
        if self.order.len() >= MAX_SOURCES || self.answered.contains_key(&source) {
            return false;
        }
        self.answered.insert(source, now);
        self.order.push_back((now, source));
        true
    }

    /// Sources remembered.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no source is remembered.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}
