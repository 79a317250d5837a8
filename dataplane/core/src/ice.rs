//! ICE-lite for one transport (RFC 8445, RFC 7675): which addresses have proved themselves, and which one is the path.
//!
//! The server sends no checks. It answers the peer's, and takes each authenticated one as consent (RFC 7675) for the
//! address it came from. No address is ever learnt in another way.

mod credentials;
mod limiter;
mod transactions;
mod validated;

pub use limiter::AnswerLimiter;

use std::net::SocketAddr;
use std::time::Duration;

use loupe_prefetch::prefetch;

use crate::io::{CloseReason, IceCredentials};
use crate::stats::Drop;
use crate::stun::{
    ErrorCode, IceRole, IntegrityError, Nomination, StunKey, StunKind, StunMessage, write_error,
    write_success,
};
use crate::units::Time;
use credentials::Credentials;
use transactions::Transactions;
use validated::ValidatedPaths;

/// Sending pauses when the path had no authenticated check for this long.
///
/// RFC 7675 section 5.1 lets a peer space its checks by 4 to 6 s (5 s, randomised by 0.8 to 1.2), as Firefox and
/// aioice do: so a shorter span would stop healthy pictures.
pub const CONSENT_PAUSE: Duration = Duration::from_secs(6);
/// The same where the peer's authenticated reports go on: a lossy path takes check after check, and a pause that follows from
/// two lost ones would cost its viewer a second of speech.
pub const HEARD_CONSENT_PAUSE: Duration = Duration::from_secs(15);
/// A report tells for this long that the peer is there.
const HEARD_LASTS: Duration = Duration::from_secs(2);
/// Consent is over after this long (RFC 7675 section 5.1), and so is a transport that never had a first check.
pub const CONSENT_EXPIRY: Duration = Duration::from_secs(30);
/// How long the credentials before a restart serve when no check with the new ones comes.
pub const RESTART_GRACE: Duration = Duration::from_secs(30);

/// A local socket and a remote address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Path {
    /// Which of the worker's sockets.
    pub local: u8,
    /// The peer's address, as the socket reports it.
    pub remote: SocketAddr,
}

/// What an authenticated check changed, beside the answer that it got.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct CheckOutcome {
    /// An address that is valid from now on.
    pub admitted: Option<Path>,
    /// The address that made room for it and is valid no longer.
    pub evicted: Option<Path>,
    /// What became of the path.
    pub event: Option<IceEvent>,
}

/// What became of a transport's path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IceEvent {
    /// The first path stands.
    Ready(Path),
    /// Consent is back after [`IceEvent::ConsentLost`], maybe by another path than before.
    Restored(Path),
    /// Another path is used from now on.
    PathChanged(Path),
    /// Nothing may be sent until [`IceEvent::Restored`].
    ConsentLost,
    /// This address is valid no longer; it was not the path.
    AddressExpired(Path),
    /// The transport is over; all its addresses are valid no longer.
    Closed(CloseReason),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// No authenticated check yet.
    New { opened: Time },
    /// The path has consent.
    Ready { path: Path },
    /// It had, and nothing is sent until it has again.
    Interrupted { path: Path },
    /// Nothing more happens.
    Closed,
}

/// ICE-lite state of one transport.
#[derive(Debug)]
pub struct IceLite {
    state: State,
    credentials: Credentials,
    addresses: ValidatedPaths,
    transactions: Transactions,
    /// When the last authenticated report came by the path in use.
    heard: Time,
}

impl IceLite {
    /// A transport that waits for its first check, for [`CONSENT_EXPIRY`].
    pub fn new(now: Time, credentials: IceCredentials) -> IceLite {
        IceLite {
            state: State::New { opened: now },
            credentials: Credentials::new(credentials),
            addresses: ValidatedPaths::default(),
            transactions: Transactions::default(),
            heard: Time::ZERO,
        }
    }

    /// New credentials; the old ones serve until the first authenticated check with the new, at most
    /// [`RESTART_GRACE`]. The path and its consent go on.
    pub fn restart(&mut self, now: Time, credentials: IceCredentials) {
        self.credentials.restart(now, credentials);
    }

    /// The peer's fragment of the newest credentials became known; checks must name it from now on.
    pub fn set_remote_ufrag(&mut self, ufrag: String) {
        self.credentials.set_remote_ufrag(ufrag);
    }

    /// Our fragments that checks may name now, the newest first: what the plane finds this transport by.
    pub fn local_ufrags(&self, now: Time) -> impl Iterator<Item = &str> {
        self.credentials.local_ufrags(now)
    }

