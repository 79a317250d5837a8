//! Which layer a subscription takes when what flows has changed, and the key frames it waits for.

use crate::egress::forward;
use crate::io::Event;
use crate::keyframe_request::THROTTLE;
use crate::layer::Forwarding;
use crate::pacing::is_beyond;
use crate::plane::Plane;
use crate::publication::Fresh;
use crate::stats::Drop;
use crate::units::{SeqNo, Time};

impl Plane {
    /// Which layers flow may have changed: tell it, and let every viewer's choice follow.
    pub(crate) fn refresh_layers(&mut self, now: Time, key: usize) {
        let publication = &mut self.publications[key];
        let before = publication.active;
        if !publication.update_active(now) {
            return;
        }
        let (handle, active) = (publication.handle, publication.active);
        let forwarded =
            publication.subscriptions.iter().filter_map(|it| self.subscriptions[*it].switch.forwarded());
        let watched = forwarded.fold(0_u32, |layers, layer| layers | 1 << layer);
        let lapsed = before & !active & watched;
        (0..publication.layers.len())
            .filter(|n| lapsed & (1 << n) != 0)
            .for_each(|n| publication.lapse(now, n));
        for tap in &mut publication.taps {
            tap.choose(now, active, publication.muted);
        }
        if !publication.taps.is_empty() {
            let transport = publication.transport;
            self.wake(transport, now);
        }
        let publication = &mut self.publications[key];
        self.events.push_back(Event::LayersChanged { publication: handle, active });
        for subscription in publication.subscriptions.clone() {
            self.decide(now, subscription);
        }
    }

    /// What a viewer gets can begin, or begin again: it missed what came before and needs key frames.
    pub(crate) fn begin_again(&mut self, now: Time, transport: usize) {
        let outgoing = self.transports[transport].outgoing.as_deref();
        let subscriptions = outgoing.map(|outgoing| outgoing.subscriptions.clone()).unwrap_or_default();
        for (_, subscription) in subscriptions {
            self.subscriptions[subscription].switch.interrupt();
            self.decide(now, subscription);
            self.catch_up(now, subscription);
        }
    }

    /// Starts a viewer that waits for a key frame with the last one, when that is recent: many may join at once, and the
    /// publisher is asked only so often.
    pub(crate) fn catch_up(&mut self, now: Time, key: usize) {
        let subscription = &mut self.subscriptions[key];
        let Some(index) = subscription.switch.awaited() else { return };
        let publication = &self.publications[subscription.publication];
        let layer = &publication.layers[usize::from(index)];
        let Some(keyframe) = layer.last_keyframe.filter(|last| now.since(last.arrival) <= THROTTLE) else {
            return;
        };
        let newest = layer.loss.highest().unwrap_or(keyframe.seq);
        let pending = |seq| publication.fresh.iter().any(|item| item.layer == index && item.seq == seq);
        // A publisher may jump by thousands of numbers: only what is kept is looked at.
        let missed: Vec<Fresh> = (keyframe.seq.max(layer.history.oldest()).0..=newest.0)
            .map(|seq| Fresh { layer: index, seq: SeqNo(seq), arrival: now, padding: false })
            .filter(|item| layer.history.get(item.seq).is_some() && !pending(item.seq))
            .collect();
        let transport = &mut self.transports[subscription.transport];
        if transport.ice.path().is_none() || transport.keys.is_none() {
            return;
        }
        forward(now, publication, &missed, subscription, transport, &mut self.outbox, &mut self.counters);
        if let Some(layer) = subscription.switch.forwarded() {
            let event = Event::LayerForwarded { subscription: subscription.handle, layer: Some(layer) };
            self.events.push_back(event);
        }
    }

    /// Lets a subscription choose its layer anew.
    pub(crate) fn decide(&mut self, now: Time, key: usize) {
        let subscription = &mut self.subscriptions[key];
        let publication = &self.publications[subscription.publication];
        // Of a muted publication nothing flows: no key frame is asked for that nobody would see.
        let active = if publication.muted { 0 } else { publication.active };
        let before = subscription.switch.forwarded();
        subscription.switch.decide(active);
        let outgoing = self.transports[subscription.transport].outgoing.as_deref_mut();
        if let (Forwarding::Switching(from, to), Some(outgoing)) = (subscription.switch.state(), outgoing)
            && to < from
            && is_beyond(outgoing, publication, subscription)
        {
            subscription.switch.cut(now, from);
            self.counters.drop_many(Drop::Stale, outgoing.pacer.supersede(key, 0));
        }
        if let Some(outgoing) = self.transports[subscription.transport].outgoing.as_deref_mut() {
            outgoing.next_demand = now;
        }
        let layer = subscription.switch.forwarded();
        if layer != before {
            self.events.push_back(Event::LayerForwarded { subscription: subscription.handle, layer });
        }
        let viewer = subscription.transport;
        self.wake_viewer(now, viewer);
        self.want_keyframe(now, key);
    }

    /// Asks for the key frame that a subscription waits for, if it is time.
    pub(crate) fn want_keyframe(&mut self, now: Time, key: usize) {
        self.want_still(now, key);
        let subscription = &self.subscriptions[key];
        let (publication, transport) = (subscription.publication, subscription.transport);
        if self.next_keyframe_request(now, key) <= now
            && let Some(layer) = self.subscriptions[key].switch.keyframe_due(now)
        {
            self.want_layer(now, publication, layer);
        }
        let again = self.next_keyframe_request(now, key);
        self.wake(transport, again);
    }

    /// Somebody needs a key frame of this layer.
    pub(crate) fn want_layer(&mut self, now: Time, publication: usize, layer: u8) {
        let publication = &mut self.publications[publication];
        if let Some(layer) = publication.layers.get_mut(usize::from(layer)) {
            layer.keyframes.want();
            let (at, transport) = (layer.keyframes.next_timeout().max(now), publication.transport);
            self.wake(transport, at);
        }
    }
}
