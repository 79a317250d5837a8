//! The one place that knows that counters on the wire wrap around.
//!
//! Everything behind the door works with 64-bit numbers. An unwrapper takes the number nearest to the newest one
//! seen, and begins one full turn above zero so that going back never passes it.

use crate::units::{MediaTime, SeqNo};

/// Unwraps a counter of `BITS` bits (1 to 32) to 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Unwrapper<const BITS: u32> {
    newest: Option<u64>,
}

/// Unwraps the 7-bit VP8 and VP9 picture id (RFC 7741 section 4.2).
pub type ShortPictureIdUnwrapper = Unwrapper<7>;
/// Unwraps VP8's and VP9's TL0PICIDX.
pub type Tl0PicIdxUnwrapper = Unwrapper<8>;
/// Unwraps the 15-bit VP8 and VP9 picture id.
pub type PictureIdUnwrapper = Unwrapper<15>;
/// Unwraps abs-send-time and the reference time of transport-wide feedback.
pub type Unwrapper24 = Unwrapper<24>;

impl<const BITS: u32> Unwrapper<BITS> {
    const TURN: u64 = 1 << BITS;

    /// An unwrapper that has seen nothing.
    pub const fn new() -> Self {
        Self { newest: None }
    }

    /// What `wire` would unwrap to; changes nothing, so it may be asked before a packet is authenticated.
    ///
    /// A number exactly half a turn away counts as older.
    #[inline]
    pub fn peek(&self, wire: u32) -> u64 {
        let wire = u64::from(wire) & (Self::TURN - 1);
        let Some(newest) = self.newest else { return Self::TURN + wire };
        let ahead = wire.wrapping_sub(newest) & (Self::TURN - 1);
        if ahead < Self::TURN / 2 { newest + ahead } else { (newest + ahead).saturating_sub(Self::TURN) }
    }

    /// Takes `number` for the newest when it is newer.
    #[inline]
    pub fn commit(&mut self, number: u64) {
        self.newest = Some(self.newest.map_or(number, |newest| newest.max(number)));
    }

    /// [`Self::peek`], then [`Self::commit`].
    #[inline]
    pub fn unwrap(&mut self, wire: u32) -> u64 {
        let number = self.peek(wire);
        self.commit(number);
        number
    }

    /// The newest number committed.
    pub const fn newest(&self) -> Option<u64> {
        self.newest
    }
}

/// Unwraps RTP sequence numbers (RFC 3550 section 5.1).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SeqUnwrapper(Unwrapper<16>);

impl SeqUnwrapper {
    /// An unwrapper that has seen nothing.
    pub const fn new() -> Self {
        Self(Unwrapper::new())
    }

    /// What `wire` would unwrap to; changes nothing.
    #[inline]
    pub fn peek(&self, wire: u16) -> SeqNo {
        SeqNo(self.0.peek(u32::from(wire)))
    }

    /// Takes `number` for the newest when it is newer.
    #[inline]
    pub fn commit(&mut self, number: SeqNo) {
        self.0.commit(number.0);
    }

    /// [`Self::peek`], then [`Self::commit`].
    #[inline]
    pub fn unwrap(&mut self, wire: u16) -> SeqNo {
        SeqNo(self.0.unwrap(u32::from(wire)))
    }

    /// The newest number committed.
    pub fn newest(&self) -> Option<SeqNo> {
        self.0.newest().map(SeqNo)
    }
}

/// Unwraps RTP timestamps (RFC 3550 section 5.1).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TimestampUnwrapper(Unwrapper<32>);

impl TimestampUnwrapper {
    /// An unwrapper that has seen nothing.
    pub const fn new() -> Self {
        Self(Unwrapper::new())
    }

    /// What `wire` would unwrap to; changes nothing.
    #[inline]
    pub fn peek(&self, wire: u32) -> MediaTime {
        MediaTime(self.0.peek(wire))
    }

    /// Takes `time` for the newest when it is newer.
    #[inline]
    pub fn commit(&mut self, time: MediaTime) {
        self.0.commit(time.0);
    }

    /// [`Self::peek`], then [`Self::commit`].
    #[inline]
    pub fn unwrap(&mut self, wire: u32) -> MediaTime {
        MediaTime(self.0.unwrap(wire))
    }

    /// The newest time committed.
    pub fn newest(&self) -> Option<MediaTime> {
        self.0.newest().map(MediaTime)
    }
}

/// Signed steps from `from` to `to`, the short way round; half a turn counts as backwards.
#[inline]
pub const fn distance16(from: u16, to: u16) -> i16 {
    to.wrapping_sub(from) as i16
}

/// Steps forward from `from` to `to` of 6-bit counters (dependency descriptor template ids).
#[inline]
pub const fn forward6(from: u8, to: u8) -> u8 {
    to.wrapping_sub(from) & 0x3f
}

/// Steps from one number of eight bits to a later one; of an earlier one, more than half a turn.
pub const fn forward8(from: u8, to: u8) -> u8 {
    to.wrapping_sub(from)
}

/// `base` and `steps` more, as 16-bit counter.
#[inline]
pub const fn add16(base: u16, steps: u16) -> u16 {
    base.wrapping_add(steps)
}

/// `base` and `steps` more, as 8-bit counter.
#[inline]
pub const fn add8(base: u8, steps: u8) -> u8 {
    base.wrapping_add(steps)
}

/// What a 7-bit field carries of `number`.
#[inline]
pub const fn wire7(number: u64) -> u8 {
    (number & 0x7f) as u8
}

