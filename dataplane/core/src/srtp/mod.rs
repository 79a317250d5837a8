//! SRTP and SRTCP (RFC 3711, RFC 7714): one direction of one transport per context, packets changed in place.
//!
//! Keys live in [`InboundSrtp`] and [`OutboundSrtp`]; what a source has sent lives in [`RtpReplay`] and
//! [`RtcpReplay`], small plain values that the caller keeps per SSRC. A refused packet leaves them as they were, so
//! an unknown SSRC can be tried on a fresh value and be remembered only once it has proved itself.

mod cipher;
mod inbound;
pub mod kdf;
mod outbound;
mod replay;

pub use inbound::{InboundSrtp, Unprotected};
pub use outbound::OutboundSrtp;
pub use replay::{REPLAY_WINDOW, RtcpReplay, RtpReplay};

use std::fmt;

use crate::io::SrtpProfile;
use crate::stats::Drop;

/// Bytes of the fixed RTP header (RFC 3550 section 5.1).
const RTP_HEADER: usize = 12;
/// Bytes of an SRTCP packet that stay in the clear: one RTCP header and the sender's SSRC (RFC 3711 section 3.4).
const RTCP_CLEAR: usize = 8;
/// Bytes of the SRTCP trailer: the E bit and the index (RFC 3711 section 3.4).
const RTCP_INDEX: usize = 4;
/// The bit of the SRTCP trailer that says the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Why a packet or a key was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SrtpError {
    /// The packet cannot hold its header, tag and trailer.
    Short,
    /// The tag does not verify.
    Authentication,
    /// Seen before, or older than the window.
    Replay,
    /// SRTCP without encryption, which DTLS-SRTP never negotiates (RFC 5764 section 4.1.2).
    Unencrypted,
    /// Key and salt have not the length that the profile asks for.
    KeyLength,
    /// The packet index has left the 48 bits (SRTP) or 31 bits (SRTCP) that one key may serve (RFC 3711 section 9.2).
    Exhausted,
}

impl SrtpError {
    /// The name under which a refused RTP packet is counted.
    pub const fn rtp_drop(self) -> Drop {
        match self {
            SrtpError::Short => Drop::RtpMalformed,
            other => other.drop_reason(),
        }
    }

    /// The name under which a refused RTCP packet is counted.
    pub const fn rtcp_drop(self) -> Drop {
        match self {
            SrtpError::Short => Drop::RtcpMalformed,
            other => other.drop_reason(),
        }
    }

    const fn drop_reason(self) -> Drop {
        match self {
            SrtpError::Short => Drop::Short,
            SrtpError::Replay => Drop::SrtpReplay,
            SrtpError::KeyLength => Drop::NoKeys,
            SrtpError::Authentication | SrtpError::Unencrypted | SrtpError::Exhausted => {
                Drop::SrtpAuthentication
            }
        }
    }
}

impl fmt::Display for SrtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SrtpError::Short => "packet shorter than its header, tag and trailer",
            SrtpError::Authentication => "tag does not verify",
            SrtpError::Replay => "packet seen before or older than the window",
            SrtpError::Unencrypted => "SRTCP without encryption",
            SrtpError::KeyLength => "key and salt of a wrong length for the profile",
            SrtpError::Exhausted => "packet index beyond what one key may serve",
        })
    }
}

impl std::error::Error for SrtpError {}

impl SrtpProfile {
    /// Bytes of the master key, and of the session key.
    pub const fn key_length(self) -> usize {
        match self {
            SrtpProfile::AeadAes256Gcm => 32,
            SrtpProfile::AeadAes128Gcm | SrtpProfile::Aes128CmSha1_80 => 16,
        }
    }

    /// Bytes of the master salt, and of the session salt.
    pub const fn salt_length(self) -> usize {
        match self {
            SrtpProfile::AeadAes128Gcm | SrtpProfile::AeadAes256Gcm => 12,
            SrtpProfile::Aes128CmSha1_80 => 14,
        }
    }

    /// Bytes of the authentication tag of both SRTP and SRTCP packets.
    pub const fn tag_length(self) -> usize {
        match self {
            SrtpProfile::AeadAes128Gcm | SrtpProfile::AeadAes256Gcm => 16,
            SrtpProfile::Aes128CmSha1_80 => 10,
        }
    }
}

/// The big-endian 32 bits at `offset`.
fn word(bytes: &[u8], offset: usize) -> Result<u32, SrtpError> {
    let slice = bytes.get(offset..).and_then(|rest| rest.first_chunk::<4>()).ok_or(SrtpError::Short)?;
    Ok(u32::from_be_bytes(*slice))
}
