//! The thin rind around [`loupe_core`]: worker threads, batched UDP sockets, and the two queues that join them with
//! the control plane.
//!
//! One worker is one thread, one UDP port (a socket per address) and one event loop. Nothing is shared between
//! workers; commands reach one by a queue and a wake-up, events leave by one bounded queue and one descriptor.

mod clock;
mod events;
mod inbox;
mod isolate;
mod publishers;
mod routes;
mod run;
mod schedule;
mod send;
mod signal;
mod socket;
mod taps;
mod workers;

pub use events::WorkerEvent;
pub use inbox::SendError;
pub use routes::Routes;
pub use socket::duplicate;
pub use workers::{MAX_ADDRESSES, StartError, Workers, WorkersConfig, random_bytes};
