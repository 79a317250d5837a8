//! Prints what forwarding one packet costs the core, without sockets:
//! `cargo run --release -p loupe-core --example forwarding_cost [gcm128] [gcm256] [cm] [silent] [cold] [VIEWERS ...]`.
//!
//! One publisher sends VP8 (30 frames a second of 6 packets of 1,100 bytes) and Opus (50 packets a second of 172
//! bytes) to all viewers in virtual time. Checks and keys are real, so each packet is opened once and sealed once per
//! viewer; each viewer reports all arrivals every 100 ms, or nothing with `silent`. Reports come in when media do, as the
//! driver lets them gather. What publisher and viewers send is made before the clock runs; sending the outbox is left out.
//!
//! With `cold` all that the core knows is driven out of the first and second cache before media come in, as it is in a server
//! whose processor did something else in the meantime; doing so is hardly counted.

#[path = "../tests/behaviour/ice_peer/mod.rs"]
mod ice_peer;

use std::net::SocketAddr;
use std::time::Duration;

use ice_peer::{CONTROLLING, Integrity, USE_CANDIDATE, request};
use loupe_core::ice::Path;
use loupe_core::io::{
    Codec, Command, Encoding, ExtensionIds, Handle, IceCredentials, InboundMedia, Input, Kind, OutboundMedia,
    Output, SrtpProfile,
};
use loupe_core::plane::{EXPECTED, Plane, PlaneConfig};
use loupe_core::rtcp::TwccBuilder;
use loupe_core::rtp::{ExtensionWriter, FixedHeader};
use loupe_core::srtp::OutboundSrtp;
use loupe_core::stats::Counter;
use loupe_core::units::{Label, SeqNo, Ssrc, Time};

const DEFAULT_VIEWERS: [usize; 4] = [1, 10, 100, 400];
/// Bytes of a video packet before protection.
const VIDEO_LENGTH: usize = 1_100;
/// Bytes of a packet of sound before protection: 64 kbit/s in 20 ms.
const AUDIO_LENGTH: usize = 172;
const PACKETS_PER_FRAME: u64 = 6;
const FRAMES_PER_SECOND: u64 = 30;
const SOUNDS_PER_SECOND: u64 = 50;
/// A key frame every 10 s.
const KEYFRAME_INTERVAL: u64 = 300;
/// Between two packets of a frame, at the publisher's link.
const SPACING: Duration = Duration::from_micros(15);
/// Media that come in so long after the last find the caches cold.
const PAUSE: Duration = Duration::from_millis(1);
/// More than the caches hold that a processor has for itself.
const EVICTING: usize = 4 << 20;
/// Between two reports of a viewer, as Chromium spaces them.
const FEEDBACK_INTERVAL: u64 = 100;
/// From the plane to a viewer, and back.
const ONE_WAY: Duration = Duration::from_millis(10);
/// The first transport-wide number, unwrapped.
const FIRST_NUMBER: u64 = 1 << 16;
/// What is made at a time: a few megabytes.
const BATCH_SECONDS: u64 = 10;
/// Fewer forwarded packets would measure the clock.
const MIN_FORWARDED: u64 = 300_000;
const PUBLISHER: usize = 0;
const CAMERA: Ssrc = Ssrc(1_000);
const MICROPHONE: Ssrc = Ssrc(2_000);
const EXTENSIONS: ExtensionIds = ExtensionIds {
    mid: 1,
    rid: 0,
    repaired_rid: 0,
    abs_send_time: 2,
    transport_cc: 3,
    audio_level: 4,
    abs_capture_time: 0,
    playout_delay: 0,
    dependency_descriptor: 0,
    video_orientation: 0,
};

/// A datagram and when it reaches the plane.
struct Arrival {
    at: Time,
    source: SocketAddr,
    payload: Vec<u8>,
}

impl Arrival {
    /// RTP or RTCP, which the driver looks ahead at (RFC 7983 section 7).
    fn is_media(&self) -> bool {
        self.payload.first().is_some_and(|first| (128..192).contains(first))
    }
}

/// Peer number `number`; 0 publishes.
struct Peer {
    number: usize,
    address: SocketAddr,
    checks: u32,
}