    /// Where to send, while there is consent.
    pub fn path(&self) -> Option<Path> {
        match self.state {
            State::Ready { path } => Some(path),
            State::New { .. } | State::Interrupted { .. } | State::Closed => None,
        }
    }

    /// Something is about to be sent or to come.
    pub fn prefetch_path(&self) {
        prefetch(&self.state);
        prefetch(&self.heard);
    }

    /// An authenticated report came by `path`.
    #[inline]
    pub fn hear(&mut self, now: Time, path: Path) {
        if self.path() == Some(path) {
            self.heard = now;
        }
    }

    /// Whether datagrams other than STUN are accepted from `path`.
    pub fn is_validated(&self, path: Path) -> bool {
        self.addresses.last_check(path).is_some()
    }

    /// Whether an authenticated check came from this address within the time that consent lasts.
    pub fn has_consent(&self, now: Time, path: Path) -> bool {
        self.addresses.last_check(path).is_some_and(|last| now.since(last) < CONSENT_PAUSE)
    }

    /// All addresses that are valid now.
    pub fn validated(&self) -> impl Iterator<Item = Path> + '_ {
        self.addresses.iter()
    }

    /// Takes one STUN message that names one of our fragments.
    ///
    /// Appends what is to be sent back to `path`, if anything, to `answer` - on a refusal too. Nothing changes before
    /// USERNAME and MESSAGE-INTEGRITY have been verified. `limiter` bounds refusals over all transports.
    pub fn handle_request(
        &mut self,
        now: Time,
        path: Path,
        request: &StunMessage<'_>,
        limiter: &mut AnswerLimiter,
        answer: &mut Vec<u8>,
    ) -> Result<CheckOutcome, Drop> {
        if self.state == State::Closed {
            return Err(Drop::StunUnknownUser);
        }
        let key = match self.authenticate(now, path, request) {
            Ok(key) => key,
            Err(refusal) => return Err(refusal.answer(now, path, request, limiter, answer)),
        };
        // Before the limit: a flood from one address must not cost it the consent it has proved.
        let admission = self.addresses.check(now, path, self.selected());
        if !admission.answer {
            return Err(Drop::StunRateLimited);
        }
        write_success(answer, request.transaction, path.remote, &key);
        let event = self.choose(path, request.nomination);
        Ok(CheckOutcome { admitted: admission.admitted, evicted: admission.evicted, event })
    }

    /// The moment at which [`IceLite::handle_timeout`] has something to do.
    pub fn next_timeout(&self) -> Time {
        let consent = match self.state {
            State::New { opened } => opened + CONSENT_EXPIRY,
            State::Ready { path } => self.pause_at(path),
            State::Interrupted { path } => self.last_check(path) + CONSENT_EXPIRY,
            State::Closed => return Time::NEVER,
        };
        consent.min(self.addresses.next_expiry(self.selected()))
    }

    /// Does what is due, one thing at a time: call until it returns `None`.
    pub fn handle_timeout(&mut self, now: Time) -> Option<IceEvent> {
        match self.state {
            State::New { opened } if now >= opened + CONSENT_EXPIRY => {
                return Some(self.end(CloseReason::NeverConnected));
            }
            State::Ready { path } if now >= self.pause_at(path) => {
                return Some(self.leave(now, path));
            }
            State::Interrupted { path } if now >= self.last_check(path) + CONSENT_EXPIRY => {
                return Some(self.end(CloseReason::ConsentExpired));
            }
            State::Closed => return None,
            State::New { .. } | State::Ready { .. } | State::Interrupted { .. } => {}
        }
        self.addresses.expire(now, self.selected()).map(IceEvent::AddressExpired)
    }

    /// Finds the key that the request must be signed with, and refuses all that is not a check of this peer's.
    fn authenticate(&mut self, now: Time, path: Path, request: &StunMessage<'_>) -> Result<StunKey, Refusal> {
        if request.kind != StunKind::BindingRequest {
            return Err(Refusal::silent(Drop::StunUnexpected));
        }
        let unknown_user = || Refusal::silent(Drop::StunUnknownUser);
        let (local, remote) = request.fragments().ok_or_else(unknown_user)?;
        let generation = self.credentials.find(now, local).ok_or_else(unknown_user)?;
        let key = generation.key.clone();
        // RFC 8489 section 9.1.3: without integrity 400, with a wrong user or integrity 401.
        request.verify_integrity(&key).map_err(|error| match error {
            IntegrityError::Missing => Refusal::told(Drop::StunIntegrity, ErrorCode::BadRequest, None),
            IntegrityError::Wrong => Refusal::told(Drop::StunIntegrity, ErrorCode::Unauthenticated, None),
        })?;
        if !generation.accepts_remote(remote) {
            return Err(Refusal::told(Drop::StunUnknownUser, ErrorCode::Unauthenticated, None));
        }
        if self.transactions.is_replayed(request.transaction, path) {
            return Err(Refusal::silent(Drop::StunUnexpected));
        }
        if !request.unknown.as_slice().is_empty() {
            return Err(Refusal::told(Drop::StunUnexpected, ErrorCode::UnknownAttribute, Some(key)));
        }
        // RFC 8445 section 7.3.1.1; a lite agent is always controlled (section 6.1.1).
        if let Some(IceRole::Controlled(_)) = request.role {
            return Err(Refusal::told(Drop::StunUnexpected, ErrorCode::RoleConflict, Some(key)));
        }
        self.credentials.used(local);
        self.transactions.remember(request.transaction, path);
        Ok(key)
    }

    /// What an authenticated check on `path` means for the path in use.
    fn choose(&mut self, path: Path, nomination: Nomination) -> Option<IceEvent> {
        match (self.state, nomination) {
            (State::New { .. }, _) => {
                self.state = State::Ready { path };
                Some(IceEvent::Ready(path))
            }
            (State::Interrupted { .. }, _) => {
                self.state = State::Ready { path };
                Some(IceEvent::Restored(path))
            }
            // The last nomination wins: so a peer moves from Wi-Fi to 4G without a restart.
            (State::Ready { path: used }, Nomination::UseCandidate) => {
                self.state = State::Ready { path };
                self.heard = if used == path { self.heard } else { Time::ZERO };
                (used != path).then_some(IceEvent::PathChanged(path))
            }
            (State::Ready { .. }, Nomination::Absent) | (State::Closed, _) => None,
        }
    }

    /// The path in use fell silent: take the freshest other that has consent, or pause.
    fn leave(&mut self, now: Time, silent: Path) -> IceEvent {
        match self.addresses.freshest(silent) {
            Some((path, last)) if now < last + CONSENT_PAUSE => {
                self.state = State::Ready { path };
                self.heard = Time::ZERO;
                IceEvent::PathChanged(path)
            }
            _ => {
                self.state = State::Interrupted { path: silent };
                IceEvent::ConsentLost
            }
        }
    }

    fn end(&mut self, reason: CloseReason) -> IceEvent {
        self.state = State::Closed;
        IceEvent::Closed(reason)
    }

    /// The path in use, with or without consent.
    fn selected(&self) -> Option<Path> {
        match self.state {
            State::Ready { path } | State::Interrupted { path } => Some(path),
            State::New { .. } | State::Closed => None,
        }
    }

    /// When sending by the path in use pauses unless the peer checks it again.
    fn pause_at(&self, path: Path) -> Time {
        let checked = self.last_check(path);
        (checked + CONSENT_PAUSE).max((self.heard + HEARD_LASTS).min(checked + HEARD_CONSENT_PAUSE))
    }

    fn last_check(&self, path: Path) -> Time {
        // The selected path is never evicted and never expires before its consent does.
        self.addresses.last_check(path).unwrap_or(Time::ZERO)
    }
}

/// Why a request was refused, and the error to answer it with, signed when there is a key.
struct Refusal {
    reason: Drop,
    error: Option<(ErrorCode, Option<StunKey>)>,
}

impl Refusal {
    const fn silent(reason: Drop) -> Refusal {
        Refusal { reason, error: None }
    }

    const fn told(reason: Drop, code: ErrorCode, key: Option<StunKey>) -> Refusal {
        Refusal { reason, error: Some((code, key)) }
    }

    /// Appends the error answer, if one is due, within the limits, and names what is to be counted.
    fn answer(
        self,
        now: Time,
        path: Path,
        request: &StunMessage<'_>,
        limiter: &mut AnswerLimiter,
        answer: &mut Vec<u8>,
    ) -> Drop {
        let Some((code, key)) = self.error else { return self.reason };
        if !limiter.admit(now, path.remote) {
            return Drop::StunRateLimited;
        }
        let unknown = if code == ErrorCode::UnknownAttribute { request.unknown.as_slice() } else { &[] };
        write_error(answer, request.transaction, code, unknown, key.as_ref());
        self.reason
    }
}
