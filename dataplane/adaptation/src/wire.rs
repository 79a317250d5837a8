//! A peer's side of a transport: authenticated checks that nominate (RFC 8445 section 7.2.2), and SRTP both ways.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use aws_lc_rs::hmac;
use loupe_core::io::{IceCredentials, SrtpProfile};
use loupe_core::rtp::RtpHeader;
use loupe_core::srtp::{InboundSrtp, OutboundSrtp, RtcpReplay, RtpReplay};
use loupe_core::units::{SeqNo, Time};

/// The profile that every transport of a run uses.
pub const PROFILE: SrtpProfile = SrtpProfile::AeadAes128Gcm;
/// Between two checks, as Chromium spaces them.
const CHECK_INTERVAL: Duration = Duration::from_millis(2_500);
/// The same until the first answer.
const FIRST_CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Bytes of a header with integrity and fingerprint left out of the length they cover (RFC 8489 section 14.5).
const INTEGRITY_PENDING: usize = 24;
const FINGERPRINT_PENDING: usize = 8;

/// Which end of the transport protects.
#[derive(Clone, Copy)]
enum Side {
    Peer = 1,
    Plane = 2,
}

/// One peer's address, credentials and keys. Keys follow from the number: nothing here is secret.
pub struct Wire {
    number: usize,
    next_check: Time,
    connected: bool,
    checks: u32,
    inbound: InboundSrtp,
    outbound: OutboundSrtp,
    rtp_replay: HashMap<u32, RtpReplay>,
    rtcp_replay: HashMap<u32, RtcpReplay>,
    rtcp_index: u32,
    /// Datagrams that did not open.
    pub refused: u64,
}

fn key(number: usize, side: Side) -> Vec<u8> {
    let mut key = vec![7; PROFILE.key_length() + PROFILE.salt_length()];
    key[0] = side as u8;
    key[1..9].copy_from_slice(&(number as u64).to_be_bytes());
    key
}

impl Wire {
    /// The peer of this number, which begins its checks at `now`.
    pub fn new(number: usize, now: Time) -> Wire {
        Wire {
            number,
            next_check: now,
            connected: false,
            checks: 0,
            inbound: InboundSrtp::new(PROFILE, &key(number, Side::Plane)).expect("the profile's length"),
            outbound: OutboundSrtp::new(PROFILE, &key(number, Side::Peer)).expect("the profile's length"),
            rtp_replay: HashMap::new(),
            rtcp_replay: HashMap::new(),
            rtcp_index: 0,
            refused: 0,
        }
    }

