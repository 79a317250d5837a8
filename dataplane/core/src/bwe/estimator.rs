//! The estimate of one path, and what follows from it for the pacer.

use std::time::Duration;

use super::breaker::Breaker;
use super::headroom::Headroom;
use super::losses::{Losses, Verdict};
use super::probe::{Order, Outcome, Probes};
use super::reported::{Reception, Reported};
use super::rival::{Rival, Round};
use super::silence::Silence;
use super::trail::{Passage, Trail, View};
use super::volatility::Volatility;
use crate::io::{LinkState, Phase};
use crate::meter::ShortRateMeter;
use crate::pacer::{Gate, HEADER_BYTES};
use crate::twcc::{Fate, SendHistory};
use crate::units::{Bitrate, SeqNo, Time};

/// Where an unknown path begins: sound and the lowest layer fit, and so does a link of 200 kbit/s.
pub const START: f64 = 180_000.0;
const FLOOR: f64 = 40_000.0;
const CEILING: f64 = 100_000_000.0;
/// Of a measured capacity so much is used, that the queue stays empty.
const USED: f64 = 0.95;
/// Of a restless path less: for each unit of volatility beyond a calm path's, down to a bound.
const CALM: f64 = 0.15;
const RESTLESS: f64 = 0.3;
const DERATING: f64 = 0.3;
const LEAST_USED: f64 = 0.75;
/// Waits below this and the path's own jitter are no queue.
const TOLERANCE_US: i64 = 20_000;
/// A run measures capacity when it has so many packets and lasted so long.
const RUN_PACKETS: usize = 3;
const RUN_US: i64 = 60_000;
/// A queue that is gone within this needs no action.
const PASSING_US: f64 = 150_000.0;
/// A rate that media use by this share may grow by itself.
const USED_TO_GROW: f64 = 0.75;
/// In the beginning it is found out whether the path carries so many times what is wanted.
const EXPLORED: f64 = 2.0;
/// Growth per second: of an unknown path, back to the rate before a dip, beyond all that was known.
const START_GROWTH: f64 = 1.0;
const RETURN_GROWTH: f64 = 0.3;
const GROWTH: f64 = 0.1;
/// Growth per second near what was measured exactly and lately: more is found by probes, not by queues.
const NEAR_GROWTH: f64 = 0.02;
const MEASURED_LASTS: Duration = Duration::from_secs(10);
/// The rate before a dip is worth a probe for so long.
const MEMORY: Duration = Duration::from_secs(60);
/// What is wanted is not known at once; and after some time nothing about a path is unknown any more.
const START_LEAST: Duration = Duration::from_secs(1);
const START_LIMIT: Duration = Duration::from_secs(3);
/// Transport-wide reports that were agreed upon come within this time.
const WAIT_FOR_REPORTS: Duration = Duration::from_secs(3);
/// Packets of a test leave together: at a rate that no viewer's path has to carry for longer.
const TEST_RATE: f64 = 20_000_000.0;
/// A longer path makes all packets wait alike for so long.
const FLAT_US: i64 = 6_000;
const FLAT_LASTS: Duration = Duration::from_millis(800);
/// The rate of a layer against that of the next lower one, sound included.
const LAYER_STEP: f64 = 2.6;
/// The round trip before anything is known.
const UNKNOWN_TURN: Duration = Duration::from_secs(1);
/// Without transport-wide reports the estimate is filled up for so long, this often.
const FILL: Duration = Duration::from_secs(1);
const FILL_SPACING: Duration = Duration::from_secs(4);
/// How long the deepest queue is remembered.
const DEPTH_LASTS: Duration = Duration::from_secs(30);
/// Reports older than this against the viewer's own clock begin a new clock.
const CLOCK_JUMP_US: i64 = 30_000_000;

/// What the waits tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Load {
    /// No queue.
    Clear,
    /// A queue that is gone in a moment.
    Passing,
    /// Waits that nothing of ours explains.
    Foreign,
    /// A queue that grows, seen by few packets.
    Growing,
    /// A queue that stands.
    Standing,
}

/// The rate before the path became worse.
#[derive(Clone, Copy, Debug)]
struct Dip {
    before: f64,
    at: Time,
}