impl Peer {
    fn new(number: usize) -> Peer {
        let address = SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 5_000));
        Peer { number, address, checks: 0 }
    }

    fn handle(&self) -> Handle {
        Handle(self.number as u64 + 1)
    }

    fn credentials(&self) -> IceCredentials {
        IceCredentials {
            local_ufrag: format!("plane{}", self.number),
            local_pwd: format!("a-password-of-peer-{}", self.number),
            remote_ufrag: Some(format!("peer{}", self.number)),
        }
    }

    fn key(&self, profile: SrtpProfile, side: u8) -> Vec<u8> {
        let mut key = vec![7; profile.key_length() + profile.salt_length()];
        key[..3].copy_from_slice(&[side, (self.number >> 8) as u8, self.number as u8]);
        key
    }

    fn check(&mut self, at: Time) -> Arrival {
        self.checks += 1;
        let known = self.credentials();
        let username = format!("{}:{}", known.local_ufrag, known.remote_ufrag.unwrap_or_default());
        let key = Integrity::Key(&known.local_pwd);
        let payload = request(self.checks, &username, &[CONTROLLING, USE_CANDIDATE], key);
        Arrival { at, source: self.address, payload }
    }
}

fn inbound(kind: Kind) -> InboundMedia {
    let video = kind == Kind::Video;
    let ssrc = Some(if video { CAMERA } else { MICROPHONE });
    InboundMedia {
        kind,
        codec: if video { Codec::Vp8 } else { Codec::Opus },
        clock_rate: if video { 90_000 } else { 48_000 },
        payload_type: if video { 96 } else { 111 },
        rtx_payload_type: None,
        mid: Label::new(if video { b"0" } else { b"1" }),
        encodings: vec![Encoding { ssrc, rtx_ssrc: None, rid: None }],
        extensions: EXTENSIONS,
        nack: video,
        pli: video,
        fir: false,
        transport_cc: true,
        remb: false,
        reduced_size: true,
    }
}

fn outbound(kind: Kind) -> OutboundMedia {
    let video = kind == Kind::Video;
    OutboundMedia {
        ssrc: if video { Ssrc(3_000) } else { Ssrc(4_000) },
        rtx_ssrc: video.then_some(Ssrc(3_001)),
        payload_type: if video { 96 } else { 111 },
        rtx_payload_type: video.then_some(97),
        red_payload_type: None,
        parity: None,
        mid: Label::new(if video { b"0" } else { b"1" }),
        extensions: EXTENSIONS,
        cname: "theatre".to_owned(),
    }
}

/// What the publisher sends, protected.
struct Source {
    address: SocketAddr,
    keys: OutboundSrtp,
    transport_seq: u16,
}

impl Source {
    fn packet(&mut self, at: Time, kind: Kind, index: u64, last: bool, payload_head: &[u8]) -> Arrival {
        let video = kind == Kind::Video;
        let mut payload = Vec::with_capacity(VIDEO_LENGTH + 16);
        let timestamp = at.micros() * if video { 9 } else { 48 } / if video { 100 } else { 1_000 };
        FixedHeader {
            payload_type: if video { 96 } else { 111 },
            marker: last,
            sequence: SeqNo(index).wire(),
            timestamp: (timestamp & 0xffff_ffff) as u32,
            ssrc: if video { CAMERA } else { MICROPHONE },
        }
        .write(&mut payload);
        let mut extensions = ExtensionWriter::begin(&mut payload);
        extensions.push(EXTENSIONS.mid, if video { b"0" } else { b"1" });
        extensions.push(EXTENSIONS.abs_send_time, &[0; 3]);
        extensions.push(EXTENSIONS.transport_cc, &self.transport_seq.to_be_bytes());
        if !video {
            extensions.push(EXTENSIONS.audio_level, &[0x9e]);
        }
        extensions.finish();
        self.transport_seq = self.transport_seq.checked_add(1).unwrap_or_default();
        let header_length = payload.len();
        payload.extend_from_slice(payload_head);
        payload.resize(if video { VIDEO_LENGTH } else { AUDIO_LENGTH }, 0xab);
        self.keys.protect_rtp(&mut payload, 0, header_length, SeqNo(index)).expect("our own packet");
        Arrival { at, source: self.address, payload }
    }

