//! What follows from a viewer's reports: the pacer's rate and gate, what waits, probes, and what the control plane hears.

use std::time::Duration;

use crate::bwe::Demand;
use crate::egress::{depart, depart_still, retransmit, send_probe};
use crate::io::{Event, Kind, Phase};
use crate::outbox::Outbox;
use crate::pacer::{Gate, Repair, STALE, Step, Waiting};
use crate::plane::Plane;
use crate::publication::{Fresh, Layer, Publication, WireRates};
use crate::stats::{Counter, Drop};
use crate::stills::{PATIENCE, Stills};
use crate::sublayers::Limits;
use crate::subscription::Subscription;
use crate::transport::Outgoing;
use crate::units::{Bitrate, Time};

/// More would be useful up to what the highest layers take and this much: layer choice leaves some room.
const WANTED_ROOM: f64 = 1.25;
/// Where all that there is is sent already, nothing more is useful; its rate is not quite steady.
const SENT_ROOM: f64 = 0.8;
/// How often what a viewer could use is looked at while it has all of that.
const DEMAND_SPACING: Duration = Duration::from_millis(500);
/// From asking for a key frame to having it: a round trip to the publisher and a frame.
const KEYFRAME_LEAD: Duration = Duration::from_millis(100);
/// Packets of one burst of a viewer's pacer; the rest has its turn at the next timeout.
const MAX_BURST: usize = 256;
/// Recent packets that a probe repeats.
const PROBE_WINDOW: u64 = 24;

impl Plane {
    /// Carries out what the estimator of a transport concludes.
    pub(crate) fn apply_estimate(&mut self, now: Time, key: usize) {
        let Some(outgoing) = self.transports[key].outgoing.as_deref() else { return };
        let careful = outgoing.bandwidth.phase() == Phase::Start && self.is_careful(key);
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
        let bandwidth = &mut outgoing.bandwidth;
        let gate = bandwidth.gate();
        let settled = gate == Gate::Open && outgoing.pacer.gate == Gate::Open;
        outgoing.pacer.gate = gate;
        outgoing.pacer.set_silent(now, bandwidth.is_silent(now));
        outgoing.pacer.set_rate(bandwidth.pacing(careful));
        outgoing.redundancy.review(now, bandwidth.known());
        outgoing.protection.review(now, bandwidth.known(), outgoing.bytes - outgoing.parity_bytes);
        if let Some(carried) = bandwidth.take_carried() {
            outgoing.pacer.carried_at(carried);
        }
        if let Some(order) = bandwidth.take_order() {
            outgoing.pacer.probe(now, order);
        }
        if gate == Gate::Sound && outgoing.pacer.stop_probe() {
            let next = outgoing.sent.next_seq();
            outgoing.bandwidth.probe_left(now, next);
        }
        let settled = settled && outgoing.pacer.is_idle();
        self.tell_bandwidth(now, key);
        if !settled {
            self.pace(now, key);
        }
    }

    /// Tells the estimator what the viewer could use, when it may want to know.
    pub(crate) fn tell_demand(&mut self, now: Time, key: usize) {
        let Some(outgoing) = self.transports[key].outgoing.as_deref() else { return };
        if now < outgoing.next_demand && outgoing.bandwidth.is_sated() {
            return;
        }
        let demand = self.demand(key);
        if let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() {
            outgoing.bandwidth.want(demand);
            outgoing.next_demand = now + DEMAND_SPACING;
        }
    }

