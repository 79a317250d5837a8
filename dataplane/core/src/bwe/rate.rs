//! How the estimate moves: down to what is measured, up by what media prove and probes find, and with memory.

use std::time::Duration;

use super::estimator::Estimator;
use super::load::{Load, RUN_PACKETS, tolerance};
use super::losses::Verdict;
use super::probe::Outcome;
use super::rival::Round;
use crate::io::Phase;
use crate::twcc::Fate;
use crate::units::Time;

/// Where an unknown path begins, in bits per second: sound and the lowest layer fit, and so does a link of 200 kbit/s.
pub const START: f64 = 180_000.0;
pub(super) const FLOOR: f64 = 40_000.0;
pub(super) const CEILING: f64 = 100_000_000.0;
/// Of a measured capacity so much is used, that the queue stays empty.
const USED: f64 = 0.95;
/// Of a restless path less: for each unit of volatility beyond a calm path's, down to a bound.
const CALM: f64 = 0.15;
const DERATING: f64 = 0.3;
const LEAST_USED: f64 = 0.75;
/// Measured in a run this long (microseconds), more than was estimated is there, too; but not all at once.
const RISE_US: i64 = 120_000;
const RISE: f64 = 1.25;
/// A fall below this share is a dip: there may be a queue to drain, and there is something to come back to.
const DIP: f64 = 0.85;
/// The rate before a dip is worth a probe for so long.
const MEMORY: Duration = Duration::from_mins(1);
/// A rate that media use by this share may grow by itself, up to so many times what is used.
const USED_TO_GROW: f64 = 0.75;
const GROWN: f64 = 1.5;
/// Growth per second: of an unknown path, back to the rate before a dip, beyond all that was known.
const START_GROWTH: f64 = 1.0;
const RETURN_GROWTH: f64 = 0.3;
const GROWTH: f64 = 0.1;
/// Growth per second near what was measured exactly and lately: more is found by probes, not by queues.
const NEAR_GROWTH: f64 = 0.02;
const MEASURED_LASTS: Duration = Duration::from_secs(10);
/// In the beginning it is found out whether the path carries so many times what is wanted.
const EXPLORED: f64 = 2.0;
/// Of what is sent, tried where loss may be a policer's.
const TRIED: f64 = 0.85;
/// Packets of a test leave together: at a rate that no viewer's path has to carry for longer.
const TEST_RATE: f64 = 20_000_000.0;
/// While nothing drains, a queue is looked into when it has stood for so long.
const STOOD: Duration = Duration::from_secs(2);
/// The rate of a layer against that of the next lower one, sound included.
const LAYER_STEP: f64 = 2.6;
/// The first layer beside sound, and repair of both.
const FIRST_LAYER: f64 = 300_000.0;
/// Less of what is sent than this is lost on a path that does not lose by itself.
const LOSSY: f64 = 0.002;
/// Longest time between two reports that growth is reckoned for.
const MAX_ELAPSED: Duration = Duration::from_millis(500);

/// The rate before the path became worse.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dip {
    before: f64,
    at: Time,
}

impl Estimator {
    /// The next report has this number: those between it and the last one are lost.
    pub fn hear_number(&mut self, number: u8) {
        self.silence.numbered(number);
    }

    /// Share of packets lost whatever we send, as transport-wide reports tell: receiver reports may take a full queue for it.
    #[inline]
    pub fn inherent_loss(&self) -> f64 {
        self.losses.inherent()
    }

    /// Whether the path loses some of whatever is sent.
    #[inline]
    pub fn is_lossy(&self) -> bool {
        self.inherent_loss() >= LOSSY
    }

    /// Draws all conclusions from a report's packets.
    pub(super) fn weigh(&mut self, now: Time, fates: &[Fate]) -> Load {
        let restless = self.volatility.is_restless();
        if self.rival.watch(now, &self.view, tolerance(&self.view), restless) {
            self.probes.recover(now);
        }
        self.trail.hold_base(self.rival.is_present());
        let sending = self.sending(now);
        let load = self.loads.judge(now, &mut self.trail, &mut self.view, sending);
        if self.rival.is_present() {
            self.compete(now, fates);
            self.weigh_probe(now);
            return Load::Foreign;
        }
        match load {
            Load::Clear => self.grow(now),
            Load::Passing | Load::Foreign => {}
            Load::Queue => self.follow(now, self.used() * self.view.run.rate()),
        }
        self.weigh_losses(now, load == Load::Queue && self.loads.is_deep(&self.view));
        self.weigh_probe(now);
        load
    }

    /// What leaves now, bits per second on the wire.
    fn sending(&self, now: Time) -> f64 {
        self.sent.rate(now).0 as f64
    }

    /// Of a measured capacity so much is used: the less, the sooner it may be gone.
    pub(super) fn used(&self) -> f64 {
        (USED - DERATING * (self.volatility.value() - CALM)).clamp(LEAST_USED, USED)
    }

    /// Whether the estimate is what the path was lately measured to carry.
    pub(super) fn is_near_measured(&self, now: Time) -> bool {
        self.measured.is_some_and(|(measured, at)| {
            now.since(at) < MEASURED_LASTS && (0.8..1.15).contains(&(self.estimate / measured))
        })
    }

