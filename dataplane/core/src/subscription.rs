//! One publication as sent to one viewer: the state that a packet meets on its way out.

use std::mem::offset_of;
use std::time::Duration;

use loupe_prefetch::prefetch_head;
use rustc_hash::FxHashMap;

use crate::bucket::TokenBucket;
use crate::egress::OwnExtensions;
use crate::history::StoredPacket;
use crate::io::{Codec, Handle, OutboundMedia, Wish};
use crate::keyframe_budget::KeyframeBudget;
use crate::layer::{Forwarding, LayerSwitch};
use crate::pacer::Gate;
use crate::protection::Block;
use crate::rewrite::{OffsetLine, SequenceMap};
use crate::sent_log::SentLog;
use crate::stats::{Figure, Figures};
use crate::stills::Stills;
use crate::sublayers::{Limits, Sublayers};
use crate::twcc::FIRST_OUT;
use crate::units::{MediaTime, NtpTime, SeqNo, Ssrc, Time};

/// A sender report as sent, for the round trip.
#[derive(Clone, Copy, Debug)]
pub struct ReportSent {
    /// The middle bits it carried.
    pub middle: u32,
    /// When it left.
    pub at: Time,
}

/// Where the lines of a source stopped whose subscription ended.
#[derive(Clone, Copy, Debug)]
pub struct Stopped {
    /// The number after its last.
    next: SeqNo,
    /// When it last sent something new.
    sent_at: Time,
    /// Its highest timestamp; `None` for repairs and parity, which have those of what they belong to.
    time: Option<u64>,
    /// The picture id after its highest.
    picture_id: Option<SeqNo>,
    /// Its highest TL0PICIDX.
    tl0_index: Option<u64>,
}

/// A subscription. What each packet meets comes first and together, so that it takes few lines of cache.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Subscription {
    /// Its key in the plane's slab.
    pub key: usize,
    /// The publication (key in the plane's slab).
    pub publication: usize,
    /// The transport it leaves by (key in the plane's slab).
    pub transport: usize,
    /// Which layer it forwards.
    pub switch: LayerSwitch,
    /// Which temporal and spatial layers of that.
    pub sublayers: Sublayers,
    /// What it takes of those where it is sent stills.
    pub stills: Option<Box<Stills>>,
    /// What of it shares parity, while it is protected.
    pub block: Option<Box<Block>>,
    /// How often something began.
    pub beginnings: u64,
    /// Packets sent, retransmissions not counted.
    pub packets: u64,
    /// Payload bytes sent.
    pub octets: u64,
    /// Its line of sequence numbers.
    pub seqs: SequenceMap,
    /// Its line of timestamps.
    pub times: OffsetLine,
    /// When and at which moment of which layer it last sent something new.
    pub last_sent: Option<(Time, u8, MediaTime)>,
    /// What left.
    pub sent: SentLog,
    /// Its own header extensions.
    pub own_extensions: OwnExtensions,
    /// What was negotiated.
    pub media: OutboundMedia,
    /// Its line of VP8 picture ids.
    pub picture_ids: SequenceMap,
    /// Its line of VP8 TL0PICIDX.
    pub tl0_indices: OffsetLine,
    /// Its number; the first thing that packets do not meet.
    pub handle: Handle,
    /// The first number of sources that sent nothing before.
    first: SeqNo,
    /// When its source last sent something new under a subscription before.
    pub stopped_at: Option<Time>,
    /// Number of its next retransmission.
    pub next_rtx: SeqNo,
    /// Number of its next parity packet.
    pub next_parity: SeqNo,
    /// Bytes that retransmissions may take.
    pub rtx_budget: TokenBucket,
    /// The last two sender reports.
    pub reports: [Option<ReportSent>; 2],
    /// Retransmissions sent.
    pub retransmitted: u64,
    /// Packets that carried earlier sound again.
    pub redundant: u64,
    /// Parity packets sent.
    pub parity: u64,
    /// Packets the viewer asked again.
    pub nacks: u64,
    /// Key frames the viewer asked for.
    pub plis: u64,
    /// Key frames that its own losses may cost others.
    pub keyframes: KeyframeBudget,
    /// Fraction lost by the viewer's last receiver report.
    pub fraction_lost: f64,
}

/// Retransmissions may take a quarter of the stream, twice the share lost beside it (half of the stream in all), and never
/// less than this (bytes a second).
const RTX_SHARE: f64 = 0.25;
const MOST_RTX_SHARE: f64 = 0.5;
const RTX_FLOOR: u64 = 8_000;

