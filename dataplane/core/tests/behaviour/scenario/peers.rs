//! Peers of a scenario: what they know, and the authentic packets that they make.

use std::collections::HashMap;
use std::net::SocketAddr;

use aws_lc_rs::hmac;
use loupe_core::io::{
    Codec, Encoding, ExtensionIds, IceCredentials, InboundMedia, Kind, OutboundMedia, SrtpProfile,
};
use loupe_core::rtcp::{TwccBuilder, feedback as wire, write_bye, write_sender_report};
use loupe_core::rtp::{FixedHeader, RtpHeader};
use loupe_core::srtp::OutboundSrtp;
use loupe_core::units::{Bitrate, Label, NtpTime, SeqNo, Ssrc, Time};

use super::{CODECS, PUBLICATIONS, Packet, SUBSCRIPTIONS};

pub const EXTENSIONS: ExtensionIds = ExtensionIds {
    mid: 1,
    rid: 2,
    repaired_rid: 3,
    abs_send_time: 4,
    transport_cc: 5,
    audio_level: 6,
    abs_capture_time: 7,
    playout_delay: 8,
    dependency_descriptor: 9,
    video_orientation: 10,
};
const PAYLOAD_TYPE: u8 = 96;
const RTX_PAYLOAD_TYPE: u8 = 97;
const RED_PAYLOAD_TYPE: u8 = 98;
const LAYER_NAMES: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];

/// The source of a publication's layer; the next is that of its repairs.
fn ssrc(publication: u8, layer: u8) -> u32 {
    1_000 * (1 + u32::from(publication % PUBLICATIONS)) + 2 * u32::from(layer % 4)
}

/// The source of a subscription as its viewer knows it.
pub fn viewed(subscription: u8) -> u32 {
    100_000 + 2 * u32::from(subscription % SUBSCRIPTIONS)
}

pub fn inbound(publication: u8, codec: u8, layers: u8, signalled: bool) -> InboundMedia {
    let codec = CODECS[usize::from(codec) % CODECS.len()];
    let sound = matches!(codec, Codec::Opus | Codec::Opaque);
    let encoding = |layer: u8| Encoding {
        ssrc: signalled.then(|| Ssrc(ssrc(publication, layer))),
        rtx_ssrc: signalled.then(|| Ssrc(ssrc(publication, layer) + 1)),
        rid: Label::new(LAYER_NAMES[usize::from(layer % 4)]),
    };
    InboundMedia {
        kind: if sound { Kind::Audio } else { Kind::Video },
        codec,
        clock_rate: if sound { 48_000 } else { 90_000 },
        payload_type: PAYLOAD_TYPE,
        rtx_payload_type: Some(RTX_PAYLOAD_TYPE),
        mid: Label::new(&[b'0' + publication % PUBLICATIONS]),
        encodings: (0..if sound { 1 } else { 1 + layers % 4 }).map(encoding).collect(),
        extensions: EXTENSIONS,
        nack: true,
        pli: true,
        fir: true,
        transport_cc: publication.is_multiple_of(2),
        remb: true,
        reduced_size: publication.is_multiple_of(2),
    }
}

pub fn outbound(subscription: u8) -> OutboundMedia {
    OutboundMedia {
        ssrc: Ssrc(viewed(subscription)),
        rtx_ssrc: Some(Ssrc(viewed(subscription) + 1)),
        payload_type: PAYLOAD_TYPE,
        rtx_payload_type: Some(RTX_PAYLOAD_TYPE),
        red_payload_type: Some(RED_PAYLOAD_TYPE),
        parity: None,
        mid: Label::new(b"v"),
        extensions: EXTENSIONS,
        cname: "theatre".to_owned(),
    }
}

/// Feedback that parses, about what a viewer receives (`source`: the subscription; `newest`: what it got last).
pub fn feedback(kind: u8, source: u8, newest: u16, numbers: &[u16]) -> Vec<u8> {
    let mut out = Vec::new();
    let (sender, media) = (Ssrc(1), Ssrc(viewed(source)));
    let number = numbers.first().copied().unwrap_or_default();
    match kind % 7 {
        0 => {
            let mut lost: Vec<u16> = numbers.iter().map(|number| number % 32).collect();
            lost.sort_unstable_by(|one, other| other.cmp(one));
            lost.iter_mut().for_each(|number| *number = newest.wrapping_sub(*number));
            wire::write_nack(&mut out, sender, media, &lost);
        }
        1 => wire::write_pli(&mut out, sender, media),
        2 => wire::write_fir(&mut out, sender, media, number as u8),
        3 => wire::write_remb(&mut out, sender, Bitrate(u64::from(number) << 8), &[media]),
        4 => write_bye(&mut out, &[Ssrc(ssrc(source, number as u8))]),
        5 => {
            let numbers = numbers.chunks(2).filter(|pair| pair.len() == 2);
            let (mut seq, mut time) = (SeqNo(1 << 16), Time(1 << 32));
            let mut arrivals = Vec::new();
            for pair in numbers {
                seq = SeqNo(seq.0 + 1 + u64::from(pair[0] % 300));
                time = Time(time.0 + u64::from(pair[1]) * 10);
                arrivals.push((seq, time));
            }
            TwccBuilder::new().write(&mut out, (sender, media), SeqNo(1 << 16), &arrivals);
        }
        _ => {
            let at = |index: usize| u32::from(numbers.get(index).copied().unwrap_or_default());
            let figures = loupe_core::rtcp::SenderFigures {
                ssrc: Ssrc(ssrc(source, at(0) as u8)),
                ntp: NtpTime(u64::from(at(1)) << 48 | u64::from(at(2)) << 16),
                rtp_timestamp: at(3) << 16,
                packets: at(4),
                octets: at(5),
            };
            write_sender_report(&mut out, &figures, &[]);
        }
    }
    out
}

