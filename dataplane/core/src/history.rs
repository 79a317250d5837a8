//! The plain packets of one layer, kept once for forwarding and for every viewer's retransmissions.

use std::time::Duration;

use crate::frame_mark::FrameMark;
use crate::picture::PictureNumbers;
use crate::rtp::extensions::ReceivedExtensions;
use crate::units::{MediaTime, SeqNo, Time};

/// Packets kept at first; doubled while the oldest kept is younger than [`KEPT`].
const INITIAL_SLOTS: usize = 64;
/// More than this is never kept: 4,096 packets are 2 s of 20 Mbit/s.
const MAX_SLOTS: usize = 4_096;
/// Bytes that all layers of a publication may hold, the ring's own included: more than a second of 20 Mbit/s.
const MAX_BYTES: usize = 3_750_000;
/// What one layer may hold even where the others hold all: several frames must not push each other out.
const LEAST_BYTES: usize = MAX_BYTES / 8;
/// How far back a viewer's retransmission request can reach.
pub const KEPT: Duration = Duration::from_millis(1_500);

/// A packet as its publisher sent it, decrypted, with what the walk found out about it.
#[derive(Clone, Debug)]
pub struct StoredPacket {
    /// Unwrapped sequence number.
    pub seq: SeqNo,
    /// Unwrapped timestamp.
    pub time: MediaTime,
    /// When its datagram came in.
    pub arrival: Time,
    /// Bytes of the fixed header, the sources and the extension block.
    pub header_length: u16,
    /// The marker bit: the last packet of a frame (video) or the first of a talk spurt (audio).
    pub marker: bool,
    /// Whether a decoder can start here.
    pub keyframe_start: bool,
    /// The place of its frame among the encoding's layers.
    pub mark: FrameMark,
    /// Its VP8 picture numbers.
    pub picture: Option<PictureNumbers>,
    /// Its header extensions, as ranges of `bytes`.
    pub extensions: ReceivedExtensions,
    /// The whole packet without padding.
    pub bytes: Vec<u8>,
}

impl StoredPacket {
    /// What follows the header.
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(usize::from(self.header_length)..).unwrap_or_default()
    }
}

/// A ring of packets, found by sequence number.
#[derive(Debug, Default)]
pub struct History {
    slots: Vec<Option<StoredPacket>>,
    highest: Option<SeqNo>,
    /// What the packets' buffers take, whether filled or not.
    buffers: usize,
    /// Nothing below this is kept.
    floor: SeqNo,
}

/// What became of a packet offered to the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// It is new.
    New,
    /// It is there already.
    Duplicate,
    /// It is older than anything that could be kept.
    TooOld,
}

impl History {
    fn slot(&self, seq: SeqNo) -> usize {
        (seq.0 as usize) & (self.slots.len() - 1)
    }

    /// Whether a packet of this number would be kept.
    pub fn judge(&self, seq: SeqNo) -> Kept {
        let Some(highest) = self.highest else { return Kept::New };
        if seq.0 + self.slots.len() as u64 <= highest.0 {
            return Kept::TooOld;
        }
        if self.get(seq).is_some() { Kept::Duplicate } else { Kept::New }
    }

    /// Keeps a packet whose bytes are `packet` (those of `entry` are not looked at); call [`History::judge`] first.
    /// With more than `limit` bytes the oldest packets go.
    pub fn insert(&mut self, mut entry: StoredPacket, packet: &[u8], limit: usize) {
        self.make_room(entry.seq, entry.arrival, limit);
        let index = self.slot(entry.seq);
        // The slot's old buffer is used again: after the first round nothing is allocated.
        entry.bytes = self.slots[index].take().map(|old| old.bytes).unwrap_or_default();
        self.buffers -= entry.bytes.capacity();
        entry.bytes.clear();
        // Not by doubling: what a packet needs once, its successors need again.
        entry.bytes.reserve_exact(packet.len());
        entry.bytes.extend_from_slice(packet);
        self.buffers += entry.bytes.capacity();
        self.floor = if self.highest.is_none() { entry.seq } else { self.floor.min(entry.seq) };
        self.highest = Some(self.highest.map_or(entry.seq, |highest| highest.max(entry.seq)));
        self.slots[index] = Some(entry);
        if self.bytes() > limit {
            self.shed(limit);
        }
    }

    /// What a layer may hold where the other layers of its publication hold `others` bytes.
    pub fn limit(others: usize) -> usize {
        MAX_BYTES.saturating_sub(others).max(LEAST_BYTES)
    }

    /// Bytes held, free ones included.
    pub fn bytes(&self) -> usize {
        self.buffers + self.slots.len() * size_of::<Option<StoredPacket>>()
    }