    /// Its address, in the documentation's network (RFC 5737).
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 1], 10_000 + self.number as u16))
    }

    /// What the peer protects with, and what the plane does.
    pub fn keys(&self) -> (Vec<u8>, Vec<u8>) {
        (key(self.number, Side::Peer), key(self.number, Side::Plane))
    }

    /// A second opener of what the plane sends to this peer, for whoever watches the wire.
    pub fn observer(&self) -> Opener {
        let inbound =
            InboundSrtp::new(PROFILE, &key(self.number, Side::Plane)).expect("the profile's length");
        Opener { inbound, replay: HashMap::new() }
    }

    /// The plane's view of the transport's credentials.
    pub fn credentials(&self) -> IceCredentials {
        let number = self.number;
        IceCredentials {
            local_ufrag: format!("plane{number}"),
            local_pwd: format!("a-password-of-transport-{number}"),
            remote_ufrag: Some(format!("peer{number}")),
        }
    }

    /// When the next check is due.
    pub fn next_timeout(&self) -> Time {
        self.next_check
    }

    /// An answer came: the transport stands.
    pub fn receive_answer(&mut self, now: Time) {
        if !self.connected {
            self.connected = true;
            self.next_check = now + CHECK_INTERVAL;
        }
    }

    /// Whether an answer came.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// The check that is due.
    pub fn due_check(&mut self, now: Time) -> Option<Vec<u8>> {
        if now < self.next_check {
            return None;
        }
        self.next_check = now + if self.connected { CHECK_INTERVAL } else { FIRST_CHECK_INTERVAL };
        Some(self.check())
    }

    fn check(&mut self) -> Vec<u8> {
        self.checks += 1;
        let known = self.credentials();
        let user = format!("{}:{}", known.local_ufrag, known.remote_ufrag.unwrap_or_default());
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend_from_slice(&(self.number as u64).to_be_bytes());
        bytes.extend_from_slice(&self.checks.to_be_bytes());
        attribute(&mut bytes, 0x0006, user.as_bytes()); // USERNAME
        attribute(&mut bytes, 0x0024, &0x6e7f_1eff_u32.to_be_bytes()); // PRIORITY
        attribute(&mut bytes, 0x802a, &[9; 8]); // ICE-CONTROLLING
        attribute(&mut bytes, 0x0025, &[]); // USE-CANDIDATE
        set_length(&mut bytes, INTEGRITY_PENDING);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, known.local_pwd.as_bytes());
        let tag = hmac::sign(&key, &bytes);
        attribute(&mut bytes, 0x0008, tag.as_ref()); // MESSAGE-INTEGRITY
        set_length(&mut bytes, FINGERPRINT_PENDING);
        let fingerprint = crc32(&bytes) ^ 0x5354_554e;
        attribute(&mut bytes, 0x8028, &fingerprint.to_be_bytes()); // FINGERPRINT
        bytes
    }

    /// Protects an RTP packet whose sequence number unwraps to `index`.
    pub fn protect_rtp(&self, packet: &mut Vec<u8>, index: u64) {
        let header = RtpHeader::parse(packet).expect("our own packet");
        self.outbound
            .protect_rtp(packet, 0, usize::from(header.header_length), SeqNo(index))
            .expect("our own packet");
    }

    /// Protects a compound RTCP packet.
    pub fn protect_rtcp(&mut self, packet: &mut Vec<u8>) {
        self.outbound.protect_rtcp(packet, 0, self.rtcp_index).expect("our own packet");
        self.rtcp_index += 1;
    }

    /// Opens an RTP packet in place; `None` when it is not authentic or was here before.
    pub fn open_rtp(&mut self, packet: &mut Vec<u8>) -> Option<RtpHeader> {
        let opened = open(&self.inbound, &mut self.rtp_replay, packet);
        self.refused += u64::from(opened.is_none());
        opened
    }

    /// Opens a compound RTCP packet in place.
    pub fn open_rtcp(&mut self, packet: &mut Vec<u8>) -> bool {
        let opened = packet.get(4..).and_then(|rest| rest.first_chunk::<4>()).copied().and_then(|ssrc| {
            let replay = self.rtcp_replay.entry(u32::from_be_bytes(ssrc)).or_default();
            self.inbound.unprotect_rtcp(replay, packet).ok()
        });
        if let Some(length) = opened {
            packet.truncate(length);
        }
        self.refused += u64::from(opened.is_none());
        opened.is_some()
    }
}

/// Opens RTP packets for whoever watches the wire, in the order in which they were sent.
pub struct Opener {
    inbound: InboundSrtp,
    replay: HashMap<u32, RtpReplay>,
}

impl Opener {
    /// The header and the plain packet; `None` when it is no authentic RTP packet.
    pub fn open(&mut self, datagram: &[u8]) -> Option<(RtpHeader, Vec<u8>)> {
        let mut packet = datagram.to_vec();
        let header = open(&self.inbound, &mut self.replay, &mut packet)?;
        Some((header, packet))
    }
}

fn open(
    inbound: &InboundSrtp,
    replay: &mut HashMap<u32, RtpReplay>,
    packet: &mut Vec<u8>,
) -> Option<RtpHeader> {
    let header = RtpHeader::parse(packet).ok()?;
    let replay = replay.entry(header.ssrc.0).or_default();
    let opened = inbound.unprotect_rtp(replay, usize::from(header.header_length), packet).ok()?;
    packet.truncate(opened.length);
    Some(header)
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

/// ITU-T V.42, bit by bit: a check every 2.5 s needs no table.
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
