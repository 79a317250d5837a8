//! What happens by itself: consent, requests to publishers, reports, stalls.

use std::time::Duration;

use crate::io::{Event, InboundMedia};
use crate::plane::Plane;
use crate::reports::{REPORT_INTERVAL, missing, next_remb, report_block, sender_figures};
use crate::rtcp::feedback::{MAX_LOST, write_fir, write_nack, write_pli, write_remb};
use crate::rtcp::report::{write_receiver_report, write_sender_report};
use crate::rtcp::source::write_cname;
use crate::rtcp::{Gathering, MAX_REPORT_BLOCKS, begin_compound, write_own_name};
use crate::stats::Counter;
use crate::tap::Tap;
use crate::transport::Incoming;
use crate::twcc::ArrivalLog;
use crate::units::{Bitrate, Ssrc, Time};

/// Viewers' sender reports fall on multiples of this: one wake-up and one system call then serve many viewers, where each
/// alone would cost more than its report.
const REPORT_GRID: Duration = Duration::from_millis(100);

/// Rounds of one look at the timers; what is due even then has its turn after what waits at the sockets.
const MAX_ROUNDS: usize = 3;

impl Plane {
    /// Does all that is due, and what became due by that: a viewer asks for a key frame, its publisher is told.
    pub(crate) fn timeout(&mut self, now: Time) {
        for _ in 0..MAX_ROUNDS {
            if now < self.next_due {
                return;
            }
            for key in 0..self.dues.len() {
                if self.dues[key] <= now {
                    self.dues[key] = Time::NEVER;
                    self.tick(now, key);
                }
            }
            self.next_due = self.dues.iter().copied().min().unwrap_or(Time::NEVER);
        }
    }

    fn tick(&mut self, now: Time, key: usize) {
        while let Some(event) =
            self.transports.get_mut(key).and_then(|transport| transport.ice.handle_timeout(now))
        {
            self.path_event(now, key, event);
        }
        let Some(transport) = self.transports.get(key) else { return };
        let (publishes, receives) = (transport.incoming.is_some(), transport.outgoing.is_some());
        let mut next = transport.ice.next_timeout();
        if publishes {
            self.watch_publications(now, key);
            self.report_to_publisher(now, key);
            next = next.min(self.next_publisher_timeout(key));
        }
        if receives {
            next = next.min(self.serve_viewer(now, key));
            self.watch_reports(now, key);
            self.pace(now, key);
        }
        self.wake(key, next);
    }

    fn watch_publications(&mut self, now: Time, key: usize) {
        for publication in self.publications_of(key) {
            self.refresh_layers(now, publication);
            if let Some(event) = self.publications[publication].check_stall(now) {
                let stalled = matches!(event, Event::Stalled { silent_ms, .. } if silent_ms >= 1_000);
                self.events.push_back(event);
                if stalled {
                    self.want_layer(now, publication, 0);
                }
            }
            let taps = &mut self.publications[publication].taps;
            if let Some(layer) = taps.iter_mut().find_map(|tap| tap.keyframe_due(now)) {
                self.want_layer(now, publication, layer);
            }
        }
    }

    /// Receiver reports, retransmission requests, key-frame requests and transport-wide feedback.
    fn report_to_publisher(&mut self, now: Time, key: usize) {
        let mut packets = Gathering::default();
        self.write_receiver_reports(now, key, &mut packets);
        self.write_requests(now, key, &mut packets);
        self.send_compounds(key, &packets);
        self.write_transport_feedback(now, key);
    }

