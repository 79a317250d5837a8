//! The circuit breaker of RFC 8083, behind everything else: it ends what neither delay nor loss could end.

use std::time::Duration;

use crate::units::Time;

/// Sending so many times what TCP would send is not tolerated (section 4.3).
const TOLERATED: f64 = 10.0;
/// In so many reports in a row (section 4.3, three at the least).
const REPORTS: u32 = 3;
/// Reports closer to each other are one: the interval of reduced minimum (section 4.1).
const SPACING: Duration = Duration::from_millis(900);
/// How long only sound is sent then; afterwards the path counts as unknown.
const OPEN: Duration = Duration::from_secs(10);
/// What is sent stays without a report of any kind for three intervals of 5 s (section 4.1).
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long all is sent again then, in case that it is answered: else a viewer whose last reports got lost, and who is sent
/// nothing but pictures, would have nothing to report on ever after.
const ASKED: Duration = Duration::from_secs(1);
/// Up to this share loss that does not depend on what is sent is nothing that a breaker could end.
const UNQUESTIONED: f64 = 0.1;
/// A report speaks of some hundred packets: by chance it tells more than the path loses on average. So many standard deviations
/// of single losses (half as many where losses come in pairs) are no disaster.
const CHANCE: f64 = 4.0;
/// Bytes of a packet on the wire.
const PACKET_BYTES: f64 = 1_200.0;

/// What is known of reports that stay away.
#[derive(Clone, Copy, Debug, Default)]
enum Reports {
    /// None ever came: nobody knows whether any will.
    #[default]
    Unheard,
    /// Nothing was sent since the last one.
    Answered,
    /// What was sent from this moment on is unanswered.
    Awaited(Time),
}

/// Counts reports that were too bad.
#[derive(Clone, Copy, Debug, Default)]
pub struct Breaker {
    bad: u32,
    reports: Reports,
    judged: Option<Time>,
    open_until: Option<Time>,
}

impl Breaker {
    /// A report: the share lost since the last one beyond what the path loses whatever is sent, the round trip, and what was
    /// sent meanwhile (bits per second).
    pub fn report(&mut self, now: Time, lost: f64, round_trip: Option<Duration>, sent: f64) {
        self.hear();
        let (Some(round_trip), false) = (round_trip, self.judged.is_some_and(|at| now.since(at) < SPACING))
        else {
            return;
        };
        self.judged = Some(now);
        let bad = lost > 0.0 && sent > TOLERATED * tcp_rate(lost, round_trip);
        self.bad = if bad { self.bad + 1 } else { 0 };
        if self.bad >= REPORTS {
            self.bad = 0;
            self.open_until = Some(now + OPEN);
        }
    }

    /// A packet leaves; true when it is the first since the last report.
    #[inline]
    pub fn sent(&mut self, now: Time) -> bool {
        let first = matches!(self.reports, Reports::Answered);
        if first {
            self.reports = Reports::Awaited(now);
        }
        first
    }

    /// Any report came.
    pub fn hear(&mut self) {
        self.reports = Reports::Answered;
    }

    /// When [`Breaker::is_open`] may change by itself.
    pub fn next_timeout(&self, now: Time) -> Time {
        let closes = self.open_until.filter(|until| *until > now).unwrap_or(Time::NEVER);
        let silence = match self.reports {
            Reports::Awaited(since) if now < since + TIMEOUT => since + TIMEOUT,
            Reports::Awaited(since) => silent_round(now, since).1,
            Reports::Unheard | Reports::Answered => Time::NEVER,
        };
        closes.min(silence)
    }

    /// Whether only sound may be sent.
    pub fn is_open(&self, now: Time) -> bool {
        self.open_until.is_some_and(|until| now < until) || self.hears_nothing(now)
    }

    /// Whether reports came and no longer do. Now and then it is not, for a moment: somebody may be there again.
    pub fn hears_nothing(&self, now: Time) -> bool {
        match self.reports {
            Reports::Awaited(since) if now >= since + TIMEOUT => silent_round(now, since).0,
            _ => false,
        }
    }
}

/// Where nothing is heard of what was sent from `since` on: whether only sound is sent at present, and until when that stays.
fn silent_round(now: Time, since: Time) -> (bool, Time) {
    let silent = now.since(since + TIMEOUT).as_micros() % (OPEN + ASKED).as_micros();
    let began = now - Duration::from_micros(silent as u64);
    let closes = began + OPEN;
    if now < closes { (true, closes) } else { (false, closes + ASKED) }
}

/// The share lost beyond what the path loses whatever is sent, chance included, where `sent` bits per second are sent.
pub(super) fn beyond(lost: f64, inherent: f64, sent: f64) -> f64 {
    let inherent = inherent.min(UNQUESTIONED);
    let packets = (sent * SPACING.as_secs_f64() / 8.0 / PACKET_BYTES).max(1.0);
    let chance = CHANCE * (inherent * (1.0 - inherent) / packets).sqrt();
    (lost - inherent - chance).max(0.0)
}

