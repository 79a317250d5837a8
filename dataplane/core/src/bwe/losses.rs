//! Loss told apart: what the path loses whatever we send (*inherent*), and what our own rate makes it lose
//! (*congestion*).
//!
//! A queue that overflows has stood before: loss beyond the inherent share while packets wait is congestion. Loss
//! without any wait may be a radio's, or a policer's, which drops what exceeds a rate and delays nothing. The two differ
//! in what a lower rate does, so that is tried, once and a little: where the loss goes, the lower rate stays; where it
//! stays, it is inherent and the rate comes back. No state here needs a low loss to be left.

use std::time::Duration;

use crate::units::Time;

/// Loss is judged over this long at least and so many packets.
const WINDOW: Duration = Duration::from_millis(300);
const WINDOW_PACKETS: u32 = 20;
/// With fewer packets, it is judged after this long.
const WINDOW_LIMIT: Duration = Duration::from_secs(1);
/// Packets whose loss the inherent share remembers.
const MEMORY_PACKETS: f64 = 300.0;
/// So many standard deviations are no chance.
const SIGNIFICANT: f64 = 2.5;
/// Without a queue less than this is not worth a trial: repair hides it.
const WORTH_A_TRIAL: f64 = 0.05;
/// The same where much less is sent than the path carried before.
const WORTH_A_TRIAL_UNUSED: f64 = 0.15;
/// Without a queue loss is doubted when so many windows in a row had too much: bursts happen.
const DOUBTS: u32 = 3;
/// A lower rate had its chance to show less loss within this long.
const TRIAL: Duration = Duration::from_secs(3);

/// A longer loss is an outage.
const LONGEST: Duration = Duration::from_millis(500);

/// What a window of reports tells of loss.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Verdict {
    /// Nothing to be done.
    Inherent,
    /// A queue overflows.
    Overflow,
    /// More is lost than before, without a queue: try a lower rate.
    Doubtful,
    /// The lower rate lost less: it stays.
    Policed {
        /// What was carried before it was lowered, bits per second.
        carried: f64,
    },
    /// The lower rate lost as much: it was in vain.
    Vain,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    since: Option<Time>,
    sent: u32,
    lost: u32,
    bursts: u32,
    queued: bool,
}

impl Window {
    fn share(&self) -> f64 {
        f64::from(self.lost) / f64::from(self.sent.max(1))
    }
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    since: Time,
    lost: f64,
    sent_rate: f64,
    /// The rate is lower since the window before this one.
    lowered: bool,
}

/// Loss as the reports of one viewer tell it.
#[derive(Clone, Debug)]
pub struct Losses {
    window: Window,
    pub(super) inherent: f64,
    /// Packets that `inherent` is built upon, up to [`MEMORY_PACKETS`].
    weight: f64,
    recent: f64,
    /// Packets lost at a time, on average.
    burst: f64,
    trial: Option<Trial>,
    /// Windows in a row with too much loss and no queue, and what they held.
    doubts: u32,
    doubted: Window,
    /// When the first and the last packet were sent of what is lost at present.
    present: Option<(Time, Time)>,
    lasts: Duration,
}

impl Default for Losses {
    fn default() -> Losses {
        Losses {
            window: Window::default(),
            inherent: 0.0,
            weight: 0.0,
            recent: 0.0,
            burst: 1.0,
            trial: None,
            doubts: 0,
            doubted: Window::default(),
            present: None,
            lasts: Duration::ZERO,
        }
    }
}

impl Losses {
    /// A packet that was sent at `sent` is reported for the first time.
    pub fn note(&mut self, sent: Time, lost: bool) {
        self.window.sent += 1;
        if lost {
            self.window.lost += 1;
            self.window.bursts += u32::from(self.present.is_none());
            self.present = Some((self.present.map_or(sent, |(first, _)| first), sent));
        } else if let Some((first, last)) = self.present.take() {
            let lasted = last.since(first).min(LONGEST);
            self.lasts = (self.lasts * 7 + lasted) / 8;
        }
    }

    /// The rate fell: what was sent before tells nothing about what is sent now.
    pub fn restart(&mut self) {
        self.window = Window::default();
        self.trust();
    }

    /// Something else changes what is lost: no trial could tell why.
    pub fn abandon_trial(&mut self) {
        self.trial = None;
    }

