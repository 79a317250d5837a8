//! What the control plane asks of a plane: opening, publishing, subscribing, wishes, closing.

use crate::ice::IceLite;
use crate::io::{Command, Handle, IceCredentials, InboundMedia, OutboundMedia, SrtpProfile, Wish};
use crate::plane::{Entity, Plane};
use crate::publication::{Layer, Publication};
use crate::reports::{REPORT_INTERVAL, own_ssrc};
use crate::srtp::{InboundSrtp, OutboundSrtp};
use crate::stats::{Counter, Drop};
use crate::subscription::Subscription;
use crate::transport::{Incoming, Keys, Outgoing, Transport};
use crate::twcc::ArrivalLog;
use crate::units::Time;

/// Largest UDP payload over IPv4, in bytes; an empty one would make a run without segments.
const MAX_DATAGRAM: usize = 65_507;

impl Plane {
    /// A command for something that is gone has no effect.
    pub(crate) fn command(&mut self, now: Time, command: Command) {
        match command {
            Command::OpenTransport { transport, ice } => self.open_transport(now, transport, ice),
            Command::RestartIce { transport, ice } => self.restart_ice(now, transport, ice),
            Command::SetRemoteUfrag { transport, ufrag } => {
                if let Some(key) = self.transport_key(transport) {
                    self.transports[key].ice.set_remote_ufrag(ufrag);
                }
            }
            Command::SendDtls { transport, payload } => self.send_dtls(transport, &payload),
            Command::SetSrtp { transport, profile, inbound, outbound } => {
                self.set_srtp(now, transport, profile, &inbound, &outbound);
            }
            Command::Publish { transport, publication, media } => {
                self.publish(now, transport, publication, media);
            }
            Command::Subscribe { publication, subscription, transport, media } => {
                self.subscribe(now, publication, subscription, transport, media);
            }
            Command::Prefer { subscription, wish } => self.prefer(now, subscription, wish),
            Command::Want { transport, rate } => {
                let key = self.transport_key(transport);
                if let Some(outgoing) = key.and_then(|key| self.transports[key].outgoing.as_deref_mut()) {
                    outgoing.wanted = rate;
                    outgoing.next_demand = now;
                }
            }
            Command::Mute { publication, muted } => self.mute(now, publication, muted),
            Command::RequestKeyframe { publication } => self.request_keyframe(now, publication),
            Command::Tap { publication, tap, reader, clocks } => {
                self.tap(now, publication, (tap, reader), clocks);
            }
            Command::Untap { publication, reader } => self.untap(now, publication, reader),
            Command::Close { handle } => self.close(now, handle),
        }
    }

    fn transport_key(&self, handle: Handle) -> Option<usize> {
        match self.handles.get(&handle) {
            Some(Entity::Transport(key)) => Some(*key),
            _ => None,
        }
    }

    fn publication_key(&self, handle: Handle) -> Option<usize> {
        match self.handles.get(&handle) {
            Some(Entity::Publication(key)) => Some(*key),
            _ => None,
        }
    }

    fn open_transport(&mut self, now: Time, handle: Handle, ice: IceCredentials) {
        if self.handles.contains_key(&handle) {
            return;
        }
        let ssrc = own_ssrc(self.draw());
        let ufrag = ice.local_ufrag.clone();
        let key = self.transports.insert(Transport::new(now, handle, IceLite::new(now, ice), ssrc));
        self.connecting += 1;
        self.ufrags.insert(ufrag, key);
        self.handles.insert(handle, Entity::Transport(key));
        if self.dues.len() <= key {
            self.dues.resize(key + 1, Time::NEVER);
        }
        self.dues[key] = Time::NEVER;
        self.wake(key, self.transports[key].ice.next_timeout());
    }

    fn restart_ice(&mut self, now: Time, handle: Handle, ice: IceCredentials) {
        let Some(key) = self.transport_key(handle) else { return };
        let ufrag = ice.local_ufrag.clone();
        self.transports[key].ice.restart(now, ice);
        // Generations that no longer serve must not be found.
        let serving: Vec<String> = self.transports[key].ice.local_ufrags(now).map(str::to_owned).collect();
        self.ufrags.retain(|known, owner| *owner != key || serving.contains(known));
        self.ufrags.insert(ufrag, key);
    }

