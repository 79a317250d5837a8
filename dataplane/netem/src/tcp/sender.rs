//! The sending end: what is in flight, what was lost, when to send what.
//!
//! Losses are found by time (RFC 8985) and by three segments delivered above (RFC 6675); the timeout is RFC 6298's with
//! Linux's floor of 200 ms.

use std::collections::VecDeque;

use super::congestion::{Acked, Congestion, Control};
use super::receiver::Ack;

/// Segments delivered above one that is then lost.
const REORDERING: u64 = 3;
const LEAST_TIMEOUT_US: u64 = 200_000;
const FIRST_TIMEOUT_US: u64 = 1_000_000;
const MOST_TIMEOUT_US: u64 = 60_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    InFlight,
    Delivered,
    Lost,
}

/// One segment that is not below the cumulative acknowledgement.
#[derive(Clone, Copy, Debug)]
struct Flight {
    fate: Fate,
    sent_us: u64,
    again: bool,
    /// For the delivery rate: what was delivered, and when last, as it left; and when what was delivered then had left.
    delivered: u64,
    delivered_us: u64,
    first_sent_us: u64,
}

/// A segment to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) sent_us: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Sender {
    control: Control,
    /// Segments there are to send in all; `None` without end.
    total: Option<u64>,
    first: u64,
    flights: VecDeque<Flight>,
    in_flight: u64,
    lost: u64,
    delivered: u64,
    delivered_us: u64,
    first_sent_us: u64,
    /// When the newest delivered segment had left.
    newest_sent_us: u64,
    /// Losses up to here belong to one event.
    recovering_until: Option<u64>,
    smoothed_us: Option<(f64, f64)>,
    min_rtt_us: u64,
    backoff: u32,
    timer_from_us: u64,
    next_release_us: u64,
    pub(super) retransmitted: u64,
}

impl Sender {
    /// A connection whose handshake took `rtt_us`.
    pub(super) fn new(congestion: Congestion, now_us: u64, total: Option<u64>, rtt_us: u64) -> Sender {
        let mut sender = Sender {
            control: Control::new(congestion, now_us),
            total,
            first: 0,
            flights: VecDeque::new(),
            in_flight: 0,
            lost: 0,
            delivered: 0,
            delivered_us: now_us,
            first_sent_us: now_us,
            newest_sent_us: 0,
            recovering_until: None,
            smoothed_us: None,
            min_rtt_us: u64::MAX,
            backoff: 0,
            timer_from_us: now_us,
            next_release_us: now_us,
            retransmitted: 0,
        };
        sender.measure(rtt_us);
        sender
    }

    fn next(&self) -> u64 {
        self.first + self.flights.len() as u64
    }

    /// Whether all there is was delivered.
    pub(super) fn is_done(&self) -> bool {
        self.total.is_some_and(|total| self.first >= total)
    }

    /// Segments delivered, each once.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether there is nothing new to send.
    pub(super) fn is_ended(&self) -> bool {
        self.total.is_some_and(|total| self.next() >= total)
    }

    /// Sends nothing new from now on.
    pub(super) fn end(&mut self) {
        self.total = Some(self.total.map_or(self.next(), |total| total.min(self.next())));
    }

    /// Segments that the window allows to be in flight.
    pub(super) fn window(&self) -> f64 {
        self.control.window()
    }

    /// The next segment that may leave now.
    pub(super) fn send(&mut self, now_us: u64) -> Option<Segment> {
        if !self.may_send() || self.next_release_us > now_us {
            return None;
        }
        if self.in_flight == 0 {
            // A flight begins: the rate of what it delivers counts from now.
            (self.first_sent_us, self.delivered_us, self.timer_from_us) = (now_us, now_us, now_us);
        }
        let repaired = (self.lost > 0)
            .then(|| self.flights.iter().position(|flight| flight.fate == Fate::Lost))
            .flatten();
        let flight = Flight {
            fate: Fate::InFlight,
            sent_us: now_us,
            again: repaired.is_some(),
            delivered: self.delivered,
            delivered_us: self.delivered_us,
            first_sent_us: self.first_sent_us,
        };
        let number = if let Some(index) = repaired {
            self.flights[index] = flight;
            self.lost -= 1;
            self.retransmitted += 1;
            self.first + index as u64
        } else {
            self.flights.push_back(flight);
            self.next() - 1
        };
        self.in_flight += 1;
        if let Some(rate) = self.control.pacing().filter(|rate| *rate > 0.0) {
            self.next_release_us = self.next_release_us.max(now_us) + (1e6 / rate) as u64;
        }
        Some(Segment { number, sent_us: now_us })
    }

    fn may_send(&self) -> bool {
        let has_data = self.lost > 0 || self.total.is_none_or(|total| self.next() < total);
        has_data && (self.in_flight as f64) < self.control.window().floor().max(1.0)
    }

