//! A peer that makes checks, for the tests of ICE-lite.
#![allow(dead_code, unreachable_pub, reason = "shared by test files, each of which uses a part")]

use aws_lc_rs::hmac;
use loupe_core::ice::{AnswerLimiter, CheckOutcome, IceLite, Path};
use loupe_core::io::IceCredentials;
use loupe_core::stats::Drop;
use loupe_core::stun::StunMessage;
use loupe_core::units::Time;

pub const USE_CANDIDATE: (u16, &[u8]) = (0x0025, b"");
pub const CONTROLLING: (u16, &[u8]) = (0x802a, &[1; 8]);
pub const CONTROLLED: (u16, &[u8]) = (0x8029, &[1; 8]);

pub fn seconds(seconds: f64) -> Time {
    Time((seconds * 1e6) as u64)
}

pub fn credentials(generation: &str) -> IceCredentials {
    IceCredentials {
        local_ufrag: format!("ours{generation}"),
        local_pwd: format!("password-of-{generation}-long-enough"),
        remote_ufrag: Some(format!("theirs{generation}")),
    }
}

/// The address number `host` of the documentation network.
pub fn path(host: u8) -> Path {
    Path { local: 0, remote: ([192, 0, 2, host], 5_000).into() }
}

/// How a check proves itself.
#[derive(Clone, Copy)]
pub enum Integrity<'a> {
    Missing,
    Key(&'a str),
}

/// A Binding request with a transaction of its own number.
pub fn request(
    number: u32,
    username: &str,
    attributes: &[(u16, &[u8])],
    integrity: Integrity<'_>,
) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(&number.to_be_bytes());
    let mut all = vec![(0x0006, username.as_bytes())];
    all.extend_from_slice(attributes);
    for (kind, value) in all {
        push(&mut bytes, kind, value);
    }
    if let Integrity::Key(key) = integrity {
        set_length(&mut bytes, 24);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
        let tag = hmac::sign(&key, &bytes);
        push(&mut bytes, 0x0008, tag.as_ref());
    }
    set_length(&mut bytes, 0);
    bytes
}

fn push(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn set_length(bytes: &mut [u8], pending: usize) {
    let length = (bytes.len() - 20 + pending) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
}

/// One transport under test, and the peer that knows its password.
pub struct Peer {
    pub ice: IceLite,
    pub limiter: AnswerLimiter,
    pub sent: u32,
}

impl Peer {
    pub fn new() -> Peer {
        Peer { ice: IceLite::new(Time::ZERO, credentials("A")), limiter: AnswerLimiter::default(), sent: 0 }
    }

    /// Gives bytes to the transport; what it did, and what it answered.
    pub fn give(&mut self, now: Time, path: Path, bytes: &[u8]) -> (Result<CheckOutcome, Drop>, Vec<u8>) {
        let mut answer = Vec::new();
        let message = StunMessage::parse(bytes).expect("a message that parses");
        let outcome = self.ice.handle_request(now, path, &message, &mut self.limiter, &mut answer);
        assert!(answer.len() * 2 <= bytes.len() * 3, "{} bytes answer {}", answer.len(), bytes.len());
        (outcome, answer)
    }

    /// An honest check of a generation.
    pub fn check(
        &mut self,
        now: Time,
        path: Path,
        generation: &str,
        attributes: &[(u16, &[u8])],
    ) -> Result<CheckOutcome, Drop> {
        self.sent += 1;
        let known = credentials(generation);
        let username = format!("{}:{}", known.local_ufrag, known.remote_ufrag.unwrap());
        let mut all = vec![CONTROLLING];
        all.extend_from_slice(attributes);
        let bytes = request(self.sent, &username, &all, Integrity::Key(&known.local_pwd));
        let (outcome, answer) = self.give(now, path, &bytes);
        assert_eq!(answer.is_empty(), outcome.is_err());
        outcome
    }
}
