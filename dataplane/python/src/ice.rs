//! ICE credentials of this end (RFC 8445 section 5.3), with the randomness of the operating system.

use std::io;

use loupe_driver::random_bytes;
use pyo3::prelude::*;

/// `ice-char` of RFC 8445 section 5.3: 64 of them, so that six random bits make one without bias.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A fragment begins with its number: after 2^36 of them it comes again, when the first is long forgotten.
const NUMBER_CHARS: usize = 6;

/// 36 random bits follow; 24 are asked for.
const RANDOM_CHARS: usize = 6;

/// 144 random bits; 128 are asked for.
const PWD_CHARS: usize = 24;

/// Credentials and addresses that the server's description carries (RFC 8445 section 5.3).
#[pyclass(frozen, get_all, module = "mediaserver._dataplane")]
pub(crate) struct LocalIce {
    /// The user-name fragment.
    ufrag: String,
    /// The password.
    pwd: String,
    /// (address, UDP port), IPv4 first.
    candidates: Vec<(String, u16)>,
}

impl LocalIce {
    pub(crate) fn new(ufrag: String, pwd: String, candidates: Vec<(String, u16)>) -> LocalIce {
        LocalIce { ufrag, pwd, candidates }
    }
}

#[pymethods]
impl LocalIce {
    /// Without the password: representations end up in logs.
    fn __repr__(&self) -> String {
        format!("LocalIce(ufrag='{}', candidates={})", self.ufrag, self.candidates.len())
    }
}

/// Makes credentials whose fragments differ by construction, since a worker finds the transport of a check by its
/// fragment: nothing is remembered of those given out, however often a peer restarts.
pub(crate) struct Fragments {
    /// The next fragment's number; the first is random, so that it does not tell how many there were.
    next: u64,
}

impl Fragments {
    /// Fails when the operating system has no randomness.
    pub(crate) fn new() -> io::Result<Fragments> {
        Ok(Fragments { next: u64::from_ne_bytes(random_bytes()?) })
    }

    /// A new pair of fragment and password.
    pub(crate) fn new_credentials(&mut self) -> PyResult<(String, String)> {
        let number: [u8; NUMBER_CHARS] = std::array::from_fn(|place| (self.next >> (6 * place)) as u8);
        self.next = self.next.checked_add(1).unwrap_or_default();
        let ufrag = text(number) + &text(random_bytes::<RANDOM_CHARS>()?);
        Ok((ufrag, text(random_bytes::<PWD_CHARS>()?)))
    }
}

/// One character for the lower six bits of each byte.
fn text<const N: usize>(bytes: [u8; N]) -> String {
    bytes.iter().map(|byte| char::from(ICE_CHARS[usize::from(byte & 63)])).collect()
}
