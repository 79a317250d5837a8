//! FINGERPRINT: a CRC-32 that tells STUN from what resembles it (RFC 8489 section 14.7).

use super::{StunError, attribute};

/// What the CRC is mixed with, so that it differs from an application's own.
const MIX: u32 = 0x5354_554e;
/// The reflected polynomial of ITU V.42.
const POLYNOMIAL: u32 = 0xEDB8_8320;

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// The fingerprint of a message whose header already counts the attribute.
fn fingerprint(covered: &[u8]) -> u32 {
    let crc = covered.iter().fold(u32::MAX, |crc, byte| {
        let place = (crc ^ u32::from(*byte)) & 0xff;
        (crc >> 8) ^ TABLE[place as usize]
    });
    !crc ^ MIX
}

/// Compares the attribute's value with the message before it.
pub(super) fn verify(covered: &[u8], value: &[u8]) -> Result<(), StunError> {
    if value == fingerprint(covered).to_be_bytes() { Ok(()) } else { Err(StunError::Fingerprint) }
}

/// Appends the attribute to the message `out[start..]`, whose header already counts it.
pub(super) fn append(out: &mut Vec<u8>, start: usize) {
    let value = fingerprint(&out[start..]);
    out.extend_from_slice(&attribute::FINGERPRINT.to_be_bytes());
    out.extend_from_slice(&4u16.to_be_bytes());
    out.extend_from_slice(&value.to_be_bytes());
}
