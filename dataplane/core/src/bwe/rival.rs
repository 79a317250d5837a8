//! Other traffic that keeps the queue of the path full, such as a download: a rate of ours that only follows the delay
//! would give everything away to it.
//!
//! Such a queue shows in two ways. It stays when we send less; and packets of ours that left together arrive at the pace of
//! the link, while between those that left apart others' arrive. While a rival is there its queue is tolerated, and our rate goes up and
//! down as TCP's does: a little more every round trip, a good deal less when packets are lost.

use std::time::Duration;

use super::elasticity::Elasticity;
use super::load::came_at_once;
use super::trail::View;
use crate::units::Time;

/// Packets sent together arrive this much faster than the rest of ours: others are between those.
const BETWEEN: f64 = 2.0;
/// Reports that show it before it counts, and before it does where something else may be behind it: on a restless path, which
/// shows it by chance, and where waits came at once, as on a path that became longer.
const SHOWN: u32 = 6;
const SHOWN_DOUBTFUL: u32 = 12;
/// The same for what a test shows against what is delivered, and tests that must show it.
const TESTED: f64 = 3.0;
const TESTS: u32 = 2;
/// A queue of others stays so long as it was, in share, or grows.
const STAYS: f64 = 0.5;
/// A queue of ours is gone this long after it should be.
const OVERDUE: Duration = Duration::from_millis(300);
/// Between two tests of a queue that stays, and on thin paths in times of what a test takes there: its own queue must have
/// gone, or it would be taken for one that stays.
const TEST_SPACING: Duration = Duration::from_millis(800);
const TEST_TIMES: f64 = 10.0;
/// Bits of a test.
const TEST_BITS: f64 = 3.0 * PACKET_BITS;
/// Without a queue for so long, the rival has left.
const GONE: Duration = Duration::from_millis(500);
/// Without any sign of others for so long, the queue is our own.
const OWN: Duration = Duration::from_secs(3);
/// A queue grows when what arrived in so long (microseconds) was sent in so much less, in so many reports in a row.
const GROWS_US: i64 = 150_000;
const GROWS: f64 = 1.8;
const GROWN: u32 = 6;
/// Who has less of the link than this does not make its queue grow.
const OWN_SHARE: f64 = 0.25;
/// Of the link's rate we take no more than this, at first this much, and losses do not make it less than this.
const MOST: f64 = 0.7;
const FIRST: f64 = 0.5;
const LEAST: f64 = 0.33;
/// Packets added per round trip, and what is kept after a loss.
const INCREASE_PACKETS: f64 = 2.5;
const KEPT: f64 = 0.8;
/// Round trips are taken as no shorter and no longer than these.
const SHORTEST_TURN: Duration = Duration::from_millis(20);
const LONGEST_TURN: Duration = Duration::from_millis(400);
/// Bits of a packet on the wire.
const PACKET_BITS: f64 = 9_600.0;

#[derive(Clone, Copy, Debug)]
enum State {
    Absent { shown: u32, tests: u32 },
    Present { since: Time, sign: Time, clear: Option<Time>, slow_start: bool, cut: Time, grown: u32 },
}

/// The rival of one viewer's path.
#[derive(Clone, Copy, Debug)]
pub struct Rival {
    state: State,
    /// Rate of the link, from packets sent together, bits per second.
    link: f64,
    next_test: Time,
    elasticity: Elasticity,
}

impl Default for Rival {
    fn default() -> Rival {
        let state = State::Absent { shown: 0, tests: 0 };
        Rival { state, link: 0.0, next_test: Time::ZERO, elasticity: Elasticity::default() }
    }
}

/// What a report means for the rate while there is a rival.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Time since the last report.
    pub elapsed: Duration,
    /// The round trip, with the queue.
    pub round_trip: Duration,
    /// Whether more packets were lost than the path loses by itself.
    pub lost: bool,
    /// What is sent, bits per second.
    pub sending: f64,
    /// Up to where the rate may grow for that.
    pub most: f64,
}

impl Rival {
    /// Whether there is one.
    pub fn is_present(&self) -> bool {
        matches!(self.state, State::Present { .. })
    }