    /// Sound and picture of one second.
    fn second(&mut self, second: u64, arrivals: &mut Vec<Arrival>) {
        let start = Time::from_millis(second * 1_000);
        for frame in second * FRAMES_PER_SECOND..(second + 1) * FRAMES_PER_SECOND {
            let at = start + Duration::from_micros(frame % FRAMES_PER_SECOND * 1_000_000 / FRAMES_PER_SECOND);
            for place in 0..PACKETS_PER_FRAME {
                let id = ((frame & 0x7fff) as u16 | 0x8000).to_be_bytes();
                let first = if place == 0 { 0x90 } else { 0x80 };
                let inter = u8::from(frame % KEYFRAME_INTERVAL != 0);
                // RFC 7741 section 4.2: X; I, L and T; then the frame header with its P bit.
                let head = [first, 0xe0, id[0], id[1], (frame & 0xff) as u8, 0, inter];
                let index = frame * PACKETS_PER_FRAME + place;
                let last = place + 1 == PACKETS_PER_FRAME;
                arrivals.push(self.packet(at + SPACING * place as u32, Kind::Video, index, last, &head));
            }
        }
        for index in second * SOUNDS_PER_SECOND..(second + 1) * SOUNDS_PER_SECOND {
            let at =
                start + Duration::from_millis(3 + index % SOUNDS_PER_SECOND * (1_000 / SOUNDS_PER_SECOND));
            arrivals.push(self.packet(at, Kind::Audio, index, false, &[]));
        }
    }
}

/// What a viewer reports, protected.
struct Reporter {
    keys: OutboundSrtp,
    builder: TwccBuilder,
    index: u32,
    reported: usize,
}

impl Reporter {
    /// One report at `at` about what was sent at these moments, as far as it has arrived.
    fn report(&mut self, at: Time, address: SocketAddr, sent: &[Time]) -> Option<Arrival> {
        let arrived = sent.partition_point(|sent| *sent + ONE_WAY + ONE_WAY <= at);
        let number = |index: usize| SeqNo(FIRST_NUMBER + index as u64);
        let news: Vec<_> =
            (self.reported..arrived).map(|index| (number(index), sent[index] + ONE_WAY)).collect();
        let (base, _) = *news.first()?;
        self.reported = arrived;
        let mut payload = Vec::with_capacity(200);
        self.builder.write(&mut payload, (Ssrc(9), Ssrc(3_000)), base, &news);
        self.keys.protect_rtcp(&mut payload, 0, self.index).expect("our own packet");
        self.index += 1;
        Some(Arrival { at, source: address, payload })
    }
}

/// A plane with one publisher and its viewers.
struct World {
    plane: Plane,
    peers: Vec<Peer>,
    source: Source,
    /// One per viewer; none when viewers are silent.
    reporters: Vec<Reporter>,
    /// When each packet is forwarded.
    sent: Vec<Time>,
    due: Time,
    datagrams: u64,
    runs: u64,
    /// What drives everything else out of the caches; empty where they stay warm.
    evicting: Vec<u64>,
    /// What that took, in nanoseconds of this thread.
    evicted: u64,
}

