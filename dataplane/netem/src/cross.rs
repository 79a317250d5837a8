//! Cross traffic of a constant rate.

/// A source of UDP datagrams of one size at one rate, exact over any time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConstantRate {
    /// Bits per second on the wire, the 28 bytes of headers counted.
    pub bps: u64,
    /// Payload bytes of each datagram.
    pub payload_bytes: usize,
    /// The first datagram, microseconds.
    pub start_us: u64,
    /// No datagram from here on, microseconds.
    pub end_us: u64,
}

impl ConstantRate {
    /// When the n-th datagram (from 0) leaves; `None` when it does not.
    pub fn departure(&self, n: u64) -> Option<u64> {
        let bits = (self.payload_bytes as u128 + u128::from(crate::link::HEADER_BYTES)) * 8;
        let after = (u128::from(n) * bits * 1_000_000).checked_div(u128::from(self.bps))?;
        let t = self.start_us.checked_add(u64::try_from(after).ok()?)?;
        (t < self.end_us).then_some(t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_exact() {
        let source = ConstantRate { bps: 3_000_000, payload_bytes: 1_172, start_us: 500, end_us: 60_000_500 };
        // 60 s of 3 Mbit/s in packets of 9,600 bits.
        assert!(source.departure(18_749).is_some_and(|t| t < 60_000_500));
        assert_eq!(source.departure(18_750), None);
        assert_eq!(source.departure(0), Some(500));
        assert_eq!(ConstantRate { bps: 0, ..source }.departure(0), None);
    }
}
