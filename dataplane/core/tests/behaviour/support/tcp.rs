//! A greedy TCP flow through a viewer's link: window, slow start, Reno or Cubic, selective acknowledgements on a clean way
//! back. Only what competes for the queue matters here.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use loupe_core::units::Time;

/// UDP payload bytes that make an IP packet of 1,500.
const PAYLOAD: usize = 1_472;
const INITIAL_WINDOW: f64 = 10.0;
/// Later packets that arrived before one that did not.
const REORDERING: u64 = 3;
const TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control {
    Reno,
    Cubic,
}

pub struct Tcp {
    control: Control,
    start: Time,
    end: Time,
    back: Duration,
    window: f64,
    threshold: f64,
    next: u64,
    /// Sent and neither acknowledged nor given up.
    flying: BTreeSet<u64>,
    highest: u64,
    /// Losses of what was sent before this number are of one event.
    recovered: u64,
    acks: VecDeque<(Time, u64)>,
    last_ack: Time,
    /// Cubic: the window before the last loss, and when that was.
    before: f64,
    lost_at: Time,
    pub delivered: u64,
}

impl Tcp {
    pub fn new(control: Control, start: Time, end: Time, back: Duration) -> Tcp {
        Tcp {
            control,
            start,
            end,
            back,
            window: INITIAL_WINDOW,
            threshold: f64::MAX,
            next: 1,
            flying: BTreeSet::new(),
            highest: 0,
            recovered: 0,
            acks: VecDeque::new(),
            last_ack: start,
            before: 0.0,
            lost_at: start,
            delivered: 0,
        }
    }

    /// Whether a datagram is of this flow.
    pub fn owns(datagram: &[u8]) -> bool {
        datagram.first() == Some(&b'T')
    }

    /// A datagram reached the far end.
    pub fn arrive(&mut self, now: Time, datagram: &[u8]) {
        let number = datagram.get(1..9).and_then(|bytes| bytes.first_chunk::<8>());
        self.acks.push_back((now + self.back, u64::from_be_bytes(*number.expect("our own"))));
        self.delivered += datagram.len() as u64;
    }

    pub fn next_timeout(&self) -> Time {
        let ack = self.acks.front().map_or(Time::NEVER, |(at, _)| *at);
        let timeout = if self.flying.is_empty() { self.start } else { self.last_ack + TIMEOUT };
        if self.last_ack >= self.end { ack } else { ack.min(timeout) }
    }

    /// What may be sent now.
    pub fn handle_timeout(&mut self, now: Time) -> Vec<Vec<u8>> {
        while let Some((_, number)) = self.acks.pop_front_if(|(at, _)| *at <= now) {
            self.last_ack = now;
            self.acknowledge(now, number);
        }
        if !self.flying.is_empty() && now >= self.last_ack + TIMEOUT {
            self.flying.clear();
            (self.threshold, self.window) = (self.window / 2.0, 1.0);
            self.last_ack = now;
        }
        let mut packets = Vec::new();
        while now >= self.start && now < self.end && (self.flying.len() as f64) < self.window {
            let mut packet = vec![0; PAYLOAD];
            packet[0] = b'T';
            packet[1..9].copy_from_slice(&self.next.to_be_bytes());
            self.flying.insert(self.next);
            self.next += 1;
            packets.push(packet);
        }
        if self.flying.is_empty() {
            self.last_ack = self.last_ack.max(now);
        }
        packets
    }

    fn acknowledge(&mut self, now: Time, number: u64) {
        if !self.flying.remove(&number) {
            return;
        }
        self.highest = self.highest.max(number);
        let lost: Vec<u64> = self.flying.range(..self.highest.saturating_sub(REORDERING)).copied().collect();
        if let Some(last) = lost.last().copied() {
            lost.iter().for_each(|number| {
                self.flying.remove(number);
            });
            if last >= self.recovered {
                self.recovered = self.next;
                self.before = self.window;
                self.lost_at = now;
                let kept = if self.control == Control::Reno { 0.5 } else { 0.7 };
                self.window = (self.window * kept).max(2.0);
                self.threshold = self.window;
            }
            return;
        }
        if self.window < self.threshold {
            self.window += 1.0;
            return;
        }
        let reno = 1.0 / self.window;
        self.window += match self.control {
            Control::Reno => reno,
            Control::Cubic => {
                // RFC 9438: C = 0.4, beta = 0.7.
                let since = now.since(self.lost_at).as_secs_f64();
                let turn = (self.before * 0.3 / 0.4).cbrt();
                let target = 0.4 * (since - turn).powi(3) + self.before;
                ((target - self.window) / self.window).clamp(reno * 0.5, 0.5)
            }
        };
    }
}
