//! Pictures that are protected by parity (`flexfec-03`), for viewers whose path loses packets and is so long that what
//! they ask for again comes after its moment.
//!
//! What is protected is what everything after it needs: the lowest temporal layer. Parity takes a share of the
//! pictures' bytes and no more; the more is lost the more of it is used, and where a picture is so small that its
//! parity would exceed that, several share one. `docs/rtcp.md` has the table of what is protected when.

use std::time::Duration;

use crate::io::ExtensionIds;
use crate::redundancy::Known;
use crate::rtp::flexfec::{MAX_SPAN, Parity};
use crate::rtp::{RtpHeader, extensions};
use crate::units::{SeqNo, Time};

/// Of less loss too little is seen.
const WORTH: f64 = 0.005;
/// What began ends when loss was below this for [`HOLD`], or when requests were answered in time for so long.
const GONE: f64 = 0.002;
const HOLD: Duration = Duration::from_secs(5);
/// Requests that are answered sooner cost less than parity and reach as far: receivers wait for them.
const LATE: Duration = Duration::from_millis(200);
/// A loss that lasts longer takes several small pictures, and their parity with them.
const BRIEF: Duration = Duration::from_millis(25);
/// Parity for each byte of pictures at most: so much, and the share lost beside it.
const LEAST_SHARE: f64 = 0.15;
const MOST_SHARE: f64 = 0.2;
/// Of the estimate so much may be sent, parity with everything else: it takes no layer's place.
const ROOM: f64 = 0.95;
/// What is sent beside parity is measured over so long.
const MEASURED: Duration = Duration::from_secs(1);
/// What IP and UDP add to media, roughly.
const ON_THE_WIRE: f64 = 1.03;
/// Parity that may be saved up, in bytes: what one large picture takes.
const SAVED: u64 = 6_000;
/// Of an older picture nothing is of use any more.
const MAX_AGE: Duration = Duration::from_millis(400);
/// With parity around it a longer packet would not pass every path.
const MAX_PACKET: usize = 1_300;
/// Parity packets of one block at most.
const MOST: usize = 4;
/// Losses that are expected in a block, from which on it has a second, third and fourth parity packet.
const EXPECTED: [f64; MOST - 1] = [0.02, 0.06, 0.2];

/// Whether the pictures of one viewer are protected.
#[derive(Debug, Default)]
pub struct Protection {
    /// Share of packets lost whatever is sent; `None` while nothing is protected.
    loss: Option<f64>,
    /// When it was last needed.
    needed: Time,
    /// Bytes of everything else as counted last, and when.
    counted: (u64, Time),
    /// Parity for each thousand bytes of pictures that the path has room for.
    share: u64,
}

impl Protection {
    /// The share lost, where pictures are protected against it.
    #[inline]
    pub fn against(&self) -> Option<f64> {
        self.loss
    }

    /// Parity for each thousand bytes of pictures.
    pub fn share(&self) -> u64 {
        self.share
    }

    /// The path is known anew; `others`: bytes sent so far that are no parity.
    pub fn review(&mut self, now: Time, known: Known, others: u64) {
        let least = if self.loss.is_some() { GONE } else { WORTH };
        let is_late = known.answer.is_some_and(|answer| answer > LATE);
        if is_late && known.loss >= least && known.lasts <= BRIEF {
            (self.loss, self.needed) = (Some(known.loss), now);
        } else if now.since(self.needed) >= HOLD {
            self.loss = None;
        }
        let (before, at) = self.counted;
        if now.since(at) >= MEASURED {
            self.counted = (others, now);
            let rate = (others - before) as f64 * 8.0 * ON_THE_WIRE / now.since(at).as_secs_f64();
            let room = known.estimate.0 as f64 * ROOM - rate;
            let most = (LEAST_SHARE + known.loss).min(MOST_SHARE);
            self.share = (1_000.0 * (room / rate.max(1.0)).clamp(0.0, most)) as u64;
        }
    }
}

/// Pictures of one subscription that share their parity.
#[derive(Debug, Default)]
pub struct Block {
    base: SeqNo,
    since: Time,
    packets: usize,
    /// Of all packets; of every second; of every third and fourth; ...: any two packets are told apart by one of them.
    parities: [Parity; MOST],
    /// Thousandths of bytes.
    saved: u64,
    plain: Vec<u8>,
}

impl Block {
    /// Pictures of so many bytes leave, with so much parity for each thousand.
    pub fn save(&mut self, bytes: usize, share: u64) {
        self.saved = (self.saved + bytes as u64 * share).min(SAVED * 1_000);
    }

    /// A packet of a picture leaves, plain as it is; `protected`: it is of the lowest temporal layer.
    pub fn note(&mut self, now: Time, seq: SeqNo, packet: &[u8], protected: bool, ids: &ExtensionIds) {
        let is_before = self.packets > 0 && seq < self.base;
        if !protected || is_before || packet.len() > MAX_PACKET {
            return;
        }
        if self.packets > 0 && seq.0 - self.base.0 >= MAX_SPAN {
            self.clear();
        }
        if self.packets == 0 {
            (self.base, self.since) = (seq, now);
        }
        self.plain.clear();
        self.plain.extend_from_slice(packet);
        if let Ok(header) = RtpHeader::parse(packet) {
            extensions::blank_volatile(&mut self.plain, &header, ids);
        }
        let offset = seq.0 - self.base.0;
        self.parities[0].add(offset, &self.plain);
        for (bit, parity) in self.parities[1..].iter_mut().enumerate() {
            if self.packets >> bit & 1 == 1 {
                parity.add(offset, &self.plain);
            }
        }
        self.packets += 1;
    }

