//! What the path to one viewer carries, estimated where we send (*bandwidth estimation*).
//!
//! Every report of the viewer (transport-wide feedback) goes one way through this folder:
//!
//! ```text
//! fates -> losses      lost whatever we send, or because of our rate
//!       -> trail       which packets waited, and what served them      (base_delay: the empty path)
//!       -> probe       what a cluster showed
//!       -> estimator   the estimate, the phase, and what the pacer shall do
//!          silence     reports that stay away
//! ```
//!
//! Where packets wait behind each other the path is measured exactly, and the estimate follows at once in both
//! directions. Where none waits, what arrives only tells a lower bound: the estimate neither falls nor grows by it, but
//! by media that use it, and by probes while more would be useful. The rate before a dip is remembered and probed as
//! soon as the queue is gone.

pub mod base_delay;
pub mod breaker;
pub mod estimator;
pub mod headroom;
pub mod losses;
pub mod probe;
pub mod reported;
pub mod rival;
pub mod silence;
pub mod trail;
pub mod volatility;

pub use estimator::Estimator;
pub use probe::Order;