/// Estimates one path.
#[derive(Debug)]
pub struct Estimator {
    trail: Trail,
    losses: Losses,
    probes: Probes,
    headroom: Headroom,
    rival: Rival,
    /// Since when the least wait has been this long, though nothing of ours explains it.
    flat: Option<(Time, i64)>,
    /// When the present drain began, and how long packets waited then.
    drain: (Time, i64),
    silence: Silence,
    volatility: Volatility,
    reported: Reported,
    breaker: Breaker,
    /// Whether the breaker is open.
    broken: bool,
    next_fill: Time,
    /// When the first packet with a transport-wide number left.
    numbered: Option<Time>,
    sent: ShortRateMeter,
    phase: Phase,
    estimate: f64,
    /// What would be useful, bits per second.
    wanted: f64,
    /// Whether there is more than is sent.
    explores: bool,
    dip: Option<Dip>,
    /// What served the newest run that was long enough, and when.
    measured: Option<(f64, Time)>,
    /// Whether the estimate is what was measured lately.
    near_measured: bool,
    /// The next report is late: pictures wait.
    held: bool,
    /// Longest wait of late, microseconds.
    deepest: f64,
    /// Packets sent before this moment met the rate before the last fall.
    fell: Time,
    before_trial: Option<f64>,
    view: View,
    newest: SeqNo,
    /// Least time from sending to the report, which includes the wait for the report.
    turn: Duration,
    /// What to add to the viewer's clock to get near ours, microseconds.
    clock: Option<i64>,
    began: Option<Time>,
    updated: Time,
    /// When the path will have carried what was sent, as the newest report shows; for the pacer.
    carried: Option<Time>,
    order: Option<Order>,
    waiting: bool,
    told: Told,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    at: Option<Time>,
    estimate: f64,
    phase: Phase,
}

impl Default for Estimator {
    fn default() -> Estimator {
        Estimator {
            trail: Trail::default(),
            losses: Losses::default(),
            probes: Probes::default(),
            headroom: Headroom::default(),
            rival: Rival::default(),
            flat: None,
            drain: (Time::ZERO, 0),
            silence: Silence::default(),
            volatility: Volatility::default(),
            reported: Reported::default(),
            breaker: Breaker::default(),
            broken: false,
            next_fill: Time::ZERO,
            numbered: None,
            sent: ShortRateMeter::default(),
            phase: Phase::Start,
            estimate: START,
            wanted: 0.0,
            explores: false,
            dip: None,
            measured: None,
            near_measured: false,
            held: false,
            deepest: 0.0,
            fell: Time::ZERO,
            before_trial: None,
            view: View::default(),
            newest: SeqNo(0),
            turn: UNKNOWN_TURN,
            clock: None,
            began: None,
            updated: Time::ZERO,
            carried: None,
            order: None,
            waiting: false,
            told: Told { at: None, estimate: START, phase: Phase::Start },
        }
    }
}

impl Estimator {
    /// Notes a packet that leaves; `numbered`: a transport-wide report will tell of it. True when the silence of reports
    /// has to be watched from now on.
    #[inline]
    pub fn send(&mut self, now: Time, wire_bytes: u64, numbered: bool) -> bool {
        self.sent.add(now, wire_bytes as usize);
        if !numbered {
            return false;
        }
        self.numbered.get_or_insert(now);
        self.silence.sent(now)
    }

    /// Whether transport-wide reports have not come though they should have, or never will.
    pub fn goes_without(&self, now: Time) -> bool {
        !self.is_heard() && self.numbered.is_none_or(|since| now.since(since) > WAIT_FOR_REPORTS)
    }

    /// Sets the rate up to which more would be useful, everything counted as on the wire; `more`: there is more than is
    /// sent.
    pub fn want(&mut self, wanted: Bitrate, more: bool) {
        let start = self.phase == Phase::Start;
        self.explores = more || (start && self.explores);
        let wanted = wanted.0 as f64;
        self.wanted = if start { self.wanted.max(wanted) } else { wanted };
    }

    /// Whether a picture is about to begin with a key frame: it shall not find a probe before it.
    pub fn hold_probes(&mut self, waiting: bool) {
        self.waiting = waiting;
    }

