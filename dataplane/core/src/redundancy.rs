//! Sound that is sent again with what follows it (RFC 2198), for viewers on whose path some of it is lost: decided by loss
//! and by how long losses last, within a share of what the path carries.
//!
//! The table of what is repeated when is in `docs/rtcp.md`. Who can ask for sound again and has it in time needs none of this, and a path without loss gets none.

use std::time::Duration;

use crate::bucket::TokenBucket;
use crate::history::{History, StoredPacket};
use crate::rewrite::SequenceMap;
use crate::rtp::red::{self, MAX_BLOCK, MAX_OFFSET};
use crate::units::{Bitrate, SeqNo, Time};

/// Of less loss nothing is heard.
const WORTH: f64 = 0.006;
/// What began ends when loss was below this for [`HOLD`].
const GONE: f64 = 0.0025;
const HOLD: Duration = Duration::from_secs(5);
/// Concealment of this share is not heard.
const HARMLESS: f64 = 0.0005;
/// Between two packets of sound as browsers send it, seconds.
const PACKET: f64 = 0.02;
/// What speech itself needs of a path, in bits per second; of what is beyond, redundancy may have one part in [`SHARE`].
const SPEECH: u64 = 44_000;
const SHARE: u64 = 4;
/// From here on there is room for a second repeat.
const PLENTY: Bitrate = Bitrate(500_000);
/// Budget that may gather, in bytes: two blocks of speech.
const GATHERED: u64 = 160;
/// Sound that is older than this was concealed by the time its repeat is there, in ticks of 48 kHz.
const MAX_AGE: u64 = 160 * 48;
/// Payload bytes of one packet at most, all blocks together.
const MAX_PAYLOAD: usize = 1_100;
/// A request for a packet of sound is answered in time when its answer takes no longer: the gap is seen one packet later, a
/// receiver waits 200 ms at most, and jitter is often more than usual.
const REPAIRED_WITHIN: Duration = Duration::from_millis(140);

/// How many packets back the repeated ones lie, the more useful first. Losses that last take neighbours together: there
/// the farther one is worth more.
type Distances = &'static [u64];
const NONE: Distances = &[];
/// One repeat, the sooner it comes the better; the farthest is [`MAX_AGE`] back.
const SINGLES: [Distances; 8] = [&[1], &[2], &[3], &[4], &[5], &[6], &[7], &[8]];
/// Two: of single losses, and of those that last, the farther first.
const NEAR_FIRST: Distances = &[1, 2];
const FAR_FIRST: [Distances; 4] = [&[2, 1], &[4, 2], &[6, 3], &[8, 4]];

/// Packets that leave again with another, oldest first.
#[derive(Clone, Copy, Default, Debug)]
pub struct Repeated<'a>([Option<&'a StoredPacket>; 2]);

impl Repeated<'_> {
    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0[0].is_none() && self.0[1].is_none()
    }

    /// Appends the payload of `packet` after theirs, each of the payload type `codec`; gives the bytes beyond its own.
    pub fn write(&self, out: &mut Vec<u8>, codec: u8, packet: &StoredPacket) -> usize {
        let (start, mut blocks, mut count) = (out.len(), [(0, &[][..]); 2], 0);
        for block in self.0.into_iter().flatten() {
            blocks[count] = (packet.time.0.saturating_sub(block.time.0) as u16, block.payload());
            count += 1;
        }
        red::write(out, codec, &blocks[..count], packet.payload());
        out.len() - start - packet.payload().len()
    }
}

/// What is known of a path.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Share of packets lost whatever we send.
    pub loss: f64,
    /// From the first to the last packet of one loss, on average.
    pub lasts: Duration,
    /// What the path carries.
    pub estimate: Bitrate,
    /// From a request to its answer, jitter counted both ways; `None`: not known.
    pub answer: Option<Duration>,
}

/// What one viewer's path needs.
#[derive(Debug)]
pub struct Redundancy {
    distances: Distances,
    /// The same for who asks for what is lost and has it in time: requests and their answers are lost as well.
    beside: Distances,
    /// When loss was last worth it.
    lossy: Time,
    /// Bytes of blocks.
    budget: TokenBucket,
}

impl Default for Redundancy {
    fn default() -> Redundancy {
        Redundancy {
            distances: NONE,
            beside: NONE,
            lossy: Time::ZERO,
            budget: TokenBucket::new(Time::ZERO, 0, GATHERED),
        }
    }
}

impl Redundancy {
    /// Whether anything is repeated.
    #[inline]
    pub fn is_on(&self) -> bool {
        !self.distances.is_empty()
    }

    /// The path is known anew.
    pub fn review(&mut self, now: Time, known: Known) {
        if !self.is_on() && known.loss < WORTH {
            return;
        }
        if known.loss >= GONE {
            self.lossy = now;
            let distances = distances(known.loss, known.lasts);
            let most = if known.estimate < PLENTY { 1 } else { distances.len() };
            self.distances = &distances[..most];
            self.beside = if unanswered(known) > HARMLESS { &distances[..1] } else { NONE };
        } else if now.since(self.lossy) >= HOLD {
            (self.distances, self.beside) = (NONE, NONE);
        }
        self.budget.set_rate(known.estimate.0.saturating_sub(SPEECH) / SHARE / 8, GATHERED);
    }

