//! Stills: of a path that carries no moving picture, one key frame in a while, however long it takes on its way.

use std::time::Duration;

use crate::history::{History, StoredPacket};
use crate::pacer::Step;
use crate::units::{MediaTime, SeqNo, Time};

/// A picture of this age is not worth showing any more as what is going on.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// Bytes of one picture that are kept for sending and sending again; what exceeds them is not sent.
const MAX_BYTES: usize = 1_000_000;

/// The stills of one subscription.
#[derive(Debug)]
pub struct Stills {
    /// From one to the next, at least.
    pub interval: Duration,
    /// When the last began.
    begun: Option<Time>,
    /// The picture that was sent last: its layer and its moment.
    shown: Option<(u8, MediaTime)>,
    /// Its packets: they leave, and are asked for again, when the publication's history has forgotten them.
    kept: History,
}

impl Stills {
    /// The first is due at once.
    pub fn new(interval: Duration) -> Stills {
        Stills { interval, begun: None, shown: None, kept: History::default() }
    }

    /// When the next is due.
    pub fn next(&self) -> Time {
        self.begun.map_or(Time::ZERO, |begun| begun + self.interval)
    }

    /// What becomes of a packet that would be forwarded (`step`); `None`: it is of no still. While a still is on its way
    /// (`busy`) none begins.
    pub fn judge(
        &mut self,
        now: Time,
        layer: u8,
        packet: &StoredPacket,
        step: Step,
        busy: bool,
    ) -> Option<Step> {
        if step == Step::Forward && self.shown == Some((layer, packet.time)) {
            self.keep(packet);
            return Some(Step::Forward);
        }
        let begins = packet.keyframe_start && !busy && now >= self.next();
        if step != Step::Switch && !begins {
            return None;
        }
        self.begun = Some(now);
        self.shown = Some((layer, packet.time));
        self.kept = History::default();
        self.keep(packet);
        Some(Step::Switch)
    }

    fn keep(&mut self, packet: &StoredPacket) {
        if self.kept.get(packet.seq).is_none() {
            self.kept.insert(packet.clone(), &packet.bytes, MAX_BYTES);
        }
    }

    /// A packet of the picture that was sent last.
    pub fn get(&self, layer: u8, seq: SeqNo) -> Option<&StoredPacket> {
        self.kept.get(seq).filter(|packet| self.shown == Some((layer, packet.time)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame_mark::FrameMark;
    use crate::rtp::ReceivedExtensions;

    const SECOND: Duration = Duration::from_secs(1);

    fn packet(seq: u64, frame: u64, keyframe_start: bool) -> StoredPacket {
        StoredPacket {
            seq: SeqNo(seq),
            time: MediaTime(frame * 3_600),
            arrival: Time::ZERO,
            header_length: 0,
            marker: false,
            keyframe_start,
            mark: FrameMark::default(),
            picture: None,
            extensions: ReceivedExtensions::default(),
            bytes: vec![7; 100],
        }
    }

    #[test]
    fn all_of_a_key_frame_passes_and_nothing_until_the_next_is_due() {
        let mut stills = Stills::new(SECOND);
        let mut judge = |ms, seq, frame, key| {
            stills.judge(Time::from_millis(ms), 0, &packet(seq, frame, key), Step::Forward, false)
        };
        assert_eq!(judge(0, 1, 1, false), None);
        assert_eq!(judge(40, 2, 2, true), Some(Step::Switch));
        assert_eq!(judge(41, 3, 2, false), Some(Step::Forward));
        assert_eq!(judge(80, 4, 3, false), None);
        assert_eq!(judge(500, 5, 4, true), None, "too soon");
        assert_eq!(judge(501, 3, 2, false), Some(Step::Forward), "a repair at the publisher's");
        assert_eq!(judge(1_040, 9, 9, true), Some(Step::Switch));
        assert_eq!(stills.next(), Time::from_millis(2_040));
    }

    #[test]
    fn none_begins_while_one_is_on_its_way_but_a_new_layer_s() {
        let mut stills = Stills::new(SECOND);
        let first = packet(2, 2, true);
        assert_eq!(stills.judge(Time::ZERO, 0, &first, Step::Switch, false), Some(Step::Switch));
        let later = Time::from_millis(5_000);
        assert_eq!(stills.judge(later, 0, &packet(90, 90, true), Step::Forward, true), None);
        assert_eq!(stills.judge(later, 1, &packet(7, 90, true), Step::Switch, true), Some(Step::Switch));
    }

    #[test]
    fn the_last_one_s_packets_are_kept() {
        let mut stills = Stills::new(SECOND);
        stills.judge(Time::ZERO, 0, &packet(2, 2, true), Step::Switch, false);
        stills.judge(Time::ZERO, 0, &packet(3, 2, false), Step::Forward, false);
        assert!(stills.get(0, SeqNo(3)).is_some() && stills.get(1, SeqNo(3)).is_none());
        stills.judge(Time::from_millis(1_000), 0, &packet(30, 30, true), Step::Forward, false);
        assert!(stills.get(0, SeqNo(3)).is_none() && stills.get(0, SeqNo(30)).is_some());
    }
}
