//! RTCP as it comes in: publishers' clocks, viewers' reports and requests.

use std::time::Duration;

use crate::egress::retransmit;
use crate::io::Kind;
use crate::pacer::{Gate, Repair};
use crate::pacing::is_beyond;
use crate::plane::Plane;
use crate::publication::SenderInfo;
use crate::resend_log::Left;
use crate::rtcp::feedback::{Nack, Remb};
use crate::rtcp::report::{ReportBlocks, SenderFigures};
use crate::rtcp::transport_feedback::{REFERENCE_MICROS, TransportFeedback};
use crate::rtcp::{Rtcp, compound};
use crate::sent_log::Again;
use crate::srtp::{RtcpReplay, SrtpError};
use crate::stats::{Counter, Drop};
use crate::transport::Keys;
use crate::units::{Ssrc, Time};

/// Packets that one datagram may ask again; more is no viewer.
const MAX_NACKED: usize = 1_000;
/// Packets that one feedback may speak of: twice what the send history keeps.
const MAX_STATUSES: usize = 2_048;

impl Plane {
    /// A compound packet of a transport's peer.
    pub(crate) fn receive_rtcp(&mut self, now: Time, key: usize, datagram: &mut [u8]) -> Result<(), Drop> {
        let transport = &mut self.transports[key];
        let keys = transport.keys.as_mut().ok_or(Drop::NoKeys)?;
        if !transport.rtcp.take(now, 1) {
            return Err(Drop::RateLimited);
        }
        let length = unprotect(keys, datagram)?;
        let mut nacked = MAX_NACKED;
        for packet in compound(&datagram[..length]) {
            match packet.map_err(|_| Drop::RtcpMalformed)? {
                Rtcp::SenderReport(report) => {
                    self.note_clock(now, key, &report.figures);
                    self.note_reports(now, key, report.blocks);
                }
                Rtcp::ReceiverReport(report) => self.note_reports(now, key, report.blocks),
                Rtcp::Nack(nack) => nacked -= self.answer_nack(now, key, &nack, nacked),
                Rtcp::Pli(pli) => self.note_picture_loss(now, key, pli.media),
                Rtcp::Fir(fir) => fir.requests().for_each(|(ssrc, _)| self.note_picture_loss(now, key, ssrc)),
                Rtcp::Remb(remb) => self.note_remb(now, key, &remb),
                Rtcp::TransportFeedback(feedback) => self.note_transport_feedback(now, key, &feedback),
                Rtcp::Bye(bye) => bye.sources().for_each(|ssrc| self.note_bye(now, key, ssrc)),
                Rtcp::SourceDescription | Rtcp::Unknown { .. } => {}
            }
        }
        Ok(())
    }

    /// A publisher's wall clock against its RTP clock.
    fn note_clock(&mut self, now: Time, key: usize, figures: &SenderFigures) {
        let Some(incoming) = self.transports[key].incoming.as_deref_mut() else { return };
        let Some(stream) = incoming.streams.get_mut(figures.ssrc).filter(|stream| !stream.binding.repair)
        else {
            return;
        };
        let binding = stream.binding;
        let publication = &mut self.publications[binding.publication];
        for tap in &mut publication.taps {
            tap.report(now, binding.layer, figures.ssrc, figures.rtp_timestamp, figures.ntp);
        }
        if let Some(layer) = publication.layers.get_mut(usize::from(binding.layer))
            && layer.times.newest().is_some()
        {
            let time = layer.times.peek(figures.rtp_timestamp);
            layer.sender_info = Some(SenderInfo { ntp: figures.ntp, time, arrival: now });
        }
    }

