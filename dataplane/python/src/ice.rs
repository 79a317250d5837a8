//! ICE credentials of this end (RFC 8445 section 5.3), with the randomness of the operating system.

use std::collections::{HashMap, HashSet};

use loupe_core::io::Handle;
use loupe_driver::random_bytes;
use pyo3::prelude::*;

/// `ice-char` of RFC 8445 section 5.3: 64 of them, so that six random bits make one without bias.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// 48 random bits; 24 are asked for.
const UFRAG_CHARS: usize = 8;

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

/// The fragments in use: a worker finds the transport of a check by its fragment, so no two may share one.
#[derive(Default)]
pub(crate) struct Fragments {
    taken: HashSet<String>,
    by_transport: HashMap<Handle, Vec<String>>,
}

impl Fragments {
    /// A new pair of fragment and password. A transport's earlier fragments stay taken until it ends, since checks
    /// with them may still be on their way.
    pub(crate) fn new_credentials(&mut self, transport: Handle) -> PyResult<(String, String)> {
        let ufrag = loop {
            let candidate = random_text::<UFRAG_CHARS>()?;
            if self.taken.insert(candidate.clone()) {
                break candidate;
            }
        };
        self.by_transport.entry(transport).or_default().push(ufrag.clone());
        Ok((ufrag, random_text::<PWD_CHARS>()?))
    }

    /// Frees the fragments of transports that ended; other handles have none.
    pub(crate) fn release(&mut self, ended: &[Handle]) {
        for ufrag in ended.iter().filter_map(|handle| self.by_transport.remove(handle)).flatten() {
            self.taken.remove(&ufrag);
        }
    }
}

fn random_text<const N: usize>() -> PyResult<String> {
    let bytes: [u8; N] = random_bytes()?;
    Ok(bytes.iter().map(|byte| char::from(ICE_CHARS[usize::from(byte & 63)])).collect())
}
