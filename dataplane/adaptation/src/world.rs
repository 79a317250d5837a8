//! The plane, its peers and the links between them, in virtual time: what the driver does, without sockets.
//!
//! One thing happens at a time and the plane is drained after it, as in `dataplane/driver`; the same scenario and seed
//! give the same run, byte for byte.

use std::collections::HashMap;
use std::net::SocketAddr;

use loupe_core::demux::{Protocol, classify};
use loupe_core::io::{Command, Event, Handle, Input, Output, SrtpProfile};
use loupe_core::plane::{Plane, PlaneConfig};
use loupe_core::rtcp::compound;
use loupe_core::units::Time;
use loupe_netem::{EndpointId, LinkId, Topology};

use crate::publisher::Publisher;
use crate::record::{LayerRates, Observer};
use crate::subscriber::Subscriber;
use crate::truth::Truth;
use crate::wire::{PROFILE, Wire};

/// What a peer does.
pub enum Role {
    /// Sends.
    Publisher {
        /// The publisher.
        publisher: Box<Publisher>,
        /// Number of its first publication among all.
        publication: usize,
    },
    /// Receives.
    Subscriber {
        /// The subscriber.
        subscriber: Box<Subscriber>,
        /// Who watches its wire.
        observer: Box<Observer>,
    },
}

/// One transport's far end.
pub struct Peer {
    /// The transport.
    pub transport: Handle,
    /// What it does.
    pub role: Role,
    wire: Wire,
    endpoint: EndpointId,
    /// It left: it says and hears nothing any more.
    pub gone: bool,
    /// Bytes that it sent, IPv4 and UDP headers counted.
    pub sent_bytes: u64,
}

/// Everything.
pub struct World {
    /// What is under test.
    pub plane: Plane,
    /// Virtual time.
    pub now: Time,
    /// The links.
    pub net: Topology<Vec<u8>>,
    /// Where the plane is.
    pub server: EndpointId,
    /// All transports' far ends.
    pub peers: Vec<Peer>,
    /// What publishers send, by layer.
    pub rates: LayerRates,
    events: Vec<Event>,
    by_address: HashMap<SocketAddr, usize>,
    by_endpoint: HashMap<EndpointId, usize>,
    due: Time,
}

impl World {
    /// A plane without peers.
    pub fn new(seed: u64) -> World {
        let mut net = Topology::new(seed);
        let server = net.add_endpoint("plane");
        World {
            plane: Plane::new(PlaneConfig { seed }),
            now: Time::ZERO,
            net,
            server,
            peers: Vec::new(),
            rates: LayerRates::default(),
            events: Vec::new(),
            by_address: HashMap::new(),
            by_endpoint: HashMap::new(),
            due: Time::NEVER,
        }
    }

    /// A transport whose far end sends by the links `up` and receives by the links `down`. `open` makes what it does,
    /// after the transport was opened and before it has keys, so that its subscriptions and their first wishes stand.
    /// Returns the peer's place and the number of the flow towards it.
    pub fn join(
        &mut self,
        transport: Handle,
        (up, down): (&[LinkId], &[LinkId]),
        open: impl FnOnce(&mut World, &Wire) -> Role,
    ) -> (usize, u32) {
        let number = self.peers.len();
        let wire = Wire::new(number, self.now);
        let endpoint = self.net.add_endpoint("peer");
        let (server, address) = (self.server, wire.address());
        self.net.set_route(endpoint, server, up);
        let flow = self.net.set_route(server, endpoint, down);
        self.by_address.insert(address, number);
        self.by_endpoint.insert(endpoint, number);
        self.command(Command::OpenTransport { transport, ice: wire.credentials() });
        let role = open(self, &wire);
        let (inbound, outbound) = wire.keys();
        let profile: SrtpProfile = PROFILE;
        self.peers.push(Peer { transport, role, wire, endpoint, gone: false, sent_bytes: 0 });
        self.command(Command::SetSrtp { transport, profile, inbound, outbound });
        (number, flow)
    }

    /// The peer goes without a word, and the control plane closes its transport.
    pub fn leave(&mut self, peer: usize) {
        let Some(peer) = self.peers.get_mut(peer) else { return };
        peer.gone = true;
        let handle = peer.transport;
        self.command(Command::Close { handle });
    }

    /// A command of the control plane.
    pub fn command(&mut self, command: Command) {
        self.plane.handle_input(self.now, Input::Command(command));
        self.drain();
    }