    /// What a viewer could use.
    fn demand(&self, key: usize) -> Demand {
        let Some(outgoing) = self.transports[key].outgoing.as_deref() else { return Demand::default() };
        let begins = outgoing.pacer.waiting.is_empty() && self.awaits_keyframe(key);
        let keys = || outgoing.subscriptions.iter().map(|(_, key)| *key);
        let stills = keys().any(|key| self.subscriptions[key].stills.is_some());
        if let Some(rate) = outgoing.wanted {
            return Demand { rate, more: rate > outgoing.bandwidth.estimate(), begins, stills };
        }
        let (mut wanted, mut more) = (0, false);
        for subscription in outgoing.subscriptions.iter().map(|(_, key)| &self.subscriptions[*key]) {
            let publication = &self.publications[subscription.publication];
            if subscription.switch.wish().paused || publication.active == 0 || publication.muted {
                continue;
            }
            let highest = publication.active.ilog2() as u8;
            let layer = publication.layers.get(usize::from(highest));
            let rates = layer.map_or(WireRates::default(), |layer| layer.usual_rates);
            wanted += rates.whole();
            let thinned = rates.up_to(subscription.wished_limits()) < rates.whole();
            let lower = subscription.switch.forwarded().is_some_and(|layer| layer < highest);
            more |= lower || thinned || subscription.switch.wish().spatial.is_some();
        }
        let room = if more { WANTED_ROOM } else { SENT_ROOM };
        Demand { rate: Bitrate((wanted as f64 * room) as u64), more, begins, stills }
    }

    /// Whether an unknown path gets no more than it must: the lowest of several layers. Where there is no choice, or one
    /// was made, what is forwarded leaves as it comes until the path shows that it cannot carry it.
    fn is_careful(&self, key: usize) -> bool {
        let outgoing = self.transports[key].outgoing.as_deref();
        let keys = outgoing.iter().flat_map(|it| it.subscriptions.iter().map(|(_, key)| *key));
        let mut pictures = keys.map(|key| &self.subscriptions[key]).filter_map(|subscription| {
            let publication = &self.publications[subscription.publication];
            let picture = publication.media.kind == Kind::Video;
            let layer = subscription.switch.awaited().or(subscription.switch.forwarded());
            picture.then(|| publication.layers.len() > 1 && layer.unwrap_or(0) == 0)
        });
        // Sound alone is never more than it must be.
        let mut any = false;
        pictures.all(|lowest| {
            any = true;
            lowest
        }) && any
    }

    /// When to ask for the key frame that a subscription waits for; never while its path has no room for it: then the
    /// pacer wakes.
    pub(crate) fn next_keyframe_request(&self, now: Time, key: usize) -> Time {
        let subscription = &self.subscriptions[key];
        let room = subscription.switch.requested().is_some_and(|it| self.has_room_for(now, key, it));
        let request = if room { subscription.switch.next_timeout() } else { Time::NEVER };
        let due = subscription.stills.as_deref().filter(|_| !self.holds_still(key)).map(Stills::next);
        request.min(due.filter(|due| *due > now).unwrap_or(Time::NEVER))
    }

    /// Whether a still of a subscription is on its way.
    fn holds_still(&self, key: usize) -> bool {
        let outgoing = self.transports[self.subscriptions[key].transport].outgoing.as_deref();
        outgoing.is_some_and(|outgoing| outgoing.pacer.holds_still(key))
    }

    /// A key frame is needed for the still that is due.
    pub(crate) fn want_still(&mut self, now: Time, key: usize) {
        let due = self.subscriptions[key].stills.as_deref().is_some_and(|stills| now >= stills.next());
        if due && !self.holds_still(key) {
            self.subscriptions[key].switch.refresh(now);
        }
    }

    /// Whether a subscription's path has room for a key frame of this layer, so that asking for one makes sense. A still may
    /// take its time.
    fn has_room_for(&self, now: Time, key: usize, layer: u8) -> bool {
        let subscription = &self.subscriptions[key];
        let Some(outgoing) = self.transports[subscription.transport].outgoing.as_deref() else { return true };
        let layer = self.publications[subscription.publication].layers.get(usize::from(layer));
        match outgoing.pacer.gate {
            Gate::Open => true,
            Gate::Base => {
                // One that came too soon would wait here until it is stale.
                let soon = outgoing.pacer.carried() <= now + KEYFRAME_LEAD;
                let taken = Limits { temporal: u8::MAX, ..subscription.wished_limits() };
                let fits =
                    |layer: &Layer| layer.wire_rates(now).up_to(taken) <= outgoing.bandwidth.estimate().0;
                soon && (subscription.stills.is_some() || layer.is_none_or(fits))
            }
            Gate::Sound => false,
        }
    }

