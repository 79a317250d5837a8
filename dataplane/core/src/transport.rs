//! One ICE + DTLS + SRTP association: what it publishes, what it is sent, and how it is protected.

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::bucket::TokenBucket;
use crate::dtls_intake::DtlsIntake;
use crate::ice::IceLite;
use crate::io::{Handle, OutboundMedia};
use crate::seq::SeqUnwrapper;
use crate::srtp::{InboundSrtp, OutboundSrtp, RtcpReplay};
use crate::stats::{Figure, Figures};
use crate::streams::Streams;
use crate::twcc::{ArrivalLog, SendHistory};
use crate::units::{Bitrate, SeqNo, Ssrc, Time};

/// Round trip assumed before the first measurement.
const INITIAL_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Sources that may have been sent and ended on one transport; beyond it the peer must connect anew.
const MAX_ENDED_SOURCES: usize = 4_096;
/// Sources whose RTCP is told apart.
const MAX_RTCP_SOURCES: usize = 64;
/// Datagrams of RTCP a second, before decryption: a browser that misses packets of thirty streams sends some hundreds.
const RTCP_PER_SECOND: u64 = 1_000;
const RTCP_BURST: u64 = 500;

/// Both directions' keys.
pub struct Keys {
    /// The peer's.
    pub inbound: InboundSrtp,
    /// Ours.
    pub outbound: OutboundSrtp,
    /// Index of our next SRTCP packet.
    pub rtcp_index: u32,
    /// Replay windows of the peer's RTCP sources.
    pub rtcp_replay: FxHashMap<Ssrc, RtcpReplay>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Fresh keys.
    pub fn new(inbound: InboundSrtp, outbound: OutboundSrtp) -> Keys {
        Keys { inbound, outbound, rtcp_index: 0, rtcp_replay: FxHashMap::default() }
    }

    /// Whether another RTCP source may be told apart.
    pub fn has_room_for(&self, ssrc: Ssrc) -> bool {
        self.rtcp_replay.len() < MAX_RTCP_SOURCES || self.rtcp_replay.contains_key(&ssrc)
    }
}

/// What a transport sends us.
#[derive(Debug)]
pub struct Incoming {
    /// Its sources.
    pub streams: Streams,
    /// Arrivals to report, when transport-wide feedback was negotiated.
    pub arrivals: Option<ArrivalLog>,
    /// Unwraps transport-wide numbers.
    pub transport_seqs: SeqUnwrapper,
    /// Whether feedback may go without a report before it (RFC 5506): one section that agreed speaks for the bundle,
    /// where all must be alike (RFC 8859: category IDENTICAL).
    pub reduced_size: bool,
    /// Whether receiver estimates are sent (no transport-wide feedback was negotiated).
    pub remb: bool,
    /// The estimate last sent.
    pub remb_rate: Bitrate,
    /// From a retransmission request to its answer.
    pub round_trip: Duration,
    /// When the next receiver report is due.
    pub next_report: Time,
    /// Bits, before decryption.
    pub bits: TokenBucket,
    /// Packets, before decryption.
    pub packets: TokenBucket,
    /// Packets of unknown sources, before decryption.
    pub probes: TokenBucket,
}

impl Incoming {
    /// Nothing published yet.
    pub fn new(now: Time) -> Incoming {
        Incoming {
            streams: Streams::default(),
            arrivals: None,
            transport_seqs: SeqUnwrapper::default(),
            reduced_size: false,
            remb: false,
            remb_rate: Bitrate(0),
            round_trip: INITIAL_ROUND_TRIP,
            next_report: Time::NEVER,
            bits: TokenBucket::new(now, 0, 0),
            packets: TokenBucket::new(now, 0, 0),
            probes: TokenBucket::new(now, 200, 100),
        }
    }

    /// Fits the limits to what is published.
    pub fn fit_budget(&mut self) {
        let (bits, packets) = self.streams.budget();
        self.bits.set_rate(bits, bits / 2);
        self.packets.set_rate(packets, packets / 2);
    }
}

