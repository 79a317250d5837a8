//! `CoDel` (RFC 8289): drops or marks at the head of the queue when packets have waited too long for too long.

/// Settings; RFC 8289 section 4.2 gives 5 ms and 100 ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CoDelConfig {
    /// Accepted standing wait in microseconds.
    pub target_us: u64,
    /// How long the wait must stand before the first drop, microseconds.
    pub interval_us: u64,
    /// Mark instead of drop, as with ECN-capable traffic.
    pub mark: bool,
}

impl Default for CoDelConfig {
    fn default() -> CoDelConfig {
        CoDelConfig { target_us: 5_000, interval_us: 100_000, mark: false }
    }
}

/// A queue below this many bytes is never dropped from (one full packet, RFC 8289 section 4.4).
const MAX_PACKET_BYTES: u64 = 1_500;

/// What the head of the queue meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Pass,
    Mark,
    Drop,
}

/// The state of RFC 8289 section 5.
#[derive(Clone, Debug)]
pub(crate) struct CoDel {
    config: CoDelConfig,
    first_above_us: Option<u64>,
    /// While dropping: when next.
    drop_next_us: Option<u64>,
    last_drop_next_us: u64,
    count: u64,
    last_count: u64,
}

impl CoDel {
    pub(crate) fn new(config: CoDelConfig) -> CoDel {
        CoDel {
            config,
            first_above_us: None,
            drop_next_us: None,
            last_drop_next_us: 0,
            count: 0,
            last_count: 0,
        }
    }

    /// What happens to a packet that leaves the queue at `now_us` after `waited_us`, with `behind_bytes` left behind.
    pub(crate) fn judge(&mut self, now_us: u64, waited_us: u64, behind_bytes: u64) -> Verdict {
        let over = self.over(now_us, waited_us, behind_bytes);
        match self.drop_next_us {
            Some(_) if !over => {
                self.drop_next_us = None;
                Verdict::Pass
            }
            Some(next) if now_us >= next => {
                self.count += 1;
                self.schedule(next);
                self.verdict()
            }
            None if over => {
                // Dropping went on until lately: start near the rate that controlled the queue (RFC 8289 section 5.4).
                let lately = now_us.saturating_sub(self.last_drop_next_us) < 16 * self.config.interval_us;
                let delta = self.count.saturating_sub(self.last_count);
                self.count = if lately && delta > 1 { delta } else { 1 };
                self.last_count = self.count;
                self.schedule(now_us);
                self.verdict()
            }
            _ => Verdict::Pass,
        }
    }

    fn over(&mut self, now_us: u64, waited_us: u64, behind_bytes: u64) -> bool {
        if waited_us < self.config.target_us || behind_bytes <= MAX_PACKET_BYTES {
            self.first_above_us = None;
            return false;
        }
        let since = *self.first_above_us.get_or_insert(now_us + self.config.interval_us);
        now_us >= since
    }

    /// The next drop comes interval / sqrt(count) later; 16 binary places keep the root's fraction.
    fn schedule(&mut self, from_us: u64) {
        let root = (self.count.min(u64::from(u32::MAX)) << 32).isqrt();
        let next = from_us + (self.config.interval_us << 16) / root.max(1);
        self.drop_next_us = Some(next);
        self.last_drop_next_us = next;
    }

    fn verdict(&self) -> Verdict {
        if self.config.mark { Verdict::Mark } else { Verdict::Drop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_wait_is_never_dropped() {
        let mut codel = CoDel::new(CoDelConfig::default());
        assert!((0..10_000).all(|n| codel.judge(n * 1_000, 4_999, 50_000) == Verdict::Pass));
    }

    #[test]
    fn a_standing_wait_is_dropped_after_an_interval_and_then_ever_faster() {
        let mut codel = CoDel::new(CoDelConfig::default());
        let drops: Vec<u64> = (0..400)
            .map(|n| n * 1_000)
            .filter(|t| codel.judge(*t, 20_000, 50_000) == Verdict::Drop)
            .collect();
        // 100 ms, then + 100, + 70.7, + 57.7 ms (interval / sqrt(n)).
        assert_eq!(drops, [100_000, 200_000, 271_000, 329_000, 379_000]);
    }

    #[test]
    fn marking_replaces_dropping() {
        let mut codel = CoDel::new(CoDelConfig { mark: true, ..CoDelConfig::default() });
        let verdicts: Vec<Verdict> = (0..200).map(|n| codel.judge(n * 1_000, 20_000, 50_000)).collect();
        assert!(verdicts.contains(&Verdict::Mark) && !verdicts.contains(&Verdict::Drop));
    }
}
