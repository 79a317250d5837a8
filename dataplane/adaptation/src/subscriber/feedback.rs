//! What a subscriber reports: arrivals by transport-wide number, and on wish an estimate of its own (REMB).

use std::time::Duration;

use loupe_core::rtcp::{TwccBuilder, write_remb};
use loupe_core::seq::{SeqUnwrapper, Unwrapper};
use loupe_core::units::{Bitrate, SeqNo, Ssrc, Time};

use crate::control::RateControl;

/// Shortest and longest time between two reports.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(100));
/// Reports take at most this part of what is received.
const SHARE: f64 = 0.05;
/// Bytes of a usual report with everything around it.
const REPORT_BYTES: f64 = 100.0;
const REMB_INTERVAL: Duration = Duration::from_millis(200);
const FIRST_REMB: Bitrate = Bitrate(300_000);

/// Transport-wide feedback of one transport.
#[derive(Debug)]
pub struct Arrivals {
    numbers: SeqUnwrapper,
    recent: Vec<(SeqNo, Time)>,
    bytes: usize,
    rate_bps: f64,
    next_base: Option<SeqNo>,
    last_report: Time,
    builder: TwccBuilder,
}

impl Default for Arrivals {
    fn default() -> Arrivals {
        Arrivals {
            numbers: SeqUnwrapper::new(),
            recent: Vec::new(),
            bytes: 0,
            rate_bps: 0.0,
            next_base: None,
            last_report: Time::ZERO,
            builder: TwccBuilder::new(),
        }
    }
}

impl Arrivals {
    /// A packet with this transport-wide number.
    pub fn receive(&mut self, now: Time, wire: u16, bytes: usize) {
        let seq = self.numbers.unwrap(wire);
        self.recent.push((seq, now));
        self.bytes += bytes;
    }

    fn interval(&self) -> Duration {
        let wanted = REPORT_BYTES * 8.0 / (SHARE * self.rate_bps.max(1.0));
        Duration::from_secs_f64(wanted.clamp(INTERVALS.0.as_secs_f64(), INTERVALS.1.as_secs_f64()))
    }

    /// When the next report is due: only when something came.
    pub fn next_timeout(&self) -> Time {
        if self.recent.is_empty() { Time::NEVER } else { self.last_report + self.interval() }
    }

    /// Writes the report that is due; several packets when one does not hold it.
    pub fn write(&mut self, now: Time, out: &mut Vec<u8>, sender: Ssrc, media: Ssrc) {
        if self.next_timeout() > now {
            return;
        }
        let elapsed = now.since(self.last_report).as_secs_f64().max(0.001);
        self.rate_bps += (self.bytes as f64 * 8.0 / elapsed - self.rate_bps) / 4.0;
        (self.bytes, self.last_report) = (0, now);
        let mut arrivals = std::mem::take(&mut self.recent);
        arrivals.sort_unstable();
        arrivals.dedup_by_key(|arrival| arrival.0);
        let mut rest = &arrivals[..];
        while let Some((first, _)) = rest.first().copied() {
            let base = self.next_base.map_or(first, |next| next.min(first));
            let written = self.builder.write(out, (sender, media), base, rest).clamp(1, rest.len());
            let last = rest[written - 1].0;
            self.next_base = Some(SeqNo(self.next_base.map_or(0, |next| next.0).max(last.0 + 1)));
            rest = &rest[written..];
        }
    }
}

/// An estimate of the receiver's own, by absolute send times.
#[derive(Debug)]
pub struct Remb {
    control: RateControl,
    send_times: Unwrapper<24>,
    counted: (u64, u64),
    next: Time,
}

impl Default for Remb {
    fn default() -> Remb {
        let control = RateControl::new(FIRST_REMB).unbounded_by_traffic();
        Remb { control, send_times: Unwrapper::new(), counted: (0, 0), next: Time::ZERO }
    }
}

impl Remb {
    /// A packet that says it left at `send_time` (24 bits, 6.18 fixed point seconds).
    pub fn receive(&mut self, now: Time, send_time: u32, bytes: usize) {
        let sent = ((u128::from(self.send_times.unwrap(send_time)) * 1_000_000) >> 18) as i64;
        self.control.receive(now, now.0 as i64 - sent, bytes);
    }

    /// When the next estimate is due.
    pub fn next_timeout(&self) -> Time {
        self.next
    }

    /// Writes the estimate that is due; `packets` are those that did not come, and all, since the beginning.
    pub fn write(
        &mut self,
        now: Time,
        out: &mut Vec<u8>,
        sender: Ssrc,
        sources: &[Ssrc],
        packets: (u64, u64),
    ) {
        if now >= self.next {
            self.next = now + REMB_INTERVAL;
            let (lost, all) = std::mem::replace(&mut self.counted, packets);
            let since = |now: u64, before: u64| now.saturating_sub(before) as u32;
            self.control.update(now, since(packets.0, lost), since(packets.1, all));
            write_remb(out, sender, self.control.rate(), sources);
        }
    }
}
