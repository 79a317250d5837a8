//! Unprotecting what a peer sends, in this order: length, replay, tag, decryption, and only then the state.

use super::cipher::{GCM_TAG, SHA1_TAG, Transform};
use super::kdf::{SessionKeys, session_keys};
use super::{ENCRYPTED, RTCP_CLEAR, RTCP_INDEX, RTP_HEADER, RtcpReplay, RtpReplay, SrtpError, word};
use crate::io::SrtpProfile;
use crate::units::SeqNo;

/// A packet that proved authentic and is now plain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unprotected {
    /// Bytes of the plain packet, at the front of the buffer.
    pub length: usize,
    /// Its sequence number, unwrapped.
    pub index: SeqNo,
}

/// The keys of what a peer sends over one transport.
pub struct InboundSrtp {
    rtp: Transform,
    rtcp: Transform,
}

impl InboundSrtp {
    /// An RTCP packet is about to be unprotected.
    pub fn prefetch_for_report(&self) {
        self.rtcp.prefetch();
    }

    /// From the peer's master key and salt, end to end. Errors: [`SrtpError::KeyLength`].
    pub fn new(profile: SrtpProfile, key_and_salt: &[u8]) -> Result<InboundSrtp, SrtpError> {
        let (media, control) = session_keys(profile, key_and_salt)?;
        InboundSrtp::with_session_keys(profile, &media, &control)
    }

    /// From keys that were already derived: for SRTP, then for SRTCP.
    pub fn with_session_keys(
        profile: SrtpProfile,
        media: &SessionKeys,
        control: &SessionKeys,
    ) -> Result<InboundSrtp, SrtpError> {
        Ok(InboundSrtp { rtp: Transform::new(profile, media)?, rtcp: Transform::new(profile, control)? })
    }

    /// Bytes of the authentication tag.
    pub fn tag_length(&self) -> usize {
        self.rtp.tag_length()
    }

    /// Makes an SRTP packet plain in place (RFC 3711 section 3.3, RFC 7714 section 8).
    ///
    /// `header_length` counts the fixed header, CSRCs and the header extension, as the caller parsed them. `stream` is
    /// the state of the packet's SSRC; it changes only when the packet proves authentic. After a refusal the
    /// payload's bytes mean nothing.
    pub fn unprotect_rtp(
        &self,
        stream: &mut RtpReplay,
        header_length: usize,
        packet: &mut [u8],
    ) -> Result<Unprotected, SrtpError> {
        let body = packet.len().checked_sub(self.rtp.tag_length()).ok_or(SrtpError::Short)?;
        if header_length < RTP_HEADER || header_length > body {
            return Err(SrtpError::Short);
        }
        let index = stream.index_of((word(packet, 0)? & 0xffff) as u16)?;
        stream.check(index)?;
        let ssrc = word(packet, 8)?;
        match &self.rtp {
            Transform::Gcm(gcm) => {
                let (header, sealed) = packet.split_at_mut(header_length);
                gcm.open(ssrc, index.0, header, sealed)?;
            }
            Transform::CounterMode(mode) => {
                let (covered, tag) = packet.split_at_mut(body);
                mode.verify(covered, Some((index.0 >> 16) as u32), tag)?;
                mode.apply(ssrc, index.0, &mut covered[header_length..])?;
            }
        }
        stream.commit(index);
        Ok(Unprotected { length: body, index })
    }

    /// Makes an SRTCP packet plain in place and returns its new length (RFC 3711 section 3.4, RFC 7714 section 9).
    ///
    /// `stream` is the state of the packet's first SSRC; it changes only when the packet proves authentic.
    pub fn unprotect_rtcp(&self, stream: &mut RtcpReplay, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let trailer = RTCP_INDEX + self.rtcp.tag_length();
        let body = packet.len().checked_sub(trailer).ok_or(SrtpError::Short)?;
        if body < RTCP_CLEAR {
            return Err(SrtpError::Short);
        }
        let ssrc = word(packet, 4)?;
        // The index stands before the tag (RFC 3711) or after it (RFC 7714 section 9.3).
        let index_offset = match &self.rtcp {
            Transform::Gcm(_) => body + GCM_TAG,
            Transform::CounterMode(_) => packet.len() - SHA1_TAG - RTCP_INDEX,
        };
        let marked = word(packet, index_offset)?;
        if marked & ENCRYPTED == 0 {
            return Err(SrtpError::Unencrypted);
        }
        let index = marked & !ENCRYPTED;
        stream.check(index)?;
        match &self.rtcp {
            Transform::Gcm(gcm) => {
                let mut clear = [0; RTCP_CLEAR + RTCP_INDEX];
                clear[..RTCP_CLEAR].copy_from_slice(&packet[..RTCP_CLEAR]);
                clear[RTCP_CLEAR..].copy_from_slice(&marked.to_be_bytes());
                gcm.open(ssrc, u64::from(index), &clear, &mut packet[RTCP_CLEAR..index_offset])?;
            }
            Transform::CounterMode(mode) => {
                let (covered, tag) = packet.split_at_mut(index_offset + RTCP_INDEX);
                mode.verify(covered, None, tag)?;
                mode.apply(ssrc, u64::from(index), &mut covered[RTCP_CLEAR..body])?;
            }
        }
        stream.commit(index);
        Ok(body)
    }
}
