//! Which SRTP protection an endpoint offers.
//!
//! The DTLS library always offers three profiles and has no setting for it. Its cryptography is replaceable though, so
//! here the offered list is overwritten by one of equal length that names the wanted profile three times: in the
//! datagram that leaves, and in all that is computed over the handshake (hashes and the certificate's signature), so
//! both ends agree on what was said. RFC 5764 section 4.1.1 has the server choose one of the offered; a repeated offer
//! leaves it one choice. Whoever goes on without the library finds the keys of the handshake here too ([`Keying`]).

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use dimpl::crypto::{
    Buf, CryptoProvider as DimplProvider, HashAlgorithm, HashContext, HashProvider, KeyProvider,
    SignatureAlgorithm, SigningKey,
};
use loupe_core::io::SrtpProfile;
use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion, KeyingMaterial};
use str0m::crypto::dtls::{self, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion};
use str0m::crypto::{CryptoError, from_feature_flags};

/// An SRTP protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// All that the library knows; the server chooses.
    Any,
    /// `AEAD_AES_128_GCM`.
    Gcm,
    /// `AEAD_AES_256_GCM`.
    Gcm256,
    /// `AES128_CM_HMAC_SHA1_80`.
    Cm,
}

impl Profile {
    /// The profile of a command line's word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "any" => Some(Self::Any),
            "gcm" => Some(Self::Gcm),
            "gcm256" => Some(Self::Gcm256),
            "cm" => Some(Self::Cm),
            _ => None,
        }
    }

    fn wire_id(self) -> Option<u8> {
        match self {
            Self::Any => None,
            Self::Gcm => Some(7),
            Self::Gcm256 => Some(8),
            Self::Cm => Some(1),
        }
    }

    /// The cryptography of one endpoint that offers this, and where the keys will be that its handshake agrees on; never,
    /// where the library's own choice was left to it. Leaks some bytes for each endpoint.
    pub fn provider(self) -> (Arc<CryptoProvider>, Arc<OnceLock<Keying>>) {
        let (mut provider, keying) = (from_feature_flags(), Arc::default());
        if self != Self::Any {
            // The library wants a reference that lives as long as the process, and endpoints nearly do.
            provider.dtls_provider =
                Box::leak(Box::new(OnlyProvider { profile: self, keying: Arc::clone(&keying) }));
        }
        (Arc::new(provider), keying)
    }
}

/// What a handshake agreed on for SRTP; master keys and salts are end to end.
pub struct Keying {
    /// How packets are protected.
    pub profile: SrtpProfile,
    /// Key and salt of what we send.
    pub ours: Vec<u8>,
    /// Those of what the peer sends.
    pub theirs: Vec<u8>,
}

impl Keying {
    /// From what DTLS exports (RFC 5764 section 4.2): the client's key, the server's, the client's salt, the server's.
    fn new(material: &KeyingMaterial, profile: dtls::SrtpProfile, client: bool) -> Self {
        let profile = match profile {
            dtls::SrtpProfile::AEAD_AES_128_GCM => SrtpProfile::AeadAes128Gcm,
            dtls::SrtpProfile::AEAD_AES_256_GCM => SrtpProfile::AeadAes256Gcm,
            dtls::SrtpProfile::AES128_CM_SHA1_80 => SrtpProfile::Aes128CmSha1_80,
            other => unreachable!("a profile the library did not have: {other}"),
        };
        let (keys, salts) = material.split_at(2 * profile.key_length());
        let of = |at: usize| {
            let (key, salt) = (profile.key_length(), profile.salt_length());
            [&keys[at * key..][..key], &salts[at * salt..][..salt]].concat()
        };
        let (ours, theirs) = if client { (of(0), of(1)) } else { (of(1), of(0)) };
        Self { profile, ours, theirs }
    }
}

impl std::fmt::Debug for Keying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keying").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// The extension as the library writes it: type 14, its length, the list's length, three profiles, no MKI.
const OFFERED: [u8; 13] = [0, 14, 0, 9, 0, 6, 0, 8, 0, 7, 0, 1, 0];

/// A DTLS record at its largest (RFC 6347 section 4.1).
const STAGING_LEN: usize = 16_384 + 2_048;

/// `bytes` with the offered list replaced, or nothing when it is not in them.
fn replace_offer(bytes: &[u8], profile: Profile) -> Option<Vec<u8>> {
    let id = profile.wire_id()?;
    let at = bytes.windows(OFFERED.len()).position(|window| window == OFFERED)?;
    let mut changed = bytes.to_vec();
    for place in [at + 7, at + 9, at + 11] {
        changed[place] = id;
    }
    Some(changed)
}

#[derive(Debug)]
struct OnlyProvider {
    profile: Profile,
    keying: Arc<OnceLock<Keying>>,
}