/// What an 8-bit field carries of `number`.
#[inline]
pub const fn wire8(number: u64) -> u8 {
    (number & 0xff) as u8
}

/// What a 15-bit field carries of `number`.
#[inline]
pub const fn wire15(number: u64) -> u16 {
    (number & 0x7fff) as u16
}

/// What a 24-bit field carries of `number`.
#[inline]
pub const fn wire24(number: u64) -> u32 {
    (number & 0x00ff_ffff) as u32
}

/// abs-send-time of a moment in microseconds: 6.18 fixed point seconds, 24 bits.
#[inline]
pub const fn abs_send_time(micros: u64) -> u32 {
    wire24((((micros % 64_000_000) << 18) + 500_000) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sixteen first numbers around both ends and the middle of the turn.
    const STARTS: [u16; 16] = [
        0, 1, 2, 16, 255, 32_766, 32_767, 32_768, 32_769, 65_000, 65_279, 65_519, 65_532, 65_533, 65_534,
        65_535,
    ];

    #[test]
    fn sequence_numbers_run_on_through_two_wraps() {
        for start in STARTS {
            let mut unwrapper = SeqUnwrapper::new();
            let first = unwrapper.unwrap(start);
            assert_eq!(first.wire(), start);
            for step in 1..140_000_u64 {
                let wire = ((u64::from(start) + step) % 65_536) as u16;
                assert_eq!(unwrapper.unwrap(wire), SeqNo(first.0 + step), "start {start}, step {step}");
            }
        }
    }

    #[test]
    fn older_numbers_go_back_and_do_not_move_the_newest() {
        for start in STARTS {
            for back in [1_u64, 2, 100, 20_000, 32_767, 32_768] {
                let mut unwrapper = SeqUnwrapper::new();
                let first = unwrapper.unwrap(start);
                let wire = ((u64::from(start) + 65_536 - back) % 65_536) as u16;
                assert_eq!(unwrapper.unwrap(wire), SeqNo(first.0 - back), "start {start}, back {back}");
                assert_eq!(unwrapper.newest(), Some(first));
            }
        }
    }

    #[test]
    fn peek_changes_nothing() {
        let mut unwrapper = SeqUnwrapper::new();
        unwrapper.unwrap(10);
        let before = unwrapper;
        assert_eq!(unwrapper.peek(30_000), SeqNo(65_536 + 30_000));
        assert_eq!(unwrapper, before);
        unwrapper.commit(SeqNo(65_536 + 30_000));
        assert_eq!(unwrapper.peek(60_000), SeqNo(65_536 + 60_000));
    }

    #[test]
    fn timestamps_wrap() {
        let mut unwrapper = TimestampUnwrapper::new();
        let first = unwrapper.unwrap(0xffff_ff00);
        assert_eq!(unwrapper.unwrap(0x0000_0100).0, first.0 + 0x200);
        assert_eq!(unwrapper.unwrap(0xffff_fff0).0, first.0 + 0xf0);
        assert_eq!(unwrapper.unwrap(0x0000_0100).wire(), 0x100);
    }

    #[test]
    fn picture_ids_wrap_at_their_own_width() {
        let mut long = PictureIdUnwrapper::new();
        let first = long.unwrap(0x7fff);
        assert_eq!(long.unwrap(0), first + 1);
        assert_eq!(wire15(first + 1), 0);
        let mut short = ShortPictureIdUnwrapper::new();
        let first = short.unwrap(0x7f);
        assert_eq!(short.unwrap(3), first + 4);
        assert_eq!(wire7(first + 4), 3);
        let mut layer = Tl0PicIdxUnwrapper::new();
        let first = layer.unwrap(255);
        assert_eq!(layer.unwrap(1), first + 2);
        assert_eq!(wire8(first + 2), 1);
    }

    #[test]
    fn distances_take_the_short_way() {
        assert_eq!(distance16(65_535, 0), 1);
        assert_eq!(distance16(0, 65_535), -1);
        assert_eq!(distance16(0, 0x8000), i16::MIN);
        assert_eq!(forward6(60, 2), 6);
        assert_eq!(add16(65_535, 2), 1);
        assert_eq!(add8(255, 1), 0);
    }

    #[test]
    fn abs_send_time_is_six_point_eighteen() {
        assert_eq!(abs_send_time(0), 0);
        assert_eq!(abs_send_time(1_000_000), 1 << 18);
        assert_eq!(abs_send_time(64_000_000), 0);
        assert_eq!(abs_send_time(63_500_000), (63 << 18) + (1 << 17));
        assert_eq!(abs_send_time(63_999_999), 0, "rounds up into the next turn");
    }

    proptest! {
        #[test]
        fn any_walk_within_half_a_turn_is_followed(start: u16, steps in prop::collection::vec(-32_000_i64..32_000, 1..200)) {
            let mut unwrapper = SeqUnwrapper::new();
            let mut newest = unwrapper.unwrap(start).0 as i64;
            let floor = 65_536;
            for step in steps {
                let number = newest + step;
                if number < floor { continue; }
                prop_assert_eq!(unwrapper.unwrap((number % 65_536) as u16).0 as i64, number);
                newest = newest.max(number);
            }
        }

        #[test]
        fn no_input_overflows(wires: Vec<u32>) {
            let mut timestamps = TimestampUnwrapper::new();
            let mut sequences = SeqUnwrapper::new();
            for wire in wires {
                prop_assert_eq!(timestamps.unwrap(wire).wire(), wire);
                prop_assert_eq!(sequences.unwrap(wire as u16).wire(), wire as u16);
            }
        }
    }
}
