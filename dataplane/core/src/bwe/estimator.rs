//! One path: what is known of it, what comes in about it, and what the pacer and layer choice get of it. How the estimate
//! itself moves is in `rate.rs`.

use std::time::Duration;

use super::breaker::{Breaker, beyond};
use super::clock::ViewerClock;
use super::headroom::Headroom;
use super::load::{Load, Loads, RUN_PACKETS, tolerance};
use super::losses::Losses;
use super::probe::{Order, Probes};
use super::rate::{CEILING, Dip, FLOOR, START};
use super::reported::{Reception, Reported};
use super::rival::Rival;
use super::silence::Silence;
use super::trail::{Passage, Trail, View};
use super::volatility::Volatility;
use crate::io::{LinkState, Phase};
use crate::meter::ShortRateMeter;
use crate::pacer::{Gate, HEADER_BYTES};
use crate::redundancy::Known;
use crate::twcc::{Fate, SendHistory};
use crate::units::{Bitrate, SeqNo, Time};

/// What is wanted is not known at once; and after some time nothing about a path is unknown any more.
const START_LEAST: Duration = Duration::from_secs(1);
const START_LIMIT: Duration = Duration::from_secs(3);
/// The pacer's rate above the estimate, so that it is no bottleneck of its own.
const PACING: f64 = 1.2;
/// Transport-wide reports that were agreed upon come within this time.
const WAIT_FOR_REPORTS: Duration = Duration::from_secs(3);
/// The round trip before anything is known.
const UNKNOWN_TURN: Duration = Duration::from_secs(1);
/// Without transport-wide reports the estimate is filled up for so long, this often.
const FILL: Duration = Duration::from_secs(1);
const FILL_SPACING: Duration = Duration::from_secs(4);
/// Between two messages about changes that are not urgent.
const TELL_SPACING: Duration = Duration::from_millis(200);
/// Between two about large changes: a viewer's own estimate may be another in every packet.
const URGENT_SPACING: Duration = Duration::from_millis(50);
/// The least that is a change: seconds of queue, a share of loss, and of the spread of the estimate.
const TELL_DELAY: f64 = 0.01;
const TELL_LOSS: f64 = 0.005;
const TELL_VOLATILITY: f64 = 0.02;

/// What a viewer could use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    /// Up to which rate more would be useful, everything counted as on the wire.
    pub rate: Bitrate,
    /// Whether there is more than is sent.
    pub more: bool,
    /// Whether a picture is about to begin with a key frame: it shall not find a probe before it.
    pub begins: bool,
    /// Whether stills are sent: packet by packet, so that nothing queues but what is expected to.
    pub stills: bool,
}

/// Why pictures are held back, whatever the estimate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hold {
    No,
    /// The next report is late.
    Late,
    /// The circuit breaker is open.
    Broken,
}

/// Estimates one path. What each packet that leaves touches comes first and together, so that it takes few lines of cache.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Estimator {
    pub(super) sent: ShortRateMeter,
    pub(super) silence: Silence,
    pub(super) breaker: Breaker,
    /// The first packet with a transport-wide number.
    pub(super) numbered: Option<Time>,
    pub(super) phase: Phase,
    hold: Hold,
    pub(super) trail: Trail,
    pub(super) view: View,
    pub(super) loads: Loads,
    pub(super) losses: Losses,
    pub(super) probes: Probes,
    pub(super) headroom: Headroom,
    pub(super) rival: Rival,
    pub(super) volatility: Volatility,
    reported: Reported,
    clock: ViewerClock,
    /// Bits per second.
    pub(super) estimate: f64,
    pub(super) demand: Demand,
    pub(super) dip: Option<Dip>,
    /// When the present drain began, and how long packets waited then (microseconds).
    pub(super) drain: (Time, i64),
    /// When the queue that stands now is to be looked into, and how long packets waited when it began.
    pub(super) stood: Option<(Time, i64)>,
    /// What served the newest run that was long enough, and when.
    pub(super) measured: Option<(f64, Time)>,
    /// Packets sent before this moment met the rate before the last fall.
    pub(super) fell: Time,
    pub(super) before_trial: Option<f64>,
    pub(super) newest: SeqNo,
    /// Least time from sending to the report, which includes the wait for the report.
    pub(super) turn: Duration,
    /// The first report.
    began: Option<Time>,
    pub(super) updated: Time,
    next_fill: Time,
    /// When the path will have carried what was sent, as the newest report shows; for the pacer.
    pub(super) carried: Option<Time>,
    pub(super) order: Option<Order>,
    /// What layer choice was told last, and when.
    told: Option<(Time, f64, LinkState)>,
}

