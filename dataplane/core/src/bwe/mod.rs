//! What the path to one viewer carries, estimated where we send (*bandwidth estimation*).
//!
//! Every report of the viewer (transport-wide feedback) goes one way through this folder:
//!
//! ```text
//! fates -> losses     lost whatever we send, or because of our rate
//!       -> trail      which packets waited, and what served them        (clock, base_delay: the empty path)
//!       -> load       whose queue that is, and whether it matters       (rival, elasticity: others' traffic)
//!       -> rate       the estimate                                      (probe, headroom: is there more?)
//!       -> estimator  the phase, and what the pacer and layer choice get of it
//! ```
//!
//! `silence` and `breaker` act where reports stay away or tell of disaster, `reported` where they are of another kind.
//!
//! Where packets wait behind each other the path is measured exactly, and the estimate follows at once in both
//! directions. Where none waits, what arrives only tells a lower bound: the estimate neither falls nor grows by it, but
//! by media that use it, and by probes while more would be useful. The rate before a dip is remembered and probed as
//! soon as the queue is gone.

pub mod base_delay;
pub mod breaker;
pub mod clock;
pub mod elasticity;
pub mod estimator;
pub mod headroom;
pub mod load;
pub mod losses;
pub mod probe;
pub mod rate;
pub mod reported;
pub mod rival;
pub mod silence;
pub mod trail;
pub mod volatility;

pub use estimator::{Demand, Estimator};
pub use probe::Order;

use std::mem::offset_of;

use loupe_prefetch::{prefetch, prefetch_head};

impl Estimator {
    /// Packets are about to leave.
    pub(crate) fn prefetch_for_sending(&self) {
        prefetch_head(self, offset_of!(Estimator, trail));
        prefetch(&self.losses.inherent);
    }

    /// A report is about to be told.
    pub(crate) fn prefetch_for_report(&self) {
        prefetch(self);
        self.trail.prefetch();
    }
}
