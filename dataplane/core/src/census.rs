//! How much a plane holds, for tests that closing leaves nothing behind and that no peer makes a map grow.

use crate::plane::Plane;
use crate::units::Time;

/// Entries of every map and list of a plane.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Census {
    /// Open transports.
    pub transports: usize,
    /// Of these, without keys.
    pub connecting: usize,
    /// Publications.
    pub publications: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Handles that stand for something.
    pub handles: usize,
    /// Validated addresses.
    pub addresses: usize,
    /// ICE fragments that serve.
    pub fragments: usize,
    /// Publications with packets to forward.
    pub ripe: usize,
    /// Transports with a timer.
    pub timers: usize,
    /// RTP sources, bound or remembered as unknown.
    pub sources: usize,
    /// RTCP sources that are told apart.
    pub rtcp_sources: usize,
    /// Sources of refused checks that are remembered.
    pub limited: usize,
    /// Bytes of packets that publications keep.
    pub history_bytes: usize,
}

impl Plane {
    /// Counts what every map holds.
    pub fn census(&self) -> Census {
        let transports = || self.transports.iter().map(|(_, transport)| transport);
        let incoming = transports().filter_map(|transport| transport.incoming.as_deref());
        Census {
            transports: self.transports.len(),
            connecting: self.connecting,
            publications: self.publications.len(),
            subscriptions: self.subscriptions.len(),
            handles: self.handles.len(),
            addresses: self.addresses.len(),
            fragments: self.ufrags.len(),
            ripe: self.ripe.len(),
            timers: self.dues.iter().filter(|due| **due != Time::NEVER).count(),
            sources: incoming.map(|incoming| incoming.streams.len()).sum(),
            rtcp_sources: transports()
                .filter_map(|it| it.keys.as_ref())
                .map(|keys| keys.rtcp_replay.len())
                .sum(),
            limited: self.limiter.len(),
            history_bytes: self.publications.iter().map(|(_, publication)| publication.history_bytes).sum(),
        }
    }
}
