//! One worker's state: takes inputs, gives outputs, touches no socket, clock or thread.
//!
//! One mutation, then drain. The other halves of [`Plane`] are in `control.rs` (commands), `deciding.rs` (layers),
//! `feedback.rs` (RTCP) and `timers.rs`; a packet's walk is in `ingress.rs` and `egress.rs`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use rustc_hash::FxHashMap;
use slab::Slab;

pub use crate::ahead::EXPECTED;
use crate::demux::{Protocol, classify};
use crate::egress::forward;
use crate::ice::{AnswerLimiter, IceEvent, Path};
use crate::ingress::{Accepted, receive_rtp};
use crate::io::{Event, Handle, Input, Kind, Output};
use crate::loss::Arrival;
use crate::outbox::{Outbox, Run};
use crate::publication::Publication;
use crate::stats::{Counter, Counters, DelayHistogram, Drop, WorkerStats};
use crate::stun::StunMessage;
use crate::subscription::Subscription;
use crate::tap::TapBatch;
use crate::transport::Transport;
use crate::twcc::{ArrivalLog, Fate};
use crate::units::Time;

/// How long a packet may wait for the rest of its frame, so that one segmented send carries them all.
const GATHER: Duration = Duration::from_micros(120);
/// With fewer viewers than this, waiting costs more than it saves.
const GATHER_MIN_SUBSCRIPTIONS: usize = 4;

/// Settings of a plane.
#[derive(Clone, Copy, Debug)]
pub struct PlaneConfig {
    /// Seeds everything random (own sources, first sequence numbers).
    pub seed: u64,
}

/// What a handle stands for: a key in one of the plane's slabs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entity {
    Transport(usize),
    Publication(usize),
    Subscription(usize),
}

/// All transports, publications and subscriptions of one worker.
#[derive(Debug)]
pub struct Plane {
    pub(crate) random: u64,
    pub(crate) transports: Slab<Transport>,
    /// How many transports have no keys yet.
    pub(crate) connecting: usize,
    pub(crate) publications: Slab<Publication>,
    pub(crate) subscriptions: Slab<Subscription>,
    pub(crate) handles: FxHashMap<Handle, Entity>,
    /// Validated addresses: the only ones from which anything but STUN has an effect.
    pub(crate) addresses: FxHashMap<Path, usize>,
    /// Our ICE fragments of all generations that still serve.
    pub(crate) ufrags: FxHashMap<String, usize>,
    pub(crate) limiter: AnswerLimiter,
    /// Publications with packets to forward.
    pub(crate) ripe: Vec<usize>,
    /// When each transport's timers want a look, by its key; apart from the transports because it is scanned.
    pub(crate) dues: Vec<Time>,
    pub(crate) next_due: Time,
    pub(crate) outbox: Outbox,
    /// Publications with a tap (keys), and batches of taps that ended.
    pub(crate) tapped: Vec<usize>,
    pub(crate) last_batches: VecDeque<TapBatch>,
    handed_out: bool,
    /// Counts changes of what [`Plane::publisher_paths`] says.
    pub(crate) publisher_revision: u64,
    pub(crate) events: VecDeque<Event>,
    pub(crate) counters: Counters,
    /// Transports that the next datagrams are from, the soonest first.
    pub(crate) expected: [Option<usize>; EXPECTED],
    /// What a report tells, used again for each.
    pub(crate) fates: Vec<Fate>,
    forward_delay: DelayHistogram,
}

impl Plane {
    /// An empty plane.
    pub fn new(config: PlaneConfig) -> Plane {
        Plane {
            random: config.seed,
            transports: Slab::new(),
            connecting: 0,
            publications: Slab::new(),
            subscriptions: Slab::new(),
            handles: FxHashMap::default(),
            addresses: FxHashMap::default(),
            ufrags: FxHashMap::default(),
            limiter: AnswerLimiter::default(),
            ripe: Vec::new(),
            dues: Vec::new(),
            next_due: Time::NEVER,
            outbox: Outbox::default(),
            tapped: Vec::new(),
            last_batches: VecDeque::new(),
            handed_out: false,
            publisher_revision: 0,
            events: VecDeque::new(),
            counters: Counters::default(),
            expected: [None; EXPECTED],
            fates: Vec::new(),
            forward_delay: DelayHistogram::default(),
        }
    }

