//! Credentials of the newest generation, and of the one before it until the peer has moved on.

use super::RESTART_GRACE;
use crate::io::IceCredentials;
use crate::stun::StunKey;
use crate::units::Time;

/// One generation, with its key prepared.
#[derive(Debug)]
pub(super) struct Generation {
    local_ufrag: String,
    remote_ufrag: Option<String>,
    pub(super) key: StunKey,
}

impl Generation {
    fn new(credentials: IceCredentials) -> Generation {
        Generation {
            key: StunKey::new(credentials.local_pwd.as_bytes()),
            local_ufrag: credentials.local_ufrag,
            remote_ufrag: credentials.remote_ufrag,
        }
    }

    /// Whether a check may name this fragment as its sender's; any, until the peer's is known.
    pub(super) fn accepts_remote(&self, ufrag: &[u8]) -> bool {
        self.remote_ufrag.as_ref().is_none_or(|known| known.as_bytes() == ufrag)
    }
}

/// At most two generations.
#[derive(Debug)]
pub(super) struct Credentials {
    current: Generation,
    /// The one before, and until when it serves.
    previous: Option<(Generation, Time)>,
}

impl Credentials {
    pub(super) fn new(credentials: IceCredentials) -> Credentials {
        Credentials { current: Generation::new(credentials), previous: None }
    }

    /// After a second restart that the peer has not answered, the generation it still uses is the one kept: the one
    /// between never carried a check.
    pub(super) fn restart(&mut self, now: Time, credentials: IceCredentials) {
        let replaced = std::mem::replace(&mut self.current, Generation::new(credentials));
        let kept = match self.previous.take() {
            Some((proven, until)) if now < until => proven,
            _ => replaced,
        };
        self.previous = Some((kept, now + RESTART_GRACE));
    }

    pub(super) fn set_remote_ufrag(&mut self, ufrag: String) {
        self.current.remote_ufrag = Some(ufrag);
    }

    /// The generation that a check with our fragment `local` belongs to, if it still serves.
    pub(super) fn find(&self, now: Time, local: &[u8]) -> Option<&Generation> {
        self.serving(now).find(|generation| generation.local_ufrag.as_bytes() == local)
    }

    /// An authenticated check named `local`: if that is the newest, the one before has done its work.
    pub(super) fn used(&mut self, local: &[u8]) {
        if self.current.local_ufrag.as_bytes() == local {
            self.previous = None;
        }
    }

    pub(super) fn local_ufrags(&self, now: Time) -> impl Iterator<Item = &str> {
        self.serving(now).map(|generation| generation.local_ufrag.as_str())
    }

    fn serving(&self, now: Time) -> impl Iterator<Item = &Generation> {
        let previous =
            self.previous.iter().filter(move |(_, until)| now < *until).map(|(generation, _)| generation);
        std::iter::once(&self.current).chain(previous)
    }
}