    fn tell_bandwidth(&mut self, now: Time, key: usize) {
        let transport = &mut self.transports[key];
        let Some(outgoing) = transport.outgoing.as_deref_mut() else { return };
        if outgoing.bandwidth.news(now) {
            let (estimate, link) = (outgoing.bandwidth.estimate(), outgoing.bandwidth.state());
            self.events.push_back(Event::Bandwidth { transport: transport.handle, estimate, link });
        }
    }

    /// Whether a picture of this viewer is about to begin with a key frame.
    pub(crate) fn awaits_keyframe(&self, key: usize) -> bool {
        let outgoing = self.transports[key].outgoing.as_deref();
        let mut keys = outgoing.iter().flat_map(|it| it.subscriptions.iter().map(|(_, key)| *key));
        keys.any(|key| self.subscriptions[key].switch.awaited().is_some())
    }

    /// The same, or the next still is.
    fn seeks_keyframe(&self, key: usize) -> bool {
        let outgoing = self.transports[key].outgoing.as_deref();
        let mut keys = outgoing.iter().flat_map(|it| it.subscriptions.iter().map(|(_, key)| *key));
        keys.any(|key| {
            let subscription = &self.subscriptions[key];
            subscription.switch.awaited().is_some() || subscription.stills.is_some()
        })
    }

    /// Asks for the key frames that this viewer's subscriptions still wait for.
    fn want_keyframes(&mut self, now: Time, key: usize) {
        if self.seeks_keyframe(key) {
            let outgoing = self.transports[key].outgoing.as_deref();
            let keys: Vec<usize> =
                outgoing.iter().flat_map(|it| it.subscriptions.iter().map(|(_, key)| *key)).collect();
            keys.into_iter().for_each(|key| self.want_keyframe(now, key));
        }
    }

    /// Watches over the silence of a viewer's reports, when it is time to.
    pub(crate) fn watch_reports(&mut self, now: Time, key: usize) {
        let outgoing = self.transports[key].outgoing.as_deref_mut().filter(|it| now >= it.look_at);
        let Some(outgoing) = outgoing else { return };
        outgoing.bandwidth.handle_timeout(now);
        let silent = outgoing.bandwidth.is_silent(now);
        if (outgoing.bandwidth.gate(), silent) != (outgoing.pacer.gate, outgoing.pacer.silent) {
            self.apply_estimate(now, key);
        }
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
        outgoing.look_at = outgoing.bandwidth.next_timeout(now);
    }

    /// Sends what may leave by now to a viewer: repairs, then pictures, then what a probe needs.
    pub(crate) fn pace(&mut self, now: Time, key: usize) {
        while let Some(copy) =
            self.transports[key].outgoing.as_deref_mut().and_then(|it| it.pacer.take_copy(now))
        {
            self.repair(now, key, copy);
        }
        for _ in 0..MAX_BURST {
            self.drop_stale(now, key);
            if !self.send_waiting(now, key) {
                break;
            }
        }
        self.send_probes(now, key);
        let Some(outgoing) = self.transports[key].outgoing.as_deref() else { return };
        let mut at = outgoing.pacer.next_timeout();
        if outgoing.pacer.gate == Gate::Base && self.seeks_keyframe(key) {
            let asks = outgoing.pacer.carried() - KEYFRAME_LEAD;
            at = if asks > now { at.min(asks) } else { at };
        }
        self.wake(key, at.max(now + Duration::from_micros(1)));
        self.want_keyframes(now, key);
    }