    /// What the plane told since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Whether the plane has told anything since.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Lets time pass until `end`, or until the plane tells something; true when `end` was reached.
    pub fn run_until(&mut self, end: Time) -> bool {
        while let Some(next) = self.next_moment().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
            if self.has_events() {
                return false;
            }
        }
        self.now = end;
        true
    }

    fn next_moment(&self) -> Option<Time> {
        let peers = self.peers.iter().filter(|peer| !peer.gone).map(Peer::next_timeout);
        let net = self.net.next_event().map(Time);
        peers.chain(net).chain([self.due]).filter(|time| *time != Time::NEVER).min()
    }

    /// All that happens now: arrivals, peers, the plane's own timers.
    fn step(&mut self) {
        let now = self.now;
        while let Some(arrival) = self.net.receive(now.0) {
            let mut datagram = arrival.payload;
            if arrival.to == self.server {
                let Some(peer) = self.by_endpoint.get(&arrival.from) else { continue };
                let source = self.peers[*peer].wire.address();
                let payload = &mut datagram[..];
                self.plane.handle_input(now, Input::Datagram { local: 0, source, payload });
                self.drain();
            } else if let Some(peer) = self.by_endpoint.get(&arrival.to).copied() {
                self.peers[peer].receive(now, datagram);
            }
        }
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            if !peer.gone && peer.next_timeout() <= now {
                let endpoint = peer.endpoint;
                for datagram in peer.handle_timeout(now, &mut self.rates) {
                    let length = datagram.len();
                    self.peers[index].sent_bytes += length as u64 + loupe_netem::HEADER_BYTES;
                    // The route was made when it joined.
                    let sent = self.net.send(now.0, endpoint, self.server, length, datagram);
                    debug_assert!(sent);
                }
            }
        }
        if self.due <= now {
            self.plane.handle_input(now, Input::Timeout);
            self.drain();
        }
    }

    fn drain(&mut self) {
        loop {
            match self.plane.poll_output(self.now) {
                Output::Transmit(outbox) => {
                    for run in &outbox.runs {
                        let Some(peer) = self.by_address.get(&run.destination).copied() else { continue };
                        // While it joins, it is not there yet: nothing but checks leads to an address before keys.
                        let Some(peer) = self.peers.get_mut(peer) else { continue };
                        let (start, length) = (run.offset as usize, run.length as usize);
                        for datagram in outbox.bytes[start..start + length].chunks(usize::from(run.segment)) {
                            if let Role::Subscriber { observer, .. } = &mut peer.role {
                                observer.note(self.now, datagram);
                            }
                            let sent = self.net.send(
                                self.now.0,
                                self.server,
                                peer.endpoint,
                                datagram.len(),
                                datagram.to_vec(),
                            );
                            debug_assert!(sent);
                        }
                    }
                }
                Output::Event(event) => self.events.push(event),
                Output::Tapped(_) => {}
                Output::Wait(due) => {
                    self.due = due;
                    return;
                }
            }
        }
    }
}

impl Peer {
    fn next_timeout(&self) -> Time {
        let role = match &self.role {
            Role::Publisher { publisher, .. } if self.wire.is_connected() => publisher.next_timeout(),
            Role::Publisher { .. } => Time::NEVER,
            Role::Subscriber { subscriber, .. } => subscriber.next_timeout(),
        };
        self.wire.next_timeout().min(role)
    }

    fn handle_timeout(&mut self, now: Time, rates: &mut LayerRates) -> Vec<Vec<u8>> {
        let mut datagrams: Vec<Vec<u8>> = self.wire.due_check(now).into_iter().collect();
        match &mut self.role {
            Role::Publisher { publisher, publication } if self.wire.is_connected() => {
                for (mut packet, index) in publisher.handle_timeout(now) {
                    note_rate(now, rates, *publication, publisher, &packet);
                    self.wire.protect_rtp(&mut packet, index);
                    datagrams.push(packet);
                }
                if let Some(mut report) = publisher.reports_due(now) {
                    self.wire.protect_rtcp(&mut report);
                    datagrams.push(report);
                }
            }
            Role::Publisher { .. } => {}
            Role::Subscriber { subscriber, .. } => {
                for mut report in subscriber.handle_timeout(now) {
                    self.wire.protect_rtcp(&mut report);
                    datagrams.push(report);
                }
            }
        }
        datagrams
    }

    fn receive(&mut self, now: Time, mut datagram: Vec<u8>) {
        if self.gone {
            return;
        }
        match classify(&datagram) {
            Ok(Protocol::Stun) => self.wire.receive_answer(now),
            Ok(Protocol::Rtcp) => self.receive_rtcp(now, datagram),
            Ok(Protocol::Rtp) => {
                let bytes = datagram.len();
                if let Some(header) = self.wire.open_rtp(&mut datagram)
                    && let Role::Subscriber { subscriber, .. } = &mut self.role
                {
                    subscriber.receive_rtp(now, &header, &datagram, bytes);
                }
            }
            _ => {}
        }
    }

    fn receive_rtcp(&mut self, now: Time, mut datagram: Vec<u8>) {
        if !self.wire.open_rtcp(&mut datagram) {
            return;
        }
        for packet in compound(&datagram).flatten() {
            match &mut self.role {
                Role::Publisher { publisher, .. } => publisher.receive_rtcp(now, &packet),
                Role::Subscriber { subscriber, .. } => subscriber.receive_rtcp(now, &packet),
            }
        }
    }

    /// Datagrams that it could not open.
    pub fn refused(&self) -> u64 {
        self.wire.refused
    }
}

fn note_rate(now: Time, rates: &mut LayerRates, first: usize, publisher: &Publisher, packet: &[u8]) {
    // Repairs are sent again, not more.
    if let Some(truth) = Truth::read(packet)
        && let Some(publication) = publisher.publication_of(packet)
    {
        rates.note(now, first + publication, &truth, packet.len());
    }
}