impl Subscription {
    /// A subscription that has sent nothing; `start` (15 bits) is where its numbers begin.
    pub fn new(
        now: Time,
        handle: Handle,
        (key, publication, transport): (usize, usize, usize),
        media: OutboundMedia,
        needs_keyframe: bool,
        start: u16,
    ) -> Subscription {
        // Below 32,768 so that losing the first packets cannot hide a rollover (RFC 3711 section 3.3.1).
        let first = SeqNo(FIRST_OUT.0 + u64::from(start & 0x7fff));
        Subscription {
            handle,
            key,
            publication,
            transport,
            switch: LayerSwitch::new(needs_keyframe),
            sublayers: Sublayers::default(),
            stills: None,
            beginnings: 0,
            first,
            seqs: SequenceMap::new(first),
            times: OffsetLine::default(),
            picture_ids: SequenceMap::default(),
            tl0_indices: OffsetLine::default(),
            last_sent: None,
            stopped_at: None,
            sent: SentLog::new(media.rtx_ssrc.is_some() && media.rtx_payload_type.is_some()),
            next_rtx: first,
            block: None,
            next_parity: first,
            rtx_budget: TokenBucket::new(now, RTX_FLOOR, RTX_FLOOR),
            reports: [None; 2],
            packets: 0,
            octets: 0,
            retransmitted: 0,
            redundant: 0,
            parity: 0,
            nacks: 0,
            plis: 0,
            keyframes: KeyframeBudget::new(now),
            fraction_lost: 0.0,
            own_extensions: OwnExtensions::new(&media),
            media,
        }
    }

    /// Something is about to be sent.
    pub fn prefetch(&self) {
        prefetch_head(self, offset_of!(Subscription, handle));
    }

    /// Sources that this transport sent before go on where they stopped: to their viewer they are the same ones.
    pub fn go_on_from(&mut self, ended: &FxHashMap<Ssrc, Stopped>) {
        if let Some(stopped) = ended.get(&self.media.ssrc) {
            self.seqs = SequenceMap::new(stopped.next);
            self.times = OffsetLine::after(stopped.time);
            self.picture_ids = stopped.picture_id.map(SequenceMap::new).unwrap_or_default();
            self.tl0_indices = OffsetLine::after(stopped.tl0_index);
            self.stopped_at = Some(stopped.sent_at);
        }
        if let Some(stopped) = self.media.rtx_ssrc.and_then(|ssrc| ended.get(&ssrc)) {
            self.next_rtx = stopped.next;
        }
        if let Some(stopped) = self.media.parity.and_then(|(ssrc, _)| ended.get(&ssrc)) {
            self.next_parity = stopped.next;
        }
    }

    /// Where its sources stop, of those that sent something.
    pub fn stop(&self) -> impl Iterator<Item = (Ssrc, Stopped)> {
        let stopped = |next| {
            let sent_at = self.last_sent.map(|(at, ..)| at).unwrap_or_default();
            Stopped { next, sent_at, time: None, picture_id: None, tl0_index: None }
        };
        let media = self.seqs.next_out().filter(|_| self.last_sent.is_some()).map(|next| Stopped {
            time: self.times.highest(),
            picture_id: self.picture_ids.next_out(),
            tl0_index: self.tl0_indices.highest(),
            ..stopped(next)
        });
        let rtx = self.media.rtx_ssrc.zip(Some(self.next_rtx)).filter(|(_, next)| *next != self.first);
        let parity = self.media.parity.map(|(ssrc, _)| (ssrc, self.next_parity));
        let own = rtx.into_iter().chain(parity.filter(|(_, next)| *next != self.first));
        let own = own.map(move |(ssrc, next)| (ssrc, stopped(next)));
        media.map(|media| (self.media.ssrc, media)).into_iter().chain(own)
    }

    /// The highest spatial and temporal layers that are wished for.
    pub fn wished_limits(&self) -> Limits {
        let wish = self.switch.wish();
        Limits { spatial: wish.spatial.unwrap_or(u8::MAX), temporal: wish.temporal.unwrap_or(u8::MAX) }
    }

    /// The highest temporal and spatial layers of `codec` that it may send now.
    pub fn limits(&self, gate: Gate, codec: Codec) -> Limits {
        let wished = self.wished_limits();
        let temporal = if gate == Gate::Open { wished.temporal } else { 0 };
        let spatial = if self.cannot_tell_layers(codec) { 0 } else { wished.spatial };
        Limits { spatial, temporal }
    }

