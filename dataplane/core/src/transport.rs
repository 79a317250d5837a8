//! One ICE + DTLS + SRTP association: what it publishes, what it is sent, and how it is protected.

use std::mem::offset_of;
use std::time::Duration;

use loupe_prefetch::{prefetch, prefetch_head};
use rustc_hash::FxHashMap;

use crate::bucket::TokenBucket;
use crate::bwe::Estimator;
use crate::dtls_intake::DtlsIntake;
use crate::ice::IceLite;
use crate::io::{Handle, OutboundMedia, Phase};
use crate::pacer::{HEADER_BYTES, Pacer};
use crate::protection::Protection;
use crate::redundancy::Redundancy;
use crate::resend_log::ResendLog;
use crate::seq::{SeqUnwrapper, Unwrapper24};
use crate::srtp::{InboundSrtp, OutboundSrtp, RtcpReplay};
use crate::stats::{Figure, Figures};
use crate::streams::Streams;
use crate::subscription::Stopped;
use crate::twcc::{ArrivalLog, SendHistory};
use crate::units::{Bitrate, Ssrc, Time};

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
    /// From a retransmission request to its answer; unknown before the first.
    pub round_trip: Option<Duration>,
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
            round_trip: None,
            next_report: Time::NEVER,
            bits: TokenBucket::new(now, 0, 0),
            packets: TokenBucket::new(now, 0, 0),
            probes: TokenBucket::new(now, 200, 100),
        }
    }

    /// The round trip as far as it is known.
    pub fn assumed_round_trip(&self) -> Duration {
        self.round_trip.unwrap_or(INITIAL_ROUND_TRIP)
    }

    /// Fits the limits to what is published.
    pub fn fit_budget(&mut self) {
        let (bits, packets) = self.streams.budget();
        self.bits.set_rate(bits, bits / 2);
        self.packets.set_rate(packets, packets / 2);
    }
}

/// What a transport is sent. What each packet meets comes first and together, so that it takes few lines of cache.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Outgoing {
    /// When pictures may leave.
    pub pacer: Pacer,
    /// What the path carries; boxed, since it looks back at many packets.
    pub bandwidth: Box<Estimator>,
    /// What left, for transport-wide feedback.
    pub sent: SendHistory,
    /// What leaves from this moment on asks whether reports stay away: who is sent nothing need not be watched, and no
    /// timer has to wake for those whose reports come.
    pub look_at: Time,
    /// Packets sent.
    pub packets: u64,
    /// Bytes sent in UDP payloads.
    pub bytes: u64,
    /// What left, in case it does not arrive.
    pub resends: ResendLog,
    /// Which sound leaves again.
    pub redundancy: Redundancy,
    /// Whether pictures have parity.
    pub protection: Protection,
    /// Its subscriptions: source as the viewer knows it, key in the plane's slab; the first thing that packets do not meet.
    pub subscriptions: Vec<(Ssrc, usize)>,
    /// Sources whose subscriptions ended after they had sent: under the same keys no index may be used twice (RFC 3711
    /// section 9.1), so a source used again goes on where it stopped.
    pub ended: FxHashMap<Ssrc, Stopped>,
    /// Up to which rate more would be useful, where the control plane said so.
    pub wanted: Option<Bitrate>,
    /// When the estimator need not be told before what the viewer could use.
    pub next_demand: Time,
    /// The viewer's clock of feedback, in units of 64 ms.
    pub reference_times: Unwrapper24,
    /// Measured round trip.
    pub round_trip: Option<Duration>,
    /// Interarrival jitter as the viewer reported it last (RFC 3550 section 6.4.1), of the worst source.
    pub jitter: Option<Duration>,
    /// What the viewer's REMB told last.
    pub remb: Option<Bitrate>,
    /// When the next sender reports are due.
    pub next_report: Time,
    /// Of the bytes sent, those in retransmissions and in redundant sound.
    pub repair_bytes: u64,
    /// Those in parity.
    pub parity_bytes: u64,
    /// Those in packets that left for a probe alone.
    pub probe_bytes: u64,
}

/// Why a packet leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// For the first time.
    Media,
    /// Asked for again.
    Repair,
    /// So that it need not be asked for.
    Parity,
    /// For a probe alone.
    Probe,
}

impl Outgoing {
    /// Whether something must be looked at after packets were given to the viewer.
    #[inline]
    pub fn needs_look(&self, now: Time) -> bool {
        let waits = !self.pacer.waiting.is_empty() || !self.pacer.stills.is_empty();
        now >= self.look_at || waits || self.bandwidth.phase() == Phase::Start
    }