    /// What a viewer says about what it receives.
    fn note_reports(&mut self, now: Time, key: usize, blocks: ReportBlocks<'_>) {
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
        let (mut worst, mut newest, mut jitter) = (None, None, None);
        for block in blocks {
            let Some(subscription) = outgoing.subscription(block.ssrc) else { continue };
            let subscription = &mut self.subscriptions[subscription];
            subscription.fraction_lost = f64::from(block.fraction_lost) / 256.0;
            worst = worst.max(Some(block.fraction_lost));
            let clock = self.publications[subscription.publication].media.clock_rate;
            let uneven = u64::from(block.jitter) * 1_000_000 / u64::from(clock.max(1));
            jitter = jitter.max(Some(Duration::from_micros(uneven)));
            let measured =
                subscription.round_trip(now, block.last_sender_report, block.delay_since_last_sender_report);
            if let Some(measured) = measured {
                newest = Some(newest.map_or(measured, |newest: Duration| newest.min(measured)));
                outgoing.round_trip = Some(match outgoing.round_trip {
                    Some(before) => (before * 3 + measured) / 4,
                    None => measured,
                });
            }
        }
        if let Some(worst) = worst {
            let round_trips = [outgoing.round_trip, newest];
            outgoing.jitter = jitter;
            outgoing.bandwidth.hear_reception(now, f64::from(worst) / 256.0, round_trips);
            outgoing.look_at = outgoing.bandwidth.next_timeout(now);
            if outgoing.bandwidth.goes_without(now) {
                self.apply_estimate(now, key);
            }
        }
    }

    /// Sends again what is asked for, `most` packets at most; gives how many were looked at.
    fn answer_nack(&mut self, now: Time, key: usize, nack: &Nack<'_>, most: usize) -> usize {
        let subscription =
            self.transports[key].outgoing.as_deref().and_then(|out| out.subscription(nack.media));
        let Some(subscription) = subscription else {
            let unknown = nack.lost().take(most).count();
            self.counters.drop_many(Drop::RtxGone, unknown as u64);
            return unknown;
        };
        let subscription = &mut self.subscriptions[subscription];
        let publication = &self.publications[subscription.publication];
        let transport = &mut self.transports[key];
        if transport.outgoing.as_deref().is_some_and(|it| is_beyond(it, publication, subscription)) {
            let refused = nack.lost().take(most).count();
            self.counters.drop_many(Drop::RtxBudget, refused as u64);
            return refused;
        }
        let mut asked = 0;
        for wire in nack.lost().take(most) {
            asked += 1;
            subscription.nacks += 1;
            self.counters.add(Counter::NacksReceived, 1);
            // Sound is outside the pacer, and so are its repairs.
            if publication.media.kind == Kind::Video
                && let Some(outgoing) = transport.outgoing.as_deref_mut()
                && !outgoing.pacer.admits_repair(now)
            {
                let repair = Repair { subscription: subscription.key, wire, again: Again::Asked, since: now };
                let waits = outgoing.pacer.wait_to_repair(repair);
                self.counters.drop_many(Drop::RtxBudget, u64::from(!waits));
                continue;
            }
            match retransmit(
                now,
                publication,
                (wire, Again::Asked),
                subscription,
                transport,
                &mut self.outbox,
            ) {
                Ok(()) => self.counters.add(Counter::RtxOut, 1),
                Err(reason) => self.counters.drop(reason),
            }
        }
        self.wake_viewer(now, key);
        asked
    }

    fn note_picture_loss(&mut self, now: Time, key: usize, media: Ssrc) {
        let subscription = self.transports[key].outgoing.as_deref().and_then(|out| out.subscription(media));
        let Some(subscription) = subscription else { return };
        let subscription = &mut self.subscriptions[subscription];
        subscription.plis += 1;
        self.counters.add(Counter::PlisReceived, 1);
        let publication = subscription.publication;
        let layer = subscription.switch.awaited().or(subscription.switch.forwarded());
        if let Some(layer) = layer.filter(|_| self.publications[publication].needs_keyframe()) {
            self.want_layer(now, publication, layer);
        }
    }

    fn note_remb(&mut self, now: Time, key: usize, remb: &Remb<'_>) {
        self.tell_demand(now, key);
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
        outgoing.remb = Some(remb.bitrate);
        outgoing.bandwidth.hear_remb(now, remb.bitrate);
        outgoing.look_at = outgoing.bandwidth.next_timeout(now);
        if outgoing.bandwidth.goes_without(now) {
            self.apply_estimate(now, key);
        }
    }