    /// There is no doubt, any more.
    fn trust(&mut self) {
        (self.doubts, self.doubted) = (0, Window::default());
    }

    /// A packet that was reported missing came after all.
    pub fn found(&mut self) {
        self.window.lost = self.window.lost.saturating_sub(1);
    }

    /// Judges the packets noted since the last judgement, when there are enough; `queued`: packets waited long enough
    /// for an overflow; `sent_rate`: what we send now, in bits per second; `used`: that is near the estimate.
    pub fn judge(&mut self, now: Time, queued: bool, sent_rate: f64, used: bool) -> Option<Verdict> {
        let since = *self.window.since.get_or_insert(now);
        self.window.queued |= queued;
        let waited = now.since(since);
        let enough = waited >= WINDOW && self.window.sent >= WINDOW_PACKETS;
        if self.window.sent == 0 || !(enough || waited >= WINDOW_LIMIT) {
            return None;
        }
        let window = std::mem::replace(&mut self.window, Window { since: Some(now), ..Window::default() });
        if window.bursts > 0 {
            let burst = f64::from(window.lost) / f64::from(window.bursts);
            self.burst += (burst.max(1.0) - self.burst) / 4.0;
        }
        self.recent = window.share();
        Some(self.judge_window(now, window, sent_rate, used))
    }

    fn judge_window(&mut self, now: Time, window: Window, sent_rate: f64, used: bool) -> Verdict {
        let significant = self.is_significant(window);
        if window.queued && significant {
            // What a full queue drops tells nothing of the path.
            return Verdict::Overflow;
        }
        if window.queued {
            self.learn(self.recent, window.sent / 4);
            return Verdict::Inherent;
        }
        if let Some(trial) = self.trial {
            return self.end_trial(now, trial, sent_rate);
        }
        let worth = if used { WORTH_A_TRIAL } else { WORTH_A_TRIAL_UNUSED };
        let doubtful = significant && self.weight > 0.0 && self.recent > self.inherent + worth;
        if !doubtful {
            // A loss that was over before it was doubted enough is the path's own way to lose.
            self.learn(self.doubted.share(), self.doubted.sent);
            self.learn(self.recent, window.sent);
            self.trust();
            return Verdict::Inherent;
        }
        self.doubts += 1;
        self.doubted.sent += window.sent;
        self.doubted.lost += window.lost;
        if self.doubts >= DOUBTS {
            self.trust();
            self.trial = Some(Trial { since: now, lost: self.recent, sent_rate, lowered: false });
            return Verdict::Doubtful;
        }
        Verdict::Inherent
    }

    fn end_trial(&mut self, now: Time, trial: Trial, sent_rate: f64) -> Verdict {
        let lowered = sent_rate < trial.sent_rate * 0.93;
        // The window in which the rate changed is of both.
        if now.since(trial.since) < TRIAL && !(lowered && trial.lowered) {
            self.trial = Some(Trial { lowered, ..trial });
            return Verdict::Inherent;
        }
        self.trial = None;
        // Of a policer the carried rate stays what it was, so that this is lost at the new rate.
        let carried = trial.sent_rate * (1.0 - trial.lost);
        let policed = (1.0 - carried / sent_rate.max(1.0)).max(self.inherent);
        if lowered && (self.recent - policed).abs() < (self.recent - trial.lost).abs() {
            return Verdict::Policed { carried: carried / (1.0 - self.inherent).max(0.1) };
        }
        self.inherent = trial.lost.max(self.recent);
        self.weight = self.weight.min(MEMORY_PACKETS / 4.0);
        Verdict::Vain
    }

    fn is_significant(&self, window: Window) -> bool {
        let (sent, lost) = (f64::from(window.sent), f64::from(window.lost));
        let variance = sent * self.inherent * (1.0 - self.inherent) * self.burst + 1.0;
        lost - sent * self.inherent > SIGNIFICANT * variance.sqrt()
    }

    /// Of so many packets this share was lost.
    fn learn(&mut self, share: f64, sent: u32) {
        let sent = f64::from(sent);
        self.weight = (self.weight + sent).min(MEMORY_PACKETS);
        if self.weight > 0.0 {
            self.inherent += (share - self.inherent) * (sent / self.weight).min(1.0);
        }
    }

