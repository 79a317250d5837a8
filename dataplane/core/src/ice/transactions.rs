//! Recent transactions, so that a check caught on the way cannot be sent again from somewhere else.
//!
//! MESSAGE-INTEGRITY does not cover the sender's address, and a lite agent sends no check of its own that would find
//! out whether anybody is there (RFC 8445 section 19.1). An honest agent takes a new transaction for each address and
//! repeats it only from the same one (RFC 8489 section 6.2.1), so the second address of a transaction is a lie.

use std::collections::VecDeque;

use super::Path;
use crate::stun::TransactionId;

/// Transactions remembered: at the steady one or two checks a second of browsers, the last half minute and more.
const REMEMBERED: usize = 64;

/// The last transactions and where each came from first.
#[derive(Debug, Default)]
pub(super) struct Transactions(VecDeque<(TransactionId, Path)>);

impl Transactions {
    /// Whether `transaction` is known from another address than `path`.
    pub(super) fn is_replayed(&self, transaction: TransactionId, path: Path) -> bool {
        self.0.iter().any(|(known, from)| *known == transaction && *from != path)
    }

    /// Remembers an authenticated transaction.
    pub(super) fn remember(&mut self, transaction: TransactionId, path: Path) {
        if self.0.iter().any(|(known, _)| *known == transaction) {
            return;
        }
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((transaction, path));
    }
}