    fn send_dtls(&mut self, handle: Handle, payload: &[u8]) {
        let Some(key) = self.transport_key(handle) else { return };
        let transport = &mut self.transports[key];
        transport.dtls.begin();
        let Some(path) = transport.ice.path() else {
            self.counters.drop(Drop::NoConsent);
            return;
        };
        if !(1..=MAX_DATAGRAM).contains(&payload.len()) {
            self.counters.drop(Drop::SendFailed);
            return;
        }
        let start = self.outbox.bytes.len();
        self.outbox.bytes.extend_from_slice(payload);
        self.outbox.push(path, start);
    }

    fn set_srtp(&mut self, now: Time, handle: Handle, profile: SrtpProfile, inbound: &[u8], outbound: &[u8]) {
        let Some(key) = self.transport_key(handle) else { return };
        // The seam has checked the lengths; keys that are wrong all the same leave the transport without media.
        let (Ok(inbound), Ok(outbound)) =
            (InboundSrtp::new(profile, inbound), OutboundSrtp::new(profile, outbound))
        else {
            self.counters.drop(Drop::NoKeys);
            return;
        };
        let before = self.transports[key].keys.replace(Keys::new(inbound, outbound));
        self.connecting -= usize::from(before.is_none());
        self.begin_again(now, key);
        self.wake(key, now);
    }

    fn publish(&mut self, now: Time, transport: Handle, handle: Handle, media: InboundMedia) {
        let Some(key) = self.transport_key(transport) else { return };
        if self.handles.contains_key(&handle) || media.encodings.is_empty() {
            return;
        }
        let publication = self.publications.insert(Publication::new(handle, key, media));
        self.handles.insert(handle, Entity::Publication(publication));
        self.publisher_revision += 1;
        let media = &self.publications[publication].media;
        let incoming = self.transports[key].incoming.get_or_insert_with(|| Box::new(Incoming::new(now)));
        incoming.streams.add(publication, handle, media);
        incoming.fit_budget();
        if media.transport_cc {
            incoming.arrivals.get_or_insert_with(ArrivalLog::default);
        }
        incoming.remb |= media.remb && !media.transport_cc;
        incoming.reduced_size |= media.reduced_size;
        incoming.next_report = incoming.next_report.min(now + REPORT_INTERVAL);
        let at = incoming.next_report;
        self.wake(key, at);
    }

    fn subscribe(
        &mut self,
        now: Time,
        publication: Handle,
        handle: Handle,
        transport: Handle,
        media: OutboundMedia,
    ) {
        let keys = (self.publication_key(publication), self.transport_key(transport));
        let (Some(publication), Some(transport)) = keys else { return };
        if self.handles.contains_key(&handle) || !self.transports[transport].may_send(&media) {
            self.counters.add(Counter::SubscriptionsRefused, 1);
            return;
        }
        let start = (self.draw() >> 48) as u16;
        let needs_keyframe = self.publications[publication].needs_keyframe();
        let ssrc = media.ssrc;
        let outgoing = self.transports[transport].outgoing.get_or_insert_default();
        let key = self.subscriptions.vacant_key();
        let keys = (key, publication, transport);
        let mut subscription = Subscription::new(now, handle, keys, media, needs_keyframe, start);
        subscription.go_on_from(&outgoing.ended);
        self.subscriptions.insert(subscription);
        self.handles.insert(handle, Entity::Subscription(key));
        self.publications[publication].subscriptions.push(key);
        let outgoing = self.transports[transport].outgoing.get_or_insert_default();
        outgoing.subscriptions.push((ssrc, key));
        // Soon after the first packet, so that sound and picture are in step from the beginning.
        outgoing.next_report = now + REPORT_INTERVAL / 5;
        let at = outgoing.next_report;
        self.wake(transport, at);
        self.decide(now, key);
        self.catch_up(now, key);
    }

    fn prefer(&mut self, now: Time, handle: Handle, wish: Wish) {
        let Some(Entity::Subscription(key)) = self.handles.get(&handle).copied() else { return };
        let subscription = &mut self.subscriptions[key];
        let pictures = self.publications[subscription.publication].needs_keyframe();
        let stills = subscription.stills.is_some();
        subscription.wish_for(Wish { still: wish.still.filter(|_| pictures), ..wish });
        if stills && subscription.stills.is_none() {
            let viewer = subscription.transport;
            if let Some(outgoing) = self.transports[viewer].outgoing.as_deref_mut() {
                outgoing.pacer.stills.retain(|waiting| waiting.subscription != key);
            }
        }
        self.decide(now, key);
    }

