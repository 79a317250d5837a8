//! A plane, its peers and the links between them in virtual time: the same seed gives the same run, byte for byte.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "shared by test files, each of which uses a part"
)]

pub mod content;
pub mod media;
pub mod peer;
pub mod publisher;
pub mod session;
pub mod source;
pub mod tcp;
pub mod viewer;
pub mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use loupe_core::io::{Command, Event, Handle, Input, Output, SrtpProfile, Wish};
use loupe_core::plane::{Plane, PlaneConfig};
use loupe_core::stats::{Counter, Drop};
use loupe_core::tap::TapBatch;
use loupe_core::units::Time;
use loupe_netem::{DelayConfig, Direction, Link, LinkConfig, Loss, Tag};

use media::Media;
use peer::Peer;
use tcp::Tcp;
use viewer::Line;

/// One run of datagrams as the plane handed it to its driver.
#[derive(Clone, Copy, Debug)]
pub struct RunSeen {
    pub at: Time,
    pub destination: SocketAddr,
    pub datagrams: u64,
    pub length: u32,
    pub segment: u16,
}

/// A peer and its two links.
pub struct End {
    pub peer: Peer,
    pub up: Link<Vec<u8>>,
    pub down: Link<Vec<u8>>,
    /// Flows that share the link to the peer.
    pub tcp: Vec<Tcp>,
}

pub struct World {
    pub plane: Plane,
    pub now: Time,
    pub ends: Vec<End>,
    pub events: Vec<(Time, Event)>,
    pub runs: Vec<RunSeen>,
    pub tapped: Vec<TapBatch>,
    /// Told when the plane begins to work (true) and ends.
    pub watch: fn(bool),
    /// What the plane sent to addresses of nobody.
    pub strays: Vec<(SocketAddr, Vec<u8>)>,
    due: Time,
    seed: u64,
    next_handle: u64,
}

/// A link without loss that takes `ms` each way.
pub fn clean(ms: u64) -> LinkConfig {
    lossy(ms, Loss::None)
}

pub fn lossy(ms: u64, loss: Loss) -> LinkConfig {
    let delay = DelayConfig { delay_us: ms * 1_000, ..DelayConfig::default() };
    LinkConfig { loss, delay, unlogged: true, ..LinkConfig::default() }
}

/// Everything between these moments is lost.
pub fn outage(from_ms: u64, to_ms: u64) -> Loss {
    Loss::Schedule(std::iter::once(from_ms * 1_000..to_ms * 1_000).collect())
}