/// What a transport is sent.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// Its subscriptions: source as the viewer knows it, key in the plane's slab.
    pub subscriptions: Vec<(Ssrc, usize)>,
    /// Next numbers of sources whose subscriptions ended: under the same keys no index may be used twice (RFC 3711
    /// section 9.1), so a source used again goes on where it stopped.
    pub ended: FxHashMap<Ssrc, SeqNo>,
    /// What left, for transport-wide feedback.
    pub sent: SendHistory,
    /// Measured round trip.
    pub round_trip: Option<Duration>,
    /// Loss that the viewer's last feedback told, 0 to 1.
    pub loss_ratio: f64,
    /// What the viewer's REMB told last.
    pub remb: Option<Bitrate>,
    /// When the next estimate may be told.
    pub next_bandwidth: Time,
    /// When the next sender reports are due.
    pub next_report: Time,
    /// Packets sent.
    pub packets: u64,
    /// Bytes sent in UDP payloads.
    pub bytes: u64,
}

/// A transport.
#[derive(Debug)]
pub struct Transport {
    /// Its number.
    pub handle: Handle,
    /// Checks, path and consent.
    pub ice: IceLite,
    /// Keys, once the handshake gave them.
    pub keys: Option<Keys>,
    /// The source our own reports carry.
    pub ssrc: Ssrc,
    /// What it publishes; boxed, since most transports only receive.
    pub incoming: Option<Box<Incoming>>,
    /// What it is sent.
    pub outgoing: Option<Box<Outgoing>>,
    /// What of its DTLS is handed up.
    pub dtls: DtlsIntake,
    /// Datagrams of RTCP, before decryption.
    pub rtcp: TokenBucket,
    /// Packets received.
    pub packets_in: u64,
    /// Bytes received in UDP payloads.
    pub bytes_in: u64,
}

impl Transport {
    /// A transport that waits for checks.
    pub fn new(now: Time, handle: Handle, ice: IceLite, ssrc: Ssrc) -> Transport {
        Transport {
            handle,
            ice,
            keys: None,
            ssrc,
            incoming: None,
            outgoing: None,
            dtls: DtlsIntake::new(now),
            rtcp: TokenBucket::new(now, RTCP_PER_SECOND, RTCP_BURST),
            packets_in: 0,
            bytes_in: 0,
        }
    }

    /// Whether these sources may be sent: none of them is in use here, and there is room to remember where they stop.
    pub fn may_send(&self, media: &OutboundMedia) -> bool {
        let Some(outgoing) = self.outgoing.as_deref() else { return true };
        let known = |ssrc| outgoing.subscriptions.iter().any(|(live, _)| *live == ssrc);
        outgoing.ended.len() < MAX_ENDED_SOURCES && !known(media.ssrc)
    }

    /// Whether its peer takes feedback without a report before it.
    pub fn may_reduce_rtcp(&self) -> bool {
        self.incoming.as_deref().is_some_and(|incoming| incoming.reduced_size)
    }

    /// Whether it has publications.
    pub fn publishes(&self) -> bool {
        self.incoming.as_deref().is_some_and(|incoming| incoming.streams.publications().next().is_some())
    }

    /// Named figures for the snapshot.
    pub fn figures(&self) -> Figures {
        let mut figures =
            vec![("packets_in", Figure::Count(self.packets_in)), ("bytes_in", Figure::Count(self.bytes_in))];
        if let Some(incoming) = &self.incoming {
            figures.push(("round_trip_in_seconds", Figure::Measure(incoming.round_trip.as_secs_f64())));
        }
        if let Some(outgoing) = &self.outgoing {
            let round_trip =
                outgoing.round_trip.map_or(Figure::Unknown, |rtt| Figure::Measure(rtt.as_secs_f64()));
            figures.extend([
                ("packets_out", Figure::Count(outgoing.packets)),
                ("bytes_out", Figure::Count(outgoing.bytes)),
                ("round_trip_seconds", round_trip),
                ("loss_ratio", Figure::Measure(outgoing.loss_ratio)),
                ("remb_bits_per_second", outgoing.remb.map_or(Figure::Unknown, |rate| Figure::Count(rate.0))),
            ]);
        }
        figures
    }
}
