//! The server: takes packets off the queue one at a time, at the rate or at the instants of its capacity.

use crate::opportunities::Opportunities;
use crate::rate::RateSteps;
use crate::trace::TraceError;

/// What a link can carry.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Capacity {
    /// Anything at once.
    #[default]
    Unlimited,
    /// A rate that changes in steps.
    Steps(RateSteps),
    /// Chances to send. Several small packets may share one, a large one may span several; what is not used at once
    /// is lost.
    Opportunities(Opportunities),
}

impl Capacity {
    /// A constant rate in bits per second.
    pub fn constant(bps: u64) -> Capacity {
        Capacity::Steps(RateSteps::constant(bps))
    }

    /// The same, starting at `offset_us` of its schedule or trace.
    #[must_use]
    pub fn starting_at(self, offset_us: u64) -> Capacity {
        match self {
            Capacity::Unlimited => Capacity::Unlimited,
            Capacity::Steps(steps) => Capacity::Steps(steps.starting_at(offset_us)),
            Capacity::Opportunities(trace) => Capacity::Opportunities(trace.starting_at(offset_us)),
        }
    }

    /// The same, times `permille` / 1000.
    #[must_use]
    pub fn scaled(self, permille: u64) -> Capacity {
        match self {
            Capacity::Unlimited => Capacity::Unlimited,
            Capacity::Steps(steps) => Capacity::Steps(steps.scaled(permille)),
            Capacity::Opportunities(trace) => Capacity::Opportunities(trace.scaled(permille)),
        }
    }

    /// The same, beginning again after `period_us`. Opportunities always do, after their last; they and an unlimited
    /// capacity stay as they are. Refuses a period that ends before the last step begins.
    pub fn looped(self, period_us: u64) -> Result<Capacity, TraceError> {
        match self {
            Capacity::Steps(steps) => steps.looped(period_us).map(Capacity::Steps),
            other => Ok(other),
        }
    }

    /// The current rate in bits per second; `None` is without bound.
    pub fn rate_at(&self, t_us: u64) -> Option<u64> {
        match self {
            Capacity::Unlimited => None,
            Capacity::Steps(steps) => Some(steps.at(t_us)),
            Capacity::Opportunities(trace) => Some(trace.rate_at(t_us)),
        }
    }

    /// Bits that can be carried from `from_us` up to `to_us`; `None` is without bound.
    pub fn bits_between(&self, from_us: u64, to_us: u64) -> Option<u64> {
        match self {
            Capacity::Unlimited => None,
            Capacity::Steps(steps) => Some((steps.integral(from_us, to_us) / 1_000_000) as u64),
            Capacity::Opportunities(trace) => Some(trace.credit_between(from_us, to_us) * 8),
        }
    }
}

/// When a packet is served, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Service {
    /// Its first bit goes.
    pub(crate) first: u64,
    /// Its last bit has gone.
    pub(crate) finish: u64,
    /// What the packet behind it must keep clear of at the far end. Zero when packets may share an instant.
    pub(crate) serialisation: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Server {
    capacity: Capacity,
    /// The moment to which the two below belong; they are lost at any later one.
    carried_at_us: u64,
    /// Work that fitted into the last packet's last microsecond, so that whole microseconds lose no capacity.
    surplus: u128,
    /// Bytes left of the current opportunity.
    credit_bytes: u64,
    /// The number of the first opportunity not begun.
    next_opportunity: u64,
}

impl Server {
    pub(crate) fn new(capacity: Capacity) -> Server {
        Server { capacity, carried_at_us: 0, surplus: 0, credit_bytes: 0, next_opportunity: 0 }
    }

