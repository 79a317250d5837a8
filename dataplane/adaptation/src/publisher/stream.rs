//! One RTP source of a publisher: its numbers, what it sent lately, and its retransmissions (RFC 4588).

use std::collections::BTreeMap;
use std::time::Duration;

use loupe_core::rtcp::SenderFigures;
use loupe_core::rtp::{ExtensionWriter, FixedHeader};
use loupe_core::seq::{SeqUnwrapper, abs_send_time};
use loupe_core::units::{NtpTime, SeqNo, Ssrc, Time};

use crate::media::PUBLISHED;

/// How long what was sent may be asked for again.
const KEPT: Duration = Duration::from_secs(1);
/// Extensions that name the source ride on its packets for so long, until the receiver has surely told them apart.
const NAMED: Duration = Duration::from_secs(5);

/// A packet that waits to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Which stream of the publisher sends it.
    pub stream: usize,
    /// Its number, or that of the packet it repeats.
    pub seq: u64,
    /// Whether it repeats one.
    pub repair: bool,
    /// UDP payload bytes, nearly.
    pub bytes: usize,
}

/// What a packet holds beside its numbers.
#[derive(Clone, Debug)]
pub struct Content {
    /// RTP clock.
    pub timestamp: u32,
    /// The marker bit.
    pub marker: bool,
    /// Codec payload.
    pub payload: Vec<u8>,
    /// RFC 6464: voice activity and level.
    pub audio_level: Option<u8>,
    /// When its frame was captured; told on the first packet of some frames.
    pub capture: Option<NtpTime>,
}

/// Names and numbers of a stream.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    /// Its source; retransmissions have the next.
    pub ssrc: u32,
    /// Payload types: the codec's, and retransmissions'.
    pub payload_types: (u8, u8),
    /// Ticks of its RTP clock a second.
    pub clock_rate: u32,
    /// Its media section.
    pub mid: &'static str,
    /// Its restriction identifier, for simulcast.
    pub rid: Option<&'static str>,
}

/// The RTP source.
#[derive(Debug)]
pub struct Stream {
    /// Names and numbers.
    pub config: StreamConfig,
    began: Time,
    next_seq: u64,
    next_rtx: u64,
    clock_offset: u32,
    kept: BTreeMap<u64, (Time, Content)>,
    packets: u64,
    octets: u64,
}

impl Stream {
    /// A source that begins now; its numbers follow from its name.
    pub fn new(config: StreamConfig, now: Time) -> Stream {
        let ssrc = config.ssrc;
        Stream {
            began: now,
            // Below 32,768: losing the first packets must not hide a rollover (RFC 3711 section 3.3.1).
            next_seq: u64::from(ssrc.wrapping_mul(2_654_435_761) >> 18),
            next_rtx: u64::from(ssrc.wrapping_mul(40_503) >> 20),
            clock_offset: ssrc.wrapping_mul(0x9e37_79b9),
            kept: BTreeMap::new(),
            packets: 0,
            octets: 0,
            config,
        }
    }

    /// The RTP clock at a moment.
    pub fn timestamp(&self, at: Time) -> u32 {
        let ticks = u128::from(at.0) * u128::from(self.config.clock_rate) / 1_000_000;
        self.clock_offset.wrapping_add(ticks as u32)
    }

    /// Gives a packet its number and keeps it.
    pub fn enter(&mut self, now: Time, stream: usize, content: Content) -> Outgoing {
        let seq = self.next_seq;
        self.next_seq += 1;
        let bytes = content.payload.len() + 40;
        self.kept.insert(seq, (now, content));
        while self.kept.first_key_value().is_some_and(|(_, (at, _))| now.since(*at) > KEPT) {
            self.kept.pop_first();
        }
        Outgoing { stream, seq, repair: false, bytes }
    }

    /// The packet that a receiver asks for again, while it is kept.
    pub fn repair(&self, stream: usize, wanted: u16) -> Option<Outgoing> {
        let mut numbers = SeqUnwrapper::new();
        numbers.commit(SeqNo(self.next_seq + (1 << 16)));
        let seq = numbers.peek(wanted).0.checked_sub(1 << 16)?;
        let (_, content) = self.kept.get(&seq)?;
        Some(Outgoing { stream, seq, repair: true, bytes: content.payload.len() + 42 })
    }

    /// The packet as it goes on the wire, unprotected, and the index that SRTP gives it. `None` when it is too old.
    pub fn write(&mut self, now: Time, packet: &Outgoing, transport_seq: u16) -> Option<(Vec<u8>, u64)> {
        let (_, content) = self.kept.get(&packet.seq)?;
        let (payload_type, rtx_payload_type) = self.config.payload_types;
        let (index, ssrc, payload_type) = if packet.repair {
            self.next_rtx += 1;
            (self.next_rtx - 1, self.config.ssrc + 1, rtx_payload_type)
        } else {
            self.packets += 1;
            self.octets += content.payload.len() as u64;
            (packet.seq, self.config.ssrc, payload_type)
        };
        let mut bytes = Vec::with_capacity(1_300);
        FixedHeader {
            payload_type,
            marker: content.marker,
            sequence: (index % 65_536) as u16,
            timestamp: content.timestamp,
            ssrc: Ssrc(ssrc),
        }
        .write(&mut bytes);
        self.write_extensions(&mut bytes, now, content, packet.repair, transport_seq);
        if packet.repair {
            bytes.extend_from_slice(&((packet.seq % 65_536) as u16).to_be_bytes());
        }
        bytes.extend_from_slice(&content.payload);
        Some((bytes, index))
    }

    fn write_extensions(&self, bytes: &mut Vec<u8>, now: Time, content: &Content, repair: bool, seq: u16) {
        let mut writer = ExtensionWriter::begin(bytes);
        if now.since(self.began) < NAMED || repair {
            writer.push(PUBLISHED.mid, self.config.mid.as_bytes());
            if let Some(rid) = self.config.rid {
                let id = if repair { PUBLISHED.repaired_rid } else { PUBLISHED.rid };
                writer.push(id, rid.as_bytes());
            }
        }
        if let Some(level) = content.audio_level {
            writer.push(PUBLISHED.audio_level, &[level]);
        }
        if let Some(capture) = content.capture {
            writer.push(PUBLISHED.abs_capture_time, &capture.0.to_be_bytes());
        }
        writer.push(PUBLISHED.abs_send_time, &abs_send_time(now.0).to_be_bytes()[1..]);
        writer.push(PUBLISHED.transport_cc, &seq.to_be_bytes());
        writer.finish();
    }

    /// What a sender report says now; `None` before anything was sent.
    pub fn figures(&self, now: Time, ntp: NtpTime) -> Option<SenderFigures> {
        (self.packets > 0).then(|| SenderFigures {
            ssrc: Ssrc(self.config.ssrc),
            ntp,
            rtp_timestamp: self.timestamp(now),
            packets: self.packets as u32,
            octets: self.octets as u32,
        })
    }
}