    /// One mutation. After one or several of these drain [`Plane::poll_output`] until it says `Wait`.
    pub fn handle_input(&mut self, now: Time, input: Input<'_>) {
        self.reclaim(now);
        match input {
            Input::Datagram { local, source, payload } => {
                self.counters.add(Counter::DatagramsIn, 1);
                self.counters.add(Counter::BytesIn, payload.len() as u64);
                if let Err(reason) = self.receive(now, Path { local, remote: source }, payload) {
                    self.counters.drop(reason);
                }
            }
            Input::Command(command) => self.command(now, command),
            Input::Timeout => self.timeout(now),
        }
    }

    /// The next thing to do. What `Transmit` hands out is gone with the next call of any method.
    pub fn poll_output(&mut self, now: Time) -> Output<'_> {
        self.reclaim(now);
        self.flush(now);
        if !self.outbox.runs.is_empty() {
            let datagrams = self.outbox.runs.iter().map(Run::datagrams).sum();
            self.counters.add(Counter::DatagramsOut, datagrams);
            self.counters.add(Counter::BytesOut, self.outbox.bytes.len() as u64);
            self.handed_out = true;
            return Output::Transmit(&self.outbox);
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        if let Some(batch) = self.take_batch(now) {
            return Output::Tapped(batch);
        }
        let flush = self.ripe.iter().map(|key| self.publications[*key].flush_at).min();
        Output::Wait(flush.unwrap_or(Time::NEVER).min(self.next_batch()).min(self.next_due))
    }

    /// Where publishers send from, with a number that changes when this does: their media cannot wait, while viewers'
    /// feedback can for a moment.
    pub fn publisher_paths(&self) -> (u64, impl Iterator<Item = Path> + '_) {
        let publishers = self.transports.iter().filter(|(_, transport)| transport.publishes());
        (self.publisher_revision, publishers.filter_map(|(_, transport)| transport.ice.path()))
    }

    /// Whether somebody is about to connect: a handshake's datagrams follow each other, and each that waits holds up all.
    pub fn connects(&self) -> bool {
        self.connecting > 0
    }

    /// Counts what the driver refused or could not do.
    pub fn count_drop(&mut self, reason: Drop, amount: u64) {
        self.counters.drop_many(reason, amount);
    }

    /// A snapshot of everything.
    pub fn stats(&self, now: Time) -> WorkerStats {
        let transports = self.transports.iter().map(|(_, item)| (item.handle, item.figures()));
        let publications = self.publications.iter().map(|(_, item)| (item.handle, item.figures(now)));
        let subscriptions = self.subscriptions.iter().map(|(_, item)| (item.handle, item.figures()));
        WorkerStats {
            counters: self.counters.clone(),
            forward_delay: self.forward_delay.clone(),
            busy_seconds: 0.0,
            transports: transports.collect(),
            publications: publications.collect(),
            subscriptions: subscriptions.collect(),
        }
    }

    /// Empties the outbox that the driver has sent; only now is it known how long its packets took.
    fn reclaim(&mut self, now: Time) {
        if std::mem::take(&mut self.handed_out) {
            for (arrival, packets) in self.outbox.clear() {
                self.forward_delay.record(now.since(arrival), packets);
            }
        }
    }

    /// A datagram's way to what understands it.
    fn receive(&mut self, now: Time, path: Path, payload: &mut [u8]) -> Result<(), Drop> {
        let protocol = classify(payload)?;
        if protocol == Protocol::Stun {
            return self.receive_check(now, path, payload);
        }
        let key = *self.addresses.get(&path).ok_or(Drop::UnvalidatedSource)?;
        let transport = self.transports.get_mut(key).ok_or(Drop::UnvalidatedSource)?;
        transport.packets_in += 1;
        transport.bytes_in += payload.len() as u64;
        match protocol {
            Protocol::Stun => Ok(()),
            Protocol::Dtls => {
                transport.dtls.admit(now, payload.len())?;
                let event = Event::DtlsDatagram { transport: transport.handle, payload: payload.to_vec() };
                self.events.push_back(event);
                Ok(())
            }
            Protocol::Rtp => {
                let (publications, counters) = (&mut self.publications, &mut self.counters);
                let accepted = receive_rtp(now, transport, publications, counters, payload);
                self.schedule_feedback(key);
                self.accept(now, key, accepted?);
                Ok(())
            }
            Protocol::Rtcp => {
                self.receive_rtcp(now, key, payload)?;
                if let Some(transport) = self.transports.get_mut(key) {
                    transport.ice.hear(now, path);
                }
                Ok(())
            }
        }
    }