impl World {
    fn new(profile: SrtpProfile, viewers: usize, silent: bool, cold: bool) -> World {
        let mut plane = Plane::new(PlaneConfig { seed: 1 });
        let peers: Vec<Peer> = (0..=viewers).map(Peer::new).collect();
        for peer in &peers {
            let transport = peer.handle();
            let (inbound, outbound) = (peer.key(profile, 1), peer.key(profile, 2));
            command(&mut plane, Command::OpenTransport { transport, ice: peer.credentials() });
            command(&mut plane, Command::SetSrtp { transport, profile, inbound, outbound });
        }
        let keys = peers[PUBLISHER].key(profile, 1);
        let keys = OutboundSrtp::new(profile, &keys).expect("a key of the profile's length");
        let mut next = peers.len() as u64 + 1;
        for kind in [Kind::Video, Kind::Audio] {
            let (publication, transport) = (Handle(next), peers[PUBLISHER].handle());
            next += 1;
            command(&mut plane, Command::Publish { transport, publication, media: inbound(kind) });
            for peer in &peers[PUBLISHER + 1..] {
                let (subscription, transport) = (Handle(next), peer.handle());
                next += 1;
                let media = outbound(kind);
                command(&mut plane, Command::Subscribe { publication, subscription, transport, media });
            }
        }
        let source = Source { address: peers[PUBLISHER].address, keys, transport_seq: 0 };
        let reporters = peers[PUBLISHER + 1..].iter().filter(|_| !silent).map(|peer| {
            let keys =
                OutboundSrtp::new(profile, &peer.key(profile, 1)).expect("a key of the profile's length");
            Reporter { keys, builder: TwccBuilder::new(), index: 0, reported: 0 }
        });
        let (reporters, sent) = (reporters.collect(), Vec::new());
        let evicting = if cold { vec![0; EVICTING / size_of::<u64>()] } else { Vec::new() };
        World {
            plane,
            peers,
            source,
            reporters,
            sent,
            due: Time::NEVER,
            datagrams: 0,
            runs: 0,
            evicting,
            evicted: 0,
        }
    }

    /// All that reaches the plane in `BATCH_SECONDS` from `second` on, in order.
    fn batch(&mut self, second: u64) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let count = self.peers.len();
        for two_seconds in (second..second + BATCH_SECONDS).step_by(2) {
            // The first checks come before the first packet; later ones are spread as browsers spread them.
            let spread = if two_seconds == 0 { 0 } else { 2_000_000 / count };
            for (index, peer) in self.peers.iter_mut().enumerate() {
                let offset = Duration::from_micros((index * spread) as u64);
                arrivals.push(peer.check(Time::from_millis(two_seconds * 1_000) + offset));
            }
        }
        let media = arrivals.len();
        (second..second + BATCH_SECONDS).for_each(|second| self.source.second(second, &mut arrivals));
        arrivals[media..].sort_by_key(|arrival| arrival.at);
        self.sent.extend(arrivals[media..].iter().map(|arrival| arrival.at));
        let mut reports = Vec::new();
        self.report(second, &mut reports);
        let moments: Vec<Time> = arrivals[media..].iter().map(|arrival| arrival.at).collect();
        for report in &mut reports {
            let next = moments.partition_point(|at| *at < report.at);
            report.at = moments.get(next).copied().unwrap_or(report.at);
        }
        arrivals.append(&mut reports);
        arrivals.sort_by_key(|arrival| arrival.at);
        arrivals
    }

    /// All viewers' reports, each viewer at its own moments.
    fn report(&mut self, second: u64, arrivals: &mut Vec<Arrival>) {
        let count = self.reporters.len() as u64;
        for (index, reporter) in self.reporters.iter_mut().enumerate() {
            let address = self.peers[PUBLISHER + 1 + index].address;
            let offset = Duration::from_micros(index as u64 * FEEDBACK_INTERVAL * 1_000 / count);
            for tick in 0..BATCH_SECONDS * 1_000 / FEEDBACK_INTERVAL {
                let at = Time::from_millis(second * 1_000 + tick * FEEDBACK_INTERVAL) + offset;
                arrivals.extend(reporter.report(at, address, &self.sent));
            }
        }
    }

    fn run(&mut self, arrivals: &mut [Arrival]) {
        let ahead = |arrivals: &[Arrival], place: usize| {
            let next = arrivals.get(place).filter(|arrival| arrival.is_media())?;
            Some(Path { local: 0, remote: next.source })
        };
        let mut last = Time::ZERO;
        for place in 0..arrivals.len() {
            if arrivals[place].at.since(last) >= PAUSE {
                self.evict();
                (0..EXPECTED).for_each(|next| self.plane.expect(ahead(arrivals, place + next)));
            }
            last = arrivals[place].at;
            self.plane.expect(ahead(arrivals, place + EXPECTED));
            let arrival = &mut arrivals[place];
            while self.due < arrival.at {
                let due = self.due;
                self.plane.handle_input(due, Input::Timeout);
                self.drain(due);
            }
            let payload = &mut arrival.payload[..];
            self.plane
                .handle_input(arrival.at, Input::Datagram { local: 0, source: arrival.source, payload });
            self.drain(arrival.at);
        }
    }

    fn evict(&mut self) {
        if self.evicting.is_empty() {
            return;
        }
        let start = processor_nanos();
        for line in self.evicting.chunks_mut(8) {
            line[0] += 1;
        }
        self.evicted += processor_nanos() - start;
    }

    fn drain(&mut self, now: Time) {
        loop {
            match self.plane.poll_output(now) {
                Output::Transmit(outbox) => {
                    self.datagrams += outbox.runs.iter().map(loupe_core::io::Run::datagrams).sum::<u64>();
                    self.runs += outbox.runs.len() as u64;
                }
                Output::Event(_) | Output::Tapped(_) => {}
                Output::Wait(due) => {
                    self.due = due;
                    return;
                }
            }
        }
    }

    fn forwarded(&self, second: u64) -> u64 {
        self.plane.stats(Time::from_millis(second * 1_000)).counters.count(Counter::RtpOut)
    }
}