    /// The rate before a dip, while it is remembered.
    pub(super) fn remembered(&self, now: Time) -> Option<f64> {
        self.dip.filter(|dip| now.since(dip.at) < MEMORY).map(|dip| dip.before)
    }

    /// Up to where probes go: of a path that was not known, some way beyond what is wanted now, once.
    pub(super) fn goal(&self) -> f64 {
        let explores = self.phase == Phase::Start && self.demand.more;
        self.demand.rate.0 as f64 * if explores { EXPLORED } else { 1.0 }
    }

    /// The path is measured: takes the estimate there.
    fn follow(&mut self, now: Time, measured: f64) {
        self.measured = Some((measured, now));
        if measured < self.estimate {
            self.fall(now, measured);
        } else if self.view.run.span >= RISE_US {
            // A report may lie about arrivals, but not about what was sent.
            let believed = self.estimate.max(self.sending(now) * GROWN);
            self.estimate = measured.min(self.estimate * RISE).min(believed);
        }
    }

    fn fall(&mut self, now: Time, to: f64) {
        if to < self.estimate * DIP || self.phase == Phase::Drain {
            let before = self.dip.filter(|_| self.phase == Phase::Drain).map_or(0.0, |dip| dip.before);
            self.dip = Some(Dip { before: before.max(self.estimate), at: now });
            if self.phase != Phase::Drain {
                self.drain = (now, self.view.newest_wait);
            }
            self.phase = Phase::Drain;
            self.probes.fall(now);
        } else if self.phase == Phase::Start {
            self.phase = Phase::Steady;
        }
        self.probes.distrust();
        self.losses.restart();
        // What was sent before a trial is no more than what the path is measured to carry since.
        self.before_trial = self.before_trial.map(|before| before.min(to));
        self.fell = now;
        self.estimate = to;
    }

    /// Nothing waits: what arrives is carried, and what is used may grow.
    fn grow(&mut self, now: Time) {
        let delivered = self.view.delivered.unwrap_or_default().0 as f64;
        self.estimate = self.estimate.max(delivered);
        let sending = self.sending(now);
        let used = sending >= self.estimate * USED_TO_GROW;
        if !used || self.before_trial.is_some() || self.phase == Phase::Drain {
            return;
        }
        let growth = match (self.phase, self.dip) {
            (Phase::Start, _) => START_GROWTH,
            _ if self.is_near_measured(now) => NEAR_GROWTH,
            (_, Some(dip)) if dip.before > self.estimate => RETURN_GROWTH,
            _ => GROWTH,
        };
        let elapsed = now.since(self.updated).min(MAX_ELAPSED).as_secs_f64();
        let grown = self.estimate * (1.0 + growth * elapsed);
        self.estimate = grown.min(delivered.max(sending) * GROWN).max(self.estimate);
    }

    /// While a rival keeps the queue full: as much as is fair. A trial that its coming overtakes tells nothing any more.
    fn compete(&mut self, now: Time, fates: &[Fate]) {
        self.before_trial = None;
        self.losses.abandon_trial();
        let lost = fates.iter().filter(|fate| fate.received.is_none() && !fate.missed_before).count() as f64;
        let expected = fates.len() as f64 * self.losses.inherent();
        let sending = self.sending(now);
        let round = Round {
            elapsed: now.since(self.updated).min(MAX_ELAPSED),
            round_trip: self.turn + Duration::from_micros(self.view.standing.max(0) as u64),
            lost: lost > expected + 2.0 * expected.sqrt(),
            sending,
            // Layers are far apart: what is not used may grow as far as the next of them.
            most: (sending * LAYER_STEP).max(FIRST_LAYER),
        };
        let before = self.remembered(now).unwrap_or(0.0);
        self.estimate = self.rival.next_rate(now, self.estimate, before, round);
        self.phase = Phase::Steady;
    }

    fn weigh_losses(&mut self, now: Time, overflows: bool) {
        let sending = self.sending(now);
        let used = sending >= USED_TO_GROW * self.estimate;
        let Some(verdict) = self.losses.judge(now, overflows, sending, used) else { return };
        match verdict {
            Verdict::Inherent => {}
            // One that a probe or a burst made is over.
            Verdict::Overflow if !overflows => {}
            Verdict::Overflow => {
                let carried = self.view.run.rate();
                if self.view.run.packets >= RUN_PACKETS && USED * carried < self.estimate {
                    self.fall(now, USED * carried);
                }
            }
            Verdict::Doubtful => {
                self.before_trial = Some(self.estimate);
                self.estimate = TRIED * self.estimate.min(sending);
            }
            Verdict::Policed { carried } => {
                let before = self.before_trial.take().unwrap_or(self.estimate);
                self.estimate = before.min(USED * carried);
            }
            Verdict::Vain => {
                let before = self.before_trial.take().unwrap_or_default();
                self.estimate = self.estimate.max(before);
            }
        }
    }