impl Default for Estimator {
    fn default() -> Estimator {
        Estimator {
            trail: Trail::default(),
            view: View::default(),
            loads: Loads::default(),
            losses: Losses::default(),
            probes: Probes::default(),
            headroom: Headroom::default(),
            rival: Rival::default(),
            volatility: Volatility::default(),
            sent: ShortRateMeter::default(),
            silence: Silence::default(),
            reported: Reported::default(),
            breaker: Breaker::default(),
            clock: ViewerClock::default(),
            phase: Phase::Start,
            hold: Hold::No,
            estimate: START,
            demand: Demand::default(),
            dip: None,
            drain: (Time::ZERO, 0),
            stood: None,
            measured: None,
            fell: Time::ZERO,
            before_trial: None,
            newest: SeqNo(0),
            turn: UNKNOWN_TURN,
            began: None,
            numbered: None,
            updated: Time::ZERO,
            next_fill: Time::ZERO,
            carried: None,
            order: None,
            told: None,
        }
    }
}

/// What comes in.
impl Estimator {
    /// Notes a packet that leaves; `numbered`: a transport-wide report will tell of it. True when the silence of reports
    /// has to be watched from now on.
    #[inline]
    pub fn send(&mut self, now: Time, wire_bytes: u64, numbered: bool) -> bool {
        self.sent.add(now, wire_bytes as usize);
        if numbered {
            self.numbered.get_or_insert(now);
        }
        (numbered && self.silence.sent(now)) | self.breaker.sent(now)
    }

    /// What the viewer could use now. In the beginning the most that it ever could counts.
    pub fn want(&mut self, demand: Demand) {
        let most = if self.phase == Phase::Start { self.demand } else { Demand::default() };
        self.demand = Demand { rate: demand.rate.max(most.rate), more: demand.more || most.more, ..demand };
    }