pub fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl World {
    pub fn new(seed: u64) -> World {
        World {
            plane: Plane::new(PlaneConfig { seed }),
            now: Time::ZERO,
            ends: Vec::new(),
            events: Vec::new(),
            runs: Vec::new(),
            tapped: Vec::new(),
            watch: |_| {},
            strays: Vec::new(),
            due: Time::NEVER,
            seed,
            next_handle: 1,
        }
    }

    fn handle(&mut self) -> Handle {
        self.next_handle += 1;
        Handle(self.next_handle - 1)
    }

    /// A peer with keys, that begins its checks now; `up` and `down` may differ.
    pub fn join_by(&mut self, up: LinkConfig, down: LinkConfig) -> usize {
        let number = self.join_without_keys(up, down);
        self.give_keys(number);
        number
    }

    /// The handshake of a peer ended.
    pub fn give_keys(&mut self, peer: usize) {
        let Peer { handle: transport, ref wire, .. } = self.ends[peer].peer;
        let (inbound, outbound) = (wire.our_key(), wire.their_key());
        let profile = SrtpProfile::AeadAes128Gcm;
        self.command(Command::SetSrtp { transport, profile, inbound, outbound });
    }

    pub fn join_without_keys(&mut self, up: LinkConfig, down: LinkConfig) -> usize {
        let number = self.ends.len();
        let handle = self.handle();
        let peer = Peer::new(number, handle, self.now);
        let ice = peer.wire.credentials();
        let seed = self.seed.wrapping_mul(1_000).wrapping_add(number as u64);
        self.ends.push(End {
            peer,
            up: Link::new(up, seed, Direction::Forward),
            down: Link::new(down, seed, Direction::Backward),
            tcp: Vec::new(),
        });
        self.command(Command::OpenTransport { transport: handle, ice });
        number
    }

    /// A peer whose link takes 10 ms each way and loses nothing.
    pub fn join(&mut self) -> usize {
        self.join_by(clean(10), clean(10))
    }

    /// A camera at one viewer and nothing else, for three seconds: the world, the viewer and the publication. Without
    /// `transport_cc` the viewer sends plain reports.
    pub fn with_camera_alone(seed: u64, transport_cc: bool) -> (World, usize, Handle) {
        let mut world = World::new(seed);
        let (publisher, viewer) = (world.join(), world.join());
        world.run(millis(300));
        let video = world.publish(publisher, media::camera(1_000));
        let mut line = media::picture(2_000);
        if !transport_cc {
            line.media.extensions.transport_cc = 0;
        }
        world.subscribe(video, viewer, line);
        world.run(millis(3_000));
        (world, viewer, video)
    }

    pub fn publish(&mut self, peer: usize, media: Media) -> Handle {
        let publication = self.handle();
        let transport = self.ends[peer].peer.handle;
        let inbound = media.inbound.clone();
        self.ends[peer].peer.publisher.add(self.now, media);
        self.command(Command::Publish { transport, publication, media: inbound });
        publication
    }

    /// Subscribes `peer`; gives the subscription and the number of the viewer's line.
    pub fn subscribe(&mut self, publication: Handle, peer: usize, line: Line) -> (Handle, usize) {
        let subscription = self.handle();
        let transport = self.ends[peer].peer.handle;
        let media = line.media.clone();
        self.ends[peer].peer.viewer.lines.push(line);
        self.command(Command::Subscribe { publication, subscription, transport, media });
        (subscription, self.ends[peer].peer.viewer.lines.len() - 1)
    }

    pub fn prefer(&mut self, subscription: Handle, layer: u8) {
        let wish = Wish { layer: Some(layer), ..Wish::default() };
        self.command(Command::Prefer { subscription, wish });
    }

    pub fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
        self.drain();
    }

    /// A datagram that reaches the plane now, from any address.
    pub fn inject(&mut self, source: SocketAddr, mut payload: Vec<u8>) {
        self.input(Input::Datagram { local: 0, source, payload: &mut payload });
        self.drain();
    }

    fn input(&mut self, input: Input<'_>) {
        (self.watch)(true);
        self.plane.handle_input(self.now, input);
        (self.watch)(false);
    }

    /// A datagram of a peer, by its link.
    pub fn send(&mut self, peer: usize, datagram: Vec<u8>) {
        self.ends[peer].up.push(self.now.0, datagram.len(), datagram);
    }

    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = self.next_moment().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn next_moment(&self) -> Option<Time> {
        let ends = self.ends.iter().flat_map(|end| {
            let links = [end.up.next_event(), end.down.next_event()];
            let tcp = end.tcp.iter().map(Tcp::next_timeout).min().unwrap_or(Time::NEVER);
            links.into_iter().flatten().map(Time).chain([end.peer.next_timeout(), tcp])
        });
        ends.chain([self.due]).filter(|time| *time != Time::NEVER).min()
    }

    fn step(&mut self) {
        let now = self.now;
        for index in 0..self.ends.len() {
            let end = &mut self.ends[index];
            while let Some((_, datagram)) = end.down.pop(now.0) {
                match end.tcp.first_mut().filter(|_| Tcp::owns(&datagram)) {
                    Some(tcp) => tcp.arrive(now, &datagram),
                    None => end.peer.receive(now, &datagram),
                }
            }
            for datagram in end.tcp.iter_mut().flat_map(|tcp| tcp.handle_timeout(now)).collect::<Vec<_>>() {
                end.down.push_tagged(now.0, datagram.len(), datagram, Tag { flow: 1, urgent: false });
            }
            end.peer.handle_timeout(now);
            for datagram in end.peer.take_datagrams() {
                end.up.push(now.0, datagram.len(), datagram);
            }
            while let Some((_, datagram)) = self.ends[index].up.pop(now.0) {
                let source = self.ends[index].peer.wire.address;
                self.inject(source, datagram);
            }
        }
        if self.due <= now {
            self.input(Input::Timeout);
            self.drain();
            // A timer that finds nothing to do would wake its worker for ever.
            assert!(self.due > now, "due at {:?}, looked at {now:?}", self.due);
        }
    }

    fn drain(&mut self) {
        loop {
            (self.watch)(true);
            let output = self.plane.poll_output(self.now);
            (self.watch)(false);
            match output {
                Output::Transmit(outbox) => {
                    for run in &outbox.runs {
                        let (start, length) = (run.offset as usize, run.length as usize);
                        let destination = run.destination;
                        let (datagrams, length_, segment) = (run.datagrams(), run.length, run.segment);
                        self.runs.push(RunSeen {
                            at: self.now,
                            destination,
                            datagrams,
                            length: length_,
                            segment,
                        });
                        let owner = self.ends.iter_mut().find(|end| end.peer.wire.address == destination);
                        let bytes = &outbox.bytes[start..start + length];
                        let datagrams = bytes.chunks(usize::from(segment)).map(<[u8]>::to_vec);
                        match owner {
                            Some(end) => datagrams.for_each(|datagram| {
                                end.down.push(self.now.0, datagram.len(), datagram);
                            }),
                            None => self.strays.extend(datagrams.map(|datagram| (destination, datagram))),
                        }
                    }
                }
                Output::Event(event) => self.events.push((self.now, event)),
                Output::Tapped(batch) => self.tapped.push(batch),
                Output::Wait(due) => {
                    self.due = due;
                    return;
                }
            }
        }
    }

    pub fn peer(&mut self, number: usize) -> &mut Peer {
        &mut self.ends[number].peer
    }

    /// What a peer's line received.
    pub fn line(&self, peer: usize, line: usize) -> &Line {
        &self.ends[peer].peer.viewer.lines[line]
    }

    pub fn dropped(&self, reason: Drop) -> u64 {
        self.plane.stats(self.now).counters.dropped(reason)
    }

    pub fn count(&self, counter: Counter) -> u64 {
        self.plane.stats(self.now).counters.count(counter)
    }

    pub fn events_of(&self, wanted: impl Fn(&Event) -> bool) -> Vec<(Time, Event)> {
        self.events.iter().filter(|(_, event)| wanted(event)).cloned().collect()
    }
}