    /// An AV1 payload does not say of which layer it is (AOM "RTP Payload Format for AV1" section 4.4): to a viewer that
    /// did not take the dependency descriptor, frames of several spatial layers are none that it could put together.
    fn cannot_tell_layers(&self, codec: Codec) -> bool {
        codec == Codec::Av1 && self.media.extensions.dependency_descriptor == 0
    }

    /// Whether a packet is the last that it sends of a picture.
    #[inline]
    pub fn ends_picture(&self, packet: &StoredPacket) -> bool {
        packet.marker || self.sublayers.ends_picture(packet.time, packet.mark)
    }

    /// A wish, to be decided upon next. What follows stills lacks what it refers to, so it waits for a key frame.
    pub fn wish_for(&mut self, wish: Wish) {
        self.switch.wish_for(wish);
        match (wish.still.filter(|_| !wish.paused), &mut self.stills) {
            (Some(interval), Some(stills)) => stills.interval = interval,
            (Some(interval), None) => self.stills = Some(Box::new(Stills::new(interval))),
            (None, stills) => {
                if stills.take().is_some() {
                    self.switch.interrupt();
                }
            }
        }
    }

    /// The number of the next packet of its repair stream.
    pub fn take_rtx(&mut self) -> SeqNo {
        let seq = self.next_rtx;
        self.next_rtx = SeqNo(seq.0 + 1);
        seq
    }

    /// The number of its next parity packet.
    pub fn take_parity(&mut self) -> SeqNo {
        let seq = self.next_parity;
        self.next_parity = SeqNo(seq.0 + 1);
        seq
    }

    /// Fits the retransmission budget to the stream's rate in bits per second, and to the share that is lost whatever is sent.
    pub fn fit_rtx_budget(&mut self, bits_per_second: u64, loss: f64) {
        let share = (RTX_SHARE + 2.0 * loss).min(MOST_RTX_SHARE);
        let bytes = ((bits_per_second as f64 / 8.0 * share) as u64).max(RTX_FLOOR);
        self.rtx_budget.set_rate(bytes, bytes);
    }

    /// The round trip that a report block tells, when it answers one of our last two sender reports.
    pub fn round_trip(&self, now: Time, last_sender_report: u32, delay_since: u32) -> Option<Duration> {
        let report = self.reports.iter().flatten().find(|report| report.middle == last_sender_report)?;
        let waited = Duration::from_micros(u64::from(delay_since) * 1_000_000 / 65_536);
        now.since(report.at).checked_sub(waited)
    }

    /// Notes a sender report that leaves now.
    pub fn note_report(&mut self, now: Time, ntp: NtpTime) {
        self.reports = [Some(ReportSent { middle: ntp.middle(), at: now }), self.reports[0]];
    }

    /// Named figures for the snapshot.
    pub fn figures(&self) -> Figures {
        let (state, layer) = match self.switch.state() {
            Forwarding::PausedByViewer => ("paused_by_viewer", None),
            Forwarding::NothingFlows => ("nothing_flows", None),
            Forwarding::AwaitingKeyframe(_) => ("awaiting_keyframe", None),
            Forwarding::Layer(layer) => ("forwarding", Some(layer)),
            Forwarding::Switching(layer, _) => ("switching", Some(layer)),
        };
        vec![
            ("packets", Figure::Count(self.packets)),
            ("octets", Figure::Count(self.octets)),
            ("retransmitted", Figure::Count(self.retransmitted)),
            ("redundant", Figure::Count(self.redundant)),
            ("parity", Figure::Count(self.parity)),
            ("nacks_received", Figure::Count(self.nacks)),
            ("plis_received", Figure::Count(self.plis)),
            ("fraction_lost_ratio", Figure::Measure(self.fraction_lost)),
            ("layer", layer.map_or(Figure::Unknown, |layer| Figure::Count(u64::from(layer)))),
            ("state", Figure::Word(state)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::ExtensionIds;

    fn viewer(dependency_descriptor: u8) -> Subscription {
        let media = OutboundMedia::plain(ExtensionIds { dependency_descriptor, ..ExtensionIds::default() });
        Subscription::new(Time::ZERO, Handle(1), (0, 0, 0), media, true, 0)
    }

    #[test]
    fn av1_has_its_lowest_spatial_layer_alone_for_whom_no_descriptor_tells_layers() {
        let spatial = |id, codec| viewer(id).limits(Gate::Open, codec).spatial;
        assert_eq!([spatial(0, Codec::Av1), spatial(7, Codec::Av1)], [0, u8::MAX]);
        assert_eq!(spatial(0, Codec::Vp9), u8::MAX, "its payload descriptor tells them");
    }
}
