//! A peer's side of a transport: authenticated checks (RFC 8445 section 7.2.2), and SRTP both ways.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use aws_lc_rs::hmac;
use loupe_core::io::{IceCredentials, SrtpProfile};
use loupe_core::rtp::RtpHeader;
use loupe_core::srtp::{InboundSrtp, OutboundSrtp, RtcpReplay, RtpReplay};
use loupe_core::units::{SeqNo, Time};

/// Between two checks, as Chromium spaces them.
const CHECK_INTERVAL: Duration = Duration::from_millis(2_500);
/// The same until the first answer.
const FIRST_CHECK_INTERVAL: Duration = Duration::from_millis(50);
const PROFILE: SrtpProfile = SrtpProfile::AeadAes128Gcm;

pub struct Wire {
    pub number: usize,
    pub address: SocketAddr,
    /// Generation of the ICE credentials.
    pub generation: u32,
    /// When the next check is due; `NEVER` ends the consent.
    pub next_check: Time,
    /// Answers to checks.
    pub answers: Vec<(Time, Vec<u8>)>,
    inbound: InboundSrtp,
    outbound: OutboundSrtp,
    rtp_replay: HashMap<u32, RtpReplay>,
    rtcp_replay: HashMap<u32, RtcpReplay>,
    rtcp_index: u32,
    checks: u32,
    /// Packets that did not open.
    pub refused: u64,
}

/// The address number `number` of the documentation network.
pub fn address(number: usize, port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, number as u8], port))
}

impl Wire {
    pub fn new(number: usize, now: Time) -> Wire {
        let key = |side: u8| [&[side, number as u8 + 1][..], &[7; 26]].concat();
        Wire {
            number,
            address: address(number, 5_000),
            generation: 0,
            next_check: now,
            answers: Vec::new(),
            inbound: InboundSrtp::new(PROFILE, &key(2)).expect("28 bytes"),
            outbound: OutboundSrtp::new(PROFILE, &key(1)).expect("28 bytes"),
            rtp_replay: HashMap::new(),
            rtcp_replay: HashMap::new(),
            rtcp_index: 0,
            checks: 0,
            refused: 0,
        }
    }

    /// What the peer protects with.
    pub fn our_key(&self) -> Vec<u8> {
        [&[1, self.number as u8 + 1][..], &[7; 26]].concat()
    }

    /// What the plane protects with.
    pub fn their_key(&self) -> Vec<u8> {
        [&[2, self.number as u8 + 1][..], &[7; 26]].concat()
    }

    /// The plane's view of this generation's credentials.
    pub fn credentials(&self) -> IceCredentials {
        let (number, generation) = (self.number, self.generation);
        IceCredentials {
            local_ufrag: format!("plane{number}g{generation}"),
            local_pwd: format!("a-password-of-{number}-in-generation-{generation}"),
            remote_ufrag: Some(format!("peer{number}g{generation}")),
        }
    }

    /// A check that nominates, as a browser makes it.
    pub fn check(&mut self) -> Vec<u8> {
        self.checks += 1;
        let known = self.credentials();
        let user = format!("{}:{}", known.local_ufrag, known.remote_ufrag.unwrap_or_default());
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend_from_slice(&[self.number as u8; 8]);
        bytes.extend_from_slice(&self.checks.to_be_bytes());
        attribute(&mut bytes, 0x0006, user.as_bytes());
        attribute(&mut bytes, 0x0024, &0x6e7f_1eff_u32.to_be_bytes());
        attribute(&mut bytes, 0x802a, &[9; 8]);
        attribute(&mut bytes, 0x0025, &[]);
        set_length(&mut bytes, 24);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, known.local_pwd.as_bytes());
        let tag = hmac::sign(&key, &bytes);
        attribute(&mut bytes, 0x0008, tag.as_ref());
        set_length(&mut bytes, 8);
        let fingerprint = crc32(&bytes) ^ 0x5354_554e;
        attribute(&mut bytes, 0x8028, &fingerprint.to_be_bytes());
        bytes
    }

    /// The check that is due.
    pub fn due_check(&mut self, now: Time) -> Option<Vec<u8>> {
        if now < self.next_check {
            return None;
        }
        self.next_check = now + if self.answers.is_empty() { FIRST_CHECK_INTERVAL } else { CHECK_INTERVAL };
        Some(self.check())
    }

    pub fn protect_rtp(&self, mut packet: Vec<u8>, index: u64) -> Vec<u8> {
        let header = RtpHeader::parse(&packet).expect("our own packet");
        self.outbound
            .protect_rtp(&mut packet, 0, usize::from(header.header_length), SeqNo(index))
            .expect("our own packet");
        packet
    }

    /// Protects whatever it is as RTP with a header of `header_length`; `None` when it is too short for one.
    pub fn protect_anything(&self, mut packet: Vec<u8>, header_length: usize, index: u64) -> Option<Vec<u8>> {
        self.outbound.protect_rtp(&mut packet, 0, header_length, SeqNo(index)).ok()?;
        Some(packet)
    }

    pub fn protect_rtcp(&mut self, packet: Vec<u8>) -> Vec<u8> {
        self.protect_any_rtcp(packet).expect("our own packet")
    }

    /// Protects whatever it is as RTCP; `None` when it is too short.
    pub fn protect_any_rtcp(&mut self, mut packet: Vec<u8>) -> Option<Vec<u8>> {
        self.outbound.protect_rtcp(&mut packet, 0, self.rtcp_index).ok()?;
        self.rtcp_index += 1;
        Some(packet)
    }

    pub fn open_rtp(&mut self, datagram: &[u8]) -> Option<(RtpHeader, Vec<u8>)> {
        let mut packet = datagram.to_vec();
        let header = RtpHeader::parse(&packet).ok()?;
        let replay = self.rtp_replay.entry(header.ssrc.0).or_default();
        let header_length = usize::from(header.header_length);
        if let Ok(opened) = self.inbound.unprotect_rtp(replay, header_length, &mut packet) {
            packet.truncate(opened.length);
            return Some((header, packet));
        }
        self.refused += 1;
        None
    }

    pub fn open_rtcp(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut packet = datagram.to_vec();
        let ssrc = u32::from_be_bytes(*packet.get(4..)?.first_chunk::<4>()?);
        let replay = self.rtcp_replay.entry(ssrc).or_default();
        if let Ok(length) = self.inbound.unprotect_rtcp(replay, &mut packet) {
            packet.truncate(length);
            return Some(packet);
        }
        self.refused += 1;
        None
    }
}

fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn set_length(bytes: &mut [u8], pending: usize) {
    let length = (bytes.len() - 20 + pending) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
}

/// ITU-T V.42, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
