//! The floor: the least that forwarding can cost on this machine.
//!
//! `floor send` sends what a server sends to N viewers of one camera and one microphone, and nothing else: each
//! packet is copied, gets its own header and is encrypted; a frame's packets leave as one offloaded run per viewer,
//! audio packets singly, both in batched system calls. No feedback, no ICE, no bookkeeping. `floor sink` reads it.
//!
//! With `--reports R` the sink answers as viewers do, R times a second each, and what it says is received and
//! decrypted, but not looked at: what no server of WebRTC can leave out.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::{hmac, iv::FixedLength};
use lexopt::prelude::*;
use loupe_loadtest::media::VideoShape;
use loupe_loadtest::wire::{self, Reader, cpu_seconds};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, SockaddrStorage, recvmmsg, sendmmsg,
};

/// Viewers listen on this port and the following.
const FIRST_PORT: u16 = 20_000;
/// RTP header, and extensions for the send time, the transport-wide number and the media id.
const HEADER: usize = 12 + 4 + 12;
/// An Opus packet's payload, as the load client sends it.
const AUDIO_PAYLOAD: usize = 80;
/// Frames of this many viewers are encrypted, then sent, so that they are still in the cache.
const BATCH: usize = 16;
const VIDEO_INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / 30);
const AUDIO_INTERVAL: Duration = Duration::from_millis(20);
const WARM_UP: Duration = Duration::from_secs(1);
/// A sink with nothing to read for this long is done.
const SILENCE: Duration = Duration::from_secs(4);
/// Header, transport-wide feedback on a dozen packets, index and tag: what the load client's reports take.
const REPORT: usize = 76;

/// Encryption of one packet in place, as SRTP does it. There is one per process, so its size does not matter.
#[allow(clippy::large_enum_variant)]
enum Cipher {
    Gcm(LessSafeKey),
    Cm(EncryptingKey, hmac::Key),
}

impl Cipher {
    fn new(profile: &str) -> Result<Self, String> {
        let key = [7u8; 16];
        match profile {
            "gcm" => {
                let key = UnboundKey::new(&AES_128_GCM, &key).map_err(|error| error.to_string())?;
                Ok(Self::Gcm(LessSafeKey::new(key)))
            }
            "cm" => {
                let key = UnboundCipherKey::new(&AES_128, &key).map_err(|error| error.to_string())?;
                let key = EncryptingKey::ctr(key).map_err(|error| error.to_string())?;
                Ok(Self::Cm(key, hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[7; 20])))
            }
            _ => Err(format!("--profile {profile}: gcm or cm")),
        }
    }

    fn tag_len(&self) -> usize {
        match self {
            Self::Gcm(_) => 16,
            Self::Cm(..) => 10,
        }
    }

    /// Encrypts what follows the header of `packet`, whose end is room for the tag.
    fn protect(&self, packet: &mut [u8], number: u64) {
        let (header, rest) = packet.split_at_mut(HEADER);
        let (body, tag) = rest.split_at_mut(rest.len() - self.tag_len());
        match self {
            Self::Gcm(key) => {
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&number.to_be_bytes());
                let nonce = Nonce::assume_unique_for_key(nonce);
                let sealed = key.seal_in_place_separate_tag(nonce, Aad::from(&*header), body);
                tag.copy_from_slice(sealed.expect("a packet is far below the cipher's limit").as_ref());
            }
            Self::Cm(key, authentication) => {
                let mut counter = [0; 16];
                counter[6..14].copy_from_slice(&number.to_be_bytes());
                let context = EncryptionContext::Iv128(FixedLength::from(counter));
                key.less_safe_encrypt(body, context).expect("counter mode takes any length");
                let mut context = hmac::Context::with_key(authentication);
                context.update(header);
                context.update(body);
                context.update(&[0; 4]);
                tag.copy_from_slice(&context.sign().as_ref()[..10]);
            }
        }
    }
}

/// One kind of traffic: `count` packets of `payload` bytes to each viewer at a time.
struct Traffic {
    template: Vec<u8>,
    count: usize,
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Vec<Vec<u8>>,
}

impl Traffic {
    fn new(payload: usize, count: usize, tag: usize) -> Self {
        let template = vec![0x80; HEADER + payload + tag];
        let control = (count > 1).then(|| cmsg_space!(u16));
        let buffers = vec![vec![0; template.len() * count]; BATCH];
        Self { headers: MultiHeaders::preallocate(BATCH, control), template, count, buffers }
    }

