//! Session keys from a master key and salt: the AES-CM pseudo-random function with a key derivation rate of zero
//! (RFC 3711 section 4.3, RFC 6188 section 3, RFC 7714 section 11).

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use super::SrtpError;
use crate::io::SrtpProfile;

/// Bytes of a session authentication key for HMAC-SHA1 (RFC 3711 section 8.2).
const AUTHENTICATION_KEY: usize = 20;
/// Where in the 14 bytes of the padded master salt the label is added: `key_id` is 7 bytes from the right.
const LABEL_OFFSET: usize = 7;

/// What a derived key is for (RFC 3711 sections 4.3.1 and 4.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum KeyLabel {
    /// SRTP encryption key.
    RtpCipher = 0,
    /// SRTP authentication key.
    RtpAuthentication = 1,
    /// SRTP salting key.
    RtpSalt = 2,
    /// SRTCP encryption key.
    RtcpCipher = 3,
    /// SRTCP authentication key.
    RtcpAuthentication = 4,
    /// SRTCP salting key.
    RtcpSalt = 5,
}

/// Keys of one stream kind (SRTP or SRTCP), as the ciphers take them.
#[derive(Clone)]
pub struct SessionKeys {
    /// Encryption key: 16 or 32 bytes.
    pub cipher: Vec<u8>,
    /// Salting key: 12 bytes (GCM) or 14 (AES-CM).
    pub salt: Vec<u8>,
    /// HMAC-SHA1 key: 20 bytes, empty for GCM.
    pub authentication: Vec<u8>,
}

/// AES in counter mode over zeros, from `label`: fills `out`.
///
/// `master_key` has 16 or 32 bytes, `master_salt` 12 or 14; a 96-bit salt is padded on the right (RFC 7714
/// section 11). Errors: [`SrtpError::KeyLength`].
pub fn derive(
    master_key: &[u8],
    master_salt: &[u8],
    label: KeyLabel,
    out: &mut [u8],
) -> Result<(), SrtpError> {
    let algorithm = match master_key.len() {
        16 => &AES_128,
        32 => &AES_256,
        _ => return Err(SrtpError::KeyLength),
    };
    let mut initial = [0; 16];
    match master_salt.len() {
        length @ (12 | 14) => initial[..length].copy_from_slice(master_salt),
        _ => return Err(SrtpError::KeyLength),
    }
    initial[LABEL_OFFSET] ^= label as u8;
    let key = UnboundCipherKey::new(algorithm, master_key).and_then(EncryptingKey::ctr);
    let key = key.map_err(|_| SrtpError::KeyLength)?;
    out.fill(0);
    key.less_safe_encrypt(out, EncryptionContext::Iv128(FixedLength::from(initial)))
        .map_err(|_| SrtpError::KeyLength)?;
    Ok(())
}

/// The session keys for SRTP and for SRTCP, in this order, from master key and salt end to end (RFC 5764 section 4.2).
pub fn session_keys(
    profile: SrtpProfile,
    key_and_salt: &[u8],
) -> Result<(SessionKeys, SessionKeys), SrtpError> {
    if key_and_salt.len() != profile.key_length() + profile.salt_length() {
        return Err(SrtpError::KeyLength);
    }
    let (key, salt) = key_and_salt.split_at(profile.key_length());
    let keys_for = |cipher_label, salt_label, authentication_label| {
        let mut keys = SessionKeys {
            cipher: vec![0; profile.key_length()],
            salt: vec![0; profile.salt_length()],
            authentication: match profile {
                SrtpProfile::Aes128CmSha1_80 => vec![0; AUTHENTICATION_KEY],
                SrtpProfile::AeadAes128Gcm | SrtpProfile::AeadAes256Gcm => Vec::new(),
            },
        };
        derive(key, salt, cipher_label, &mut keys.cipher)?;
        derive(key, salt, salt_label, &mut keys.salt)?;
        derive(key, salt, authentication_label, &mut keys.authentication)?;
        Ok(keys)
    };
    Ok((
        keys_for(KeyLabel::RtpCipher, KeyLabel::RtpSalt, KeyLabel::RtpAuthentication)?,
        keys_for(KeyLabel::RtcpCipher, KeyLabel::RtcpSalt, KeyLabel::RtcpAuthentication)?,
    ))
}
