//! How much DTLS of one peer goes up to the control plane: each datagram of it waits there in memory.

use crate::bucket::TokenBucket;
use crate::stats::Drop;
use crate::units::Time;

/// Bytes of one datagram at most. Records are cut to fit a path's MTU; a longer one is nobody's handshake.
const MAX_DATAGRAM: usize = 2_048;
/// Until our side has said something, it may not know its role yet and must hold what comes. So few are enough for a
/// `ClientHello` in two fragments, and for both again.
const EARLY_DATAGRAMS: u64 = 4;
const EARLY_BYTES: u64 = 4_096;
/// From then on, datagrams a second: handshakes need a dozen, data channels a few hundred a second.
const DATAGRAMS_PER_SECOND: u64 = 400;
const DATAGRAMS_BURST: u64 = 64;
/// The same in bytes, by datagrams that fit the smallest MTU of IPv6 (RFC 8200 section 5).
const USUAL_DATAGRAM: u64 = 1_280;

/// The bounds of one transport.
#[derive(Debug)]
pub struct DtlsIntake {
    datagrams: TokenBucket,
    bytes: TokenBucket,
}

impl DtlsIntake {
    /// Bounds for a peer whom nobody has answered yet. What was taken finds room again within a second, when a peer
    /// repeats its first flight (RFC 6347 section 4.2.4.1).
    pub fn new(now: Time) -> DtlsIntake {
        DtlsIntake {
            datagrams: TokenBucket::new(now, EARLY_DATAGRAMS, EARLY_DATAGRAMS),
            bytes: TokenBucket::new(now, EARLY_BYTES, EARLY_BYTES),
        }
    }

    /// Our side speaks: it takes what comes at once from now on.
    pub fn begin(&mut self) {
        self.datagrams.set_rate(DATAGRAMS_PER_SECOND, DATAGRAMS_BURST);
        self.bytes.set_rate(DATAGRAMS_PER_SECOND * USUAL_DATAGRAM, DATAGRAMS_BURST * USUAL_DATAGRAM);
    }

    /// Takes a datagram of `length` bytes. Errors: [`Drop::DtlsOversized`], [`Drop::DtlsOverflow`].
    pub fn admit(&mut self, now: Time, length: usize) -> Result<(), Drop> {
        if length > MAX_DATAGRAM {
            return Err(Drop::DtlsOversized);
        }
        let admitted = self.datagrams.take(now, 1) && self.bytes.take(now, length as u64);
        if admitted { Ok(()) } else { Err(Drop::DtlsOverflow) }
    }
}
