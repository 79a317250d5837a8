//! STUN as ICE-lite needs it (RFC 8489, RFC 8445 section 16.1): Binding requests in, Binding answers out, no copies.

mod fingerprint;
mod write;

pub use write::{ErrorCode, StunKind, write_error, write_success};

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

/// Bytes of the header (RFC 8489 section 5).
pub const HEADER: usize = 20;
/// What every message carries at offset 4.
pub(crate) const MAGIC_COOKIE: u32 = 0x2112_A442;
/// Attributes looked at in one message; browsers send at most 10.
const MAX_ATTRIBUTES: usize = 32;
/// Unknown attributes named in a 420 answer.
const MAX_UNKNOWN: usize = 8;
/// Bytes of an HMAC-SHA1.
pub(crate) const INTEGRITY_LENGTH: usize = 20;
/// What [`MESSAGE_INTEGRITY`](attribute::MESSAGE_INTEGRITY) takes with its own header.
pub(crate) const INTEGRITY_TOTAL: usize = INTEGRITY_LENGTH + 4;
/// What [`FINGERPRINT`](attribute::FINGERPRINT) takes with its own header.
pub(crate) const FINGERPRINT_TOTAL: usize = 8;

/// Attribute types (IANA "STUN Attributes"). Those below 0x8000 must be understood.
pub(crate) mod attribute {
    pub(crate) const USERNAME: u16 = 0x0006;
    pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(crate) const ERROR_CODE: u16 = 0x0009;
    pub(crate) const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub(crate) const REALM: u16 = 0x0014;
    pub(crate) const NONCE: u16 = 0x0015;
    pub(crate) const MESSAGE_INTEGRITY_SHA256: u16 = 0x001C;
    pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(crate) const PRIORITY: u16 = 0x0024;
    pub(crate) const USE_CANDIDATE: u16 = 0x0025;
    pub(crate) const FIRST_OPTIONAL: u16 = 0x8000;
    pub(crate) const FINGERPRINT: u16 = 0x8028;
    pub(crate) const ICE_CONTROLLED: u16 = 0x8029;
    pub(crate) const ICE_CONTROLLING: u16 = 0x802A;
}

/// Why bytes are no STUN message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StunError {
    /// Shorter than the header.
    Short,
    /// The first two bits are not zero, or the magic cookie is missing.
    NotStun,
    /// The length is no multiple of four, or not that of the rest.
    Length,
    /// An attribute runs over the end, or has a wrong length for its type.
    Attribute,
    /// More attributes than any honest message has.
    TooManyAttributes,
    /// The fingerprint is not the last attribute, or does not match.
    Fingerprint,
}

impl fmt::Display for StunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StunError::Short => "shorter than a STUN header",
            StunError::NotStun => "no STUN magic cookie",
            StunError::Length => "STUN length differs from the datagram's",
            StunError::Attribute => "STUN attribute with a wrong length",
            StunError::TooManyAttributes => "too many STUN attributes",
            StunError::Fingerprint => "wrong STUN fingerprint",
        })
    }
}

impl std::error::Error for StunError {}

/// A key of MESSAGE-INTEGRITY, prepared once: for ICE the password itself (RFC 8489 section 9.1.1).
#[derive(Clone)]
pub struct StunKey(pub(crate) Arc<hmac::Key>);

impl StunKey {
    /// From the bytes of a password (short-term) or of an MD5 sum (long-term).
    pub fn new(key: &[u8]) -> StunKey {
        StunKey(Arc::new(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key)))
    }
}

impl fmt::Debug for StunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StunKey")
    }
}

/// Why [`StunMessage::verify_integrity`] refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntegrityError {
    /// There is no MESSAGE-INTEGRITY.
    Missing,
    /// It does not verify.
    Wrong,
}

/// The 96 bits that join an answer to its request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TransactionId(pub [u8; 12]);

/// The role that the sender claims, with its tie-breaker (RFC 8445 section 7.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IceRole {
    /// It nominates.
    Controlling(u64),
    /// It waits for nomination.
    Controlled(u64),
}

/// Whether a check nominates its path (RFC 8445 section 7.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nomination {
    /// It carries USE-CANDIDATE.
    UseCandidate,
    /// It does not.
    Absent,
}

/// Attributes that must be understood and are not; the first few of them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct UnknownAttributes {
    types: [u16; MAX_UNKNOWN],
    count: usize,
}

impl UnknownAttributes {
    /// Their types, in the order of the message.
    pub fn as_slice(&self) -> &[u16] {
        &self.types[..self.count]
    }

    fn push(&mut self, kind: u16) {
        if let Some(slot) = self.types.get_mut(self.count) {
            *slot = kind;
            self.count += 1;
        }
    }
}

/// A message that parsed; nothing in it is proven before [`StunMessage::verify_integrity`].
#[derive(Clone, Copy, Debug)]
pub struct StunMessage<'a> {
    bytes: &'a [u8],
    /// Class and method.
    pub kind: StunKind,
    /// Its transaction.
    pub transaction: TransactionId,
    /// USERNAME.
    pub username: Option<&'a [u8]>,
    /// PRIORITY: what the path's candidate would get.
    pub priority: Option<u32>,
    /// USE-CANDIDATE.
    pub nomination: Nomination,
    /// ICE-CONTROLLING or ICE-CONTROLLED.
    pub role: Option<IceRole>,
    /// What calls for a 420 answer.
    pub unknown: UnknownAttributes,
    /// Where MESSAGE-INTEGRITY begins, when there is one.
    integrity_offset: Option<usize>,
}