    /// Sends one frame or one audio packet to every viewer; returns the number of packets.
    fn send(
        &mut self,
        socket: &UdpSocket,
        viewers: &[Option<SockaddrStorage>],
        ciphers: &[Cipher],
        number: &mut u64,
    ) -> Result<u64, String> {
        let size = self.template.len() as u16;
        let control = [ControlMessage::UdpGsoSegments(&size)];
        let control = if self.count > 1 { &control[..] } else { &[] };
        for (batch, ciphers) in viewers.chunks(BATCH).zip(ciphers.chunks(BATCH)) {
            for (buffer, cipher) in self.buffers[..batch.len()].iter_mut().zip(ciphers) {
                for packet in buffer.chunks_mut(self.template.len()) {
                    packet.copy_from_slice(&self.template);
                    packet[4..12].copy_from_slice(&number.to_be_bytes());
                    cipher.protect(packet, *number);
                    *number += 1;
                }
            }
            let slices: Vec<_> =
                self.buffers[..batch.len()].iter().map(|buffer| [IoSlice::new(buffer)]).collect();
            let flags = MsgFlags::empty();
            let sent = sendmmsg(socket.as_raw_fd(), &mut self.headers, &slices, batch, control, flags)
                .map_err(|error| format!("sendmmsg: {error}"))?;
            if sent.count() != batch.len() {
                return Err("the kernel took only part of a batch".to_owned());
            }
        }
        Ok((viewers.len() * self.count) as u64)
    }
}

/// What viewers say, read in batches.
struct Reports {
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Vec<Vec<u8>>,
}

impl Reports {
    fn new() -> Self {
        Self { headers: MultiHeaders::preallocate(BATCH, None), buffers: vec![vec![0; REPORT]; BATCH] }
    }

    /// Reads and decrypts all that came. Returns how many it was.
    fn read(&mut self, socket: &UdpSocket, ciphers: &[Cipher]) -> Result<u64, String> {
        let mut count = 0;
        loop {
            let mut slices: Vec<_> =
                self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
            let flags = MsgFlags::MSG_DONTWAIT;
            let got = match recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None) {
                Ok(got) => got,
                Err(Errno::EAGAIN | Errno::ECONNREFUSED) => return Ok(count),
                Err(error) => return Err(format!("recvmmsg: {error}")),
            };
            let ports: Vec<_> = got
                .map(|message| message.address.and_then(|from| from.as_sockaddr_in().map(SockaddrIn::port)))
                .collect();
            for (buffer, port) in self.buffers.iter_mut().zip(&ports) {
                let viewer = usize::from(port.unwrap_or(FIRST_PORT).saturating_sub(FIRST_PORT));
                // To encrypt costs what it costs to decrypt.
                ciphers[viewer.min(ciphers.len() - 1)].protect(buffer, count);
                count += 1;
            }
            if ports.len() < BATCH {
                return Ok(count);
            }
        }
    }
}

struct Args {
    address: IpAddr,
    viewers: u16,
    seconds: f64,
    profile: String,
    reports: f64,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("floor: {why}");
            eprintln!(
                "usage: floor send|sink --address IP --viewers N [--seconds S] [--profile gcm|cm] [--reports R]"
            );
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let mut parser = lexopt::Parser::from_env();
    let address = [127, 0, 0, 1].into();
    let mut args = Args { address, viewers: 100, seconds: 10.0, profile: "gcm".to_owned(), reports: 0.0 };
    let mut mode = String::new();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        let parsed = match arg {
            Value(word) => word.parse().map(|word| mode = word),
            Long("address") => {
                parser.value().and_then(|value| value.parse()).map(|value| args.address = value)
            }
            Long("viewers") => {
                parser.value().and_then(|value| value.parse()).map(|value| args.viewers = value)
            }
            Long("seconds") => {
                parser.value().and_then(|value| value.parse()).map(|value| args.seconds = value)
            }
            Long("profile") => {
                parser.value().and_then(|value| value.parse()).map(|value| args.profile = value)
            }
            Long("reports") => {
                parser.value().and_then(|value| value.parse()).map(|value| args.reports = value)
            }
            other => Err(other.unexpected()),
        };
        parsed.map_err(|error| error.to_string())?;
    }
    match mode.as_str() {
        "send" => send(&args),
        "sink" => sink(&args),
        _ => Err("send or sink".to_owned()),
    }
}