    /// Notes a packet of `length` bytes of UDP payload that leaves now; `numbered`: transport-wide.
    #[inline]
    pub fn account(&mut self, now: Time, length: usize, cause: Cause, numbered: bool) {
        let wire_bytes = length as u64 + HEADER_BYTES;
        let cluster = if cause == Cause::Probe {
            self.pacer.spend_on_probe(now, wire_bytes)
        } else {
            self.pacer.spend(now, wire_bytes)
        };
        match cause {
            Cause::Media => {}
            Cause::Repair => self.repair_bytes += length as u64,
            Cause::Parity => self.parity_bytes += length as u64,
            Cause::Probe => self.probe_bytes += length as u64,
        }
        if numbered {
            self.sent.send(now, length, cluster);
        }
        if self.bandwidth.send(now, wire_bytes, numbered) {
            self.look_at = self.bandwidth.next_timeout(now);
        }
        self.packets += 1;
        self.bytes += length as u64;
    }
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
        let lives = outgoing.subscriptions.iter().any(|(live, _)| *live == media.ssrc);
        let fits = outgoing.ended.len() < MAX_ENDED_SOURCES || outgoing.ended.contains_key(&media.ssrc);
        fits && !lives
    }

    /// Whether its peer takes feedback without a report before it.
    pub fn may_reduce_rtcp(&self) -> bool {
        self.incoming.as_deref().is_some_and(|incoming| incoming.reduced_size)
    }

    /// Something is about to be sent. Reads nothing: what it would read is not there yet.
    pub fn prefetch(&self) {
        prefetch(&self.outgoing);
        prefetch(&self.keys);
        self.ice.prefetch_path();
    }

    /// The same, one step further: what is found through what [`Transport::prefetch`] asked for.
    pub fn prefetch_beyond(&self) {
        if let Some(outgoing) = self.outgoing.as_deref() {
            prefetch_head(outgoing, offset_of!(Outgoing, subscriptions));
        }
        if let Some(keys) = &self.keys {
            keys.outbound.prefetch();
        }
    }

    /// A report is about to come.
    pub fn prefetch_for_report(&self) {
        self.prefetch();
        prefetch(&self.packets_in);
        prefetch(&self.rtcp);
    }

    /// The same, one step further.
    pub fn prefetch_beyond_for_report(&self) {
        if let Some(outgoing) = self.outgoing.as_deref() {
            prefetch(outgoing);
        }
        if let Some(keys) = &self.keys {
            keys.inbound.prefetch_for_report();
        }
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
            figures.push(("round_trip_in_seconds", measured(incoming.round_trip)));
        }
        if let Some(outgoing) = &self.outgoing {
            figures.extend([
                ("packets_out", Figure::Count(outgoing.packets)),
                ("bytes_out", Figure::Count(outgoing.bytes)),
                ("round_trip_seconds", measured(outgoing.round_trip)),
                ("jitter_seconds", measured(outgoing.jitter)),
                ("remb_bits_per_second", outgoing.remb.map_or(Figure::Unknown, |rate| Figure::Count(rate.0))),
            ]);
            let link = outgoing.bandwidth.state();
            figures.extend([
                ("loss_ratio", Figure::Measure(link.inherent_loss + link.congestion_loss)),
                ("bandwidth_bits_per_second", Figure::Count(outgoing.bandwidth.estimate().0)),
                ("bandwidth_phase", Figure::Word(link.phase.name())),
                ("queue_delay_seconds", Figure::Measure(link.queue_delay.as_secs_f64())),
                ("inherent_loss_ratio", Figure::Measure(link.inherent_loss)),
                ("volatility", Figure::Measure(link.volatility)),
                ("paced_packets", Figure::Count(outgoing.pacer.waiting.len() as u64)),
                ("repair_bytes", Figure::Count(outgoing.repair_bytes)),
                ("parity_bytes", Figure::Count(outgoing.parity_bytes)),
                ("probe_bytes", Figure::Count(outgoing.probe_bytes)),
                ("probe_clusters", Figure::Count(outgoing.bandwidth.probes_sent())),
            ]);
        }
        figures
    }
}

fn measured(time: Option<Duration>) -> Figure {
    time.map_or(Figure::Unknown, |time| Figure::Measure(time.as_secs_f64()))
}