/// What TCP would send, in bits per second: the simplified equation of section 4.3 (RFC 5348 section 3.1 without the
/// timeout term).
fn tcp_rate(lost: f64, round_trip: Duration) -> f64 {
    8.0 * PACKET_BYTES / (round_trip.as_secs_f64().max(0.001) * (2.0 * lost / 3.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Option<Duration> = Some(Duration::from_millis(200));

    #[test]
    fn three_bad_reports_open_it_for_a_while() {
        let mut breaker = Breaker::default();
        for second in 1..=3 {
            assert!(!breaker.is_open(Time::from_millis(second * 1_000)));
            breaker.report(Time::from_millis(second * 1_000), 0.5, RTT, 2e6);
        }
        assert!(breaker.is_open(Time::from_millis(3_000)) && breaker.is_open(Time::from_millis(12_900)));
        assert!(!breaker.is_open(Time::from_millis(13_000)));
    }

    #[test]
    fn what_tcp_could_nearly_send_does_not() {
        let mut breaker = Breaker::default();
        for second in 1..=20 {
            // 10 % and 200 ms: TCP's 186 kbit/s ten times over.
            breaker.report(Time::from_millis(second * 1_000), 0.1, RTT, 1.8e6);
            breaker.report(Time::from_millis(second * 1_000 + 100), 0.9, RTT, 1.8e6);
        }
        assert!(!breaker.is_open(Time::from_millis(20_000)));
    }

    #[test]
    fn loss_that_rate_cannot_change_opens_nothing_up_to_a_tenth() {
        // At 400 ms TCP would send 93 kbit/s with 10 % lost, and 46 kbit/s with the 40 % that are left of 50 %.
        for (lost, inherent, opens) in
            [(0.1, 0.1, false), (0.08, 0.1, false), (0.1, 0.0, true), (0.5, 0.5, true), (0.5, 0.1, true)]
        {
            let mut breaker = Breaker::default();
            for second in 1..=3 {
                let left = beyond(lost, inherent, 1.5e6);
                breaker.report(
                    Time::from_millis(second * 1_000),
                    left,
                    Some(Duration::from_millis(400)),
                    1.5e6,
                );
            }
            assert_eq!(breaker.is_open(Time::from_millis(3_000)), opens, "{lost} lost, {inherent} always");
        }
    }

    #[test]
    fn no_more_is_left_out_than_a_tenth_with_its_chance_and_never_more_than_was_lost() {
        // Of 2,000 packets: 1.25 % and 2.7 % by chance.
        for (lost, inherent, left) in
            [(0.05, 0.02, 0.0175), (0.02, 0.05, 0.0), (0.5, 0.3, 0.3732), (0.3, 0.0, 0.3)]
        {
            let beyond = beyond(lost, inherent, 2_000.0 * 8.0 * PACKET_BYTES / 0.9);
            assert!((beyond - left).abs() < 1e-3, "{lost} lost, {inherent} always: {beyond}");
        }
    }

    #[test]
    fn what_a_path_loses_by_chance_opens_nothing_in_half_a_day() {
        // A satellite: 1 % of 200 packets, each second. Without allowance for chance it opens every hour or so.
        let opened = |allowance: fn(f64) -> f64| {
            let (mut breaker, mut state, mut opened) = (Breaker::default(), 7_u64, 0);
            for second in 1..=43_200 {
                let now = Time::from_millis(second * 1_000);
                let lost = (0..200).filter(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    state >> 33 < (1 << 31) / 100
                });
                let lost = lost.count() as f64 / 200.0;
                let was = breaker.is_open(now);
                breaker.report(now, allowance(lost), Some(Duration::from_millis(600)), 1.9e6);
                opened += u32::from(!was && breaker.is_open(now));
            }
            opened
        };
        assert!(opened(|lost| (lost - 0.01).max(0.0)) > 3);
        assert_eq!(opened(|lost| beyond(lost, 0.01, 1.9e6)), 0);
    }

    #[test]
    fn only_who_reported_once_falls_silent() {
        let mut breaker = Breaker::default();
        breaker.sent(Time::ZERO);
        assert!(!breaker.hears_nothing(Time::from_millis(60_000)));
        for second in 1..=3 {
            breaker.report(Time::from_millis(second * 1_000), 0.5, RTT, 2e6);
        }
        breaker.sent(Time::from_millis(3_000));
        assert!(
            breaker.is_open(Time::from_millis(12_000)) && !breaker.hears_nothing(Time::from_millis(12_000))
        );
        assert!(breaker.hears_nothing(Time::from_millis(18_000)));
    }

    #[test]
    fn who_is_sent_nothing_need_not_report() {
        let mut breaker = Breaker::default();
        breaker.hear();
        assert!(!breaker.is_open(Time::from_millis(60_000)));
        assert_eq!(breaker.next_timeout(Time::from_millis(60_000)), Time::NEVER);
        assert!(breaker.sent(Time::from_millis(60_000)) && !breaker.sent(Time::from_millis(70_000)));
        assert!(!breaker.is_open(Time::from_millis(74_900)) && breaker.is_open(Time::from_millis(75_000)));
    }

    #[test]
    fn what_stays_unanswered_for_15_s_opens_it_until_a_report_comes_and_now_and_then_all_is_sent_again() {
        let mut breaker = Breaker::default();
        breaker.hear();
        breaker.sent(Time::ZERO);
        let (mut now, mut changes) = (Time::ZERO, Vec::new());
        while changes.len() < 5 {
            now = breaker.next_timeout(now);
            changes.push((now.micros() / 1_000_000, breaker.is_open(now)));
        }
        assert_eq!(changes, [(15, true), (25, false), (26, true), (36, false), (37, true)]);
        breaker.hear();
        assert!(!breaker.is_open(now));
    }
}
