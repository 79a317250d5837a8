//! Any order of commands and datagrams, given to a plane in virtual time, with what must hold after each.
//!
//! Used by the property test `arbitrary_datagrams.rs` and by the fuzz target `session`: both only make [`Step`]s.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "shared by a test and a fuzz target")]

pub mod peers;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use loupe_core::demux::{Protocol, classify};
use loupe_core::io::{Codec, Command, Handle, Input, Output, SrtpProfile, Wish};
use loupe_core::plane::{Plane, PlaneConfig};
use loupe_core::rtp::RtpHeader;
use loupe_core::units::Time;

use peers::{Peer, inbound, outbound};

/// Transports, publications and subscriptions that a scenario may have at a time.
pub const TRANSPORTS: u8 = 4;
pub const PUBLICATIONS: u8 = 6;
pub const SUBSCRIPTIONS: u8 = 12;
/// Addresses and sources that one transport may hold (`ice/validated.rs`, `streams.rs`, `transport.rs`).
const MAX_ADDRESSES: usize = 8;
const MAX_SOURCES: usize = 64 + 16;
const MAX_RTCP_SOURCES: usize = 64;
/// Timeouts at one moment after which a plane is said to spin.
const MAX_TIMEOUTS: usize = 64;
/// Outputs of one mutation after which a plane is said to spin.
const MAX_OUTPUTS: usize = 20_000;
/// Bytes of a datagram of RTCP (`rtcp/gathering.rs`).
const MAX_REPORT: usize = 1_200;
/// Largest UDP payload over IPv4.
const MAX_DATAGRAM: usize = 65_507;

pub const CODECS: [Codec; 7] =
    [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::H265, Codec::Av1, Codec::Opus, Codec::Opaque];
pub const PROFILES: [SrtpProfile; 3] =
    [SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm, SrtpProfile::Aes128CmSha1_80];

/// One thing that happens. Numbers choose among what a scenario may have, so every value means something.
#[derive(Clone, Debug)]
pub enum Step {
    Wait {
        micros: u32,
    },
    /// Any bytes from an address that never proves itself.
    Stranger {
        host: u8,
        bytes: Vec<u8>,
    },
    /// Any bytes from a peer's address.
    Raw {
        peer: u8,
        port: u8,
        bytes: Vec<u8>,
    },
    /// An authentic check, from one of the peer's ports.
    Check {
        peer: u8,
        port: u8,
        nominate: bool,
        extra: Vec<u8>,
    },
    /// An authentic RTP packet.
    Rtp {
        peer: u8,
        packet: Packet,
    },
    /// An authentic RTCP packet with any content.
    Rtcp {
        peer: u8,
        bytes: Vec<u8>,
    },
    /// Authentic feedback about what the peer receives.
    Feedback {
        peer: u8,
        kind: u8,
        source: u8,
        numbers: Vec<u16>,
    },
    Open {
        peer: u8,
    },
    Restart {
        peer: u8,
    },
    RemoteFragment {
        peer: u8,
    },
    Keys {
        peer: u8,
        profile: u8,
        bytes: Option<Vec<u8>>,
    },
    Publish {
        peer: u8,
        publication: u8,
        codec: u8,
        layers: u8,
        signalled: bool,
    },
    Subscribe {
        peer: u8,
        publication: u8,
        subscription: u8,
    },
    Prefer {
        subscription: u8,
        layer: Option<u8>,
        paused: bool,
    },
    Mute {
        publication: u8,
        muted: bool,
    },
    RequestKeyframe {
        publication: u8,
    },
    Dtls {
        peer: u8,
        bytes: Vec<u8>,
    },
    Close {
        handle: u8,
    },
}

/// An RTP packet relative to the last one of its source.
#[derive(Clone, Debug)]
pub struct Packet {
    pub publication: u8,
    pub layer: u8,
    pub repair: bool,
    pub sequence_step: i16,
    pub time_step: i32,
    pub marker: bool,
    /// 0 to 127 as it is; above, the payload type that was signalled.
    pub payload_type: u8,
    /// The first byte is the profile: even one-byte, odd two-byte elements; empty for none.
    pub extension: Vec<u8>,
    pub padding: bool,
    pub payload: Vec<u8>,
}

pub fn transport_handle(peer: u8) -> Handle {
    Handle(1 + u64::from(peer % TRANSPORTS))
}

pub fn publication_handle(publication: u8) -> Handle {
    Handle(11 + u64::from(publication % PUBLICATIONS))
}

pub fn subscription_handle(subscription: u8) -> Handle {
    Handle(21 + u64::from(subscription % SUBSCRIPTIONS))
}

/// A plane and the peers that know its passwords.
pub struct Scenario {
    pub plane: Plane,
    pub now: Time,
    pub peers: Vec<Peer>,
    due: Time,
    /// Bytes from and to addresses that never sent an authentic check.
    strangers: HashMap<SocketAddr, (usize, usize)>,
    /// The last sequence number that left under each source.
    newest: HashMap<u32, u16>,
}

