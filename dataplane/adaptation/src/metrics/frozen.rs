//! Why pictures stood still: each moment of a freeze is put down to one cause.
//!
//! What ends a freeze is a picture that can be decoded, and what made that possible is the *last packet* that it needed: its own,
//! or one of what it refers to. Moments are those at which what would have been shown then was to leave, one propagation before.
//! The first of these that is true is the cause:
//!
//! | cause | at that moment |
//! |---|---|
//! | `link` | less than sound and the lowest layer was carried at all, over 200 ms |
//! | `late` | the picture could be decoded and was held back by the receiver |
//! | `lost` | the last packet had left, was lost, and was on its way again |
//! | `queue` | the last packet had left, and waited in the link's queue for what was sent before it |
//! | `chosen` | layer choice wanted stills or nothing |
//! | `lost` | pictures left that could not be decoded, for something before them was missing |
//! | `keyframe` | the key frame that ends it was asked for and not there, or waited to leave |
//! | `withheld` | no picture left: the path drained, was silent, or had no room |

use std::time::Duration;

use loupe_core::units::Time;
use loupe_netem::{Log, SAMPLE_US};

use super::{View, Window};
use crate::media::Layering;
use crate::record::{Held, Purpose, Sent};
use crate::subscriber::picture::Shown;
use crate::world::Role;

/// Between two moments.
const STEP: Duration = Duration::from_micros(SAMPLE_US);
/// Over how long the link's capacity is taken around a moment, microseconds.
const CARRIED_US: u64 = 200_000;
/// Pictures of the lowest layer's lower temporal layer leave 80 ms apart, and no two intervals are alike.
const LEAVING: Duration = Duration::from_millis(120);
/// What a decoder waits for left no longer ago.
const NEEDED: Duration = Duration::from_secs(6);

/// A cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(super) enum Cause {
    Link,
    Queue,
    Lost,
    Keyframe,
    Chosen,
    Withheld,
    Late,
}

impl Cause {
    /// All names, in the order of the numbers.
    pub(super) const NAMES: [&'static str; 7] =
        ["link", "queue", "lost", "keyframe", "chosen", "withheld", "late"];
}

/// Seconds by cause.
pub(super) type ByCause = [f64; Cause::NAMES.len()];

/// A packet of a line's pictures on its way.
#[derive(Clone, Copy)]
struct Passage {
    sent: Time,
    sequence: u16,
    repair: bool,
    out: Option<Time>,
}

/// What is known of one line.
pub(super) struct Causes<'a> {
    log: &'a Log,
    passages: Vec<Passage>,
    /// When layer choice wanted stills or nothing.
    chosen: Vec<Window>,
    /// When key frames were asked for, by encoding; `None`: of all spatial layers at once.
    asked: Vec<(Time, Option<usize>)>,
    /// Propagation to the subscriber.
    path: Duration,
    /// What sound and the lowest layer take, bits in [`CARRIED_US`].
    least: u64,
}

/// The picture that ended a freeze, and the last packet that it needed.
#[derive(Clone, Copy)]
struct End {
    decodable: Time,
    /// When the packet left first.
    left: Time,
    repaired: bool,
    /// When the picture was asked for, if it is a key frame.
    asked: Option<Time>,
}