/// One browser: its password, its keys and its counters.
pub struct Peer {
    number: u8,
    pub generation: u32,
    checks: u32,
    keys: Option<OutboundSrtp>,
    keyed: u8,
    rtcp_index: u32,
    /// Index and timestamp of the last packet of each source.
    sources: HashMap<u32, (u64, u32)>,
}

impl Peer {
    pub fn new(number: u8) -> Peer {
        let sources = HashMap::new();
        Peer { number, generation: 0, checks: 0, keys: None, keyed: 0, rtcp_index: 0, sources }
    }

    pub fn address(&self, port: u8) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, self.number], 5_000 + u16::from(port)))
    }

    pub fn remote_fragment(&self) -> String {
        format!("theirs{}g{}", self.number, self.generation)
    }

    pub fn credentials(&self) -> IceCredentials {
        IceCredentials {
            local_ufrag: format!("ours{}g{}", self.number, self.generation),
            local_pwd: format!("a-password-of-{}-in-{}", self.number, self.generation),
            remote_ufrag: self.generation.is_multiple_of(2).then(|| self.remote_fragment()),
        }
    }

    /// Fresh keys, as a new handshake gives them: the peer's, then the plane's.
    pub fn take_keys(&mut self, profile: SrtpProfile) -> (Vec<u8>, Vec<u8>) {
        self.keyed = self.keyed.saturating_add(1);
        let key = |side| {
            let mut key = vec![7; profile.key_length() + profile.salt_length()];
            key[..3].copy_from_slice(&[side, self.number, self.keyed]);
            key
        };
        let (inbound, outbound) = (key(1), key(2));
        self.keys = OutboundSrtp::new(profile, &inbound).ok();
        self.sources.clear();
        self.rtcp_index = 0;
        (inbound, outbound)
    }

    /// A check with `extra` bytes as an attribute that need not be understood.
    pub fn check(&mut self, port: u8, nominate: bool, extra: &[u8]) -> (SocketAddr, Vec<u8>) {
        self.checks += 1;
        let known = self.credentials();
        let username = format!("{}:{}", known.local_ufrag, self.remote_fragment());
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend_from_slice(&[self.number; 8]);
        bytes.extend_from_slice(&self.checks.to_be_bytes());
        attribute(&mut bytes, 0x0006, username.as_bytes());
        attribute(&mut bytes, 0x802a, &[9; 8]);
        if nominate {
            attribute(&mut bytes, 0x0025, &[]);
        }
        if !extra.is_empty() {
            attribute(&mut bytes, 0x8022, &extra[..extra.len().min(200)]);
        }
        set_length(&mut bytes, 24);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, known.local_pwd.as_bytes());
        let tag = hmac::sign(&key, &bytes);
        attribute(&mut bytes, 0x0008, tag.as_ref());
        set_length(&mut bytes, 0);
        (self.address(port), bytes)
    }

    /// A protected packet; `None` before there are keys.
    pub fn rtp(&mut self, packet: &Packet) -> Option<Vec<u8>> {
        let keys = self.keys.as_ref()?;
        let ssrc = ssrc(packet.publication, packet.layer) + u32::from(packet.repair);
        let (last, time) = self.sources.get(&ssrc).copied().unwrap_or((100, 0));
        let index = last.saturating_add_signed(i64::from(packet.sequence_step));
        let timestamp = time.wrapping_add_signed(packet.time_step);
        self.sources.insert(ssrc, (index, timestamp));
        let signalled = if packet.repair { RTX_PAYLOAD_TYPE } else { PAYLOAD_TYPE };
        let mut bytes = Vec::new();
        FixedHeader {
            payload_type: if packet.payload_type < 128 { packet.payload_type } else { signalled },
            marker: packet.marker,
            sequence: SeqNo(index).wire(),
            timestamp,
            ssrc: Ssrc(ssrc),
        }
        .write(&mut bytes);
        if let Some((profile, elements)) = packet.extension.split_first() {
            bytes[0] |= 0x10;
            let words = elements.len().div_ceil(4);
            bytes.extend_from_slice(if profile % 2 == 0 { &[0xbe, 0xde] } else { &[0x10, 0] });
            bytes.extend_from_slice(&(words as u16).to_be_bytes());
            bytes.extend_from_slice(elements);
            bytes.resize(bytes.len() + words * 4 - elements.len(), 0);
        }
        bytes[0] |= u8::from(packet.padding) << 5;
        bytes.extend_from_slice(&packet.payload);
        let header_length = usize::from(RtpHeader::parse(&bytes).ok()?.header_length);
        keys.protect_rtp(&mut bytes, 0, header_length, SeqNo(index)).ok()?;
        Some(bytes)
    }

    /// A protected compound; `None` before there are keys, or when it is too short to be protected.
    pub fn rtcp(&mut self, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        self.keys.as_ref()?.protect_rtcp(&mut bytes, 0, self.rtcp_index).ok()?;
        self.rtcp_index += 1;
        Some(bytes)
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
