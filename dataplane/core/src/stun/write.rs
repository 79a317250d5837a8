//! Binding answers, appended to a caller's buffer.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::hmac;

use super::{
    FINGERPRINT_TOTAL, HEADER, INTEGRITY_LENGTH, INTEGRITY_TOTAL, MAGIC_COOKIE, StunKey, TransactionId,
    attribute, fingerprint,
};

/// Class and method of a message (RFC 8489 section 5), of which ICE-lite knows Binding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StunKind {
    /// A check.
    BindingRequest,
    /// A keep-alive that wants no answer.
    BindingIndication,
    /// An answer.
    BindingSuccess,
    /// A refusal.
    BindingError,
    /// Any other class or method.
    Other(u16),
}

impl StunKind {
    pub(super) const fn from_wire(kind: u16) -> StunKind {
        match kind {
            0x0001 => StunKind::BindingRequest,
            0x0011 => StunKind::BindingIndication,
            0x0101 => StunKind::BindingSuccess,
            0x0111 => StunKind::BindingError,
            other => StunKind::Other(other),
        }
    }

    const fn wire(self) -> u16 {
        match self {
            StunKind::BindingRequest => 0x0001,
            StunKind::BindingIndication => 0x0011,
            StunKind::BindingSuccess => 0x0101,
            StunKind::BindingError => 0x0111,
            StunKind::Other(kind) => kind,
        }
    }
}

/// Refusals that ICE-lite gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorCode {
    /// 400: no USERNAME or no MESSAGE-INTEGRITY.
    BadRequest,
    /// 401: wrong USERNAME or MESSAGE-INTEGRITY.
    Unauthenticated,
    /// 420: an attribute that must be understood is not.
    UnknownAttribute,
    /// 487: both sides claim to be controlled (RFC 8445 section 7.3.1.1).
    RoleConflict,
}

impl ErrorCode {
    /// As people write it.
    pub const fn number(self) -> u16 {
        match self {
            ErrorCode::BadRequest => 400,
            ErrorCode::Unauthenticated => 401,
            ErrorCode::UnknownAttribute => 420,
            ErrorCode::RoleConflict => 487,
        }
    }
}

/// Appends a Binding success response: XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY, FINGERPRINT.
///
/// 64 bytes for an IPv4 address, 76 for an IPv6 one. An IPv4 address that a dual-stack socket reports as
/// `::ffff:a.b.c.d` is told as the IPv4 address that the peer knows.
pub fn write_success(out: &mut Vec<u8>, transaction: TransactionId, mapped: SocketAddr, key: &StunKey) {
    let cookie = MAGIC_COOKIE.to_be_bytes();
    let mut value = [0; 20];
    let port = mapped.port() ^ (MAGIC_COOKIE >> 16) as u16;
    value[2..4].copy_from_slice(&port.to_be_bytes());
    let value = match mapped.ip().to_canonical() {
        IpAddr::V4(ip) => {
            value[1] = 1;
            mix(&mut value[4..8], &ip.octets(), &cookie);
            &value[..8]
        }
        IpAddr::V6(ip) => {
            value[1] = 2;
            mix(&mut value[4..8], &ip.octets()[..4], &cookie);
            mix(&mut value[8..20], &ip.octets()[4..], &transaction.0);
            &value[..20]
        }
    };
    let start = begin(out, StunKind::BindingSuccess, transaction);
    push(out, attribute::XOR_MAPPED_ADDRESS, value);
    finish(out, start, Some(key));
}

/// Appends a Binding error response: ERROR-CODE without a phrase, UNKNOWN-ATTRIBUTES when `unknown` has any,
/// MESSAGE-INTEGRITY when there is a key, FINGERPRINT.
///
/// RFC 8489 section 9.1.3: refusals before the request proved itself (400, 401) carry no integrity.
pub fn write_error(
    out: &mut Vec<u8>,
    transaction: TransactionId,
    code: ErrorCode,
    unknown: &[u16],
    key: Option<&StunKey>,
) {
    let start = begin(out, StunKind::BindingError, transaction);
    let number = code.number();
    push(out, attribute::ERROR_CODE, &[0, 0, (number / 100) as u8, (number % 100) as u8]);
    if !unknown.is_empty() {
        out.extend_from_slice(&attribute::UNKNOWN_ATTRIBUTES.to_be_bytes());
        out.extend_from_slice(&((unknown.len() * 2) as u16).to_be_bytes());
        for kind in unknown {
            out.extend_from_slice(&kind.to_be_bytes());
        }
        pad(out, start);
    }
    finish(out, start, key);
}

fn mix(out: &mut [u8], plain: &[u8], mask: &[u8]) {
    for ((byte, plain), mask) in out.iter_mut().zip(plain).zip(mask) {
        *byte = plain ^ mask;
    }
}

/// Appends a header with a length of zero and returns where it begins.
fn begin(out: &mut Vec<u8>, kind: StunKind, transaction: TransactionId) -> usize {
    let start = out.len();
    out.extend_from_slice(&kind.wire().to_be_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
    out.extend_from_slice(&transaction.0);
    start
}

fn push(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
    pad(out, start);
}

fn pad(out: &mut Vec<u8>, start: usize) {
    let length = (out.len() - start).next_multiple_of(4);
    out.resize(start + length, 0);
}

/// Appends integrity and fingerprint; each covers a header length that counts it as the last attribute.
fn finish(out: &mut Vec<u8>, start: usize, key: Option<&StunKey>) {
    if let Some(key) = key {
        set_length(out, start, INTEGRITY_TOTAL);
        let tag = hmac::sign(&key.0, &out[start..]);
        push(out, attribute::MESSAGE_INTEGRITY, &tag.as_ref()[..INTEGRITY_LENGTH]);
    }
    set_length(out, start, FINGERPRINT_TOTAL);
    fingerprint::append(out, start);
}

/// Writes the header's length as it will be after `pending` more bytes.
fn set_length(out: &mut [u8], start: usize, pending: usize) {
    let length = (out.len() - start - HEADER + pending) as u16;
    out[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
}