impl DtlsProvider for OnlyProvider {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        _version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        // ICE has shown that the peer receives where it says, so the server's cookie adds nothing.
        let mut builder = dimpl::Config::builder()
            .use_server_cookie(false)
            .with_crypto_provider(dimpl_provider(self.profile));
        if let Some(mtu) = mtu {
            builder = builder.mtu(mtu);
        }
        let config = builder.build().map_err(|error| CryptoError::Other(error.to_string()))?;
        let dtls = dimpl::Dtls::new_12(Arc::new(config), cert.clone(), now);
        let keying = Arc::clone(&self.keying);
        Ok(Box::new(OnlyInstance { dtls, profile: self.profile, keying, staging: vec![0; STAGING_LEN] }))
    }
}

struct OnlyInstance {
    dtls: dimpl::Dtls,
    profile: Profile,
    keying: Arc<OnceLock<Keying>>,
    staging: Vec<u8>,
}

impl std::fmt::Debug for OnlyInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnlyInstance").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl DtlsInstance for OnlyInstance {
    fn set_active(&mut self, active: bool) {
        self.dtls.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.dtls.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        // Into a buffer of its own first, since the output borrows what it is written to.
        match self.dtls.poll_output(&mut self.staging) {
            DtlsOutput::Packet(packet) => {
                let changed = replace_offer(packet, self.profile);
                DtlsOutput::Packet(copy(changed.as_deref().unwrap_or(packet), buf))
            }
            DtlsOutput::PeerCert(certificate) => DtlsOutput::PeerCert(copy(certificate, buf)),
            DtlsOutput::ApplicationData(data) => DtlsOutput::ApplicationData(copy(data, buf)),
            DtlsOutput::KeyingMaterial(keys, profile) => {
                let client = self.dtls.is_active();
                self.keying.get_or_init(|| Keying::new(&keys, profile, client));
                DtlsOutput::KeyingMaterial(keys, profile)
            }
            DtlsOutput::Timeout(at) => DtlsOutput::Timeout(at),
            DtlsOutput::Connected => DtlsOutput::Connected,
            DtlsOutput::CloseNotify => DtlsOutput::CloseNotify,
            DtlsOutput::BufferTooSmall { needed } => DtlsOutput::BufferTooSmall { needed },
            other => unreachable!("an output the library did not have: {other:?}"),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.dtls.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.dtls.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.dtls.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.dtls.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.dtls.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.dtls.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.dtls.close()
    }
}

/// `from` at the start of `to`, cut to what `to` holds: it is given large enough for any record.
fn copy<'a>(from: &[u8], to: &'a mut [u8]) -> &'a [u8] {
    let len = from.len().min(to.len());
    to[..len].copy_from_slice(&from[..len]);
    &to[..len]
}

/// The DTLS library's cryptography, except that what it computes over a handshake has the replaced offer.
fn dimpl_provider(profile: Profile) -> DimplProvider {
    static ONCE: [OnceLock<&'static Rewriting>; 3] = [const { OnceLock::new() }; 3];
    let slot = match profile {
        Profile::Any | Profile::Gcm => &ONCE[0],
        Profile::Gcm256 => &ONCE[1],
        Profile::Cm => &ONCE[2],
    };
    let plain = dimpl::crypto::aws_lc_rs::default_provider();
    // The library wants references that live as long as the process: one per profile, made once.
    let rewriting: &'static Rewriting =
        slot.get_or_init(|| Box::leak(Box::new(Rewriting { plain: plain.clone(), profile })));
    DimplProvider { hash_provider: rewriting, key_provider: rewriting, ..plain }
}

#[derive(Debug)]
struct Rewriting {
    plain: DimplProvider,
    profile: Profile,
}

impl HashProvider for Rewriting {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        Box::new(RewritingHash {
            plain: self.plain.hash_provider.create_hash(algorithm),
            profile: self.profile,
        })
    }
}

#[derive(Debug)]
struct RewritingHash {
    plain: Box<dyn HashContext>,
    profile: Profile,
}

impl HashContext for RewritingHash {
    fn update(&mut self, data: &[u8]) {
        self.plain.update(replace_offer(data, self.profile).as_deref().unwrap_or(data));
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        self.plain.clone_and_finalize(out);
    }
}

impl KeyProvider for Rewriting {
    fn load_private_key(&self, key_der: &[u8]) -> Result<Box<dyn SigningKey>, dimpl::CryptoError> {
        let plain = self.plain.key_provider.load_private_key(key_der)?;
        Ok(Box::new(RewritingKey { plain, profile: self.profile }))
    }
}

#[derive(Debug)]
struct RewritingKey {
    plain: Box<dyn SigningKey>,
    profile: Profile,
}

impl SigningKey for RewritingKey {
    fn sign(
        &mut self,
        data: &[u8],
        hash_alg: HashAlgorithm,
        out: &mut Buf,
    ) -> Result<(), dimpl::CryptoError> {
        let changed = replace_offer(data, self.profile);
        self.plain.sign(changed.as_deref().unwrap_or(data), hash_alg, out)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.plain.algorithm()
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        self.plain.hash_algorithm()
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        self.plain.supported_hash_algorithms()
    }
}
