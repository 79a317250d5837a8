//! Sorting datagrams by length and first bytes (RFC 7983, RFC 5761), before anything is parsed.

use crate::stats::Drop;

/// Bytes of a STUN header (RFC 8489 section 5).
const STUN_MINIMUM: usize = 20;
/// Bytes of a DTLS record header (RFC 6347 section 4.1).
const DTLS_MINIMUM: usize = 13;
/// Bytes of the fixed RTP header (RFC 3550 section 5.1).
const RTP_MINIMUM: usize = 12;
/// Bytes of the shortest RTCP packet that names a sender (RFC 3550 section 6.4).
const RTCP_MINIMUM: usize = 8;

/// What a datagram claims to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Protocol {
    /// A connectivity or consent check.
    Stun,
    /// A handshake, or data channels.
    Dtls,
    /// SRTP.
    Rtp,
    /// SRTCP.
    Rtcp,
}

/// What `datagram` claims to be.
///
/// Errors: [`Drop::Short`] for an empty datagram or one too short for its protocol, [`Drop::UnknownProtocol`].
pub fn classify(datagram: &[u8]) -> Result<Protocol, Drop> {
    let first = *datagram.first().ok_or(Drop::Short)?;
    let (protocol, minimum) = match first {
        0..=3 => (Protocol::Stun, STUN_MINIMUM),
        20..=63 => (Protocol::Dtls, DTLS_MINIMUM),
        // RFC 5761 section 4: with the marker bit of RTP in the way, payload types 64 to 95 mean RTCP.
        128..=191 => match datagram.get(1).ok_or(Drop::Short)? {
            192..=223 => (Protocol::Rtcp, RTCP_MINIMUM),
            _ => (Protocol::Rtp, RTP_MINIMUM),
        },
        _ => return Err(Drop::UnknownProtocol),
    };
    if datagram.len() < minimum { Err(Drop::Short) } else { Ok(protocol) }
}
