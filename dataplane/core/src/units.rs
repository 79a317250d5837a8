//! Numbers with types: nothing in the core passes a bare integer where a unit matters.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A moment, in microseconds since the plane's own epoch. The driver's clock is monotonic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

impl Time {
    /// Before everything that happens.
    pub const ZERO: Time = Time(0);
    /// Never: the timeout of something that has none.
    pub const NEVER: Time = Time(u64::MAX);

    /// A moment `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Time {
        Time(millis * 1_000)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Time since `earlier`; zero when `earlier` is later.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The next multiple of `grid` (not zero) that is not before this; [`Time::NEVER`] stays what it is.
    #[must_use]
    pub const fn round_up(self, grid: Duration) -> Time {
        let grid = grid.as_micros() as u64;
        match self.0.checked_next_multiple_of(grid) {
            Some(micros) => Time(micros),
            None => Time::NEVER,
        }
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, span: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A synchronisation source (RFC 3550 section 5.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ssrc(pub u32);

/// An RTP sequence number unwrapped to 64 bits; only `seq.rs` knows that the wire has 16.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct SeqNo(pub u64);

impl SeqNo {
    /// What goes on the wire.
    pub const fn wire(self) -> u16 {
        (self.0 & 0xffff) as u16
    }
}

/// An RTP timestamp unwrapped to 64 bits, in units of the codec's clock rate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MediaTime(pub u64);

impl MediaTime {
    /// What goes on the wire.
    pub const fn wire(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }
}

/// A rate in bits per second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Bitrate(pub u64);

/// An NTP timestamp: seconds since 1900 in the upper 32 bits, fraction in the lower (RFC 3550 section 4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// Seconds between 1900 (NTP) and 1970 (Unix).
    pub const UNIX_OFFSET_SECONDS: u64 = 2_208_988_800;

    /// From microseconds since 1970.
    pub const fn from_unix_micros(micros: u64) -> NtpTime {
        let seconds = micros / 1_000_000 + Self::UNIX_OFFSET_SECONDS;
        let fraction = ((micros % 1_000_000) << 32) / 1_000_000;
        NtpTime((seconds << 32) | fraction)
    }

    /// The middle 32 bits, as report blocks carry them.
    pub const fn middle(self) -> u32 {
        ((self.0 >> 16) & 0xffff_ffff) as u32
    }

    /// This moment moved by signed microseconds.
    #[must_use]
    pub const fn offset_micros(self, micros: i64) -> NtpTime {
        let fraction = ((micros as i128) << 32) / 1_000_000;
        NtpTime((self.0 as i128).saturating_add(fraction) as u64)
    }

    /// Signed microseconds from `earlier` to this moment.
    pub const fn micros_since(self, earlier: NtpTime) -> i64 {
        let difference = self.0 as i128 - earlier.0 as i128;
        ((difference * 1_000_000) >> 32) as i64
    }
}

/// A short text of an SDP identification (`mid`, `rid`): at most 16 bytes, as one-byte header extensions carry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Label {
    length: u8,
    bytes: [u8; 16],
}

impl Label {
    /// `None` when empty or longer than 16 bytes.
    pub fn new(text: &[u8]) -> Option<Label> {
        if text.is_empty() || text.len() > 16 {
            return None;
        }
        let mut bytes = [0; 16];
        bytes[..text.len()].copy_from_slice(text);
        Some(Label { length: text.len() as u8, bytes })
    }

    /// The text as on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}