impl Scenario {
    /// Two connected peers; the first publishes a camera with two layers and a microphone, the second receives both.
    pub fn new() -> Scenario {
        let mut scenario = Scenario {
            plane: Plane::new(PlaneConfig { seed: 7 }),
            now: Time::ZERO,
            peers: (0..TRANSPORTS).map(Peer::new).collect(),
            due: Time::NEVER,
            strangers: HashMap::new(),
            newest: HashMap::new(),
        };
        for peer in [0, 1] {
            scenario.step(&Step::Open { peer });
            scenario.step(&Step::Keys { peer, profile: 0, bytes: None });
            scenario.step(&Step::Check { peer, port: 0, nominate: true, extra: Vec::new() });
        }
        for (publication, codec, layers) in [(0, 0, 2), (1, 5, 1)] {
            scenario.step(&Step::Publish { peer: 0, publication, codec, layers, signalled: true });
            scenario.step(&Step::Subscribe { peer: 1, publication, subscription: publication });
        }
        assert_eq!(scenario.plane.census().handles, 6, "the scenario did not begin");
        scenario
    }

    /// Lets one thing happen and checks what must hold. Panics where it does not.
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Wait { micros } => self.wait(Duration::from_micros(u64::from(*micros))),
            Step::Stranger { host, bytes } => {
                let source = SocketAddr::from(([203, 0, 113, *host], 9_000));
                self.strangers.entry(source).or_default().0 += bytes.len();
                self.datagram(source, bytes.clone());
            }
            Step::Raw { peer, port, bytes } => {
                let source = self.peer(*peer).address(*port);
                self.datagram(source, bytes.clone());
            }
            Step::Check { peer, port, nominate, extra } => {
                let (source, bytes) = self.peer(*peer).check(*port, *nominate, extra);
                self.datagram(source, bytes);
            }
            Step::Rtp { peer, packet } => {
                let sealed = self.peer(*peer).rtp(packet);
                self.authentic(*peer, sealed);
            }
            Step::Rtcp { peer, bytes } => {
                let sealed = self.peer(*peer).rtcp(bytes.clone());
                self.authentic(*peer, sealed);
            }
            Step::Feedback { peer, kind, source, numbers } => {
                let newest = self.newest.get(&peers::viewed(*source)).copied().unwrap_or_default();
                let plain = peers::feedback(*kind, *source, newest, numbers);
                let sealed = self.peer(*peer).rtcp(plain);
                self.authentic(*peer, sealed);
            }
            _ => self.command(step),
        }
        self.check();
    }

    fn command(&mut self, step: &Step) {
        let command = match step {
            Step::Open { peer } => {
                Command::OpenTransport { transport: transport_handle(*peer), ice: self.open(*peer) }
            }
            Step::Restart { peer } => {
                let (transport, known) = (transport_handle(*peer), self.is_open(*peer));
                let peer = self.peer(*peer);
                peer.generation += u32::from(known);
                Command::RestartIce { transport, ice: peer.credentials() }
            }
            Step::RemoteFragment { peer } => Command::SetRemoteUfrag {
                transport: transport_handle(*peer),
                ufrag: self.peer(*peer).remote_fragment(),
            },
            Step::Keys { peer, profile, bytes } => self.keys(*peer, *profile, bytes.as_deref()),
            Step::Publish { peer, publication, codec, layers, signalled } => Command::Publish {
                transport: transport_handle(*peer),
                publication: publication_handle(*publication),
                media: inbound(*publication, *codec, *layers, *signalled),
            },
            Step::Subscribe { peer, publication, subscription } => Command::Subscribe {
                publication: publication_handle(*publication),
                subscription: subscription_handle(*subscription),
                transport: transport_handle(*peer),
                media: outbound(*subscription),
            },
            Step::Prefer { subscription, layer, paused } => Command::Prefer {
                subscription: subscription_handle(*subscription),
                wish: Wish { layer: *layer, paused: *paused, ..Wish::default() },
            },
            Step::Mute { publication, muted } => {
                Command::Mute { publication: publication_handle(*publication), muted: *muted }
            }
            Step::RequestKeyframe { publication } => {
                Command::RequestKeyframe { publication: publication_handle(*publication) }
            }
            Step::Dtls { peer, bytes } => {
                Command::SendDtls { transport: transport_handle(*peer), payload: bytes.clone() }
            }
            Step::Close { handle } => Command::Close { handle: Handle(u64::from(*handle % 33)) },
            _ => return,
        };
        self.plane.handle_input(self.now, Input::Command(command));
        self.drain();
    }

    fn peer(&mut self, peer: u8) -> &mut Peer {
        &mut self.peers[usize::from(peer % TRANSPORTS)]
    }

    fn is_open(&self, peer: u8) -> bool {
        let handle = transport_handle(peer);
        self.plane.stats(self.now).transports.iter().any(|(known, _)| *known == handle)
    }

    /// A transport that is opened anew has fresh credentials; one that is open keeps its own.
    fn open(&mut self, peer: u8) -> loupe_core::io::IceCredentials {
        let fresh = !self.is_open(peer);
        let peer = self.peer(peer);
        peer.generation += u32::from(fresh);
        peer.credentials()
    }

    /// The keys that both sides know, or any bytes in their place.
    fn keys(&mut self, peer: u8, profile: u8, bytes: Option<&[u8]>) -> Command {
        let profile = PROFILES[usize::from(profile) % PROFILES.len()];
        let transport = transport_handle(peer);
        let (inbound, outbound) = match bytes {
            Some(bytes) => (bytes.to_vec(), bytes.to_vec()),
            None => self.peer(peer).take_keys(profile),
        };
        Command::SetSrtp { transport, profile, inbound, outbound }
    }

    fn authentic(&mut self, peer: u8, sealed: Option<Vec<u8>>) {
        let source = self.peer(peer).address(0);
        if let Some(bytes) = sealed {
            self.datagram(source, bytes);
        }
    }

    fn datagram(&mut self, source: SocketAddr, mut payload: Vec<u8>) {
        self.plane.handle_input(self.now, Input::Datagram { local: 0, source, payload: &mut payload });
        self.drain();
    }

    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while self.due <= end {
            self.now = self.now.max(self.due);
            let mut timeouts = 0;
            while self.due <= self.now {
                self.plane.handle_input(self.now, Input::Timeout);
                self.drain();
                timeouts += 1;
                assert!(timeouts < MAX_TIMEOUTS, "a timer that is due stays due at {:?}", self.now);
            }
        }
        self.now = end;
    }

    fn drain(&mut self) {
        for _ in 0..MAX_OUTPUTS {
            match self.plane.poll_output(self.now) {
                Output::Transmit(outbox) => {
                    let mut end = 0;
                    for run in &outbox.runs {
                        let (start, length) = (run.offset as usize, run.length as usize);
                        assert!(
                            start >= end && length > 0 && start + length <= outbox.bytes.len(),
                            "{run:?}"
                        );
                        assert!((1..=MAX_DATAGRAM).contains(&usize::from(run.segment)), "{run:?}");
                        assert!(run.datagrams() <= 64, "{run:?}");
                        end = start + length;
                        let datagrams = outbox.bytes[start..end].chunks(usize::from(run.segment));
                        let reports =
                            datagrams.clone().filter(|it| matches!(classify(it), Ok(Protocol::Rtcp)));
                        assert!(reports.clone().all(|datagram| datagram.len() <= MAX_REPORT), "{run:?}");
                        for header in datagrams.filter_map(|datagram| RtpHeader::parse(datagram).ok()) {
                            self.newest.insert(header.ssrc.0, header.sequence);
                        }
                        if let Some((_, told)) = self.strangers.get_mut(&run.destination) {
                            *told += length;
                        }
                    }
                }
                Output::Event(_) | Output::Tapped(_) => {}
                Output::Wait(due) => {
                    self.due = due;
                    return;
                }
            }
        }
        panic!("more than {MAX_OUTPUTS} outputs of one mutation");
    }

    /// What must hold at every moment.
    fn check(&self) {
        let census = self.plane.census();
        assert!(census.transports <= usize::from(TRANSPORTS), "{census:?}");
        assert!(census.publications <= usize::from(PUBLICATIONS), "{census:?}");
        assert!(census.subscriptions <= usize::from(SUBSCRIPTIONS), "{census:?}");
        assert_eq!(census.handles, census.transports + census.publications + census.subscriptions);
        assert!(census.addresses <= census.transports * MAX_ADDRESSES, "{census:?}");
        assert!(census.fragments <= census.transports * 2, "{census:?}");
        assert!(census.ripe <= census.publications, "{census:?}");
        assert!(census.timers <= census.transports, "{census:?}");
        assert!(census.sources <= census.transports * MAX_SOURCES, "{census:?}");
        assert!(census.rtcp_sources <= census.transports * MAX_RTCP_SOURCES, "{census:?}");
        for (heard, told) in self.strangers.values() {
            assert!(told * 2 <= heard * 3, "{told} bytes to a stranger who sent {heard}");
        }
    }

    /// Closes everything: nothing may be left, and strangers and peers have no effect any more.
    pub fn end(mut self) {
        (0..33).for_each(|handle| self.step(&Step::Close { handle }));
        self.wait(Duration::from_secs(40));
        let census = self.plane.census();
        assert_eq!((census.handles, census.addresses, census.fragments, census.ripe), (0, 0, 0, 0));
        assert_eq!((census.timers, census.sources, census.rtcp_sources), (0, 0, 0));
        self.step(&Step::Check { peer: 0, port: 0, nominate: true, extra: Vec::new() });
        assert_eq!(self.plane.census().addresses, 0, "a check without a transport was accepted");
    }
}