    /// The next thing that waits; false when nothing may leave now.
    fn send_waiting(&mut self, now: Time, key: usize) -> bool {
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return false };
        if !outgoing.pacer.has_room(now) || self.outbox.is_crowded() {
            return false;
        }
        let pacer = &outgoing.pacer;
        let only_stills = pacer.waiting.is_empty() && pacer.repairs.is_empty();
        if only_stills && !pacer.is_clear(now) {
            return false;
        }
        self.send_first(now, key)
    }

    /// The next thing that waits, whether or not the path has room; false when nothing waits.
    fn send_first(&mut self, now: Time, key: usize) -> bool {
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return false };
        if let Some(repair) = outgoing.pacer.repairs.pop_front() {
            self.repair(now, key, repair);
            return true;
        }
        let Some(waiting) = outgoing.pacer.waiting.pop_front() else { return self.send_still(now, key) };
        let Waiting { subscription, layer, seq, since, step } = waiting;
        let Some(subscription) = self.subscriptions.get_mut(subscription) else { return true };
        let publication = &self.publications[subscription.publication];
        let item = Fresh { layer, seq, arrival: since, padding: false };
        let transport = &mut self.transports[key];
        match depart(now, publication, item, step, subscription, transport, &mut self.outbox) {
            Ok(left) => self.counters.add(Counter::RtpOut, u64::from(left)),
            Err(reason) => {
                self.counters.drop(reason);
                if step == Step::Switch {
                    subscription.switch.cut(now, layer);
                }
            }
        }
        true
    }

    /// The next packet of a still; false when none waits.
    fn send_still(&mut self, now: Time, key: usize) -> bool {
        let waiting = self.transports[key].outgoing.as_deref_mut().and_then(|it| it.pacer.stills.pop_front());
        let Some(Waiting { subscription, layer, seq, step, .. }) = waiting else { return false };
        let Some(subscription) = self.subscriptions.get_mut(subscription) else { return true };
        let publication = &self.publications[subscription.publication];
        let (transport, outbox) = (&mut self.transports[key], &mut self.outbox);
        match depart_still(now, publication, (layer, seq, step), subscription, transport, outbox) {
            Ok(left) => self.counters.add(Counter::RtpOut, u64::from(left)),
            Err(reason) => self.counters.drop(reason),
        }
        true
    }

    fn repair(&mut self, now: Time, key: usize, repair: Repair) {
        let Some(subscription) = self.subscriptions.get_mut(repair.subscription) else { return };
        if now.since(repair.since) > STALE {
            self.counters.drop(Drop::Stale);
            return;
        }
        let publication = &self.publications[subscription.publication];
        let transport = &mut self.transports[key];
        if let Some(outgoing) = transport.outgoing.as_deref()
            && is_beyond(outgoing, publication, subscription)
        {
            self.counters.drop(Drop::Stale);
            return;
        }
        let wanted = (repair.wire, repair.again);
        match retransmit(now, publication, wanted, subscription, transport, &mut self.outbox) {
            Ok(()) => self.counters.add(Counter::RtxOut, 1),
            Err(reason) => self.counters.drop(reason),
        }
    }

    /// Drops stills that waited too long.
    fn drop_stale_stills(&mut self, now: Time, key: usize) {
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
        while let Some(first) = outgoing.pacer.stills.front().filter(|it| now.since(it.since) >= PATIENCE) {
            let subscription = first.subscription;
            let before = outgoing.pacer.stills.len();
            outgoing.pacer.stills.retain(|waiting| waiting.subscription != subscription);
            self.counters.drop_many(Drop::Stale, (before - outgoing.pacer.stills.len()) as u64);
        }
    }

    /// Drops what waited too long, and all that cannot be decoded without it.
    fn drop_stale(&mut self, now: Time, key: usize) {
        self.drop_stale_stills(now, key);
        while let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() {
            let stale =
                outgoing.pacer.waiting.front().filter(|first| now.since(first.since) >= STALE).copied();
            let Some(stale) = stale else { return };
            outgoing.pacer.waiting.pop_front();
            let Some(subscription) = self.subscriptions.get_mut(stale.subscription) else { continue };
            let publication = &self.publications[subscription.publication];
            let history = publication.layers.get(usize::from(stale.layer)).map(|layer| &layer.history);
            let packet = history.and_then(|history| history.get(stale.seq));
            let item = Fresh { layer: stale.layer, seq: stale.seq, arrival: now, padding: true };
            let transport = &mut self.transports[key];
            // Only the numbers move on.
            let outbox = &mut Outbox::default();
            let _ = depart(now, publication, item, Step::Skip, subscription, transport, outbox);
            if stale.step == Step::Skip {
                continue;
            }
            self.counters.drop(Drop::Stale);
            let temporal = packet.map_or(0, |packet| packet.mark.temporal);
            if temporal > 0 && stale.step == Step::Forward {
                subscription.sublayers.cut(temporal);
                continue;
            }
            subscription.switch.cut(now, stale.layer);
            let Some(outgoing) = transport.outgoing.as_deref_mut() else { return };
            let dropped = outgoing.pacer.drop_layer(stale.subscription, stale.layer);
            self.counters.drop_many(Drop::Stale, dropped);
            let (subscription, open) = (stale.subscription, outgoing.pacer.gate == Gate::Open);
            if open {
                self.want_keyframe(now, subscription);
            }
        }
    }

    /// What a probe cluster still needs beyond the media that left meanwhile.
    fn send_probes(&mut self, now: Time, key: usize) {
        let mut back = 0;
        loop {
            let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
            if !outgoing.pacer.probe_due(now) {
                break;
            }
            // Pictures that wait are the most useful bytes; stills take their own time.
            let moves = !outgoing.pacer.waiting.is_empty() || !outgoing.pacer.repairs.is_empty();
            if moves && self.send_first(now, key) {
                continue;
            }
            let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
            let picture = outgoing.subscriptions.iter().map(|(_, key)| *key).find(|key| {
                let subscription = &self.subscriptions[*key];
                let publication = &self.publications[subscription.publication];
                let repairs = subscription.media.rtx_ssrc.is_some();
                repairs && publication.media.kind == Kind::Video && subscription.packets > 0
            });
            let sent = picture.is_some_and(|picture| {
                let subscription = &mut self.subscriptions[picture];
                let publication = &self.publications[subscription.publication];
                let transport = &mut self.transports[key];
                let (place, outbox) = (back % PROBE_WINDOW, &mut self.outbox);
                send_probe(now, publication, place, subscription, transport, outbox).is_ok()
            });
            back += 1;
            self.counters.add(Counter::ProbesOut, u64::from(sent));
            let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
            if !sent {
                outgoing.pacer.stop_probe();
                let next = outgoing.sent.next_seq();
                outgoing.bandwidth.probe_left(now, next);
                return;
            }
        }
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
        if outgoing.pacer.probe_ended() {
            let next = outgoing.sent.next_seq();
            outgoing.bandwidth.probe_left(now, next);
        }
    }

    /// After packets were given to a viewer: whatever must be looked at later.
    pub(crate) fn wake_viewer(&mut self, now: Time, key: usize) {
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
        if outgoing.bandwidth.phase() == Phase::Start {
            let careful = self.is_careful(key);
            let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
            outgoing.pacer.set_rate(outgoing.bandwidth.pacing(careful));
        }
        self.watch_reports(now, key);
        let Some(outgoing) = self.transports[key].outgoing.as_deref_mut() else { return };
        let at = outgoing.pacer.next_timeout();
        self.wake(key, at.max(now + Duration::from_micros(1)));
    }
}

/// Whether not even the lowest temporal layer of what is, or was, forwarded fits the path, as known: what is lost of it is not
/// worth a repair, and a lower layer need not wait for it.
pub(crate) fn is_beyond(outgoing: &Outgoing, publication: &Publication, subscription: &Subscription) -> bool {
    let index = subscription.switch.forwarded().or(subscription.last_sent.map(|(_, layer, _)| layer));
    let layer = index.and_then(|layer| publication.layers.get(usize::from(layer)));
    let base = Limits { temporal: 0, ..subscription.wished_limits() };
    let least = layer.map_or(0, |layer| layer.usual_rates.up_to(base));
    let known = outgoing.bandwidth.phase() != Phase::Start && subscription.stills.is_none();
    known && least > outgoing.bandwidth.estimate().0
}