impl<'a> StunMessage<'a> {
    /// Parses a whole datagram: header, attributes up to their bounds, and the fingerprint when there is one.
    pub fn parse(bytes: &'a [u8]) -> Result<StunMessage<'a>, StunError> {
        let Some((header, body)) = bytes.split_first_chunk::<HEADER>() else { return Err(StunError::Short) };
        let [kind_high, kind_low, length_high, length_low, c0, c1, c2, c3, transaction @ ..] = *header;
        if kind_high & 0xC0 != 0 || u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE {
            return Err(StunError::NotStun);
        }
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        if !length.is_multiple_of(4) || length != body.len() {
            return Err(StunError::Length);
        }
        let mut message = StunMessage {
            bytes,
            kind: StunKind::from_wire(u16::from_be_bytes([kind_high, kind_low])),
            transaction: TransactionId(transaction),
            username: None,
            priority: None,
            nomination: Nomination::Absent,
            role: None,
            unknown: UnknownAttributes::default(),
            integrity_offset: None,
        };
        message.read_attributes()?;
        Ok(message)
    }

    fn read_attributes(&mut self) -> Result<(), StunError> {
        let mut offset = HEADER;
        let mut count = 0;
        while let Some(rest) = self.bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            count += 1;
            if count > MAX_ATTRIBUTES {
                return Err(StunError::TooManyAttributes);
            }
            let (kind, value) = read_attribute(rest)?;
            let next = offset + 4 + value.len().next_multiple_of(4);
            match (kind, self.integrity_offset) {
                (attribute::FINGERPRINT, _) => {
                    // RFC 8489 section 14.7: FINGERPRINT must be the last attribute.
                    return if next == self.bytes.len() {
                        fingerprint::verify(&self.bytes[..offset], value)
                    } else {
                        Err(StunError::Fingerprint)
                    };
                }
                // RFC 8489 section 14.5: all that follows MESSAGE-INTEGRITY, but FINGERPRINT, is ignored.
                (_, Some(_)) => {}
                (attribute::MESSAGE_INTEGRITY, None) if value.len() == INTEGRITY_LENGTH => {
                    self.integrity_offset = Some(offset);
                }
                (_, None) => self.take(kind, value)?,
            }
            offset = next;
        }
        Ok(())
    }

    /// Keeps one attribute. RFC 8489 section 14: of a repeated one only the first counts.
    fn take(&mut self, kind: u16, value: &'a [u8]) -> Result<(), StunError> {
        match kind {
            attribute::USERNAME => {
                // RFC 8489 section 14.3: fewer than 509 bytes.
                if value.len() > 508 {
                    return Err(StunError::Attribute);
                }
                self.username.get_or_insert(value);
            }
            attribute::PRIORITY => {
                self.priority.get_or_insert(u32::from_be_bytes(fixed(value)?));
            }
            attribute::USE_CANDIDATE => {
                fixed::<0>(value)?;
                self.nomination = Nomination::UseCandidate;
            }
            attribute::ICE_CONTROLLING => {
                self.role.get_or_insert(IceRole::Controlling(u64::from_be_bytes(fixed(value)?)));
            }
            attribute::ICE_CONTROLLED => {
                self.role.get_or_insert(IceRole::Controlled(u64::from_be_bytes(fixed(value)?)));
            }
            // Reached only with a wrong length.
            attribute::MESSAGE_INTEGRITY => return Err(StunError::Attribute),
            attribute::ERROR_CODE
            | attribute::UNKNOWN_ATTRIBUTES
            | attribute::REALM
            | attribute::NONCE
            | attribute::MESSAGE_INTEGRITY_SHA256
            | attribute::XOR_MAPPED_ADDRESS
            | attribute::FIRST_OPTIONAL.. => {}
            unknown => self.unknown.push(unknown),
        }
        Ok(())
    }

    /// Bytes of the message.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The two fragments of USERNAME: ours, then the sender's (RFC 8445 section 7.1.1).
    pub fn fragments(&self) -> Option<(&'a [u8], &'a [u8])> {
        let username = self.username?;
        let colon = username.iter().position(|byte| *byte == b':')?;
        Some((&username[..colon], &username[colon + 1..]))
    }

    /// Checks MESSAGE-INTEGRITY in constant time.
    ///
    /// RFC 8489 section 14.5: the HMAC covers the message up to the attribute, with a header length that counts the
    /// attribute itself as the last.
    pub fn verify_integrity(&self, key: &StunKey) -> Result<(), IntegrityError> {
        let offset = self.integrity_offset.ok_or(IntegrityError::Missing)?;
        let covered_length = (offset - HEADER + INTEGRITY_TOTAL) as u16;
        let mut context = hmac::Context::with_key(&key.0);
        context.update(&self.bytes[..2]);
        context.update(&covered_length.to_be_bytes());
        context.update(&self.bytes[4..offset]);
        let received = &self.bytes[offset + 4..offset + INTEGRITY_TOTAL];
        verify_slices_are_equal(context.sign().as_ref(), received).map_err(|_| IntegrityError::Wrong)
    }
}

/// The first attribute of `rest`: type and value without padding.
fn read_attribute(rest: &[u8]) -> Result<(u16, &[u8]), StunError> {
    let Some((&[kind_high, kind_low, length_high, length_low], tail)) = rest.split_first_chunk::<4>() else {
        return Err(StunError::Attribute);
    };
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    // The message's length is a multiple of four, so a value that fits has its padding too.
    let value = tail.get(..length).ok_or(StunError::Attribute)?;
    Ok((u16::from_be_bytes([kind_high, kind_low]), value))
}

fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N], StunError> {
    value.try_into().map_err(|_| StunError::Attribute)
}