    fn write_receiver_reports(&mut self, now: Time, key: usize, packets: &mut Gathering) {
        let publications = self.publications_of(key);
        let transport = &mut self.transports[key];
        let ssrc = transport.ssrc;
        let Some(incoming) = transport.incoming.as_deref_mut().filter(|incoming| incoming.next_report <= now)
        else {
            return;
        };
        incoming.next_report = now + REPORT_INTERVAL;
        let (mut blocks, mut sources, mut rate) = (Vec::new(), Vec::new(), 0);
        for publication in publications {
            for layer in &mut self.publications[publication].layers {
                rate += layer.meter.rate(now).0;
                blocks.extend(report_block(now, layer));
                sources.extend(layer.ssrc);
            }
        }
        let mut reports = blocks.chunks(MAX_REPORT_BLOCKS);
        // Also where there is nothing to say: it is the report that feedback follows.
        for blocks in std::iter::once(reports.next().unwrap_or_default()).chain(reports) {
            packets.add(|out| {
                write_receiver_report(out, ssrc, blocks);
                write_own_name(out, ssrc);
            });
        }
        if incoming.remb {
            let worst = blocks.iter().map(|block| block.fraction_lost).max().unwrap_or(0);
            incoming.remb_rate = next_remb(incoming.remb_rate, f64::from(worst) / 256.0, Bitrate(rate));
            packets.add(|out| write_remb(out, ssrc, incoming.remb_rate, &sources));
        }
    }

    fn write_requests(&mut self, now: Time, key: usize, packets: &mut Gathering) {
        let publications = self.publications_of(key);
        let transport = &self.transports[key];
        let ssrc = transport.ssrc;
        let round_trip = transport.incoming.as_deref().map(Incoming::assumed_round_trip).unwrap_or_default();
        for publication in publications {
            let publication = &mut self.publications[publication];
            let InboundMedia { nack, pli, fir, .. } = publication.media;
            for layer in &mut publication.layers {
                let given_up = layer.loss.given_up();
                let lost = missing(now, &mut layer.loss, round_trip);
                self.counters.add(Counter::UnrepairedIn, layer.loss.given_up() - given_up);
                let wanted = layer.keyframes.take(now);
                let Some(media) = layer.ssrc else { continue };
                if nack && !lost.is_empty() {
                    self.counters.add(Counter::NacksSent, lost.len() as u64);
                    lost.chunks(MAX_LOST)
                        .for_each(|lost| packets.add(|out| write_nack(out, ssrc, media, lost)));
                }
                if wanted && (pli || fir) {
                    self.counters.add(Counter::PlisSent, 1);
                    // Each is a new command, never a repetition of one (RFC 5104 section 4.3.1.1).
                    let command = (layer.keyframes.sent() % 256) as u8;
                    packets.add(|out| {
                        if pli { write_pli(out, ssrc, media) } else { write_fir(out, ssrc, media, command) }
                    });
                }
            }
        }
    }

    fn write_transport_feedback(&mut self, now: Time, key: usize) {
        let (ssrc, reduced) = (self.transports[key].ssrc, self.transports[key].may_reduce_rtcp());
        let media =
            self.publications_of(key).first().and_then(|key| self.publications[*key].layers.first()?.ssrc);
        let incoming = self.transports[key].incoming.as_deref_mut();
        let Some(arrivals) = incoming.and_then(|incoming| incoming.arrivals.as_mut()) else { return };
        let Some((mut base, buffer)) = arrivals.take(now) else { return };
        let mut builder = std::mem::take(&mut arrivals.builder);
        let mut rest = &buffer[..];
        while !rest.is_empty() {
            let start = self.outbox.bytes.len();
            begin_compound(&mut self.outbox.bytes, ssrc, &[], reduced);
            let written = builder.write(&mut self.outbox.bytes, (ssrc, media.unwrap_or(Ssrc(0))), base, rest);
            self.send_rtcp(key, start);
            let (done, left) = rest.split_at(written.clamp(1, rest.len()));
            base = crate::units::SeqNo(done[done.len() - 1].0.0 + 1);
            rest = left;
        }
        let incoming = self.transports[key].incoming.as_deref_mut();
        if let Some(arrivals) = incoming.and_then(|incoming| incoming.arrivals.as_mut()) {
            arrivals.builder = builder;
            arrivals.recycle(buffer);
        }
    }

