//! STUN: parsing any bytes, and what ICE-lite makes of messages that parse, signed or not.
#![no_main]

use aws_lc_rs::hmac;
use libfuzzer_sys::fuzz_target;
use loupe_core::ice::{AnswerLimiter, IceLite, Path};
use loupe_core::io::IceCredentials;
use loupe_core::stun::{
    ErrorCode, HEADER, StunKey, StunKind, StunMessage, TransactionId, write_error, write_success,
};
use loupe_core::units::Time;

const PASSWORD: &str = "a-password-long-enough";
const ADDRESSES: [&str; 3] = ["192.0.2.1:5000", "[2001:db8::1]:5000", "[::ffff:192.0.2.1]:5000"];

fn credentials() -> IceCredentials {
    IceCredentials {
        local_ufrag: "ours".to_owned(),
        local_pwd: PASSWORD.to_owned(),
        remote_ufrag: Some("theirs".to_owned()),
    }
}

/// Answers read back, and are no longer than one and a half times their question.
fn check_answer(request: &StunMessage<'_>, answer: &[u8], key: &StunKey) {
    if answer.is_empty() {
        return;
    }
    assert!(answer.len() * 2 <= request.length() * 3, "{} bytes answer {}", answer.len(), request.length());
    let answer = StunMessage::parse(answer).expect("our own answer");
    assert_eq!(answer.transaction, request.transaction);
    match answer.kind {
        StunKind::BindingSuccess => assert_eq!(answer.verify_integrity(key), Ok(())),
        kind => assert_eq!(kind, StunKind::BindingError),
    }
}

fn give(bytes: &[u8], authentic: bool) {
    let Ok(message) = StunMessage::parse(bytes) else { return };
    let key = StunKey::new(PASSWORD.as_bytes());
    let _ = message.fragments();
    let verified = message.verify_integrity(&key).is_ok();
    assert!(verified || !authentic, "a signed message does not verify");
    let mut ice = IceLite::new(Time::ZERO, credentials());
    let mut limiter = AnswerLimiter::default();
    for (index, address) in ADDRESSES.into_iter().enumerate() {
        let path = Path { local: 0, remote: address.parse().expect("an address") };
        let mut answer = Vec::new();
        let now = Time::from_millis(index as u64 * 300);
        let outcome = ice.handle_request(now, path, &message, &mut limiter, &mut answer);
        check_answer(&message, &answer, &key);
        assert!(verified || outcome.is_err(), "accepted without integrity");
        assert_eq!(ice.is_validated(path), outcome.is_ok());
    }
    for at in [6_000, 31_000, 70_000] {
        while ice.handle_timeout(Time::from_millis(at)).is_some() {}
        assert!(ice.next_timeout() > Time::from_millis(at), "a timer that is due stays due");
    }
}

/// A check with `attributes` (type and value, well delimited or not) between its name and its integrity.
fn signed(attributes: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    bytes.extend_from_slice(&[0, 6, 0, 11]);
    bytes.extend_from_slice(b"ours:theirs\0");
    bytes.extend_from_slice(attributes);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let length = (bytes.len() - HEADER + 24) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, PASSWORD.as_bytes());
    let tag = hmac::sign(&key, &bytes);
    bytes.extend_from_slice(&[0, 8, 0, 20]);
    bytes.extend_from_slice(tag.as_ref());
    bytes
}

fuzz_target!(|data: &[u8]| {
    give(data, false);
    if data.len() < 1_400 {
        give(&signed(data), false);
    }
    // A whole attribute that need not be understood must not keep a check from being accepted.
    if (4..500).contains(&data.len()) {
        let mut attribute = vec![0x80, 0x22];
        attribute.extend_from_slice(&(data.len() as u16).to_be_bytes());
        attribute.extend_from_slice(data);
        give(&signed(&attribute), true);
    }
    let key = StunKey::new(data);
    let mut id = [0; 12];
    id.iter_mut().zip(data).for_each(|(to, from)| *to = *from);
    let unknown: Vec<u16> = data.iter().take(8).map(|byte| u16::from(*byte)).collect();
    let mut out = Vec::new();
    write_success(&mut out, TransactionId(id), ADDRESSES[data.len() % 3].parse().expect("an address"), &key);
    let end = out.len();
    write_error(&mut out, TransactionId(id), ErrorCode::UnknownAttribute, &unknown, Some(&key));
    for answer in [&out[..end], &out[end..]] {
        let answer = StunMessage::parse(answer).expect("our own answer");
        assert_eq!((answer.transaction.0, answer.verify_integrity(&key)), (id, Ok(())));
    }
});
