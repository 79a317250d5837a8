//! Reports that stay away: the path may be dead, and what is sent into it only ages in its queue.

use std::time::Duration;

use crate::units::Time;

/// Reports come at least this often while there is something to report; without one in this time, pictures stop.
const PATIENCE: Duration = Duration::from_millis(380);
/// A report that is later than the usual interval, or two of them, and this makes pictures wait.
const GRACE: Duration = Duration::from_millis(50);
/// Between two reports, before it is known and at most.
const INTERVAL: Duration = Duration::from_millis(100);
const MAX_INTERVAL: Duration = Duration::from_millis(150);
/// A silent path to which nothing was sent for so long is asked anew: where there is no sound, by pictures.
const ASK: Duration = Duration::from_secs(1);

/// What is waited for.
#[derive(Clone, Copy, Default, Debug)]
enum Waiting {
    /// No report so far: nobody knows whether any will come.
    #[default]
    Unheard,
    /// All that was sent is known.
    Nothing,
    /// The first report about what was sent from here on.
    First(Time),
    /// The next report after one that left packets open.
    Next(Time),
}

/// When the next report is due.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    waiting: Waiting,
    heard: Time,
    asked: Time,
    interval: Duration,
    asking: bool,
}

impl Default for Silence {
    fn default() -> Silence {
        let (heard, asked) = (Time::ZERO, Time::ZERO);
        Silence { waiting: Waiting::Unheard, heard, asked, interval: INTERVAL, asking: false }
    }
}

impl Silence {
    /// A packet leaves that a report will tell of; true when it is the first since everything was told.
    #[inline]
    pub fn sent(&mut self, now: Time) -> bool {
        self.asked = now;
        let first = matches!(self.waiting, Waiting::Nothing);
        if first {
            self.waiting = Waiting::First(now);
        }
        first
    }

    /// A report came; `pending`: packets are still under way.
    pub fn heard(&mut self, now: Time, pending: bool) {
        if matches!(self.waiting, Waiting::Next(_)) {
            let interval = now.since(self.heard).min(MAX_INTERVAL);
            self.interval = (self.interval * 7 + interval) / 8;
        }
        self.heard = now;
        self.asking = false;
        self.waiting = if pending { Waiting::Next(now) } else { Waiting::Nothing };
    }

    /// When [`Silence::asks_again`] does.
    pub fn next_ask(&self) -> Time {
        self.asked + ASK
    }

    /// Whether it is time to ask anew. What was sent is given up then: the next packet is the first.
    pub fn asks_again(&mut self, now: Time) -> bool {
        let asks = now >= self.next_ask();
        if asks {
            self.waiting = Waiting::Nothing;
            self.asking = true;
        }
        asks
    }

    /// Whether the path was asked anew and has not answered.
    pub fn is_asking(&self) -> bool {
        self.asking
    }

    /// Whether any report came so far.
    pub fn is_heard(&self) -> bool {
        !matches!(self.waiting, Waiting::Unheard)
    }

    /// From when on pictures better wait for the next report; `round_trip` as measured. Of a path that is `restless` the
    /// first report that is missing tells, of another one the second.
    pub fn late(&self, round_trip: Duration, restless: bool) -> Time {
        let missing = if restless { 1 } else { 2 };
        let late = (self.interval * missing + GRACE).min(PATIENCE);
        self.after(late, round_trip)
    }

    /// From when on the path counts as silent; `round_trip` as measured.
    pub fn deadline(&self, round_trip: Duration) -> Time {
        self.after(PATIENCE, round_trip)
    }

    fn after(&self, patience: Duration, round_trip: Duration) -> Time {
        match self.waiting {
            Waiting::Unheard | Waiting::Nothing => Time::NEVER,
            Waiting::First(since) => since + patience + round_trip,
            Waiting::Next(since) => since + patience,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    #[test]
    fn silence_begins_within_400_ms_of_the_last_report_on_any_path() {
        let mut silence = Silence::default();
        silence.sent(Time::ZERO);
        assert_eq!(silence.deadline(RTT), Time::NEVER, "no report so far");
        silence.heard(Time::from_millis(150), true);
        assert!(!silence.sent(Time::from_millis(160)));
        assert_eq!(silence.deadline(RTT), Time::from_millis(530));
        assert_eq!(silence.deadline(Duration::from_millis(600)), Time::from_millis(530));
        assert_eq!(silence.late(RTT, false), Time::from_millis(400));
        assert_eq!(silence.late(RTT, true), Time::from_millis(300));
    }

    #[test]
    fn who_is_sent_nothing_need_not_report() {
        let mut silence = Silence::default();
        silence.sent(Time::ZERO);
        silence.heard(Time::from_millis(150), false);
        assert_eq!(silence.deadline(RTT), Time::NEVER);
        assert!(silence.sent(Time::from_millis(9_000)));
        assert_eq!(silence.deadline(RTT), Time::from_millis(9_480));
    }
}