    fn receive_check(&mut self, now: Time, path: Path, payload: &[u8]) -> Result<(), Drop> {
        let message = StunMessage::parse(payload).map_err(|_| Drop::StunMalformed)?;
        let (local, _) = message.fragments().ok_or(Drop::StunUnknownUser)?;
        let ufrag = std::str::from_utf8(local).map_err(|_| Drop::StunUnknownUser)?;
        let key = *self.ufrags.get(ufrag).ok_or(Drop::StunUnknownUser)?;
        self.refuse_taken(now, key, path)?;
        let transport = self.transports.get_mut(key).ok_or(Drop::StunUnknownUser)?;
        let start = self.outbox.bytes.len();
        let outcome =
            transport.ice.handle_request(now, path, &message, &mut self.limiter, &mut self.outbox.bytes);
        if self.outbox.bytes.len() > start {
            self.outbox.push(path, start);
        }
        let outcome = outcome?;
        self.counters.add(Counter::ChecksAnswered, 1);
        if let Some(evicted) = outcome.evicted.filter(|evicted| self.addresses.get(evicted) == Some(&key)) {
            self.addresses.remove(&evicted);
        }
        if outcome.admitted.is_some() || !self.addresses.contains_key(&path) {
            self.addresses.insert(path, key);
        }
        if let Some(event) = outcome.event {
            self.path_event(now, key, event);
        }
        let at = self.transports[key].ice.next_timeout();
        self.wake(key, at);
        Ok(())
    }

    /// One address serves one transport: while its owner has consent there, no other may take it, for a lite agent
    /// cannot tell who really receives at it.
    fn refuse_taken(&self, now: Time, key: usize, path: Path) -> Result<(), Drop> {
        let owner = self.addresses.get(&path).filter(|owner| **owner != key);
        let taken = owner
            .and_then(|owner| self.transports.get(*owner))
            .is_some_and(|it| it.ice.has_consent(now, path));
        if taken { Err(Drop::StunUnexpected) } else { Ok(()) }
    }

    /// What became of a transport's path.
    pub(crate) fn path_event(&mut self, now: Time, key: usize, event: IceEvent) {
        let transport = self.transports[key].handle;
        self.publisher_revision += u64::from(self.transports[key].publishes());
        match event {
            IceEvent::Ready(_) | IceEvent::Restored(_) => {
                self.events.push_back(Event::TransportReady { transport });
                self.begin_again(now, key);
                self.wake(key, now);
            }
            IceEvent::PathChanged(_) => {
                self.counters.add(Counter::PathChanges, 1);
                self.events.push_back(Event::PathChanged { transport });
            }
            IceEvent::ConsentLost => self.events.push_back(Event::ConsentLost { transport }),
            IceEvent::AddressExpired(path) => {
                if self.addresses.get(&path) == Some(&key) {
                    self.addresses.remove(&path);
                }
            }
            IceEvent::Closed(reason) => {
                self.close(now, transport);
                self.events.push_back(Event::Closed { transport, reason });
            }
        }
    }