    fn weigh_probe(&mut self, now: Time) {
        let slack = Duration::from_micros((2_000 + self.view.jitter / 2).max(0) as u64);
        let Some(outcome) = self.probes.finish(now, self.newest, slack) else { return };
        let Outcome { reached, passed, proven, test } = outcome;
        if test {
            let delivered = self.view.delivered.map_or(self.estimate, |rate| rate.0 as f64);
            self.rival.tested(now, reached, delivered, self.sending(now));
            return;
        }
        if proven {
            self.estimate = self.estimate.max(self.used() * reached);
        }
        if !passed {
            self.headroom.ignore();
            if self.phase == Phase::Start {
                self.phase = Phase::Steady;
            }
        }
    }

    /// Whether to find out whose queue it is that stands: in a drain when it should be gone, else when it stood for so long
    /// that nothing of ours can explain it. A restless path makes such queues by itself.
    fn wants_test(&mut self, now: Time) -> bool {
        let stands = self.view.standing > 2 * tolerance(&self.view);
        self.stood = stands.then(|| self.stood.unwrap_or((now + STOOD, self.view.newest_wait)));
        let since = match (self.phase, self.stood) {
            (Phase::Drain, Some(_)) => self.drain,
            (Phase::Steady, Some(stood)) => stood,
            _ => return false,
        };
        let (wait, turn, estimate) = (self.view.newest_wait, self.turn, self.estimate);
        let unexplained = !self.volatility.is_restless() && !self.demand.stills;
        unexplained && self.rival.wants_test(now, since, wait, turn, estimate)
    }

    /// The next probe, if one makes sense now.
    pub(super) fn plan_probe(&mut self, now: Time, load: Load) {
        if self.wants_test(now) {
            self.order = self.probes.test(TEST_RATE);
            return;
        }
        // In the beginning media that are all there is are probe enough.
        let phase = self.phase == Phase::Steady || (self.phase == Phase::Start && self.demand.more);
        let quiet = load == Load::Clear && phase;
        let goal = self.goal();
        if self.estimate >= goal {
            self.headroom.rest();
        }
        if !quiet || self.demand.begins || self.estimate >= goal || self.before_trial.is_some() {
            return;
        }
        let before = self.remembered(now).filter(|before| self.probes.recovers() && *before > self.estimate);
        self.headroom.ask(self.estimate);
        if self.headroom.is_seen() {
            self.probes.hurry(now);
        }
        let goal = before.map_or(goal, |before| before.min(goal));
        self.order = self.probes.plan(now, self.estimate, goal / self.used() * 1.02, self.demand.stills);
    }
}

#[cfg(test)]
mod tests {
    use super::super::trail::View;
    use super::*;

    /// A path on which a loss of a sixth begins after 5 s, when 2 Mbit/s are sent and used.
    struct Doubted {
        estimator: Estimator,
        packet: u64,
    }

    impl Doubted {
        /// Up to the moment at which the loss is doubted and less is tried.
        fn new() -> Doubted {
            let mut estimator = Estimator::default();
            (estimator.estimate, estimator.phase) = (2e6, Phase::Steady);
            let mut doubted = Doubted { estimator, packet: 0 };
            doubted.send(5, 2e6, |_| false);
            doubted.send(2, 2e6, |packet| packet % 6 == 0);
            let tried = doubted.estimator.estimate;
            assert!(doubted.estimator.before_trial.is_some() && tried < 1.8e6, "{tried}");
            doubted
        }

        fn now(&self) -> Time {
            Time::from_millis(self.packet * 10)
        }

        /// 100 packets a second at this rate, reported every tenth of a second; gives the highest estimate.
        fn send(&mut self, seconds: u64, rate: f64, lost: impl Fn(u64) -> bool) -> f64 {
            let mut highest = 0.0_f64;
            for packet in self.packet..self.packet + seconds * 100 {
                self.packet = packet;
                let now = self.now();
                self.estimator.sent.add(now, (rate / 800.0) as usize);
                self.estimator.losses.note(now, lost(packet));
                if packet % 10 == 9 {
                    self.estimator.weigh_losses(now, false);
                    highest = highest.max(self.estimator.estimate);
                }
            }
            highest
        }
    }

    #[test]
    fn a_trial_that_a_fall_overtakes_ends_where_the_fall_led() {
        for goes_on in [true, false] {
            let mut doubted = Doubted::new();
            doubted.estimator.follow(doubted.now(), 240e3);
            let highest = doubted.send(6, 230e3, |packet| goes_on && packet % 6 == 0);
            assert!(highest <= 240e3, "lost {goes_on}: {highest}");
            assert!(doubted.estimator.before_trial.is_none(), "lost {goes_on}: it ends");
        }
    }

    #[test]
    fn a_trial_that_a_rival_overtakes_ends_with_its_coming() {
        let mut doubted = Doubted::new();
        let now = doubted.now();
        let estimator = &mut doubted.estimator;
        (0..2).for_each(|_| estimator.rival.tested(now, 2e6, 1e5, 1e5));
        estimator.view = View { standing: 200_000, ..View::default() };
        estimator.weigh(now, &[]);
        assert!(estimator.rival.is_present());
        estimator.estimate = 300e3;
        assert!(doubted.send(6, 290e3, |_| false) <= 300e3);
    }
}