fn send(args: &Args) -> Result<(), String> {
    let any: IpAddr = if args.address.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind((any, 0)).map_err(|error| error.to_string())?;
    let to = |viewer: u16| Some(SockaddrStorage::from(SocketAddr::from((args.address, FIRST_PORT + viewer))));
    let viewers: Vec<_> = (0..args.viewers).map(to).collect();
    // Each viewer has its own keys, as in every server.
    let ciphers = viewers.iter().map(|_| Cipher::new(&args.profile)).collect::<Result<Vec<_>, _>>()?;
    let tag = ciphers.first().map_or(0, Cipher::tag_len);
    let shape = VideoShape::new(1_500, 30);
    let mut video = Traffic::new(shape.payload, shape.packets, tag);
    let mut audio = Traffic::new(AUDIO_PAYLOAD, 1, tag);
    let mut reports = (args.reports > 0.0).then(Reports::new);
    let start = Instant::now();
    let end = start + WARM_UP + Duration::from_secs_f64(args.seconds);
    let (mut next_video, mut next_audio, mut number) = (start, start, 0);
    let (mut packets, mut heard, mut cpu, mut since) = (0, 0, 0.0, None);
    loop {
        let now = Instant::now();
        if now >= end {
            break;
        }
        if since.is_none() && now >= start + WARM_UP {
            (since, packets, heard, cpu) = (Some(now), 0, 0, cpu_seconds());
        }
        if now >= next_video {
            packets += video.send(&socket, &viewers, &ciphers, &mut number)?;
            next_video += VIDEO_INTERVAL;
        }
        if now >= next_audio {
            packets += audio.send(&socket, &viewers, &ciphers, &mut number)?;
            next_audio += AUDIO_INTERVAL;
        }
        std::thread::sleep(next_video.min(next_audio).saturating_duration_since(Instant::now()));
        // Awake for the media's sake: what gathered is read along.
        if let Some(reports) = &mut reports {
            heard += reports.read(&socket, &ciphers)?;
        }
    }
    let (cpu, seconds) = (cpu_seconds() - cpu, since.map_or(0.0, |since| since.elapsed().as_secs_f64()));
    let report = serde_json::json!({"viewers": args.viewers, "profile": args.profile, "seconds": seconds,
        "packets": packets, "reports": heard, "cpu_seconds": cpu, "us_per_packet": cpu * 1e6 / packets as f64});
    println!("{report}");
    Ok(())
}

fn sink(args: &Args) -> Result<(), String> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(|error| error.to_string())?;
    let mut sockets = Vec::new();
    for viewer in 0..args.viewers {
        let socket = wire::open_at(SocketAddr::from((args.address, FIRST_PORT + viewer)))
            .map_err(|error| format!("port {}: {error}", FIRST_PORT + viewer))?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::from(viewer));
        epoll.add(&socket, event).map_err(|error| error.to_string())?;
        sockets.push(socket);
    }
    println!("{}", serde_json::json!({"event": "ready"}));
    let (mut reader, mut events, mut packets) = (Reader::default(), [EpollEvent::empty(); 256], 0);
    let mut answers = Answers::new(args);
    let mut heard = Instant::now();
    loop {
        // Never less than a millisecond: a sink that does not sleep need not be woken, and viewers' processors must be.
        let wait = (SILENCE.min(answers.next_in()).as_millis() as u16).max(1);
        let count = epoll.wait(&mut events, wait).map_err(|error| error.to_string())?;
        if count > 0 {
            heard = Instant::now();
        } else if heard.elapsed() >= SILENCE {
            println!("{}", serde_json::json!({"event": "end", "packets": packets}));
            return Ok(());
        }
        for event in &events[..count] {
            let socket = &sockets[event.data() as usize];
            if let Some((batch, bytes)) = reader.read(socket).map_err(|error| error.to_string())? {
                packets += bytes.len().div_ceil(batch.segment.max(1)) as u64;
                answers.begin(batch.source);
            }
        }
        answers.send_due(&sockets)?;
    }
}

/// The sink's reports: every viewer's at moments of its own, evenly spread.
struct Answers {
    to: Option<SocketAddr>,
    every: Option<Duration>,
    next: Instant,
    viewer: usize,
}

impl Answers {
    fn new(args: &Args) -> Self {
        let a_second = args.reports * f64::from(args.viewers);
        let every = (a_second > 0.0).then(|| Duration::from_secs_f64(1.0 / a_second));
        Self { to: None, every, next: Instant::now(), viewer: 0 }
    }

    /// The sender is known by what it sends.
    fn begin(&mut self, to: SocketAddr) {
        if self.to.replace(to).is_none() {
            self.next = Instant::now();
        }
    }

    fn next_in(&self) -> Duration {
        match (self.every, self.to) {
            (Some(_), Some(_)) => self.next.saturating_duration_since(Instant::now()),
            _ => SILENCE,
        }
    }

    fn send_due(&mut self, sockets: &[UdpSocket]) -> Result<(), String> {
        let (Some(every), Some(to)) = (self.every, self.to) else { return Ok(()) };
        while self.next <= Instant::now() {
            wire::send_run(&sockets[self.viewer], to, &[0x80; REPORT], REPORT)
                .or_else(|error| if error.kind() == ErrorKind::WouldBlock { Ok(()) } else { Err(error) })
                .map_err(|error| format!("report: {error}"))?;
            self.viewer = (self.viewer + 1) % sockets.len();
            self.next += every;
        }
        Ok(())
    }
}