    /// A report: what became of each packet (arrivals by the viewer's clock, microseconds), in sending order.
    pub fn receive(&mut self, now: Time, fates: &[Fate], history: &SendHistory) {
        let Some(last) = fates.iter().rev().find(|fate| fate.received.is_some()) else {
            self.note_losses(fates);
            return;
        };
        self.began.get_or_insert(now);
        self.breaker.hear(now);
        self.set_clock(now, last);
        self.note_losses(fates);
        self.note_passages(now, fates);
        self.held = false;
        self.silence.heard(now, history.sent_after(self.newest).next().is_some());
        self.view = self.trail.view();
        self.watch_breaker(now);
        if self.phase == Phase::Silent && !self.broken {
            self.phase = Phase::Drain;
        }
        let was = self.rival.is_present();
        let left = self.rival.watch(now, &self.view, self.tolerance());
        if std::env::var_os("LOUPE_DEBUG").is_some() && was != self.rival.is_present() {
            eprintln!("rival {now:?} {was} -> {} {:?} est {:.0}", self.rival.is_present(), self.view, self.estimate);
        }
        if left {
            self.probes.recover(now);
        }
        let load = self.load(now);
        let load = if self.rival.is_present() { Load::Foreign } else { load };
        self.near_measured = self.is_near_measured(now);
        if self.rival.is_present() {
            self.compete(now, fates);
        } else {
            self.weigh_load(now, load);
            self.weigh_losses(now, load);
        }
        self.weigh_probe(now);
        self.predict(now, fates, history, load);
        self.leave_drain(now, load);
        if self.overdue(now, history) < self.tolerance() {
            self.plan_probe(now, load);
        }
        self.estimate = self.estimate.clamp(FLOOR, CEILING);
        if self.phase != Phase::Start {
            self.volatility.note(now, self.estimate);
        }
        self.updated = now;
    }

    /// The viewer's own estimate (REMB). It counts only where transport-wide reports never come.
    pub fn hear_remb(&mut self, now: Time, rate: Bitrate) {
        self.breaker.hear(now);
        self.reported.remb(now, rate.0 as f64);
        self.follow_reported(now);
    }

    /// A reception report: the worst share lost since the last one, and the round trip.
    pub fn hear_reception(&mut self, now: Time, lost: f64, round_trip: Option<Duration>) {
        let sent = self.sent.rate(now).0 as f64;
        self.breaker.report(now, lost, round_trip, sent);
        self.watch_breaker(now);
        if self.goes_without(now) {
            self.reported.reception(Reception { lost, round_trip, sent }, self.estimate);
            self.turn = round_trip.unwrap_or(self.turn);
            self.follow_reported(now);
        }
    }

    /// Without transport-wide reports: what the viewer says, and now and then as much as that allows, so that it may say
    /// more.
    fn follow_reported(&mut self, now: Time) {
        let Some(estimate) = self.reported.estimate(now).filter(|_| self.goes_without(now) && !self.broken)
        else {
            return;
        };
        self.phase = if self.reported.is_known() { Phase::Steady } else { Phase::Start };
        self.estimate = estimate.clamp(FLOOR, CEILING);
        self.volatility.note(now, self.estimate);
        if self.estimate < self.wanted && now >= self.next_fill && !self.waiting {
            self.next_fill = now + FILL_SPACING;
            let rate = self.estimate * 1.1;
            let bytes = (rate / 8.0 * FILL.as_secs_f64()) as u64;
            self.order = Some(Order { cluster: 0, rate: Bitrate(rate as u64), bytes });
        }
    }

    /// Only sound, or all again from the beginning.
    fn watch_breaker(&mut self, now: Time) {
        let open = self.breaker.is_open(now);
        if open && !self.broken {
            self.phase = Phase::Silent;
            self.probes.abandon(now);
        } else if self.broken && !open {
            self.phase = Phase::Start;
            self.estimate = self.estimate.min(START);
        }
        self.broken = open;
    }

    /// What happens by itself: the path falls silent.
    pub fn handle_timeout(&mut self, now: Time) {
        self.watch_breaker(now);
        self.held |= now >= self.silence.late(self.turn, self.is_restless());
        if now >= self.silence.deadline(self.turn) && self.phase != Phase::Silent {
            self.phase = Phase::Silent;
            self.probes.abandon(now);
        }
    }

    /// When [`Estimator::handle_timeout`] has something to do.
    pub fn next_timeout(&self, now: Time) -> Time {
        let silence = match (self.phase, self.held) {
            (Phase::Silent, _) => Time::NEVER,
            (_, true) => self.silence.deadline(self.turn),
            (_, false) => self.silence.late(self.turn, self.is_restless()),
        };
        silence.min(self.breaker.next_timeout(now))
    }