    /// When something is to be done though nothing comes.
    pub(super) fn next_timeout(&self) -> Option<u64> {
        let release = self.may_send().then_some(self.next_release_us);
        let timer = (self.in_flight > 0).then(|| self.timer_from_us + self.timeout_us());
        release.into_iter().chain(timer).min()
    }

    fn timeout_us(&self) -> u64 {
        let once = self
            .smoothed_us
            .map_or(FIRST_TIMEOUT_US, |(mean, deviation)| (mean + (4.0 * deviation)) as u64)
            .max(LEAST_TIMEOUT_US);
        once.saturating_mul(1 << self.backoff.min(16)).min(MOST_TIMEOUT_US)
    }

    /// Takes all in flight for lost when nothing came for too long (RFC 6298 section 5).
    pub(super) fn handle_timeout(&mut self, now_us: u64) {
        if self.in_flight == 0 || now_us < self.timer_from_us + self.timeout_us() {
            return;
        }
        for flight in self.flights.iter_mut().filter(|flight| flight.fate == Fate::InFlight) {
            flight.fate = Fate::Lost;
            self.lost += 1;
        }
        self.in_flight = 0;
        self.control.timed_out();
        self.recovering_until = Some(self.next());
        self.backoff += 1;
        (self.timer_from_us, self.next_release_us) = (now_us, now_us);
    }

    /// An acknowledgement.
    pub(super) fn receive(&mut self, now_us: u64, ack: &Ack) {
        let in_flight = self.in_flight;
        let (number, sent_us) = ack.echo;
        let newest = number.checked_sub(self.first).and_then(|n| self.flights.get(n as usize)).copied();
        let newly = self.deliver(now_us, ack);
        if newly == 0 {
            return;
        }
        self.backoff = 0;
        self.timer_from_us = now_us;
        let rtt_us = now_us.saturating_sub(sent_us).max(1);
        self.measure(rtt_us);
        self.find_losses(now_us);
        if self.recovering_until.is_some_and(|until| self.first >= until) {
            self.recovering_until = None;
        }
        let Some(newest) = newest.filter(|flight| flight.fate != Fate::Delivered) else { return };
        let flown = now_us.saturating_sub(newest.delivered_us);
        let spread = newest.sent_us.saturating_sub(newest.first_sent_us);
        self.first_sent_us = newest.sent_us;
        let rate = (self.delivered - newest.delivered) as f64 * 1e6 / flown.max(spread).max(1) as f64;
        self.control.acked(&Acked {
            now_us,
            newly,
            delivered: self.delivered,
            rtt_us,
            min_rtt_us: self.min_rtt_us,
            rate,
            delivered_at_send: newest.delivered,
            in_flight,
            recovering: self.recovering_until.is_some(),
        });
    }

    /// Notes what came; how many segments that are.
    fn deliver(&mut self, now_us: u64, ack: &Ack) -> u64 {
        let mut newly = 0;
        let below = (ack.next.saturating_sub(self.first) as usize).min(self.flights.len());
        let (first, length) = (self.first, self.flights.len());
        let told = ack.above.iter().filter_map(|number| number.checked_sub(first)).map(|n| n as usize);
        let indices: Vec<usize> = (0..below).chain(told.filter(|n| *n >= below && *n < length)).collect();
        for index in indices {
            let flight = &mut self.flights[index];
            match std::mem::replace(&mut flight.fate, Fate::Delivered) {
                Fate::InFlight => self.in_flight -= 1,
                Fate::Lost => self.lost -= 1,
                Fate::Delivered => continue,
            }
            newly += 1;
            self.newest_sent_us = self.newest_sent_us.max(flight.sent_us);
        }
        self.flights.drain(..below);
        self.first += below as u64;
        self.delivered += newly;
        if newly > 0 {
            self.delivered_us = now_us;
        }
        newly
    }

    /// RFC 6298 section 2.
    fn measure(&mut self, rtt_us: u64) {
        let rtt = rtt_us as f64;
        self.min_rtt_us = self.min_rtt_us.min(rtt_us);
        self.smoothed_us = Some(match self.smoothed_us {
            None => (rtt, rtt / 2.0),
            Some((mean, deviation)) => {
                (mean + (rtt - mean) / 8.0, deviation + ((rtt - mean).abs() - deviation) / 4.0)
            }
        });
    }

    fn find_losses(&mut self, now_us: u64) {
        let patience = self.min_rtt_us / 4;
        let mut delivered_above = 0;
        let mut found = false;
        for flight in self.flights.iter_mut().rev() {
            match flight.fate {
                Fate::Delivered => delivered_above += 1,
                Fate::InFlight => {
                    let passed = !flight.again && delivered_above >= REORDERING;
                    if passed || flight.sent_us + patience < self.newest_sent_us {
                        flight.fate = Fate::Lost;
                        self.in_flight -= 1;
                        self.lost += 1;
                        found = true;
                    }
                }
                Fate::Lost => {}
            }
        }
        if found && self.recovering_until.is_none() {
            self.recovering_until = Some(self.next());
            self.control.lost(now_us);
        }
    }
}
