//! Reports that stay away: the path may be dead, and what is sent into it only ages in its queue.

use std::time::Duration;

use crate::seq::forward8;
use crate::units::Time;

/// Reports come at least this often while there is something to report; without one in this time, pictures stop.
const PATIENCE: Duration = Duration::from_millis(380);
/// The same where reports are known to get lost: longer than most losses last.
const MORE_PATIENCE: Duration = Duration::from_millis(600);
/// A path loses reports when of so many at least so many were lost; more at once are an outage.
const COUNTED: f64 = 200.0;
const LOST: f64 = 2.0;
const MOST_AT_ONCE: u8 = 10;
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
    /// Number of the newest report, and reports lost of the last [`COUNTED`].
    number: Option<u8>,
    lost: f64,
}

impl Default for Silence {
    fn default() -> Silence {
        let (heard, asked) = (Time::ZERO, Time::ZERO);
        Silence {
            waiting: Waiting::Unheard,
            heard,
            asked,
            interval: INTERVAL,
            asking: false,
            number: None,
            lost: 0.0,
        }
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

    /// The report that came has this number.
    pub fn numbered(&mut self, number: u8) {
        let ahead = self.number.map_or(1, |last| forward8(last, number));
        if ahead > u8::MAX / 2 {
            return;
        }
        self.number = Some(number);
        self.lost -= self.lost / COUNTED;
        let missing = ahead.saturating_sub(1);
        if missing <= MOST_AT_ONCE {
            self.lost += f64::from(missing);
        }
    }

    /// Whether reports get lost, so that one that is late says little.
    fn loses(&self) -> bool {
        self.lost >= LOST
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
        let late = if self.loses() && !restless { PATIENCE } else { self.interval * missing + GRACE };
        self.after(late.min(PATIENCE), round_trip)
    }

    /// From when on the path counts as silent; `round_trip` as measured.
    pub fn deadline(&self, round_trip: Duration) -> Time {
        self.after(if self.loses() { MORE_PATIENCE } else { PATIENCE }, round_trip)
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
    fn where_reports_get_lost_a_late_one_says_little_and_an_outage_is_no_such_loss() {
        let mut silence = Silence::default();
        let mut now = Time::ZERO;
        let mut hear = |numbers: &[u8]| {
            numbers.iter().for_each(|number| {
                now += INTERVAL;
                silence.numbered(*number);
                silence.heard(now, true);
            });
            let until = |at: Time| at.since(now).as_millis();
            (until(silence.late(RTT, false)), until(silence.late(RTT, true)), until(silence.deadline(RTT)))
        };
        assert_eq!(hear(&[253, 254, 0, 40, 39, 41]), (250, 150, 380), "one lost, an outage, one overtaken");
        assert_eq!(hear(&[43]), (250, 150, 380));
        assert_eq!(hear(&[45]), (380, 150, 600), "a restless path is no better for it");
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