    /// Whether reports ever came.
    pub fn is_heard(&self) -> bool {
        self.silence.is_heard()
    }

    /// The estimate.
    pub fn estimate(&self) -> Bitrate {
        Bitrate(self.estimate as u64)
    }

    /// The phase.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The rate to pace at: a little above the estimate, so that the pacer is no bottleneck of its own; `None`: what is
    /// sent leaves as it comes. `careful`: of an unknown path nothing is assumed.
    pub fn pacing(&self, careful: bool) -> Option<Bitrate> {
        match self.phase {
            Phase::Start if !careful => None,
            Phase::Drain => Some(Bitrate(self.estimate as u64)),
            // What was measured is all there is.
            _ if self.near_measured => Some(Bitrate((self.estimate / self.used()) as u64)),
            _ => Some(Bitrate((self.estimate * 1.2) as u64)),
        }
    }

    /// What may pass.
    pub fn gate(&self) -> Gate {
        match self.phase {
            _ if self.held => Gate::Sound,
            Phase::Silent => Gate::Sound,
            Phase::Drain => Gate::Base,
            Phase::Start | Phase::Steady => Gate::Open,
        }
    }

    /// When the path will have carried what was sent, if the newest report says so.
    pub fn take_carried(&mut self) -> Option<Time> {
        self.carried.take()
    }

    /// A probe to be sent.
    pub fn take_order(&mut self) -> Option<Order> {
        self.order.take()
    }

    /// The cluster has left, its last packet under the number before `next`.
    pub fn probe_left(&mut self, now: Time, next: SeqNo) {
        self.probes.left(now, SeqNo(next.0 - 1), self.turn);
    }

    /// Clusters sent.
    pub fn probes_sent(&self) -> u64 {
        self.probes.sent()
    }

    /// The state for whoever chooses layers.
    pub fn state(&self) -> LinkState {
        LinkState {
            phase: self.phase,
            queue_delay: if self.is_heard() {
                Duration::from_micros(self.view.standing.max(0) as u64)
            } else {
                self.reported.queue()
            },
            inherent_loss: self.losses.inherent().max(self.reported.inherent()),
            congestion_loss: (self.losses.recent() - self.losses.inherent()).max(0.0),
            round_trip: (self.turn < UNKNOWN_TURN).then_some(self.turn),
            volatility: self.volatility.value(),
        }
    }

    /// What is worth telling now: a change of a tenth or of the phase at once, anything else five times a second, and
    /// no change once a second.
    pub fn news(&mut self, now: Time) -> bool {
        let change = (self.estimate / self.told.estimate).ln().abs();
        let interval = match change {
            _ if self.phase != self.told.phase => Duration::ZERO,
            0.1.. => Duration::ZERO,
            0.01.. => Duration::from_millis(200),
            _ => Duration::from_secs(1),
        };
        let due = self.told.at.is_none_or(|at| now.since(at) >= interval);
        if due {
            self.told = Told { at: Some(now), estimate: self.estimate, phase: self.phase };
        }
        due
    }

    /// Keeps the viewer's clock near ours; one that jumps begins anew.
    fn set_clock(&mut self, now: Time, last: &Fate) {
        let Some(arrival) = last.received else { return };
        let offset = (now.0 as i64).saturating_sub(arrival);
        if self.clock.is_none_or(|clock| clock.saturating_sub(offset).unsigned_abs() > CLOCK_JUMP_US as u64) {
            self.clock = Some(offset);
            self.trail = Trail::default();
        }
    }

    fn note_losses(&mut self, fates: &[Fate]) {
        for fate in fates.iter().filter(|fate| fate.sent >= self.fell) {
            match (fate.received.is_some(), fate.missed_before) {
                (received, false) => self.losses.note(!received),
                (true, true) => self.losses.found(),
                (false, true) => {}
            }
        }
    }