    /// A report: what became of each packet (arrivals by the viewer's clock, microseconds), in sending order.
    pub fn receive(&mut self, now: Time, fates: &[Fate], history: &SendHistory) {
        self.note_losses(fates);
        let Some(last) = fates.iter().rev().find_map(|fate| fate.received) else { return };
        self.began.get_or_insert(now);
        self.breaker.hear();
        if self.clock.follow(now, last) {
            self.trail = Trail::default();
        }
        self.note_passages(now, fates);
        self.silence.heard(now, history.sent_after(self.newest).next().is_some());
        self.watch_breaker(now);
        if self.hold == Hold::Late {
            self.hold = Hold::No;
        }
        if self.phase == Phase::Silent && self.hold == Hold::No {
            self.phase = Phase::Drain;
        }
        self.view = self.trail.view();
        let load = self.weigh(now, fates);
        self.forecast(now, fates, history, load);
        self.end_phases(now, load);
        // A queue that stands makes all reports late; what is later still may be a new one.
        if self.overdue(now, history) < tolerance(&self.view) + self.view.standing {
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
        self.breaker.hear();
        self.reported.remb(now, rate.0 as f64);
        self.follow_reported(now);
    }

    /// A reception report: the worst share lost since the last one, and round trips, smoothed and as this one tells it.
    pub fn hear_reception(&mut self, now: Time, lost: f64, [round_trip, newest]: [Option<Duration>; 2]) {
        let sent = self.sent.rate(now).0 as f64;
        self.breaker.report(now, beyond(lost, self.known().loss, sent), round_trip, sent);
        self.watch_breaker(now);
        if self.goes_without(now) {
            self.reported.reception(Reception { lost, round_trip: newest, sent }, self.estimate);
            self.turn = round_trip.unwrap_or(self.turn);
            self.follow_reported(now);
        }
    }

    /// The probe cluster has left, its last packet under the number before `next`.
    pub fn probe_left(&mut self, now: Time, next: SeqNo) {
        let queue = Duration::from_micros(self.view.standing.max(0) as u64);
        self.probes.left(now, SeqNo(next.0 - 1), self.turn + queue);
    }

    /// What happens by itself: reports stay away, or the breaker opens or closes.
    pub fn handle_timeout(&mut self, now: Time) {
        self.watch_breaker(now);
        if self.hold == Hold::No && now >= self.silence.late(self.turn, self.volatility.is_restless()) {
            self.hold = Hold::Late;
        }
        if self.phase != Phase::Silent && now >= self.silence.deadline(self.turn) {
            self.phase = Phase::Silent;
            self.probes.abandon(now);
        }
        if self.phase == Phase::Silent && self.hold != Hold::Broken && self.silence.asks_again(now) {
            (self.phase, self.hold) = (Phase::Drain, Hold::No);
        }
    }

    /// When [`Estimator::handle_timeout`] has something to do.
    pub fn next_timeout(&self, now: Time) -> Time {
        let silence = match (self.phase, self.hold) {
            (Phase::Silent, Hold::Broken) => Time::NEVER,
            (Phase::Silent, _) => self.silence.next_ask(),
            (_, Hold::No) => self.silence.late(self.turn, self.volatility.is_restless()),
            _ => self.silence.deadline(self.turn),
        };
        silence.min(self.breaker.next_timeout(now))
    }

    fn note_losses(&mut self, fates: &[Fate]) {
        for fate in fates.iter().filter(|fate| fate.sent >= self.fell) {
            match (fate.received.is_some(), fate.missed_before) {
                (received, false) => self.losses.note(fate.sent, !received),
                (true, true) => self.losses.found(),
                (false, true) => {}
            }
        }
    }

    fn note_passages(&mut self, now: Time, fates: &[Fate]) {
        let mut arrived = 0;
        let mut latest = Time::ZERO;
        for fate in fates {
            self.newest = self.newest.max(fate.seq);
            let arrival = fate.received.and_then(|arrival| self.clock.ours(now, arrival));
            let Some(arrival) = arrival else { continue };
            let bytes = i64::from(fate.bytes) + HEADER_BYTES as i64;
            let passage = Passage { seq: fate.seq, sent: fate.sent.0 as i64, arrival, bytes };
            self.trail.pass(passage);
            self.headroom.note(&passage, self.trail.wait(&passage), self.view.jitter);
            if fate.cluster != 0 {
                self.probes.pass(fate.cluster, passage);
            }
            arrived += 1;
            latest = latest.max(fate.sent);
        }
        if arrived > 0 {
            // Falls at once, rises slowly: the least is nearest to the truth.
            let turn = now.since(latest);
            self.turn = turn.min(self.turn + turn.saturating_sub(self.turn) * arrived / 512);
        }
    }

    /// Without transport-wide reports: what the viewer says, and now and then as much as that allows, so that it may say
    /// more.
    fn follow_reported(&mut self, now: Time) {
        let estimate = self.reported.estimate(now).filter(|_| self.goes_without(now));
        let Some(estimate) = estimate.filter(|_| self.hold != Hold::Broken) else { return };
        self.phase = if self.reported.is_known() { Phase::Steady } else { Phase::Start };
        self.estimate = estimate.clamp(FLOOR, CEILING);
        self.volatility.note(now, self.estimate);
        let wants = self.estimate < self.demand.rate.0 as f64 && !self.demand.begins;
        if wants && now >= self.next_fill {
            self.next_fill = now + FILL_SPACING;
            let rate = self.estimate * 1.1;
            let bytes = (rate / 8.0 * FILL.as_secs_f64()) as u64;
            self.order = Some(Order { cluster: 0, rate: Bitrate(rate as u64), bytes });
        }
    }

    /// Only sound, or all again from the beginning.
    fn watch_breaker(&mut self, now: Time) {
        let open = self.breaker.is_open(now);
        if open && self.hold != Hold::Broken {
            (self.hold, self.phase) = (Hold::Broken, Phase::Silent);
            self.probes.abandon(now);
        } else if !open && self.hold == Hold::Broken {
            (self.hold, self.phase) = (Hold::No, Phase::Start);
            (self.estimate, self.before_trial) = (self.estimate.min(START), None);
        }
    }

    /// A drain ends with the queue, the beginning when enough is known.
    fn end_phases(&mut self, now: Time, load: Load) {
        match self.phase {
            Phase::Drain if matches!(load, Load::Clear | Load::Foreign) => {
                self.phase = Phase::Steady;
                if self.remembered(now).is_some() {
                    self.probes.recover(now);
                }
            }
            Phase::Start => {
                let age = self.began.map_or(Duration::ZERO, |began| now.since(began));
                let enough = age >= START_LEAST && self.estimate >= self.goal();
                if age >= START_LIMIT || enough {
                    self.phase = Phase::Steady;
                }
            }
            _ => {}
        }
    }

    /// When the path will have carried what is under way behind the newest packet that was reported.
    fn forecast(&mut self, now: Time, fates: &[Fate], history: &SendHistory, load: Load) {
        let overdue = self.overdue(now, history);
        let clear = matches!(load, Load::Clear | Load::Foreign) && self.phase != Phase::Drain;
        if self.rival.is_present() || (clear && overdue < 2 * tolerance(&self.view)) {
            return;
        }
        let Some(newest) = self.trail.newest() else { return };
        // Of what still met the former rate a full queue drops as much as of what the report speaks of.
        let missing = fates.iter().filter(|fate| fate.received.is_none()).count();
        let kept = 1.0 - missing as f64 / fates.len().max(1) as f64;
        let share = |at: Time| if at < self.fell { kept } else { 1.0 };
        let pending = history.sent_after(self.newest);
        let bytes: f64 = pending.map(|(at, bytes)| (bytes + HEADER_BYTES) as f64 * share(at)).sum();
        let run = self.view.run;
        let capacity = if run.packets >= RUN_PACKETS { run.rate() } else { self.estimate };
        let served = Time((newest.sent + self.view.newest_wait.max(overdue)).max(0) as u64);
        let carried = served + Duration::from_micros((bytes * 8e6 / capacity.max(FLOOR)) as u64);
        self.carried = Some(carried.max(now));
    }

    /// By how much the first packet that a report just received does not know of is later than an empty path would make
    /// it, microseconds.
    fn overdue(&self, now: Time, history: &SendHistory) -> i64 {
        let first = history.sent_after(self.newest).next();
        first.map_or(0, |(at, _)| now.since(at).saturating_sub(self.turn).as_micros() as i64)
    }
}

/// What comes out.
impl Estimator {
    /// The estimate.
    pub fn estimate(&self) -> Bitrate {
        Bitrate(self.estimate as u64)
    }

