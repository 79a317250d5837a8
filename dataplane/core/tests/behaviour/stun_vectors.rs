//! STUN against RFC 5769, against what browsers sent, and against bytes that are no STUN at all.

use std::net::SocketAddr;

use crate::corpora::{files, find, hex, hex_of, json};
use loupe_core::demux::{Protocol, classify};
use loupe_core::stats::Drop;
use loupe_core::stun::{
    ErrorCode, IceRole, IntegrityError, Nomination, StunError, StunKey, StunKind, StunMessage, TransactionId,
    write_error, write_success,
};
use proptest::prelude::*;

const TRANSACTION: TransactionId =
    TransactionId([0xb7, 0xe7, 0xa7, 1, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);

#[test]
fn rfc_5769_messages_parse_and_verify() {
    let Some(file) = json("rfc-vectors/stun_rfc5769.json") else { return };
    for vector in file["vectors"].as_array().unwrap() {
        let (bytes, key) = (hex_of(vector, "hex"), StunKey::new(&hex_of(vector, "key_hex")));
        let message = StunMessage::parse(&bytes).unwrap();
        assert_eq!(message.verify_integrity(&key), Ok(()), "{}", vector["name"]);
        assert_eq!(message.verify_integrity(&StunKey::new(b"another")), Err(IntegrityError::Wrong));
        assert_eq!(message.length(), bytes.len());
        // All but the fingerprint, which without its own type is one of the attributes that count for nothing.
        let guarded = bytes.len() - if vector["has_fingerprint"] == true { 8 } else { 0 };
        for place in 0..guarded {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let found = StunMessage::parse(&changed);
            let refused = found.is_err() || found.unwrap().verify_integrity(&key).is_err();
            assert!(refused, "{} byte {place}", vector["name"]);
        }
    }
}

#[test]
fn the_fields_of_the_rfc_5769_request_are_read() {
    let Some(file) = json("rfc-vectors/stun_rfc5769.json") else { return };
    let bytes = hex_of(&file["vectors"][0], "hex");
    let message = StunMessage::parse(&bytes).unwrap();
    assert_eq!(message.kind, StunKind::BindingRequest);
    assert_eq!(message.transaction, TRANSACTION);
    assert_eq!(message.username, Some(&b"evtj:h6vY"[..]));
    assert_eq!(message.fragments(), Some((&b"evtj"[..], &b"h6vY"[..])));
    assert_eq!(message.priority, Some(0x6e00_01ff));
    assert_eq!(message.nomination, Nomination::Absent);
    assert_eq!(message.role, Some(IceRole::Controlled(0x932f_f9b1_5126_3b36)));
    assert!(message.unknown.as_slice().is_empty());
}

#[test]
fn our_success_answers_tell_the_addresses_of_rfc_5769() {
    let Some(file) = json("rfc-vectors/stun_rfc5769.json") else { return };
    let key = StunKey::new(b"VOkJxbRl1RmTxUk/WvJxBt");
    for (vector, mapped, length) in [
        (1, "192.0.2.1:32853", 64),
        (1, "[::ffff:192.0.2.1]:32853", 64),
        (2, "[2001:db8:1234:5678:11:2233:4455:6677]:32853", 76),
    ] {
        let published = hex_of(&file["vectors"][vector], "hex");
        // In the vectors a SOFTWARE attribute of 16 bytes goes before the address.
        let address = &published[36..published.len() - 32];
        let mut answer = vec![0xaa; 5];
        write_success(&mut answer, TRANSACTION, mapped.parse::<SocketAddr>().unwrap(), &key);
        let answer = &answer[5..];
        assert_eq!(answer.len(), length);
        assert_eq!(&answer[20..20 + address.len()], address);
        let message = StunMessage::parse(answer).unwrap();
        assert_eq!((message.kind, message.transaction), (StunKind::BindingSuccess, TRANSACTION));
        assert_eq!(message.verify_integrity(&key), Ok(()));
    }
}

#[test]
fn error_answers_carry_code_unknown_attributes_and_integrity() {
    let key = StunKey::new(b"secret");
    let mut answer = Vec::new();
    write_error(&mut answer, TRANSACTION, ErrorCode::UnknownAttribute, &[0x7777, 0x0019, 0x0002], Some(&key));
    let message = StunMessage::parse(&answer).unwrap();
    assert_eq!(message.kind, StunKind::BindingError);
    assert_eq!(message.verify_integrity(&key), Ok(()));
    assert_eq!(answer[20..28], hex("0009000400000414"));
    assert_eq!(answer[28..40], hex("000a00067777001900020000"));
    for (code, wire) in [
        (ErrorCode::BadRequest, [4, 0]),
        (ErrorCode::Unauthenticated, [4, 1]),
        (ErrorCode::RoleConflict, [4, 87]),
    ] {
        let mut answer = Vec::new();
        write_error(&mut answer, TRANSACTION, code, &[], None);
        assert_eq!((answer.len(), &answer[26..28]), (36, &wire[..]));
        let message = StunMessage::parse(&answer).unwrap();
        assert_eq!(message.verify_integrity(&key), Err(IntegrityError::Missing));
    }
}

/// A message with these attributes and nothing else.
fn message(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend_from_slice(&kind.to_be_bytes());
        body.extend_from_slice(&(value.len() as u16).to_be_bytes());
        body.extend_from_slice(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut bytes = hex("0001");
    bytes.extend_from_slice(&(body.len() as u16).to_be_bytes());
    bytes.extend_from_slice(&hex("2112a442"));
    bytes.extend_from_slice(&TRANSACTION.0);
    bytes.extend_from_slice(&body);
    bytes
}

#[test]
fn each_defect_has_its_name() {
    let error = |bytes: &[u8]| StunMessage::parse(bytes).err();
    let plain = message(&[]);
    assert_eq!(error(&plain), None);
    assert_eq!(error(&[]), Some(StunError::Short));
    assert_eq!(error(&plain[..19]), Some(StunError::Short));
    let with = |place: usize, byte: u8| [&plain[..place], &[byte], &plain[place + 1..]].concat();
    assert_eq!(error(&with(0, 0x40)), Some(StunError::NotStun));
    assert_eq!(error(&with(4, 0)), Some(StunError::NotStun));
    assert_eq!(error(&with(3, 4)), Some(StunError::Length));
    assert_eq!(error(&with(3, 1)), Some(StunError::Length));
    assert_eq!(error(&[&plain[..], &[0]].concat()), Some(StunError::Length));
    let mut overlong = message(&[(0x8022, b"abcd")]);
    overlong[23] = 5;
    assert_eq!(error(&overlong), Some(StunError::Attribute));
    assert_eq!(error(&message(&[(0x0024, b"abc")])), Some(StunError::Attribute));
    assert_eq!(error(&message(&[(0x0025, b"abcd")])), Some(StunError::Attribute));
    assert_eq!(error(&message(&[(0x0008, &[0; 19])])), Some(StunError::Attribute));
    assert_eq!(error(&message(&[(0x0006, &[b'a'; 509])])), Some(StunError::Attribute));
    assert_eq!(error(&message(&[(0x8028, &[0; 4])])), Some(StunError::Fingerprint));
    assert_eq!(error(&message(&[(0x8022, &[][..]); 33])), Some(StunError::TooManyAttributes));
    assert_eq!(error(&message(&[(0x8022, &[][..]); 32])), None);
}

#[test]
fn what_follows_the_integrity_counts_for_nothing() {
    let bytes =
        message(&[(0x0006, b"a:b"), (0x0008, &[0; 20]), (0x0025, b""), (0x7fff, b""), (0x0024, b"1234")]);
    let parsed = StunMessage::parse(&bytes).unwrap();
    assert_eq!((parsed.nomination, parsed.priority), (Nomination::Absent, None));
    assert!(parsed.unknown.as_slice().is_empty());
}

#[test]
fn unknown_attributes_are_named_up_to_a_bound() {
    let bytes = message(&[(0x7ff0, &[][..]); 20]);
    assert_eq!(StunMessage::parse(&bytes).unwrap().unknown.as_slice(), [0x7ff0; 8]);
    let optional = message(&[(0xc057, b"1234"), (0x8022, b"x")]);
    assert!(StunMessage::parse(&optional).unwrap().unknown.as_slice().is_empty());
}

/// The bytes of a Go fuzz corpus file: every `[]byte("...")` in it.
fn go_literals(text: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(text);
    text.lines().filter_map(|line| line.strip_prefix("[]byte(\"")?.strip_suffix("\")")).map(unquote).collect()
}

fn unquote(literal: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = literal.chars();
    while let Some(char) = rest.next() {
        let escaped = if char == '\\' { rest.next() } else { None };
        let mut code =
            |digits: usize| u32::from_str_radix(&rest.by_ref().take(digits).collect::<String>(), 16).unwrap();
        match escaped {
            None => out.extend_from_slice(char.to_string().as_bytes()),
            Some('x') => out.push(code(2) as u8),
            Some('u') => out.extend_from_slice(char::from_u32(code(4)).unwrap().to_string().as_bytes()),
            Some('U') => out.extend_from_slice(char::from_u32(code(8)).unwrap().to_string().as_bytes()),
            Some(other) => out.push(match other {
                'a' => 7,
                'b' => 8,
                't' => 9,
                'n' => 10,
                'v' => 11,
                'f' => 12,
                'r' => 13,
                same => same as u8,
            }),
        }
    }
    out
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    let bits: Vec<bool> =
        digits.flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect()
}

#[test]
fn what_browsers_sent_parses() {
    let Some(path) = find("pion-stun/frombrowsers.csv") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    let messages: Vec<Vec<u8>> = rows.filter_map(|row| row.split(',').nth(1)).map(base64).collect();
    assert!(messages.len() >= 5, "{} rows", messages.len());
    for bytes in messages
        .iter()
        .chain(&files("pion-stun/ex1_chrome.stun").into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>())
    {
        let parsed = StunMessage::parse(bytes).unwrap();
        assert_eq!(parsed.kind, StunKind::BindingRequest);
        assert_eq!(classify(bytes), Ok(Protocol::Stun));
    }
}

#[test]
fn fuzzers_inputs_parse_or_are_refused_by_name() {
    let mut inputs: Vec<Vec<u8>> = Vec::new();
    inputs.extend(files("pion-stun/fuzz").iter().flat_map(|(_, bytes)| go_literals(bytes)));
    inputs.extend(files("webrtc-fuzzer-corpora/stun-corpus").into_iter().map(|(_, bytes)| bytes));
    if inputs.is_empty() {
        return;
    }
    assert!(inputs.len() > 40, "{} inputs", inputs.len());
    let key = StunKey::new(b"key");
    let mut parsed = 0;
    for bytes in &inputs {
        if let Ok(message) = StunMessage::parse(bytes) {
            assert!(message.verify_integrity(&key).is_err());
            parsed += 1;
        }
    }
    assert!(parsed > 0 && parsed < inputs.len(), "{parsed} of {}", inputs.len());
}

#[test]
fn first_bytes_choose_the_protocol() {
    let mut datagram = [0_u8; 20];
    for first in 0..=255_u8 {
        datagram[0] = first;
        let expected = match first {
            0..=3 => Ok(Protocol::Stun),
            20..=63 => Ok(Protocol::Dtls),
            128..=191 => Ok(Protocol::Rtp),
            _ => Err(Drop::UnknownProtocol),
        };
        assert_eq!(classify(&datagram), expected, "{first}");
    }
    for second in 0..=255 {
        let expected =
            if second & 0x60 == 0x40 && second & 0x80 != 0 { Protocol::Rtcp } else { Protocol::Rtp };
        assert_eq!(classify(&[&[0x80, second], &[0; 10][..]].concat()), Ok(expected), "{second}");
    }
    for (first, second, minimum) in [(0, 1, 20), (22, 254, 13), (128, 96, 12), (128, 200, 8)] {
        let bytes = [&[first, second], &[0; 18][..]].concat();
        assert!(classify(&bytes[..minimum]).is_ok());
        for length in 0..minimum {
            assert_eq!(classify(&bytes[..length]), Err(Drop::Short));
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>, kind in 0u16..4) {
        let _ = StunMessage::parse(&bytes);
        let _ = classify(&bytes);
        // The same as the body of a message whose header is right, so that attributes are reached.
        let mut framed = message(&[]);
        framed.extend_from_slice(&bytes[..bytes.len() / 4 * 4]);
        let length = (framed.len() - 20) as u16;
        framed[..4].copy_from_slice(&[(kind >> 8) as u8, kind as u8, (length >> 8) as u8, length as u8]);
        if let Ok(parsed) = StunMessage::parse(&framed) {
            prop_assert!(parsed.verify_integrity(&StunKey::new(b"key")).is_err());
        }
    }
}