    /// What became of each packet sent to a viewer.
    fn note_transport_feedback(&mut self, now: Time, key: usize, feedback: &TransportFeedback<'_>) {
        self.tell_demand(now, key);
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
        let reference = outgoing.reference_times.unwrap(feedback.reference_time) as i64;
        let reference = reference.saturating_mul(REFERENCE_MICROS);
        self.fates.clear();
        for status in feedback.statuses().take(MAX_STATUSES) {
            let arrival = status.arrival_micros.map(|micros| reference.saturating_add(micros));
            self.fates.extend(outgoing.sent.settle(status.sequence, arrival));
        }
        if !self.fates.is_empty() {
            outgoing.bandwidth.hear_number(feedback.feedback_count);
            outgoing.bandwidth.receive(now, &self.fates, &outgoing.sent);
            outgoing.look_at = outgoing.bandwidth.next_timeout(now);
            self.repair_missing(now, key);
            self.apply_estimate(now, key);
        }
    }

    /// Sends again what the newest report misses, before the viewer asks for it or once more: sound at once, pictures where
    /// the path has room.
    fn repair_missing(&mut self, now: Time, key: usize) {
        let transport = &mut self.transports[key];
        for fate in self.fates.iter().filter(|fate| fate.received.is_none() && !fate.missed_before) {
            let outgoing = transport.outgoing.as_deref_mut().filter(|it| !it.pacer.silent);
            let found = outgoing.and_then(|it| Some((it.resends.find(now, fate.seq)?, it)));
            let Some(((at, left), outgoing)) = found else { continue };
            if !left.sound && outgoing.bandwidth.gate() != Gate::Open {
                continue;
            }
            if !left.sound && !outgoing.pacer.admits_repair(now) {
                let Left { subscription, wire, .. } = left;
                let repair = Repair { subscription, wire, again: Again::Lost(at), since: now };
                let waits = outgoing.pacer.wait_to_repair(repair);
                self.counters.drop_many(Drop::RtxBudget, u64::from(!waits));
                continue;
            }
            let subscription = self.subscriptions.get_mut(left.subscription);
            let Some(subscription) = subscription.filter(|it| it.transport == key) else { continue };
            let publication = &self.publications[subscription.publication];
            let wanted = (left.wire, Again::Lost(at));
            match retransmit(now, publication, wanted, subscription, transport, &mut self.outbox) {
                Ok(()) => self.counters.add(Counter::RtxOut, 1),
                Err(reason) => self.counters.drop(reason),
            }
        }
    }

    /// A goodbye acts on the sender's own sources alone.
    fn note_bye(&mut self, now: Time, key: usize, ssrc: Ssrc) {
        let Some(incoming) = self.transports[key].incoming.as_deref_mut() else { return };
        let Some(binding) = incoming.streams.get_mut(ssrc).map(|stream| stream.binding) else { return };
        if binding.repair {
            return;
        }
        if let Some(layer) = self.publications[binding.publication].layers.get_mut(usize::from(binding.layer))
        {
            layer.last_arrival = None;
        }
        self.refresh_layers(now, binding.publication);
    }
}

fn unprotect(keys: &mut Keys, datagram: &mut [u8]) -> Result<usize, Drop> {
    let ssrc = datagram.get(4..8).and_then(|bytes| bytes.first_chunk::<4>()).ok_or(Drop::RtcpMalformed)?;
    let ssrc = Ssrc(u32::from_be_bytes(*ssrc));
    if !keys.has_room_for(ssrc) {
        return Err(Drop::UnknownSource);
    }
    if let Some(replay) = keys.rtcp_replay.get_mut(&ssrc) {
        return keys.inbound.unprotect_rtcp(replay, datagram).map_err(SrtpError::rtcp_drop);
    }
    let mut replay = RtcpReplay::default();
    let length = keys.inbound.unprotect_rtcp(&mut replay, datagram).map_err(SrtpError::rtcp_drop)?;
    keys.rtcp_replay.insert(ssrc, replay);
    Ok(length)
}