    /// Lets the oldest packets go, but never the newest.
    fn shed(&mut self, limit: usize) {
        let mut floor = self.floor.max(self.oldest());
        while self.bytes() > limit && self.highest > Some(floor) {
            let index = self.slot(floor);
            // Also one that a jump of the numbers left in the slot: it is older still.
            self.buffers -= self.slots[index].take().map_or(0, |old| old.bytes.capacity());
            floor = SeqNo(floor.0 + 1);
        }
        self.floor = floor;
    }

    /// The packet with this number, while kept.
    pub fn get(&self, seq: SeqNo) -> Option<&StoredPacket> {
        if self.slots.is_empty() {
            return None;
        }
        self.slots[self.slot(seq)].as_ref().filter(|packet| packet.seq == seq)
    }

    /// The lowest number that would be kept: a walk over numbers begins here, not where a publisher's jump began.
    pub fn oldest(&self) -> SeqNo {
        let highest = self.highest.map_or(0, |highest| highest.0);
        SeqNo((highest + 1).saturating_sub(self.slots.len() as u64))
    }

    fn make_room(&mut self, seq: SeqNo, now: Time, limit: usize) {
        if self.slots.is_empty() {
            self.slots.resize_with(INITIAL_SLOTS, || None);
            return;
        }
        let displaced = self.slots[self.slot(seq)].as_ref();
        let too_young = displaced.is_some_and(|old| old.seq != seq && now.since(old.arrival) < KEPT);
        let length = self.slots.len() * 2;
        // Not where the ring alone would leave no room for packets.
        let fits = length <= MAX_SLOTS && length * size_of::<Option<StoredPacket>>() < limit / 2;
        if too_young && fits {
            let old = std::mem::take(&mut self.slots);
            self.slots.resize_with(length, || None);
            for packet in old.into_iter().flatten() {
                let index = self.slot(packet.seq);
                self.slots[index] = Some(packet);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, at: Time) -> StoredPacket {
        StoredPacket {
            seq: SeqNo(seq),
            time: MediaTime(0),
            arrival: at,
            header_length: 0,
            marker: false,
            keyframe_start: false,
            mark: FrameMark::default(),
            picture: None,
            extensions: ReceivedExtensions::default(),
            bytes: Vec::new(),
        }
    }

    #[test]
    fn keeps_at_least_the_promised_span_at_any_rate() {
        for packets_a_second in [50, 700, 3_000] {
            let mut history = History::default();
            let interval = 1_000_000 / packets_a_second;
            for seq in 0..packets_a_second * 4 {
                history.insert(entry(100_000 + seq, Time(seq * interval)), &seq.to_be_bytes(), MAX_BYTES);
            }
            let oldest = 100_000 + packets_a_second * 4 - 1 - packets_a_second;
            assert_eq!(history.get(SeqNo(oldest)).unwrap().bytes, (oldest - 100_000).to_be_bytes());
        }
    }

    #[test]
    fn names_duplicates_and_the_too_old() {
        let mut history = History::default();
        for seq in 1_000..1_200 {
            history.insert(entry(seq, Time(seq * 100_000)), b"x", MAX_BYTES);
        }
        assert_eq!(history.judge(SeqNo(1_199)), Kept::Duplicate);
        assert_eq!(history.judge(SeqNo(1_200)), Kept::New);
        assert_eq!(history.judge(SeqNo(900)), Kept::TooOld);
        assert!(history.get(SeqNo(1_001)).is_none());
    }

    #[test]
    fn a_second_of_twenty_megabits_fits() {
        let mut history = History::default();
        let (length, interval) = (1_200, 480);
        for seq in 0..10_000 {
            history.insert(entry(seq, Time(seq * interval)), &vec![7; length], MAX_BYTES);
        }
        let kept = (0..10_000).filter(|seq| history.get(SeqNo(*seq)).is_some()).count();
        assert!(kept * length * 8 >= 22_000_000, "{kept} packets");
        assert!(history.get(SeqNo(9_999 - 1_000_000 / interval)).is_some());
    }

    #[test]
    fn the_bound_holds_for_any_lengths_and_the_newest_is_always_kept() {
        let mut history = History::default();
        let limit = 1 << 20;
        let mut seq = 70_000;
        for step in 0..60_000_u64 {
            // Small ones that make the ring large, then large ones, jumps, and late ones now and then.
            let length = if step < 20_000 { 40 } else { (step * 7_919 % 65_000) as usize };
            seq += if step % 1_000 == 999 { 20_000 } else { 1 };
            let number = if step % 7 == 3 { seq - 3 } else { seq };
            if history.judge(SeqNo(number)) == Kept::New {
                history.insert(entry(number, Time(step * 50)), &vec![1; length], limit);
            }
            let held: usize = history.slots.iter().flatten().map(|packet| packet.bytes.capacity()).sum();
            assert_eq!(history.buffers, held);
            assert!(history.bytes() <= limit + 65_000, "{} bytes at {step}", history.bytes());
            assert!(history.get(history.highest.unwrap()).is_some());
        }
    }
}