    /// A publication has a packet more.
    fn accept(&mut self, now: Time, transport: usize, accepted: Accepted) {
        let key = accepted.publication;
        let publication = &mut self.publications[key];
        if accepted.restarted {
            for subscription in &publication.subscriptions {
                let switch = &mut self.subscriptions[*subscription].switch;
                if switch.forwarded() == Some(accepted.layer) {
                    switch.interrupt();
                }
            }
            // Flows anew, so that every viewer decides anew below.
            publication.active &= !(1 << accepted.layer);
        }
        if accepted.arrival == Arrival::Late {
            return;
        }
        if accepted.resumed {
            self.events.push_back(Event::Stalled { publication: publication.handle, silent_ms: 0 });
        }
        if publication.muted || publication.subscriptions.is_empty() {
            self.counters.drop_many(Drop::Muted, u64::from(publication.muted));
            publication.fresh.clear();
        } else {
            let at_once = accepted.marker
                || publication.media.kind == Kind::Audio
                || publication.subscriptions.len() < GATHER_MIN_SUBSCRIPTIONS;
            if publication.flush_at == Time::NEVER {
                self.ripe.push(key);
            }
            publication.flush_at = publication.flush_at.min(if at_once { now } else { now + GATHER });
        }
        let layer = &publication.layers[usize::from(accepted.layer)];
        let gap = matches!(accepted.arrival, Arrival::Gap(_));
        let missing = if gap { layer.loss.next_timeout() } else { Time::NEVER };
        let watch = if accepted.marker { publication.next_timeout() } else { Time::NEVER };
        if publication.active & (1 << accepted.layer) == 0 {
            self.refresh_layers(now, key);
        }
        self.wake(transport, missing.min(watch));
    }

    fn schedule_feedback(&mut self, key: usize) {
        let incoming = self.transports[key].incoming.as_deref();
        let at = incoming.and_then(|incoming| incoming.arrivals.as_ref()).map(ArrivalLog::next_timeout);
        self.wake(key, at.unwrap_or(Time::NEVER));
    }

    /// Forwards what is due, until the outbox is full.
    fn flush(&mut self, now: Time) {
        let mut index = 0;
        while let Some(key) = self.ripe.get(index).copied() {
            if self.publications[key].flush_at > now {
                index += 1;
            } else if self.flush_publication(now, key) {
                self.ripe.swap_remove(index);
            } else {
                return;
            }
        }
    }

    /// Forwards a publication's fresh packets to one viewer after another; false when the outbox became full first.
    fn flush_publication(&mut self, now: Time, key: usize) -> bool {
        let publication = &mut self.publications[key];
        let fresh = std::mem::take(&mut publication.fresh);
        let mut cursor = publication.cursor;
        while let Some(subscription) = self.publications[key].subscriptions.get(cursor).copied() {
            if self.outbox.is_full() {
                break;
            }
            self.look_ahead(key, cursor);
            cursor += 1;
            let viewer = self.subscriptions[subscription].transport;
            self.watch_reports(now, viewer);
            let publication = &self.publications[key];
            let subscription = &mut self.subscriptions[subscription];
            let transport = &mut self.transports[viewer];
            let before = subscription.switch.forwarded();
            let (outbox, counters) = (&mut self.outbox, &mut self.counters);
            forward(now, publication, &fresh, subscription, transport, outbox, counters);
            let layer = subscription.switch.forwarded();
            if layer != before {
                self.events.push_back(Event::LayerForwarded { subscription: subscription.handle, layer });
            }
            if transport.outgoing.as_deref().is_some_and(|it| it.needs_look(now)) {
                self.wake_viewer(now, viewer);
            }
        }
        let publication = &mut self.publications[key];
        publication.fresh = fresh;
        publication.cursor = cursor;
        if cursor < publication.subscriptions.len() {
            return false;
        }
        publication.fresh.clear();
        publication.cursor = 0;
        publication.flush_at = Time::NEVER;
        true
    }

    /// Nothing of this publication waits any longer (it ended).
    pub(crate) fn unripe(&mut self, key: usize) {
        self.ripe.retain(|ripe| *ripe != key);
    }

    /// Looks at a transport's timers no later than `at`.
    pub(crate) fn wake(&mut self, key: usize, at: Time) {
        if let Some(due) = self.dues.get_mut(key)
            && at < *due
        {
            *due = at;
            self.next_due = self.next_due.min(at);
        }
    }

    /// A random number (SplitMix64).
    pub(crate) fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Whether an address has proved itself (for tests and diagnosis).
    pub fn is_validated(&self, local: u8, remote: SocketAddr) -> bool {
        self.addresses.contains_key(&Path { local, remote })
    }
}
