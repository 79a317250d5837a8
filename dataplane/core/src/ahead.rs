//! Memory is asked for the next viewers' state while one viewer is served. What a worker sends to a hundred others has
//! pushed it out of the caches, and to wait for it, piece after piece, would cost more than all that is done with it.
//!
//! A piece is found through the one before it, so that each is asked for one viewer earlier than what it points to.

use crate::ice::Path;
use crate::plane::Plane;

/// Datagrams that are looked ahead at: the three stages of [`Plane::expect`].
pub const EXPECTED: usize = 3;

impl Plane {
    /// Looks at the viewers behind the one at `cursor` of a publication.
    pub(crate) fn look_ahead(&self, publication: usize, cursor: usize) {
        let viewers = self.publications[publication].subscriptions.get(cursor + 1..).unwrap_or_default();
        let subscription = |place: usize| self.subscriptions.get(*viewers.get(place)?);
        let transport = |place: usize| self.transports.get(subscription(place)?.transport);
        if let Some(subscription) = subscription(3) {
            subscription.prefetch();
        }
        if let Some(transport) = transport(2) {
            transport.prefetch();
        }
        if let Some(transport) = transport(1) {
            transport.prefetch_beyond();
        }
        if let Some(subscription) = subscription(0) {
            subscription.sent.prefetch();
        }
        if let Some(outgoing) = transport(0).and_then(|it| it.outgoing.as_deref()) {
            outgoing.bandwidth.prefetch_for_sending();
            outgoing.sent.prefetch();
        }
    }

    /// The datagram behind those already expected comes from here.
    pub fn expect(&mut self, path: Option<Path>) {
        let key = path.and_then(|path| self.addresses.get(&path).copied());
        self.expected = [self.expected[1], self.expected[2], key];
        let transport = |place: usize| self.transports.get(self.expected[place]?);
        if let Some(transport) = transport(2) {
            transport.prefetch_for_report();
        }
        if let Some(transport) = transport(1) {
            transport.prefetch_beyond_for_report();
        }
        if let Some(outgoing) = transport(0).and_then(|it| it.outgoing.as_deref()) {
            outgoing.bandwidth.prefetch_for_report();
            outgoing.sent.prefetch_for_report();
        }
    }
}