    /// Whether the viewer has all that it could use, as told.
    pub fn is_sated(&self) -> bool {
        self.phase == Phase::Steady && self.estimate >= self.demand.rate.0 as f64
    }

    /// The phase as others are told: a silent path that is asked anew is silent until it answers.
    pub fn phase(&self) -> Phase {
        if self.silence.is_asking() { Phase::Silent } else { self.phase }
    }

    /// Whether transport-wide reports have not come though they should have, or never will.
    pub fn goes_without(&self, now: Time) -> bool {
        !self.silence.is_heard() && self.numbered.is_none_or(|since| now.since(since) > WAIT_FOR_REPORTS)
    }

    /// Whether nothing is heard of the viewer, so that sound need only ask whether they are there.
    pub fn is_silent(&self, now: Time) -> bool {
        self.phase == Phase::Silent && (self.hold != Hold::Broken || self.breaker.hears_nothing(now))
    }

    /// The rate to pace at; `None`: what is sent leaves as it comes. `careful`: of an unknown path nothing is assumed.
    pub fn pacing(&self, careful: bool) -> Option<Bitrate> {
        let rate = match self.phase {
            Phase::Start if !careful => return None,
            Phase::Drain => self.estimate,
            _ if self.demand.stills => self.estimate,
            // What was measured is all there is.
            _ if self.is_near_measured(self.updated) => self.estimate / self.used(),
            _ => self.estimate * PACING,
        };
        Some(Bitrate(rate as u64))
    }