fn command(plane: &mut Plane, command: Command) {
    plane.handle_input(Time::ZERO, Input::Command(command));
    while !matches!(plane.poll_output(Time::ZERO), Output::Wait(_)) {}
}

/// Processor time of this thread, in nanoseconds. The kernel brings the figure up to date when a thread yields.
fn processor_nanos() -> u64 {
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with schedstat");
    text.split(' ').next().and_then(|field| field.parse().ok()).expect("three numbers")
}

fn measure(profile: SrtpProfile, viewers: usize, silent: bool, cold: bool) {
    let mut world = World::new(profile, viewers, silent, cold);
    let mut warm_up = world.batch(0);
    world.run(&mut warm_up);
    let (before, datagrams, runs) = (world.forwarded(BATCH_SECONDS), world.datagrams, world.runs);
    let packets_a_second = PACKETS_PER_FRAME * FRAMES_PER_SECOND + SOUNDS_PER_SECOND;
    let (mut second, mut nanos, mut forwarded) = (BATCH_SECONDS, 0, 0);
    while forwarded < MIN_FORWARDED {
        let mut arrivals = world.batch(second);
        let (start, evicted) = (processor_nanos(), world.evicted);
        world.run(&mut arrivals);
        nanos += processor_nanos() - start - (world.evicted - evicted);
        second += BATCH_SECONDS;
        forwarded = world.forwarded(second) - before;
    }
    let expected = (second - BATCH_SECONDS) * packets_a_second * viewers as u64;
    assert!(forwarded.abs_diff(expected) <= 7 * viewers as u64, "{forwarded} of {expected} forwarded");
    let micros = nanos as f64 / 1e3 / forwarded as f64;
    let joined = (world.datagrams - datagrams) as f64 / (world.runs - runs) as f64;
    println!("{:<18} {viewers:>7} {micros:>14.3} {forwarded:>12} {joined:>14.2}", format!("{profile:?}"));
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let names = [
        ("gcm128", SrtpProfile::AeadAes128Gcm),
        ("gcm256", SrtpProfile::AeadAes256Gcm),
        ("cm", SrtpProfile::Aes128CmSha1_80),
    ];
    let known = |word: &String| {
        word.parse::<usize>().is_ok()
            || word == "silent"
            || word == "cold"
            || names.iter().any(|(name, _)| name == word)
    };
    if let Some(word) = words.iter().find(|word| !known(word)) {
        eprintln!("{word}: neither a number of viewers nor one of gcm128, gcm256, cm, silent, cold");
        std::process::exit(2);
    }
    let counts: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).filter(|n| *n > 0).collect();
    let counts = if counts.is_empty() { DEFAULT_VIEWERS.to_vec() } else { counts };
    let named = |name: &str| words.iter().any(|word| word == name);
    let any = names.iter().any(|(name, _)| named(name));
    println!(
        "{:<18} {:>7} {:>14} {:>12} {:>14}",
        "profile", "viewers", "us per packet", "forwarded", "packets a run"
    );
    for (_, profile) in names.into_iter().filter(|(name, _)| !any || named(name)) {
        counts.iter().for_each(|viewers| measure(profile, *viewers, named("silent"), named("cold")));
    }
}
