//! The two transforms behind the profiles, keyed once: AES-GCM, and AES in counter mode with HMAC-SHA1.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::iv::FixedLength;
use hmac::{Hmac, KeyInit, Mac};
use loupe_prefetch::prefetch;
use sha1::Sha1;

use super::SrtpError;
use super::kdf::SessionKeys;
use crate::io::SrtpProfile;

/// Bytes of a GCM tag (RFC 7714 section 13.2).
pub(super) const GCM_TAG: usize = 16;
/// Bytes of HMAC-SHA1 that travel (RFC 3711 section 4.2).
pub(super) const SHA1_TAG: usize = 10;

/// One keyed transform for one kind of packets in one direction.
pub(super) enum Transform {
    Gcm(Gcm),
    /// Boxed: its keys take 0.6 KB, for which every transport would have room four times.
    CounterMode(Box<CounterMode>),
}

impl Transform {
    pub(super) fn new(profile: SrtpProfile, keys: &SessionKeys) -> Result<Transform, SrtpError> {
        match profile {
            SrtpProfile::AeadAes128Gcm | SrtpProfile::AeadAes256Gcm => {
                Gcm::new(profile, keys).map(Transform::Gcm)
            }
            SrtpProfile::Aes128CmSha1_80 => CounterMode::new(keys).map(Box::new).map(Transform::CounterMode),
        }
    }

    /// It is about to be used, and is here itself already.
    pub(super) fn prefetch(&self) {
        match self {
            // Its library keeps the key elsewhere.
            Transform::Gcm(_) => {}
            Transform::CounterMode(mode) => prefetch(&**mode),
        }
    }

    pub(super) const fn tag_length(&self) -> usize {
        match self {
            Transform::Gcm(_) => GCM_TAG,
            Transform::CounterMode(_) => SHA1_TAG,
        }
    }
}

/// AES-GCM with the initialisation vectors of RFC 7714 sections 8.1 and 9.1.
pub(super) struct Gcm {
    key: LessSafeKey,
    salt: [u8; 12],
}

impl Gcm {
    fn new(profile: SrtpProfile, keys: &SessionKeys) -> Result<Gcm, SrtpError> {
        let algorithm = if profile == SrtpProfile::AeadAes256Gcm { &AES_256_GCM } else { &AES_128_GCM };
        let key = UnboundKey::new(algorithm, &keys.cipher).map_err(|_| SrtpError::KeyLength)?;
        let salt = keys.salt.as_slice().try_into().map_err(|_| SrtpError::KeyLength)?;
        Ok(Gcm { key: LessSafeKey::new(key), salt })
    }

    /// Two zero bytes, the SSRC and 48 bits of index, mixed with the salt. An SRTCP index fills the lower 31 bits.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let block = (u128::from(ssrc) << 48) | u128::from(index);
        let mut nonce = self.salt;
        for (byte, mixed) in nonce.iter_mut().zip(&block.to_be_bytes()[4..]) {
            *byte ^= mixed;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Encrypts `payload` in place and returns the tag.
    pub(super) fn seal(
        &self,
        ssrc: u32,
        index: u64,
        clear: &[u8],
        payload: &mut [u8],
    ) -> Result<[u8; GCM_TAG], SrtpError> {
        let nonce = self.nonce(ssrc, index);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(clear), payload);
        let tag = tag.map_err(|_| SrtpError::Exhausted)?;
        tag.as_ref().try_into().map_err(|_| SrtpError::Exhausted)
    }

    /// Verifies and decrypts `sealed` (payload and tag) in place.
    pub(super) fn open(
        &self,
        ssrc: u32,
        index: u64,
        clear: &[u8],
        sealed: &mut [u8],
    ) -> Result<(), SrtpError> {
        let nonce = self.nonce(ssrc, index);
        let opened = self.key.open_in_place(nonce, Aad::from(clear), sealed);
        opened.map(|_| ()).map_err(|_| SrtpError::Authentication)
    }
}

/// AES-128 in counter mode with an 80-bit HMAC-SHA1 tag (RFC 3711 sections 4.1.1 and 4.2).
pub(super) struct CounterMode {
    cipher: EncryptingKey,
    /// The two states that a key comes to, 0.1 KB. A key of aws-lc's has room for any hash: 1.3 KB, most of which each tag
    /// copies.
    authentication: Hmac<Sha1>,
    salt: [u8; 14],
}

impl CounterMode {
    fn new(keys: &SessionKeys) -> Result<CounterMode, SrtpError> {
        let cipher = UnboundCipherKey::new(&AES_128, &keys.cipher).and_then(EncryptingKey::ctr);
        Ok(CounterMode {
            cipher: cipher.map_err(|_| SrtpError::KeyLength)?,
            authentication: Hmac::new_from_slice(&keys.authentication).map_err(|_| SrtpError::KeyLength)?,
            salt: keys.salt.as_slice().try_into().map_err(|_| SrtpError::KeyLength)?,
        })
    }

    /// Encrypts, or decrypts, in place: `IV = (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16)`.
    pub(super) fn apply(&self, ssrc: u32, index: u64, payload: &mut [u8]) -> Result<(), SrtpError> {
        let mut initial = ((u128::from(ssrc) << 64) | (u128::from(index) << 16)).to_be_bytes();
        for (byte, mixed) in initial.iter_mut().zip(&self.salt) {
            *byte ^= mixed;
        }
        let context = EncryptionContext::Iv128(FixedLength::from(initial));
        self.cipher.less_safe_encrypt(payload, context).map_err(|_| SrtpError::Exhausted)?;
        Ok(())
    }

    /// The tag over `covered` and, for SRTP, the rollover counter that does not travel.
    pub(super) fn tag(&self, covered: &[u8], rollover: Option<u32>) -> [u8; SHA1_TAG] {
        let mut context = self.authentication.clone();
        context.update(covered);
        if let Some(rollover) = rollover {
            context.update(&rollover.to_be_bytes());
        }
        let mut tag = [0; SHA1_TAG];
        // HMAC-SHA1 has 20 bytes, of which the leftmost 10 travel.
        tag.copy_from_slice(&context.finalize().into_bytes()[..SHA1_TAG]);
        tag
    }

    /// Compares in constant time.
    pub(super) fn verify(&self, covered: &[u8], rollover: Option<u32>, tag: &[u8]) -> Result<(), SrtpError> {
        verify_slices_are_equal(&self.tag(covered, rollover), tag).map_err(|_| SrtpError::Authentication)
    }
}