    fn note_passages(&mut self, now: Time, fates: &[Fate]) {
        let clock = self.clock.unwrap_or_default();
        for fate in fates {
            self.newest = self.newest.max(fate.seq);
            let Some(received) = fate.received else { continue };
            let arrival = received.saturating_add(clock);
            // One packet far from the others is a lie.
            if arrival.saturating_sub(now.0 as i64).unsigned_abs() > 2 * CLOCK_JUMP_US as u64 {
                continue;
            }
            let bytes = i64::from(fate.bytes) + HEADER_BYTES as i64;
            let passage = Passage { seq: fate.seq, sent: fate.sent.0 as i64, arrival, bytes };
            self.trail.pass(passage);
            self.headroom.note(&passage, self.trail.wait(&passage), self.view.jitter);
            if fate.cluster != 0 {
                self.probes.pass(fate.cluster, passage);
            }
            let turn = now.since(fate.sent);
            // Falls at once, rises slowly: the least is nearest to the truth.
            self.turn = if turn < self.turn { turn } else { self.turn + (turn - self.turn) / 512 };
        }
    }

    /// Whether the path changes so much that the next change is better expected.
    fn is_restless(&self) -> bool {
        self.volatility.value() > RESTLESS
    }

    /// Of a measured capacity so much is used: the less, the sooner it may be gone.
    fn used(&self) -> f64 {
        (USED - DERATING * (self.volatility.value() - CALM)).clamp(LEAST_USED, USED)
    }

    fn tolerance(&self) -> i64 {
        TOLERANCE_US + self.view.jitter
    }

    fn load(&mut self, now: Time) -> Load {
        let View { newest_wait, standing, run, .. } = self.view;
        let tolerance = self.tolerance();
        if run.packets < RUN_PACKETS || newest_wait <= tolerance {
            return Load::Clear;
        }
        if run.packets >= 2 * RUN_PACKETS && run.repeats_the_source() {
            return if self.path_is_longer(now, run.waits.0) { Load::Clear } else { Load::Foreign };
        }
        self.flat = None;
        let idle = 1.0 - self.sent.rate(now).0 as f64 / run.rate();
        if idle > 0.05 && newest_wait as f64 / idle < PASSING_US {
            return Load::Passing;
        }
        if standing > tolerance && run.span >= RUN_US {
            Load::Standing
        } else if newest_wait > 2 * tolerance {
            Load::Growing
        } else {
            Load::Passing
        }
    }

    /// Whether the least wait, which nothing of ours explains, has been the same for so long that the path itself must
    /// have become longer: then that is what it takes from now on. A rival's queue does not stand still.
    fn path_is_longer(&mut self, now: Time, least: i64) -> bool {
        let (since, level) = *self.flat.get_or_insert((now, least));
        if (least - level).abs() > FLAT_US {
            self.flat = Some((now, least));
            return false;
        }
        let longer = now.since(since) >= FLAT_LASTS;
        if longer {
            self.flat = None;
            self.trail.restart_base();
            self.view = self.trail.view();
        }
        longer
    }

    fn weigh_load(&mut self, now: Time, load: Load) {
        let View { run, newest_wait, .. } = self.view;
        match load {
            Load::Clear => self.grow(now),
            Load::Passing | Load::Foreign => {}
            Load::Growing => {
                let strong = run.span >= RUN_US || newest_wait >= 5 * TOLERANCE_US;
                if strong {
                    self.follow(now, self.used() * run.rate());
                }
            }
            Load::Standing => self.follow(now, self.used() * run.rate()),
        }
    }

    /// The path is measured: takes the estimate there.
    fn follow(&mut self, now: Time, measured: f64) {
        self.measured = Some((measured, now));
        if measured < self.estimate {
            self.fall(now, measured);
        } else if self.view.run.span >= 2 * RUN_US {
            self.estimate = measured.min(self.estimate * 1.25);
        }
    }

    fn fall(&mut self, now: Time, to: f64) {
        if std::env::var_os("LOUPE_DEBUG").is_some() {
            eprintln!(
                "fall {now:?} from {:.0} to {to:.0} {:?} tolerance {} {:?}",
                self.estimate,
                self.view,
                self.tolerance(),
                self.phase
            );
        }
        if to < self.estimate * 0.85 || self.phase == Phase::Drain {
            let before = self.dip.filter(|_| self.phase == Phase::Drain).map_or(0.0, |dip| dip.before);
            self.dip = Some(Dip { before: before.max(self.estimate), at: now });
            if self.phase != Phase::Drain {
                self.drain = (now, self.view.newest_wait);
            }
            self.phase = Phase::Drain;
            self.probes.abandon(now);
        } else if self.phase == Phase::Start {
            self.phase = Phase::Steady;
        }
        self.probes.distrust();
        self.losses.restart();
        self.fell = now;
        self.estimate = to;
    }