    /// Looks at a report. True when the rival left with it.
    pub fn watch(&mut self, now: Time, view: &View, tolerance: i64, restless: bool) -> bool {
        let paces = view.run.paces();
        // Of what a rival leaves us, as much arrives as we send; where it does not, the queue is our own.
        let delivered = view.delivered.map_or(f64::INFINITY, |rate| rate.0 as f64);
        let grows = view.run.span >= GROWS_US
            && view.run.span as f64 > GROWS * view.run.sent_span as f64
            && (restless || delivered > OWN_SHARE * self.link);
        let between = !grows && paces.is_some_and(|(together, apart)| together > BETWEEN * apart);
        if let Some((rate, _)) = paces.filter(|_| between) {
            // What was seen before the last time that others were not there was another link's.
            let first = matches!(self.state, State::Absent { shown: 0, .. }) || self.link == 0.0;
            self.link = if first { rate } else { self.link + (rate - self.link) / 8.0 };
        }
        let queued = view.standing > tolerance;
        self.elasticity.watch(now, view.standing);
        match &mut self.state {
            State::Absent { shown, .. } => {
                // A report with too few packets tells nothing, and of our own kind others yield.
                if between && queued && !self.elasticity.ebbs() {
                    *shown += 1;
                } else if paces.is_some() || !queued {
                    *shown = shown.saturating_sub(1);
                }
                let doubtful = restless || came_at_once(view);
                if *shown >= if doubtful { SHOWN_DOUBTFUL } else { SHOWN } {
                    self.appear(now);
                }
                false
            }
            State::Present { sign, clear, grown, .. } => {
                *grown = if grows { *grown + 1 } else { 0 };
                if between {
                    *sign = now;
                }
                *clear = if queued { None } else { Some(clear.unwrap_or(now)) };
                let gone = clear.is_some_and(|since| now.since(since) >= GONE);
                let own = *grown >= GROWN || (paces.is_some() && now.since(*sign) >= OWN);
                if gone || own {
                    self.state = State::Absent { shown: 0, tests: 0 };
                }
                gone
            }
        }
    }

    /// Whether to test a queue that stays though we send less: since a drain began (when, and how long packets waited
    /// then), while they now wait `wait` microseconds; `estimate`: what the path carries, bits per second.
    pub fn wants_test(
        &mut self,
        now: Time,
        (since, before): (Time, i64),
        wait: i64,
        round_trip: Duration,
        estimate: f64,
    ) -> bool {
        let gone = since + Duration::from_micros(before.max(0) as u64) + round_trip + OVERDUE;
        let stays = wait as f64 >= STAYS * before as f64;
        let due = !self.is_present() && stays && now >= gone && now >= self.next_test;
        if due {
            let takes = Duration::from_secs_f64(TEST_TIMES * TEST_BITS / estimate.max(PACKET_BITS));
            self.next_test = now + TEST_SPACING.max(takes);
        }
        due
    }

    /// What a test showed: packets sent together arrived at `together`, all of ours at `delivered` while `sent` left, bits
    /// per second.
    pub fn tested(&mut self, now: Time, together: f64, delivered: f64, sent: f64) {
        let State::Absent { tests, .. } = &mut self.state else { return };
        // A path that carries less than what is sent is thin, however its packets are bunched.
        let shows = together > TESTED * delivered && delivered > 0.7 * sent;
        *tests = if shows { *tests + 1 } else { 0 };
        if shows {
            // Its packets were no queue on a link this fast.
            self.next_test = self.next_test.min(now + TEST_SPACING);
        }
        if *tests >= TESTS {
            self.link = together;
            self.appear(now);
        }
    }

    fn appear(&mut self, now: Time) {
        self.elasticity.begin(now);
        self.state = State::Present {
            since: now,
            sign: now,
            clear: None,
            slow_start: true,
            cut: Time::ZERO,
            grown: 0,
        };
    }

    /// The next rate, from the present one and from what was carried before the rival came (bits per second, 0: not
    /// known).
    pub fn next_rate(&mut self, now: Time, rate: f64, before: f64, round: Round) -> f64 {
        let link = self.link.max(before);
        let State::Present { since, slow_start, cut, .. } = &mut self.state else { return rate };
        // What leaves now is told of a whole queue later, however long.
        if let Some(asked) = self.elasticity.rate(now, rate, round.sending, round.round_trip) {
            return asked;
        }
        // In a queue of seconds TCP itself hardly moves; its part shall not be all of it meanwhile.
        let turn = round.round_trip.clamp(SHORTEST_TURN, LONGEST_TURN);
        if round.lost && now.since(*cut) >= turn && now.since(*since) >= turn {
            *slow_start = false;
            *cut = now;
            return (rate * KEPT).max(rate.min(LEAST * link));
        }
        if rate >= round.most || round.lost {
            return rate;
        }
        // What losses would not take is to be had at once.
        let rate = rate.max((LEAST * link).min(round.most));
        let turns = round.elapsed.as_secs_f64() / turn.as_secs_f64();
        if *slow_start && rate < FIRST * link {
            return (rate * (1.0 + turns / 2.0)).min(FIRST * link).min(round.most);
        }
        let grown = rate + INCREASE_PACKETS * PACKET_BITS / turn.as_secs_f64() * turns;
        grown.min((MOST * link).max(rate)).min(round.most)
    }
}

#[cfg(test)]
mod tests {
    use super::super::trail::{Passage, Trail};
    use super::*;
    use crate::units::{Bitrate, SeqNo};