    /// A protected picture has left: the parity that leaves behind it, and the number that it counts from. Afterwards
    /// [`Block::clear`].
    pub fn close(&mut self, now: Time, loss: f64) -> (SeqNo, &[Parity]) {
        let wanted = parities(self.packets, loss);
        let mut count = 0;
        for parity in &self.parities[..wanted] {
            let cost = parity.bytes() as u64 * 1_000;
            if parity.is_empty() || cost > self.saved {
                break;
            }
            self.saved -= cost;
            count += 1;
        }
        if count == 0 && now.since(self.since) >= MAX_AGE {
            self.clear();
        }
        (self.base, &self.parities[..count])
    }

    /// Begins another block.
    pub fn clear(&mut self) {
        self.packets = 0;
        self.parities.iter_mut().for_each(Parity::clear);
    }
}

/// Parity packets for a block of so many.
fn parities(packets: usize, loss: f64) -> usize {
    let expected = packets as f64 * loss;
    usize::from(packets > 0) + EXPECTED.iter().filter(|least| expected >= **least).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::FixedHeader;
    use crate::units::{Bitrate, Ssrc};

    const SECOND: Duration = Duration::from_secs(1);
    const IDS: ExtensionIds = ExtensionIds {
        mid: 0,
        rid: 0,
        repaired_rid: 0,
        abs_send_time: 0,
        transport_cc: 0,
        audio_level: 0,
        abs_capture_time: 0,
        playout_delay: 0,
        dependency_descriptor: 0,
        video_orientation: 0,
    };

    fn known(loss: f64, answer_ms: u64) -> Known {
        let answer = Some(Duration::from_millis(answer_ms));
        Known { loss, lasts: Duration::ZERO, estimate: Bitrate(1_000_000), answer }
    }

    fn packet(length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        FixedHeader { payload_type: 96, marker: false, sequence: 1, timestamp: 2, ssrc: Ssrc(3) }
            .write(&mut bytes);
        bytes.resize(length, 7);
        bytes
    }

    fn filled(packets: u64, share: u64) -> Block {
        let mut block = Block::default();
        for seq in 0..packets {
            block.save(1_000, share);
            block.note(Time::ZERO, SeqNo(70_000 + seq), &packet(1_000), true, &IDS);
        }
        block
    }

    #[test]
    fn only_a_long_lossy_path_is_protected_and_not_for_a_moment_alone() {
        for (loss, answer_ms, wanted) in [(0.01, 300, true), (0.01, 150, false), (0.003, 600, false)] {
            let mut protection = Protection::default();
            protection.review(Time::from_millis(9_000), known(loss, answer_ms), 0);
            assert_eq!(protection.against().is_some(), wanted, "{loss} answered in {answer_ms} ms");
        }
        let mut protection = Protection::default();
        let now = Time::from_millis(9_000);
        protection.review(now, Known { lasts: 2 * BRIEF, ..known(0.01, 300) }, 0);
        assert!(protection.against().is_none(), "losses that last");
        protection.review(now, known(0.01, 300), 0);
        protection.review(now + HOLD - SECOND, known(0.0, 300), 0);
        assert!(protection.against().is_some());
        protection.review(now + HOLD, known(0.01, 100), 0);
        assert!(protection.against().is_none());
    }

    #[test]
    fn it_takes_what_the_path_has_left_and_no_more_than_its_share() {
        for (bits, wanted) in [(500_000, 159..=160), (880_000, 40..=60), (940_000, 0..=0)] {
            let mut protection = Protection::default();
            protection.review(Time::from_millis(5_000), known(0.01, 300), 0);
            protection.review(Time::from_millis(6_000), known(0.01, 300), bits / 8);
            assert!(wanted.contains(&protection.share()), "{bits}: {}", protection.share());
        }
    }

    #[test]
    fn more_loss_and_larger_pictures_get_more() {
        for (packets, loss, wanted) in
            [(0, 0.1, 0), (1, 0.01, 1), (2, 0.01, 2), (8, 0.01, 3), (8, 0.03, 4), (30, 0.1, 4)]
        {
            assert_eq!(parities(packets, loss), wanted, "{packets} packets, {loss} lost");
        }
    }

    #[test]
    fn small_pictures_share_their_parity() {
        let mut block = filled(4, 165);
        assert_eq!(block.close(Time::ZERO, 0.01).1.len(), 0, "660 bytes are saved up");
        for seq in 4..7 {
            block.save(1_000, 165);
            block.note(Time::ZERO, SeqNo(70_000 + seq), &packet(1_000), true, &IDS);
        }
        let (base, parities) = block.close(Time::ZERO, 0.01);
        assert_eq!((base, parities.len(), parities[0].bytes()), (SeqNo(70_000), 1, 1_008));
    }

    #[test]
    fn what_is_old_far_before_or_too_long_has_none() {
        let mut block = filled(3, 0);
        assert_eq!(block.close(Time::ZERO + MAX_AGE, 0.1).1.len(), 0);
        assert_eq!(block.packets, 0);
        block.note(Time::ZERO, SeqNo(80_000), &packet(MAX_PACKET + 1), true, &IDS);
        block.note(Time::ZERO, SeqNo(80_000), &packet(500), false, &IDS);
        assert_eq!(block.packets, 0);
        block.note(Time::ZERO, SeqNo(80_000), &packet(500), true, &IDS);
        block.note(Time::ZERO, SeqNo(79_999), &packet(500), true, &IDS);
        assert_eq!(block.packets, 1);
        block.note(Time::ZERO, SeqNo(80_000 + MAX_SPAN), &packet(500), true, &IDS);
        assert_eq!((block.packets, block.base), (1, SeqNo(80_000 + MAX_SPAN)));
    }
}