impl<'a> Causes<'a> {
    /// Of the line of this number.
    pub(super) fn new(view: &'a View<'a>, line: usize) -> Causes<'a> {
        let pairs = view.observer.sent.iter().zip(&view.records);
        let of = |sent: &Sent| sent.line == line && sent.truth.is_some();
        let passages = pairs.filter(|(sent, _)| of(sent)).map(|(sent, record)| Passage {
            sent: sent.at,
            sequence: sent.sequence,
            repair: sent.purpose == Purpose::Repair,
            out: record.t_out.filter(|_| record.dropped.is_none()).map(Time),
        });
        let least = view.ladder.first().map_or(0.0, |step| step.wire_bps * CARRIED_US as f64 / 1e6);
        let simulcast = view.run.publications.iter().any(|it| it.layering == Layering::Simulcast);
        let publishers = view.run.world.peers.iter().filter_map(|peer| match &peer.role {
            Role::Publisher { publisher, .. } => Some(&publisher.asked.keyframes),
            Role::Subscriber { .. } => None,
        });
        Causes {
            log: view.log,
            passages: passages.collect(),
            chosen: view.observer.held(line, view.end(), |held| held != Held::Nothing),
            asked: publishers.flatten().map(|(at, stream)| (*at, simulcast.then_some(*stream))).collect(),
            path: Duration::from_micros(view.joined.round_trip_us / 2),
            least: least as u64,
        }
    }

    /// Adds what of a standstill lies in `within` and not in `excused`, by cause; `next` is what ended it.
    pub(super) fn add(&self, within: Window, excused: &[Window], next: Option<&Shown>, sums: &mut ByCause) {
        let end = next.map(|shown| self.end(shown));
        let mut at = within.from;
        while at < within.to {
            let span = Window { from: at, to: (at + STEP).min(within.to) };
            at = span.to;
            let counted = span.length() - excused.iter().map(|pause| pause.shared(&span)).sum::<f64>();
            if counted > 0.0 {
                sums[self.cause(span.from, end) as usize] += counted;
            }
        }
    }

    fn end(&self, shown: &Shown) -> End {
        let decodable = shown.decodable;
        let recent = self.passages.partition_point(|passage| passage.sent + NEEDED < decodable);
        let recent = &self.passages[recent..];
        let last = recent.iter().find(|passage| passage.out == Some(decodable));
        let first = last.and_then(|last| {
            recent.iter().find(|passage| passage.sequence == last.sequence && !passage.repair)
        });
        // What came back by parity never arrived itself.
        let repaired = last.is_none_or(|last| last.repair);
        let left = first.or(last).map_or(decodable - self.path, |first| first.sent);
        let asked = shown.truth.keyframe.then(|| self.asked(shown)).flatten();
        End { decodable, left, repaired, asked }
    }

    /// When a key frame was asked for last, before it was captured.
    fn asked(&self, shown: &Shown) -> Option<Time> {
        let of = |encoding: Option<usize>| encoding.is_none_or(|it| it == usize::from(shown.truth.layer));
        let asked =
            self.asked.iter().filter(|(at, encoding)| of(*encoding) && at.0 <= shown.truth.capture_us);
        asked.map(|(at, _)| *at).max()
    }

    /// Why nothing new was shown at a moment of a freeze that this ended.
    fn cause(&self, shown_at: Time, end: Option<End>) -> Cause {
        let at = shown_at - self.path;
        let around = Time(at.0.saturating_sub(CARRIED_US / 2));
        let carried = self.log.capacity_bits(around.0, around.0 + CARRIED_US, None);
        if carried.is_some_and(|bits| bits < self.least) {
            return Cause::Link;
        }
        if let Some(end) = end {
            if shown_at >= end.decodable {
                return Cause::Late;
            }
            if at >= end.left {
                return if end.repaired { Cause::Lost } else { Cause::Queue };
            }
        }
        if self.chosen.iter().any(|span| span.holds(at)) {
            return Cause::Chosen;
        }
        let left = self.passages.partition_point(|passage| passage.sent <= at);
        let leaves = |passage: &Passage| !passage.repair && passage.sent + LEAVING > at;
        if self.passages[..left].iter().rev().take_while(|it| it.sent + LEAVING > at).any(leaves) {
            return Cause::Lost;
        }
        if end.and_then(|end| end.asked).is_some_and(|asked| asked <= at) {
            return Cause::Keyframe;
        }
        Cause::Withheld
    }
}

#[cfg(test)]
mod tests {
    use loupe_netem::Sample;

    use super::*;
    use crate::truth::Truth;

    const PATH: Duration = Duration::from_millis(50);

    fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    fn passage(sent: u64, sequence: u16, out: Option<u64>) -> Passage {
        Passage { sent: ms(sent), sequence, repair: false, out: out.map(ms) }
    }