    const ROUND: Round = Round {
        elapsed: Duration::from_millis(100),
        round_trip: Duration::from_millis(300),
        lost: false,
        sending: 1e6,
        most: 1e9,
    };

    fn present() -> Rival {
        let mut rival = Rival::default();
        (0..TESTS).for_each(|_| rival.tested(Time::ZERO, 2e6, 1e5, 1e5));
        assert!(rival.is_present());
        rival
    }

    #[test]
    fn a_queue_that_stays_is_tested_and_a_rival_found_where_pairs_are_fast() {
        let mut rival = Rival::default();
        let turn = Duration::from_millis(100);
        let drain = (Time::ZERO, 200_000);
        assert!(!rival.wants_test(Time::from_millis(500), drain, 180_000, turn, 1e6));
        assert!(!rival.wants_test(Time::from_millis(600), drain, 80_000, turn, 1e6), "it drains");
        assert!(rival.wants_test(Time::from_millis(600), drain, 180_000, turn, 1e6));
        assert!(!rival.wants_test(Time::from_millis(700), drain, 180_000, turn, 1e6));
        rival.tested(Time::from_millis(800), 2.2e5, 1e5, 1e5);
        rival.tested(Time::from_millis(900), 2e6, 5e4, 1e5);
        rival.tested(Time::from_millis(1_000), 2e6, 1e5, 1e5);
        assert!(!rival.is_present(), "a thin path");
        rival.tested(Time::from_millis(1_800), 2e6, 1e5, 1e5);
        assert!(rival.is_present());
    }

    #[test]
    fn the_rate_goes_up_by_packets_and_down_by_losses_and_leaves_the_rival_its_part() {
        let mut rival = present();
        let (mut rate, mut now) = (1e5, Time::ZERO);
        for _ in 0..40 {
            now += ROUND.elapsed;
            rate = rival.next_rate(now, rate, 0.0, ROUND);
        }
        assert!((9e5..1.5e6).contains(&rate), "{rate}");
        let after = rival.next_rate(now, rate, 0.0, Round { lost: true, ..ROUND });
        assert!((after / rate - KEPT).abs() < 1e-9);
        let again = rival.next_rate(now + ROUND.elapsed, after, 0.0, Round { lost: true, ..ROUND });
        assert!((again - after).abs() < 1e-9, "one event");
        for _ in 0..600 {
            now += ROUND.elapsed;
            rate = rival.next_rate(now, rate, 0.0, ROUND);
        }
        assert!((rate - MOST * 2e6).abs() < 1.0, "{rate}");
    }

    #[test]
    fn it_is_gone_when_the_queue_is() {
        let mut rival = present();
        let view = View { standing: 200_000, ..View::default() };
        assert!(!rival.watch(Time::from_millis(100), &view, 20_000, false));
        let empty = View::default();
        assert!(!rival.watch(Time::from_millis(200), &empty, 20_000, false));
        assert!(rival.watch(Time::from_millis(1_300), &empty, 20_000, false) && !rival.is_present());
    }

    /// Reports until a rival is found, one every 50 ms: of packets sent together, and of a queue that others make grow.
    fn reports_to_find(restless: bool) -> u32 {
        let mut trail = Trail::default();
        let (mut rival, mut seq) = (Rival::default(), 0);
        let mut pass = |trail: &mut Trail, sent: i64, wait: i64| {
            seq += 1;
            trail.pass(Passage { seq: SeqNo(seq), sent, arrival: sent + 30_000 + wait, bytes: 1_000 });
        };
        for report in 0..30 {
            let at = i64::from(report) * 50_000;
            let queue = i64::from(report) * 20_000;
            (0..3).for_each(|packet| pass(&mut trail, at, queue + packet * 4_000));
            let now = Time(at as u64 + 400_000);
            rival.watch(now, &trail.view(), 20_000, restless);
            if rival.is_present() {
                return report;
            }
        }
        panic!("{:?}", trail.view());
    }

    #[test]
    fn a_restless_path_shows_others_by_chance_and_must_show_them_longer() {
        assert!(reports_to_find(false) + 5 <= reports_to_find(true));
    }

    #[test]
    fn who_has_little_of_the_link_did_not_make_its_queue_grow() {
        let mut view = View { standing: 500_000, ..View::default() };
        (view.run.packets, view.run.span, view.run.sent_span) = (10, 390_000, 200_000);
        for (delivered, stays) in [(30_000, true), (1_000_000, false)] {
            let mut rival = present();
            view.delivered = Some(Bitrate(delivered));
            (1..=10).for_each(|report| {
                rival.watch(Time::from_millis(report * 100), &view, 20_000, false);
            });
            assert_eq!(rival.is_present(), stays, "{delivered}");
        }
    }
}