    /// Nothing waits: what arrives is carried, and what is used may grow.
    fn grow(&mut self, now: Time) {
        let delivered = self.view.delivered.unwrap_or_default().0 as f64;
        self.estimate = self.estimate.max(delivered);
        let sending = self.sent.rate(now).0 as f64;
        let waiting_for_trial = self.before_trial.is_some();
        if sending < self.estimate * USED_TO_GROW || waiting_for_trial || self.phase == Phase::Drain {
            return;
        }
        let growth = match (self.phase, self.dip) {
            (Phase::Start, _) => START_GROWTH,
            _ if self.near_measured => NEAR_GROWTH,
            (_, Some(dip)) if dip.before > self.estimate => RETURN_GROWTH,
            _ => GROWTH,
        };
        let elapsed = now.since(self.updated).as_secs_f64().min(0.5);
        let grown = self.estimate * (1.0 + growth * elapsed);
        self.estimate = grown.min(delivered.max(sending) * 1.5).max(self.estimate);
    }

    /// While a rival keeps the queue full: as much as is fair.
    fn compete(&mut self, now: Time, fates: &[Fate]) {
        let lost = fates.iter().filter(|fate| fate.received.is_none() && !fate.missed_before).count() as f64;
        let expected = fates.len() as f64 * self.losses.inherent();
        let before = self.dip.filter(|dip| now.since(dip.at) < MEMORY).map_or(0.0, |dip| dip.before);
        let round = Round {
            elapsed: now.since(self.updated).min(Duration::from_millis(500)),
            round_trip: self.turn + Duration::from_micros(self.view.standing.max(0) as u64),
            lost: lost > expected + 2.0 * expected.sqrt(),
            // Layers are far apart: what is not used may grow as far as the next of them.
            used: self.sent.rate(now).0 as f64 * LAYER_STEP >= self.estimate,
        };
        self.estimate = self.rival.next_rate(now, self.estimate, before, round);
        self.phase = Phase::Steady;
        self.carried = None;
    }

    /// Whether the estimate is what the path was lately measured to carry.
    fn is_near_measured(&self, now: Time) -> bool {
        self.measured.is_some_and(|(measured, at)| {
            now.since(at) < MEASURED_LASTS && (0.8..1.15).contains(&(self.estimate / measured))
        })
    }