    fn mute(&mut self, now: Time, handle: Handle, muted: bool) {
        let Some(key) = self.publication_key(handle) else { return };
        let publication = &mut self.publications[key];
        if publication.muted == muted {
            return;
        }
        publication.muted = muted;
        publication.layers.iter_mut().for_each(Layer::hide);
        for tap in &mut publication.taps {
            tap.mute(now, muted);
            tap.choose(now, publication.active, muted);
        }
        if !publication.taps.is_empty() {
            let transport = publication.transport;
            self.wake(transport, now);
        }
        let publication = &mut self.publications[key];
        for subscription in publication.subscriptions.clone() {
            // Pictures need a new beginning: what came meanwhile is missing from the viewer's references.
            self.subscriptions[subscription].switch.interrupt();
            let viewer = self.subscriptions[subscription].transport;
            if let Some(outgoing) = self.transports[viewer].outgoing.as_deref_mut() {
                self.counters.drop_many(Drop::Muted, outgoing.pacer.supersede(subscription, 0));
            }
            self.decide(now, subscription);
        }
    }

    fn request_keyframe(&mut self, now: Time, handle: Handle) {
        let Some(key) = self.publication_key(handle) else { return };
        let publication = &self.publications[key];
        if !publication.needs_keyframe() {
            return;
        }
        let watched: u32 = publication
            .subscriptions
            .iter()
            .filter_map(|key| self.subscriptions[*key].switch.forwarded())
            .fold(0, |layers, layer| layers | 1 << layer);
        let wanted = if watched == 0 { publication.active } else { watched };
        for layer in (0..32).filter(|layer| wanted & (1 << layer) != 0) {
            self.want_layer(now, key, layer);
        }
    }

    /// Ends what the handle stands for and all that hangs on it.
    pub(crate) fn close(&mut self, now: Time, handle: Handle) {
        match self.handles.get(&handle).copied() {
            Some(Entity::Transport(key)) => self.close_transport(now, key),
            Some(Entity::Publication(key)) => self.close_publication(now, key),
            Some(Entity::Subscription(key)) => self.close_subscription(key),
            None => {}
        }
    }

    fn close_transport(&mut self, now: Time, key: usize) {
        let publications: Vec<usize> = self.publications_of(key);
        publications.into_iter().for_each(|publication| self.close_publication(now, publication));
        let outgoing = self.transports[key].outgoing.take();
        for (_, subscription) in outgoing.into_iter().flat_map(|outgoing| outgoing.subscriptions) {
            self.close_subscription(subscription);
        }
        let transport = self.transports.remove(key);
        self.connecting -= usize::from(transport.keys.is_none());
        self.handles.remove(&transport.handle);
        self.addresses.retain(|_, owner| *owner != key);
        self.ufrags.retain(|_, owner| *owner != key);
        self.dues[key] = Time::NEVER;
    }

    fn close_publication(&mut self, now: Time, key: usize) {
        for subscription in self.publications[key].subscriptions.clone() {
            self.close_subscription(subscription);
        }
        self.unripe(key);
        self.end_taps(now, key);
        self.publisher_revision += 1;
        let publication = self.publications.remove(key);
        self.handles.remove(&publication.handle);
        let transport = self.transports.get_mut(publication.transport);
        if let Some(incoming) = transport.and_then(|transport| transport.incoming.as_deref_mut()) {
            incoming.streams.remove(publication.handle);
            incoming.fit_budget();
        }
        self.wake(publication.transport, now);
    }

    fn close_subscription(&mut self, key: usize) {
        let subscription = self.subscriptions.remove(key);
        self.handles.remove(&subscription.handle);
        if let Some(publication) = self.publications.get_mut(subscription.publication)
            && let Some(index) = publication.subscriptions.iter().position(|other| *other == key)
        {
            publication.subscriptions.remove(index);
            // A flush that stopped midway goes on with the same viewer.
            publication.cursor -= usize::from(index < publication.cursor);
        }
        let transport = self.transports.get_mut(subscription.transport);
        if let Some(outgoing) = transport.and_then(|transport| transport.outgoing.as_deref_mut()) {
            outgoing.subscriptions.retain(|(_, other)| *other != key);
            outgoing.pacer.forget(key);
            outgoing.ended.extend(subscription.stop());
        }
    }

    /// Keys of what a transport publishes.
    pub(crate) fn publications_of(&self, transport: usize) -> Vec<usize> {
        let incoming = self.transports[transport].incoming.as_deref();
        incoming.map(|incoming| incoming.streams.publications().collect()).unwrap_or_default()
    }
}

impl Outgoing {
    /// The subscription that the viewer knows by this source.
    pub(crate) fn subscription(&self, ssrc: crate::units::Ssrc) -> Option<usize> {
        self.subscriptions.iter().find(|(known, _)| *known == ssrc).map(|(_, key)| *key)
    }
}