    /// A link of 1 Mbit/s that carries nothing from 2,000 to 2,500 ms; 40 kbit in 200 ms are a picture.
    fn log() -> Log {
        let bits = |n: u64| if (200..250).contains(&n) { 0 } else { 10_000 };
        let sample = |n| Sample { t: (n + 1) * SAMPLE_US, capacity_bits: Some(bits(n)), queue_bytes: 0 };
        Log { packets: Vec::new(), samples: (0..400).map(sample).collect() }
    }

    /// Seconds by cause of a freeze from `from` to `to`, which a picture ends that was captured and could be decoded then.
    fn causes(
        (from, to): (u64, u64),
        (capture, decodable, keyframe): (u64, u64, bool),
        passages: &[Passage],
        asked: &[(Time, Option<usize>)],
        chosen: &[Window],
    ) -> Vec<(&'static str, f64)> {
        let truth = Truth {
            capture_us: capture * 1_000,
            frame: 9,
            layer: 0,
            temporal: 0,
            keyframe,
            index: 0,
            count: 1,
        };
        let shown = Shown { at: ms(to), decodable: ms(decodable), truth };
        let log = log();
        let causes = Causes {
            log: &log,
            passages: passages.to_vec(),
            chosen: chosen.to_vec(),
            asked: asked.to_vec(),
            path: PATH,
            least: 40_000,
        };
        let mut sums = ByCause::default();
        causes.add(Window { from: ms(from), to: ms(to) }, &[], Some(&shown), &mut sums);
        let named = Cause::NAMES.into_iter().zip(sums.map(|sum| (sum * 100.0).round() / 100.0));
        named.filter(|(_, sum)| *sum > 0.0).collect()
    }

    #[test]
    fn a_packet_that_waited_and_a_picture_that_was_held_back() {
        let sent = [passage(1_000, 1, Some(1_050)), passage(1_040, 2, Some(1_400))];
        let found = causes((1_060, 1_460), (1_040, 1_400, false), &sent, &[], &[]);
        // The second had not left in the first 30 ms, and a picture had left shortly before.
        assert_eq!(found, [("queue", 0.31), ("lost", 0.03), ("late", 0.06)]);
    }

    #[test]
    fn a_packet_that_was_lost_and_came_again() {
        let again = Passage { repair: true, ..passage(1_300, 2, Some(1_400)) };
        let sent = [passage(1_000, 1, Some(1_050)), passage(1_010, 2, None), again];
        assert_eq!(causes((1_060, 1_400), (1_010, 1_400, false), &sent, &[], &[]), [("lost", 0.34)]);
    }

    #[test]
    fn nothing_left_until_a_key_frame_that_was_asked_for_late() {
        let sent = [passage(1_000, 1, Some(1_050)), passage(1_700, 2, Some(1_750))];
        let asked = [(ms(1_600), Some(0)), (ms(1_900), Some(0)), (ms(1_650), Some(1))];
        let found = causes((1_180, 1_750), (1_690, 1_750, true), &sent, &asked, &[]);
        assert_eq!(found, [("keyframe", 0.1), ("withheld", 0.47)]);
        let chosen = [Window { from: ms(1_100), to: ms(1_650) }];
        let found = causes((1_180, 1_750), (1_690, 1_750, true), &sent, &asked, &chosen);
        assert_eq!(found, [("keyframe", 0.05), ("chosen", 0.52)]);
    }

    #[test]
    fn a_link_that_carried_nothing_is_the_cause_whatever_else_is() {
        let sent = [passage(1_900, 1, Some(1_950)), passage(2_000, 2, Some(2_600))];
        let found = causes((2_050, 2_650), (2_000, 2_600, false), &sent, &[], &[]);
        let all: f64 = found.iter().map(|(_, sum)| sum).sum();
        assert!((all - 0.6).abs() < 1e-6, "{found:?}");
        assert!(found.iter().any(|(name, sum)| *name == "link" && (0.3..0.45).contains(sum)), "{found:?}");
    }
}
