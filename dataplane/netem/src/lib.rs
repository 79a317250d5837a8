//! A seeded network emulator in integer microseconds and bytes.
//!
//! It has no clock and no socket: virtual-time tests give it the time, and the same seed with the same pushes gives
//! the same run, byte for byte. The order of the stages is loss at entry, duplication, queue, server, propagation and
//! jitter, delivery ([`link`]). Every packet counts its payload, 28 bytes of IPv4 and UDP headers, and the configured
//! link layer. The `relay` binary puts the same links between real sockets.
//!
//! # Two endpoints in virtual time
//!
//! ```
//! use loupe_netem::{Capacity, DelayConfig, Direction, Jitter, Limit, Link, LinkConfig, QueueConfig, profiles};
//!
//! let config = LinkConfig {
//!     capacity: Capacity::constant(1_000_000),                            // bits per second
//!     queue: QueueConfig { limit: Limit::DrainTime(300_000), ..QueueConfig::default() },
//!     delay: DelayConfig { delay_us: 50_000, jitter: Jitter::rfc8868(), ..DelayConfig::default() },
//!     loss: profiles::ge2x4(),
//!     ..LinkConfig::default()
//! };
//! let mut there: Link<Vec<u8>> = Link::new(config.clone(), 7, Direction::Forward);
//! let mut back: Link<Vec<u8>> = Link::new(config, 7, Direction::Backward);
//! let (mut sent, mut answered, mut next_send) = (0_u8, Vec::new(), 0);
//! while let Some(now) = [(sent < 50).then_some(next_send), there.next_event(), back.next_event()].into_iter().flatten().min() {
//!     if sent < 50 && now == next_send {
//!         there.push(now, 2, vec![b'?', sent]);
//!         (sent, next_send) = (sent + 1, now + 20_000);
//!     }
//!     while let Some((t, datagram)) = there.pop(now) {
//!         back.push(t, 2, vec![b'!', datagram[1]]);                       // the far end answers at once
//!     }
//!     while let Some((t, datagram)) = back.pop(now) {
//!         answered.push((t, datagram[1]));
//!     }
//! }
//! assert!(answered.len() > 40 && answered.iter().all(|(t, n)| *t >= u64::from(*n) * 20_000 + 100_000));
//! let log = there.log().expect("logged unless asked not to");
//! assert_eq!(log.packets.len(), 50);
//! assert!(log.utilisation(0, 1_000_000, None).is_some_and(|used| used < 0.02));
//! ```
//!
//! For shared bottlenecks, several hops and cross traffic see [`topology`].

#![forbid(unsafe_code)]

pub mod codel;
pub mod cross;
pub mod delay;
pub mod link;
pub mod log;
pub mod loss;
pub mod opportunities;
pub mod options;
pub mod profiles;
pub mod queue;
pub mod random;
pub mod rate;
pub mod server;
pub mod tcp;
pub mod topology;
pub mod trace;

pub use codel::CoDelConfig;
pub use cross::ConstantRate;
pub use delay::{DelayConfig, DelayStep, Jitter, Reordering};
pub use link::{Counts, Delivery, HEADER_BYTES, Link, LinkConfig, Tag};
pub use log::{DropReason, Log, PacketRecord, SAMPLE_US, Sample, percentile};
pub use loss::Loss;
pub use opportunities::Opportunities;
pub use options::LinkOptions;
pub use queue::{Limit, QueueConfig};
pub use random::Direction;
pub use rate::RateSteps;
pub use server::Capacity;
pub use tcp::{Congestion, Demand, TcpFigures, TcpSource};
pub use topology::{Arrival, EndpointId, LinkId, TcpId, Topology};
pub use trace::TraceError;