    /// What may pass.
    pub fn gate(&self) -> Gate {
        match self.phase {
            _ if self.hold != Hold::No => Gate::Sound,
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

    /// Clusters sent.
    pub fn probes_sent(&self) -> u64 {
        self.probes.sent()
    }

    /// How long packets wait in the path's queue, as far as it stands.
    pub fn queue_delay(&self) -> Duration {
        Duration::from_micros(self.view.standing.max(0) as u64).max(self.reported.queue())
    }

    /// From a request to its answer on the empty path, jitter counted both ways; once known.
    pub fn answer(&self) -> Option<Duration> {
        self.round_trip().map(|turn| turn + Duration::from_micros(2 * self.view.jitter.max(0) as u64))
    }

    /// The round trip of the empty path, once known.
    pub fn round_trip(&self) -> Option<Duration> {
        (self.turn < UNKNOWN_TURN).then_some(self.turn)
    }

    /// What the repair of sound depends on.
    pub fn known(&self) -> Known {
        Known {
            loss: self.losses.inherent().max(self.reported.inherent()),
            lasts: self.losses.lasts(),
            estimate: self.estimate(),
            answer: self.answer(),
        }
    }

    /// The state for whoever chooses layers: what is told with the estimate.
    pub fn state(&self) -> LinkState {
        LinkState {
            phase: self.phase(),
            queue_delay: self.queue_delay(),
            inherent_loss: self.losses.inherent().max(self.reported.inherent()),
            congestion_loss: (self.losses.recent() - self.losses.inherent()).max(self.reported.excess()),
            round_trip: self.round_trip(),
            volatility: self.volatility.value(),
        }
    }

    /// Whether something is worth telling now: a change of a tenth or of the phase at once, and what else layer choice
    /// would do something about at most five times a second.
    pub fn news(&mut self, now: Time) -> bool {
        let Some((at, estimate, link)) = self.told else { return self.tell(now) };
        let (since, grown) = (now.since(at), self.estimate / estimate);
        if self.phase() != link.phase || (since >= URGENT_SPACING && !(0.9..1.1).contains(&grown)) {
            return self.tell(now);
        }
        since >= TELL_SPACING && (!(0.98..1.02).contains(&grown) || self.is_other(&link)) && self.tell(now)
    }

    fn tell(&mut self, now: Time) -> bool {
        self.told = Some((now, self.estimate, self.state()));
        true
    }

    /// Whether the path is another than `told`, for whoever chooses layers.
    fn is_other(&self, told: &LinkState) -> bool {
        let link = self.state();
        let differ = |one: f64, other: f64, much: f64| (one - other).abs() > much;
        let delays = [link.queue_delay, told.queue_delay].map(|delay| delay.as_secs_f64());
        differ(delays[0], delays[1], TELL_DELAY)
            || differ(link.inherent_loss, told.inherent_loss, TELL_LOSS)
            || differ(link.congestion_loss, told.congestion_loss, TELL_LOSS)
            || differ(link.volatility, told.volatility, TELL_VOLATILITY)
            || link.round_trip.is_some() != told.round_trip.is_some()
    }
}