    /// What leaves again with `packet`, of what its viewer was sent (`seqs`): nothing from before it began, or began again.
    /// `is_repaired`: who asks for lost sound has it in time.
    pub fn repeat<'a>(
        &mut self,
        now: Time,
        (packet, is_repaired): (&StoredPacket, bool),
        history: &'a History,
        seqs: &SequenceMap,
    ) -> Repeated<'a> {
        let mut repeated = Repeated::default();
        let mut bytes = packet.payload().len();
        let distances = if is_repaired { self.beside } else { self.distances };
        let nearest = distances.iter().min();
        for distance in distances {
            let earlier = packet.seq.0.checked_sub(*distance).map(SeqNo).filter(|seq| seqs.knows(*seq));
            let Some(block) = earlier.and_then(|seq| history.get(seq)) else { continue };
            let length = block.payload().len();
            let fits = is_repeatable(packet, block) && bytes + length + red::HEADER <= MAX_PAYLOAD;
            if fits && self.budget.take(now, (length + red::HEADER) as u64) {
                bytes += length + red::HEADER;
                repeated.0[usize::from(Some(distance) == nearest)] = Some(block);
            }
        }
        repeated
    }
}

/// Whether requests for lost sound are answered in time, so that little has to be repeated unasked: a loss that lasts is
/// only seen when it is over.
pub fn is_repaired_in_time(known: Known) -> bool {
    known.answer.is_some_and(|answer| answer + known.lasts <= REPAIRED_WITHIN)
}

fn is_repeatable(packet: &StoredPacket, earlier: &StoredPacket) -> bool {
    let age = packet.time.0.checked_sub(earlier.time.0).filter(|age| *age > 0);
    let length = earlier.payload().len();
    age.is_some_and(|age| age <= MAX_AGE.min(MAX_OFFSET)) && (1..=MAX_BLOCK).contains(&length)
}

/// What is missing in spite of requests: each, or its answer, may be lost, and the next leaves an answer's time later.
fn unanswered(known: Known) -> f64 {
    let answer = known.answer.unwrap_or(REPAIRED_WITHIN).as_secs_f64().max(PACKET);
    let tries = (REPAIRED_WITHIN.as_secs_f64() / answer) as i32;
    known.loss * (2.0 * known.loss).min(1.0).powi(tries)
}

/// The share of what follows so many packets of sound after a lost one that is lost as well.
fn lost_too(loss: f64, lasts: Duration, packets: u64) -> f64 {
    let stays = lasts.as_secs_f64() / (lasts.as_secs_f64() + PACKET);
    loss + (1.0 - loss) * stays.powi(packets as i32)
}

/// The least that leaves no more than [`HARMLESS`], and of that the soonest; or what leaves least.
fn distances(loss: f64, lasts: Duration) -> Distances {
    // A packet is missed when all its repeats are lost as well.
    let lost_too = |packets| lost_too(loss, lasts, packets);
    let single = SINGLES.into_iter().find(|it| loss * lost_too(it[0]) <= HARMLESS);
    if let Some(single) = single {
        return single;
    }
    if lost_too(2) >= 0.8 * lost_too(1) {
        return NEAR_FIRST;
    }
    let missed = |it: &Distances| loss * lost_too(it[1]) * lost_too(it[0] - it[1]);
    let enough = FAR_FIRST.into_iter().find(|it| missed(it) <= HARMLESS);
    enough.unwrap_or(FAR_FIRST[FAR_FIRST.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn known(loss: f64, lasts_ms: u64) -> Known {
        Known { loss, lasts: Duration::from_millis(lasts_ms), estimate: Bitrate(1_000_000), answer: None }
    }

    #[test]
    fn distance_follows_how_much_is_lost_and_for_how_long() {
        for (loss, lasts_ms, wanted) in [
            (0.01, 0, SINGLES[0]),
            (0.02, 0, SINGLES[0]),
            (0.01, 8, SINGLES[2]),
            (0.01, 15, SINGLES[3]),
            (0.1, 0, NEAR_FIRST),
            (0.02, 40, FAR_FIRST[3]),
            (0.1, 30, FAR_FIRST[3]),
        ] {
            let mut redundancy = Redundancy::default();
            redundancy.review(Time::ZERO, known(loss, lasts_ms));
            assert_eq!(redundancy.distances, wanted, "{loss} for {lasts_ms} ms");
        }
    }

    #[test]
    fn begins_with_loss_and_ends_some_time_after_it() {
        let mut redundancy = Redundancy::default();
        let mut now = Time::from_millis(1_000);
        redundancy.review(now, known(0.005, 0));
        assert!(!redundancy.is_on());
        redundancy.review(now, known(0.01, 0));
        assert!(redundancy.is_on());
        redundancy.review(now + SECOND, known(0.003, 0));
        now += HOLD;
        redundancy.review(now, known(0.001, 0));
        assert!(redundancy.is_on());
        redundancy.review(now + SECOND, known(0.001, 0));
        assert!(!redundancy.is_on());
    }

    #[test]
    fn who_asks_in_time_needs_repeats_only_where_requests_get_lost_too() {
        for (loss, answer_ms, wanted) in
            [(0.01, 130, 0), (0.02, 60, 0), (0.05, 130, 1), (0.05, 40, 0), (0.1, 130, 1)]
        {
            let mut redundancy = Redundancy::default();
            let answer = Some(Duration::from_millis(answer_ms));
            redundancy.review(Time::ZERO, Known { answer, ..known(loss, 0) });
            assert_eq!(redundancy.beside.len(), wanted, "{loss} answered in {answer_ms} ms");
        }
    }

    #[test]
    fn only_what_is_answered_soon_is_repaired_by_request() {
        let repaired = |lasts_ms, answer_ms: Option<u64>| {
            is_repaired_in_time(Known {
                answer: answer_ms.map(Duration::from_millis),
                ..known(0.01, lasts_ms)
            })
        };
        assert!(!repaired(0, None) && !repaired(0, Some(200)));
        assert!(repaired(0, Some(130)) && !repaired(40, Some(130)), "a long loss is seen late");
    }
}
