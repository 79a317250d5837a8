//! Prints what protecting one packet of 1,100 bytes costs with each library that could do it:
//! `cargo run --release -p loupe-core --example srtp_libraries`.
//!
//! AES-128-GCM (RFC 7714) with aws-lc-rs, ring and `RustCrypto`, and AES-128 in counter mode with HMAC-SHA1-80 (RFC 3711)
//! with aws-lc-rs and `RustCrypto`; ring offers no counter mode. Every library has its key prepared once, as a transport
//! has, and must give the same bytes as the others before anything is measured. Rounds alternate between the libraries,
//! so that a change of the machine's pace meets all of them.

use std::hint::black_box;
use std::time::Instant;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, KeyInit};
use aws_lc_rs::cipher::{EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use ctr::cipher::{InnerIvInit, StreamCipher, StreamCipherCoreWrapper};
use hmac::Mac;

const LENGTH: usize = 1_100;
/// Bytes of the header, which stays in the clear.
const HEADER: usize = 12;
const PACKETS: u64 = 100_000;
const ROUNDS: usize = 15;
const SHA1_TAG: usize = 10;
const KEY: [u8; 16] = [7; 16];
const AUTHENTICATION: [u8; 20] = [9; 20];

/// A way to protect the packet of this index: it encrypts in place and appends the tag.
type Protect = Box<dyn Fn(u64, &mut Vec<u8>)>;

fn gcm_nonce(index: u64) -> [u8; 12] {
    let mut nonce = [3; 12];
    nonce[4..].copy_from_slice(&index.to_be_bytes());
    nonce
}

fn counter(index: u64) -> [u8; 16] {
    let mut initial = [5; 16];
    initial[6..14].copy_from_slice(&index.to_be_bytes());
    initial[14..].fill(0);
    initial
}

fn gcm_aws_lc() -> Protect {
    use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &KEY).expect("16 bytes"));
    Box::new(move |index, packet| {
        let (header, payload) = packet.split_at_mut(HEADER);
        let nonce = Nonce::assume_unique_for_key(gcm_nonce(index));
        let tag =
            key.seal_in_place_separate_tag(nonce, Aad::from(&*header), payload).expect("a short packet");
        packet.extend_from_slice(tag.as_ref());
    })
}

fn gcm_ring() -> Protect {
    use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &KEY).expect("16 bytes"));
    Box::new(move |index, packet| {
        let (header, payload) = packet.split_at_mut(HEADER);
        let nonce = Nonce::assume_unique_for_key(gcm_nonce(index));
        let tag =
            key.seal_in_place_separate_tag(nonce, Aad::from(&*header), payload).expect("a short packet");
        packet.extend_from_slice(tag.as_ref());
    })
}

fn gcm_rust_crypto() -> Protect {
    let key = Aes128Gcm::new(&KEY.into());
    Box::new(move |index, packet| {
        let (header, payload) = packet.split_at_mut(HEADER);
        let nonce = gcm_nonce(index).into();
        let tag = key.encrypt_inout_detached(&nonce, header, payload.into()).expect("a short packet");
        packet.extend_from_slice(&tag);
    })
}

fn cm_aws_lc() -> Protect {
    let cipher = UnboundCipherKey::new(&aws_lc_rs::cipher::AES_128, &KEY).and_then(EncryptingKey::ctr);
    let cipher = cipher.expect("16 bytes");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &AUTHENTICATION);
    Box::new(move |index, packet| {
        let context = EncryptionContext::Iv128(FixedLength::from(counter(index)));
        cipher.less_safe_encrypt(&mut packet[HEADER..], context).expect("a short packet");
        let mut tag = aws_lc_rs::hmac::Context::with_key(&key);
        tag.update(packet);
        // The rollover counter, which does not travel.
        tag.update(&[0; 4]);
        packet.extend_from_slice(&tag.sign().as_ref()[..SHA1_TAG]);
    })
}

fn cm_rust_crypto() -> Protect {
    let cipher = aes::Aes128::new(&KEY.into());
    let key = <hmac::Hmac<sha1::Sha1> as hmac::KeyInit>::new_from_slice(&AUTHENTICATION).expect("any length");
    Box::new(move |index, packet| {
        let core = ctr::CtrCore::<_, ctr::flavors::Ctr128BE>::inner_iv_init(&cipher, &counter(index).into());
        StreamCipherCoreWrapper::from_core(core).apply_keystream(&mut packet[HEADER..]);
        let mut tag = key.clone();
        tag.update(packet);
        tag.update(&[0; 4]);
        packet.extend_from_slice(&tag.finalize().into_bytes()[..SHA1_TAG]);
    })
}

fn fill(index: u64, packet: &mut Vec<u8>) {
    packet.clear();
    packet.resize(LENGTH, 0xab);
    packet[4..HEADER].copy_from_slice(&index.to_be_bytes());
}

/// Nanoseconds per packet.
#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock; nothing of the core runs by it")]
fn measure(step: &dyn Fn(u64, &mut Vec<u8>)) -> f64 {
    let mut packet = Vec::with_capacity(2 * LENGTH);
    let start = Instant::now();
    for index in 0..PACKETS {
        fill(index, &mut packet);
        step(index, black_box(&mut packet));
    }
    start.elapsed().as_secs_f64() * 1e9 / PACKETS as f64
}

fn check(ways: &[(&str, Protect)]) {
    for index in [0, 1, 77_777] {
        let protected = ways.iter().map(|(_, protect)| {
            let mut packet = Vec::new();
            fill(index, &mut packet);
            protect(index, &mut packet);
            packet
        });
        let protected: Vec<Vec<u8>> = protected.collect();
        assert!(protected.windows(2).all(|pair| pair[0] == pair[1]), "the libraries disagree");
    }
}

fn main() {
    let suites: [(&str, Vec<(&str, Protect)>); 2] = [
        (
            "AES-128-GCM",
            vec![("aws-lc-rs", gcm_aws_lc()), ("ring", gcm_ring()), ("RustCrypto", gcm_rust_crypto())],
        ),
        ("AES-128-CM, HMAC-SHA1-80", vec![("aws-lc-rs", cm_aws_lc()), ("RustCrypto", cm_rust_crypto())]),
    ];
    suites.iter().for_each(|(_, ways)| check(ways));
    println!("nanoseconds per packet of {LENGTH} bytes: median and least of {ROUNDS} rounds of {PACKETS}");
    println!("{:<26} {:<12} {:>8} {:>8} {:>8}", "transform", "library", "median", "least", "ratio");
    for (suite, ways) in &suites {
        let mut rounds = vec![Vec::new(); ways.len()];
        for _ in 0..ROUNDS {
            for ((_, protect), figures) in ways.iter().zip(&mut rounds) {
                let idle = measure(&|_, _| {});
                figures.push(measure(protect) - idle);
            }
        }
        rounds.iter_mut().for_each(|figures| figures.sort_by(f64::total_cmp));
        let fastest = rounds.iter().map(|figures| figures[ROUNDS / 2]).fold(f64::INFINITY, f64::min);
        for ((library, _), figures) in ways.iter().zip(&rounds) {
            let (median, least) = (figures[ROUNDS / 2], figures[0]);
            println!("{suite:<26} {library:<12} {median:>8.0} {least:>8.0} {:>8.2}", median / fastest);
        }
    }
}
