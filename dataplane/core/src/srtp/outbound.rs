//! Protecting what we send, in place at the end of an arena of packets.

use super::cipher::Transform;
use super::kdf::{SessionKeys, session_keys};
use super::replay::LAST_RTP_INDEX;
use super::{ENCRYPTED, RTCP_CLEAR, RTCP_INDEX, RTP_HEADER, SrtpError, word};
use crate::io::SrtpProfile;
use crate::units::SeqNo;

/// The keys of what we send over one transport.
pub struct OutboundSrtp {
    rtp: Transform,
    rtcp: Transform,
}

impl OutboundSrtp {
    /// From our master key and salt, end to end. Errors: [`SrtpError::KeyLength`].
    pub fn new(profile: SrtpProfile, key_and_salt: &[u8]) -> Result<OutboundSrtp, SrtpError> {
        let (media, control) = session_keys(profile, key_and_salt)?;
        OutboundSrtp::with_session_keys(profile, &media, &control)
    }

    /// From keys that were already derived: for SRTP, then for SRTCP.
    pub fn with_session_keys(
        profile: SrtpProfile,
        media: &SessionKeys,
        control: &SessionKeys,
    ) -> Result<OutboundSrtp, SrtpError> {
        Ok(OutboundSrtp { rtp: Transform::new(profile, media)?, rtcp: Transform::new(profile, control)? })
    }

    /// Bytes of the authentication tag.
    pub fn tag_length(&self) -> usize {
        self.rtp.tag_length()
    }

    /// A packet is about to be protected.
    pub fn prefetch(&self) {
        self.rtp.prefetch();
    }

    /// Protects the RTP packet `arena[start..]` and appends its tag (RFC 3711 section 3.3, RFC 7714 section 8).
    ///
    /// `index` is the packet's unwrapped sequence number, whose upper bits are the rollover counter: a stream must
    /// begin below 65,536 because the receiver takes the first packet's counter for zero, and should begin below
    /// 32,768 so that losing its first packets does not hide a rollover (RFC 3711 section 3.3.1). One SSRC must never
    /// use an index twice with different bytes.
    ///
    /// Errors: [`SrtpError::Short`], [`SrtpError::Exhausted`]; the arena then still ends with the plain packet, which
    /// the caller must cut off.
    pub fn protect_rtp(
        &self,
        arena: &mut Vec<u8>,
        start: usize,
        header_length: usize,
        index: SeqNo,
    ) -> Result<(), SrtpError> {
        let packet = arena.get_mut(start..).ok_or(SrtpError::Short)?;
        if header_length < RTP_HEADER || header_length > packet.len() {
            return Err(SrtpError::Short);
        }
        if index.0 > LAST_RTP_INDEX {
            return Err(SrtpError::Exhausted);
        }
        let ssrc = word(packet, 8)?;
        match &self.rtp {
            Transform::Gcm(gcm) => {
                let (header, payload) = packet.split_at_mut(header_length);
                let tag = gcm.seal(ssrc, index.0, header, payload)?;
                arena.extend_from_slice(&tag);
            }
            Transform::CounterMode(mode) => {
                mode.apply(ssrc, index.0, &mut packet[header_length..])?;
                let tag = mode.tag(packet, Some((index.0 >> 16) as u32));
                arena.extend_from_slice(&tag);
            }
        }
        Ok(())
    }

    /// Protects the compound RTCP packet `arena[start..]`, and appends index and tag (RFC 3711 section 3.4, RFC 7714
    /// section 9). `index` has 31 bits and grows by one with each packet of an SSRC.
    ///
    /// Errors: as [`OutboundSrtp::protect_rtp`].
    pub fn protect_rtcp(&self, arena: &mut Vec<u8>, start: usize, index: u32) -> Result<(), SrtpError> {
        let packet = arena.get_mut(start..).ok_or(SrtpError::Short)?;
        if packet.len() < RTCP_CLEAR {
            return Err(SrtpError::Short);
        }
        if index & ENCRYPTED != 0 {
            return Err(SrtpError::Exhausted);
        }
        let ssrc = word(packet, 4)?;
        let marked = (index | ENCRYPTED).to_be_bytes();
        match &self.rtcp {
            Transform::Gcm(gcm) => {
                let (header, payload) = packet.split_at_mut(RTCP_CLEAR);
                let mut clear = [0; RTCP_CLEAR + RTCP_INDEX];
                clear[..RTCP_CLEAR].copy_from_slice(header);
                clear[RTCP_CLEAR..].copy_from_slice(&marked);
                let tag = gcm.seal(ssrc, u64::from(index), &clear, payload)?;
                arena.extend_from_slice(&tag);
                arena.extend_from_slice(&marked);
            }
            Transform::CounterMode(mode) => {
                mode.apply(ssrc, u64::from(index), &mut packet[RTCP_CLEAR..])?;
                arena.extend_from_slice(&marked);
                let tag = mode.tag(&arena[start..], None);
                arena.extend_from_slice(&tag);
            }
        }
        Ok(())
    }
}