    fn next_publisher_timeout(&self, key: usize) -> Time {
        let Some(incoming) = self.transports[key].incoming.as_deref() else { return Time::NEVER };
        let feedback = incoming.arrivals.as_ref().map_or(Time::NEVER, ArrivalLog::next_timeout);
        let publications = incoming.streams.publications().map(|key| {
            let publication = &self.publications[key];
            let layers = publication
                .layers
                .iter()
                .map(|layer| layer.loss.next_timeout().min(layer.keyframes.next_timeout()));
            let timeouts = layers.chain(publication.taps.iter().map(Tap::next_timeout));
            publication.next_timeout().min(timeouts.min().unwrap_or(Time::NEVER))
        });
        incoming.next_report.min(feedback).min(publications.min().unwrap_or(Time::NEVER))
    }

    /// Sender reports, retransmission budgets and key frames still awaited; gives the next moment to look.
    fn serve_viewer(&mut self, now: Time, key: usize) -> Time {
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return Time::NEVER };
        let subscriptions: Vec<usize> = outgoing.subscriptions.iter().map(|(_, key)| *key).collect();
        let reports = outgoing.next_report <= now;
        if reports {
            outgoing.next_report = (now + REPORT_INTERVAL).round_up(REPORT_GRID);
        }
        let mut next = outgoing.next_report;
        for subscription in &subscriptions {
            self.want_keyframe(now, *subscription);
            next = next.min(self.next_keyframe_request(now, *subscription));
        }
        if reports {
            self.write_sender_reports(now, key, &subscriptions);
        }
        if subscriptions.is_empty() { Time::NEVER } else { next }
    }

    fn write_sender_reports(&mut self, now: Time, key: usize, subscriptions: &[usize]) {
        let mut packets = Gathering::default();
        let outgoing = self.transports[key].outgoing.as_deref();
        let loss = outgoing.map_or(0.0, |outgoing| outgoing.bandwidth.inherent_loss());
        for key in subscriptions {
            let subscription = &mut self.subscriptions[*key];
            let publication = &self.publications[subscription.publication];
            let forwarded = subscription.switch.forwarded().map(usize::from);
            let rate =
                forwarded.and_then(|layer| publication.layers.get(layer)).map(|layer| layer.meter.rate(now));
            subscription.fit_rtx_budget(rate.unwrap_or_default().0, loss);
            if let Some(figures) = sender_figures(now, publication, subscription) {
                subscription.note_report(now, figures.ntp);
                packets.add(|out| {
                    write_sender_report(out, &figures, &[]);
                    write_cname(out, subscription.media.ssrc, &subscription.media.cname);
                });
            }
        }
        self.send_compounds(key, &packets);
    }

    /// Sends what was gathered, in compounds of bounded length.
    fn send_compounds(&mut self, key: usize, packets: &Gathering) {
        for compound in packets.compounds() {
            let start = self.outbox.bytes.len();
            let transport = &self.transports[key];
            begin_compound(&mut self.outbox.bytes, transport.ssrc, compound, transport.may_reduce_rtcp());
            self.outbox.bytes.extend_from_slice(compound);
            self.send_rtcp(key, start);
        }
    }

    /// Protects the compound packet that was written from `start` on, and queues it; takes it back where it cannot go.
    fn send_rtcp(&mut self, key: usize, start: usize) {
        if self.outbox.bytes.len() == start {
            return;
        }
        let transport = &mut self.transports[key];
        let (Some(path), Some(keys)) = (transport.ice.path(), transport.keys.as_mut()) else {
            self.outbox.bytes.truncate(start);
            return;
        };
        let index = keys.rtcp_index;
        keys.rtcp_index += 1;
        if keys.outbound.protect_rtcp(&mut self.outbox.bytes, start, index).is_err() {
            self.outbox.bytes.truncate(start);
            return;
        }
        self.outbox.push(path, start);
    }
}