    /// Share lost in the newest window.
    pub fn recent(&self) -> f64 {
        self.recent
    }

    /// Share lost whatever we send.
    pub fn inherent(&self) -> f64 {
        self.inherent
    }

    /// From the first to the last packet of one loss, on average.
    pub fn lasts(&self) -> Duration {
        self.lasts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports of `seconds` at 100 packets a second, of which `lost` tells which are lost.
    fn run(
        losses: &mut Losses,
        (from, to): (u64, u64),
        queued: bool,
        rate: f64,
        lost: impl Fn(u64) -> bool,
    ) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for packet in from * 100..to * 100 {
            losses.note(Time::from_millis(packet * 10), lost(packet));
            if packet % 10 == 9 {
                verdicts.extend(losses.judge(Time::from_millis(packet * 10), queued, rate, true));
            }
        }
        verdicts
    }

    #[test]
    fn loss_from_the_beginning_is_inherent() {
        let mut losses = Losses::default();
        let verdicts = run(&mut losses, (0, 10), false, 1e6, |packet| packet % 10 == 3);
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Inherent), "{verdicts:?}");
        assert!((0.09..0.11).contains(&losses.inherent()));
        // The same loss while packets wait for another reason.
        let verdicts = run(&mut losses, (10, 12), true, 1e6, |packet| packet % 10 == 3);
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Inherent), "{verdicts:?}");
    }

    #[test]
    fn how_long_losses_last_is_measured_by_when_they_were_sent() {
        let mut losses = Losses::default();
        run(&mut losses, (0, 10), false, 1e6, |packet| packet % 10 == 3);
        assert_eq!(losses.lasts(), Duration::ZERO);
        run(&mut losses, (10, 30), false, 1e6, |packet| packet % 50 < 5);
        assert!((Duration::from_millis(35)..=Duration::from_millis(40)).contains(&losses.lasts()));
    }

    #[test]
    fn bursts_far_apart_are_inherent_and_not_forgotten_in_between() {
        let mut losses = Losses::default();
        run(&mut losses, (0, 5), false, 1e6, |_| false);
        let verdicts = run(&mut losses, (5, 35), false, 1e6, |packet| packet % 300 < 6);
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Inherent), "{verdicts:?}");
        assert!((0.006..0.04).contains(&losses.inherent()), "{}", losses.inherent());
    }

    #[test]
    fn a_full_queue_drops_because_of_us() {
        let mut losses = Losses::default();
        run(&mut losses, (0, 5), false, 1e6, |packet| packet % 50 == 3);
        let verdicts = run(&mut losses, (5, 6), true, 1e6, |packet| packet % 2 == 0);
        assert_eq!(verdicts[1], Verdict::Overflow, "{verdicts:?}");
        assert!(losses.inherent() < 0.03);
    }

    #[test]
    fn loss_that_comes_later_costs_one_trial() {
        let mut losses = Losses::default();
        run(&mut losses, (0, 5), false, 1e6, |_| false);
        let verdicts = run(&mut losses, (5, 7), false, 1e6, |packet| packet % 8 == 3);
        assert!(verdicts.contains(&Verdict::Doubtful), "{verdicts:?}");
        let verdicts = run(&mut losses, (7, 12), false, 8.5e5, |packet| packet % 8 == 3);
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Vain).count(), 1, "{verdicts:?}");
        assert!(verdicts.iter().all(|verdict| *verdict != Verdict::Doubtful), "{verdicts:?}");
        assert!(losses.inherent() > 0.1);
    }

    #[test]
    fn what_a_lower_rate_cures_was_a_policer() {
        let mut losses = Losses::default();
        run(&mut losses, (0, 5), false, 1e6, |_| false);
        let before = run(&mut losses, (5, 7), false, 1.5e6, |packet| packet % 3 == 0);
        let after = run(&mut losses, (7, 9), false, 9e5, |_| false);
        let ends: Vec<_> = after.iter().filter(|verdict| **verdict != Verdict::Inherent).collect();
        let [Verdict::Policed { carried }] = ends[..] else { panic!("{before:?} {after:?}") };
        assert!((0.95e6..1.05e6).contains(carried), "{carried}");
    }
}
