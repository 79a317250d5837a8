//! What a source has sent: the highest index and a window of those seen below it (RFC 3711 sections 3.3.1, 3.3.2).

use super::SrtpError;
use crate::seq::SeqUnwrapper;
use crate::units::SeqNo;

/// Packets below the highest that are told apart from replays. RFC 3711 section 3.3.2 asks for 64 at least; at
/// 1,000 packets a second (20 Mbit/s of video) 2,048 bear two seconds of reordering.
pub const REPLAY_WINDOW: u64 = 2_048;
const WORDS: usize = (REPLAY_WINDOW / 64) as usize;

/// Highest SRTP index: a rollover counter of 32 bits and a sequence number of 16.
pub(super) const LAST_RTP_INDEX: u64 = (1 << 48) - 1;
/// Sequence numbers of one rollover, by which [`SeqUnwrapper`] begins above zero.
const TURN: u64 = 1 << 16;

/// A ring of bits over the last [`REPLAY_WINDOW`] indices.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Window {
    /// One above the highest index seen; 0 before the first.
    end: u64,
    seen: [u64; WORDS],
}

impl Default for Window {
    fn default() -> Window {
        Window { end: 0, seen: [0; WORDS] }
    }
}

impl Window {
    const fn place(index: u64) -> (usize, u64) {
        let bit = index % REPLAY_WINDOW;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    fn check(&self, index: u64) -> Result<(), SrtpError> {
        if index >= self.end {
            return Ok(());
        }
        let (word, mask) = Window::place(index);
        if self.end - index > REPLAY_WINDOW || self.seen[word] & mask != 0 {
            return Err(SrtpError::Replay);
        }
        Ok(())
    }

    /// Remembers an index that [`Window::check`] let pass.
    fn commit(&mut self, index: u64) {
        if index >= self.end {
            if index - self.end >= REPLAY_WINDOW {
                self.seen = [0; WORDS];
            } else {
                for skipped in self.end..index {
                    let (word, mask) = Window::place(skipped);
                    self.seen[word] &= !mask;
                }
            }
            self.end = index + 1;
        }
        let (word, mask) = Window::place(index);
        self.seen[word] |= mask;
    }
}

/// Rollover and replay state of one SRTP source. Under 300 bytes; starts where nothing has been seen.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RtpReplay(Window);

impl RtpReplay {
    /// The highest index authenticated so far.
    pub fn highest(&self) -> Option<SeqNo> {
        self.0.end.checked_sub(1).map(SeqNo)
    }

    /// The index (rollover counter times 65,536 plus sequence number) that a wire number most likely stands for: the
    /// one nearest to the highest seen (RFC 3711 section 3.3.1). A source's first packet has a counter of zero.
    ///
    /// Errors: [`SrtpError::Replay`] for one that would lie before the first packet any sender can have sent,
    /// [`SrtpError::Exhausted`] beyond the last rollover.
    pub fn index_of(&self, sequence: u16) -> Result<SeqNo, SrtpError> {
        let mut unwrapper = SeqUnwrapper::new();
        if let Some(SeqNo(highest)) = self.highest() {
            unwrapper.commit(SeqNo(highest + TURN));
        }
        let index = unwrapper.peek(sequence).0.checked_sub(TURN).ok_or(SrtpError::Replay)?;
        if index > LAST_RTP_INDEX { Err(SrtpError::Exhausted) } else { Ok(SeqNo(index)) }
    }

    /// Refuses an index that was seen or fell out of the window.
    pub fn check(&self, index: SeqNo) -> Result<(), SrtpError> {
        self.0.check(index.0)
    }

    /// Remembers an authenticated index.
    pub(super) fn commit(&mut self, index: SeqNo) {
        self.0.commit(index.0);
    }
}

/// Replay state of one SRTCP source; its 31-bit index travels whole and does not roll over.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RtcpReplay(Window);

impl RtcpReplay {
    /// Refuses an index that was seen or fell out of the window.
    pub fn check(&self, index: u32) -> Result<(), SrtpError> {
        self.0.check(u64::from(index))
    }

    /// Remembers an authenticated index.
    pub(super) fn commit(&mut self, index: u32) {
        self.0.commit(u64::from(index));
    }
}