    pub(crate) fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    /// Serves a packet that reaches the server at `t_us`, not before the last one finished. `None`: never.
    pub(crate) fn serve(&mut self, t_us: u64, bytes: u64) -> Option<Service> {
        if t_us != self.carried_at_us {
            self.surplus = 0;
            self.credit_bytes = 0;
        }
        let service = match &self.capacity {
            Capacity::Unlimited => Service { first: t_us, finish: t_us, serialisation: 0 },
            Capacity::Steps(steps) => {
                let work = u128::from(bytes) * 8_000_000;
                let first = if self.surplus > 0 { t_us } else { steps.next_open(t_us)? };
                let (finish, more) = steps.finish(t_us, work.saturating_sub(self.surplus))?;
                self.surplus = self.surplus.saturating_sub(work) + more;
                Service { first, finish, serialisation: finish - t_us }
            }
            Capacity::Opportunities(_) => self.serve_opportunities(t_us, bytes)?,
        };
        self.carried_at_us = service.finish;
        Some(service)
    }

    fn serve_opportunities(&mut self, t_us: u64, bytes: u64) -> Option<Service> {
        let Capacity::Opportunities(trace) = &self.capacity else { return None };
        // Those that nobody used are gone.
        self.next_opportunity = self.next_opportunity.max(trace.count_before(t_us));
        let mut first = (self.credit_bytes > 0).then_some(t_us);
        let mut now = t_us;
        let mut left = bytes;
        while left > self.credit_bytes {
            left -= self.credit_bytes;
            now = trace.instant(self.next_opportunity);
            first.get_or_insert(now);
            self.next_opportunity += 1;
            self.credit_bytes = trace.credit_bytes();
        }
        self.credit_bytes -= left;
        Some(Service { first: first.unwrap_or(now), finish: now, serialisation: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finishes(server: &mut Server, packets: &[(u64, u64)]) -> Vec<u64> {
        let mut free = 0;
        packets
            .iter()
            .map(|(t, bytes)| {
                free = server.serve(free.max(*t), *bytes).expect("an open link").finish;
                free
            })
            .collect()
    }

    #[test]
    fn whole_microseconds_lose_no_capacity() {
        // 100 bytes at 3 Mbit/s take 266.67 us: three take 800.
        let mut server = Server::new(Capacity::constant(3_000_000));
        assert_eq!(finishes(&mut server, &[(0, 100), (0, 100), (0, 100)]), [267, 534, 800]);
        // After a pause nothing is carried over.
        assert_eq!(finishes(&mut server, &[(10_000, 100), (20_000, 100)]), [10_267, 20_267]);
    }

    #[test]
    fn many_packets_may_end_within_one_microsecond() {
        let mut server = Server::new(Capacity::constant(10_000_000_000));
        let ends = finishes(&mut server, &[(0, 100); 125]);
        // 12,500 bytes at 10 Gbit/s are 10 us.
        assert_eq!(ends.last(), Some(&10));
    }

    #[test]
    fn small_packets_share_an_opportunity_and_large_ones_span_several() {
        let trace = Opportunities::new(&[10, 20, 30, 40]).expect("rising");
        let mut server = Server::new(Capacity::Opportunities(trace));
        let ends = finishes(&mut server, &[(0, 700), (0, 700), (0, 700), (0, 2_400), (0, 1_500)]);
        // 100 left at 10 ms + 600 at 20; 900 left there + 1,500 at 30; then 40.
        assert_eq!(ends, [10_000, 10_000, 20_000, 30_000, 40_000]);
    }

    #[test]
    fn unused_credit_is_lost() {
        let trace = Opportunities::new(&[10, 20, 30]).expect("rising");
        let mut server = Server::new(Capacity::Opportunities(trace));
        assert_eq!(
            finishes(&mut server, &[(0, 100), (10_001, 1_500), (25_000, 1_500)]),
            [10_000, 20_000, 30_000]
        );
    }

    #[test]
    fn the_first_bit_waits_for_the_link_to_open() {
        let steps = RateSteps::new(&[(0, 0), (3_000, 8_000_000)]).expect("rising");
        let service = Server::new(Capacity::Steps(steps)).serve(0, 1_000).expect("opens");
        assert_eq!((service.first, service.finish), (3_000, 4_000));
        assert_eq!(Server::new(Capacity::constant(0)).serve(0, 1), None);
    }
}