    fn weigh_losses(&mut self, now: Time, load: Load) {
        // A queue overflows only where it is deep: not far below the deepest that was seen of late.
        let elapsed = now.since(self.updated).as_secs_f64().min(1.0);
        let wait = self.view.run.waits.1 as f64;
        self.deepest = wait.max(self.deepest * (1.0 - elapsed / DEPTH_LASTS.as_secs_f64()));
        let deep = wait >= 0.6 * self.deepest && wait >= 3.0 * self.tolerance() as f64;
        let queued = deep && matches!(load, Load::Growing | Load::Standing);
        let sending = self.sent.rate(now).0 as f64;
        let used = sending >= USED_TO_GROW * self.estimate;
        let Some(verdict) = self.losses.judge(now, queued, sending, used) else { return };
        match verdict {
            Verdict::Inherent => {}
            // One that a probe or a burst made is over.
            Verdict::Overflow { .. } if !queued => {}
            Verdict::Overflow { carried } => {
                let run = self.view.run;
                let busy = run.packets >= RUN_PACKETS && run.span >= RUN_US;
                let carried = if busy { run.rate() } else { sending.min(self.estimate) * carried };
                if USED * carried < self.estimate {
                    self.fall(now, USED * carried);
                }
            }
            Verdict::Doubtful => {
                self.before_trial = Some(self.estimate);
                self.estimate = 0.85 * self.estimate.min(sending);
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
            self.rival.tested(now, reached, delivered, self.sent.rate(now).0 as f64);
            return;
        }
        if std::env::var_os("LOUPE_DEBUG").is_some() {
            eprintln!(
                "probe {now:?} {outcome:?} est {:.0} {:?} wanted {:.0}",
                self.estimate, self.phase, self.wanted
            );
        }
        match (passed, proven) {
            (true, true) => self.estimate = self.estimate.max(self.used() * reached),
            (true, false) => {}
            (false, _) => {
                self.headroom.ignore();
                if proven {
                    self.estimate = self.estimate.max(0.95 * self.used() * reached);
                }
                if self.phase == Phase::Start {
                    self.phase = Phase::Steady;
                }
            }
        }
    }

    /// When the path will have carried what is under way, behind the newest packet that was reported.
    fn predict(&mut self, now: Time, fates: &[Fate], history: &SendHistory, load: Load) {
        let overdue = self.overdue(now, history);
        let clear = matches!(load, Load::Clear | Load::Foreign) && self.phase != Phase::Drain;
        if clear && overdue < 2 * self.tolerance() {
            return;
        }
        let Some(newest) = self.trail.newest() else { return };
        // Of what still met the former rate a full queue drops as much as of what the report speaks of.
        let missing = fates.iter().filter(|fate| fate.received.is_none()).count();
        let carried_share = 1.0 - missing as f64 / fates.len().max(1) as f64;
        let bytes: f64 = history
            .sent_after(self.newest)
            .map(|(at, bytes)| {
                (bytes + HEADER_BYTES) as f64 * if at < self.fell { carried_share } else { 1.0 }
            })
            .sum();
        let capacity =
            if self.view.run.packets >= RUN_PACKETS { self.view.run.rate() } else { self.estimate };
        let served = newest.sent + self.view.newest_wait.max(overdue);
        let pending = bytes * 8e6 / capacity.max(FLOOR);
        let carried = Time(served.max(0) as u64) + Duration::from_micros(pending as u64);
        if std::env::var_os("LOUPE_DEBUG").is_some() {
            eprintln!(
                "predict overdue {overdue} {now:?} load {load:?} newest sent {} wait {} pending {bytes} cap {capacity:.0} carried {carried:?} view {:?} est {:.0} {:?}",
                newest.sent, self.view.newest_wait, self.view, self.estimate, self.phase
            );
        }
        // What left within the last round trip may already be there.
        self.carried = Some(carried.max(now));
    }

    /// By how much the first packet that is not reported yet is later than an empty path would make it, microseconds.
    fn overdue(&self, now: Time, history: &SendHistory) -> i64 {
        let first = history.sent_after(self.newest).next();
        let allowed = self.turn + self.silence.interval();
        first.map_or(0, |(at, _)| now.since(at).saturating_sub(allowed).as_micros() as i64)
    }

    fn leave_drain(&mut self, now: Time, load: Load) {
        let gone = matches!(load, Load::Clear | Load::Foreign);
        if self.phase == Phase::Drain && gone {
            self.phase = Phase::Steady;
            if self.dip.is_some_and(|dip| now.since(dip.at) < MEMORY) {
                self.probes.recover(now);
            }
        }
        let age = self.began.map_or(Duration::ZERO, |began| now.since(began));
        let enough = age >= START_LEAST && self.estimate >= self.goal();
        if self.phase == Phase::Start && (age >= START_LIMIT || enough) {
            self.phase = Phase::Steady;
        }
    }

    /// Up to where probes go: of a path that was not known, some way beyond what is wanted now, once.
    fn goal(&self) -> f64 {
        if self.phase == Phase::Start && self.explores { self.wanted * EXPLORED } else { self.wanted }
    }

    fn plan_probe(&mut self, now: Time, load: Load) {
        if self.phase == Phase::Drain
            && self.view.standing > 2 * self.tolerance()
            && self.rival.wants_test(now, self.drain, self.view.newest_wait, self.turn)
        {
            self.order = self.probes.test(TEST_RATE);
            return;
        }
        let quiet = load == Load::Clear && matches!(self.phase, Phase::Start | Phase::Steady);
        if !quiet || self.waiting || self.estimate >= self.goal() || self.before_trial.is_some() {
            return;
        }
        let before = self.dip.filter(|dip| now.since(dip.at) < MEMORY).map_or(0.0, |dip| dip.before);
        let goal = self.goal();
        let goal = if self.probes.recovers() && before > self.estimate { before.min(goal) } else { goal };
        self.headroom.ask(self.estimate);
        if self.headroom.is_seen() {
            self.probes.hurry(now);
        }
        self.order = self.probes.plan(now, self.estimate, goal / self.used() * 1.02);
    }
}
