//! The forwarding core of Loupe: ICE-lite, SRTP, RTP rewriting, repair and feedback as one deterministic state machine.
//!
//! No socket, no clock, no thread, no PyO3: `now` is an argument, and datagrams and commands go in through
//! [`plane::Plane::handle_input`] and come out through [`plane::Plane::poll_output`].
#![forbid(unsafe_code)]

mod ahead;
pub mod bucket;
pub mod bwe;
#[doc(hidden)]
pub mod census;
mod control;
mod deciding;
pub mod demux;
mod dtls_intake;
pub mod egress;
mod feedback;
pub mod frame_mark;
pub mod history;
pub mod ice;
pub mod ingress;
pub mod io;
pub mod keyframe;
pub mod keyframe_request;
pub mod layer;
pub mod loss;
pub mod meter;
pub mod outbox;
pub mod pacer;
mod pacing;
pub mod picture;
pub mod plane;
pub mod protection;
pub mod publication;
mod recording;
pub mod redundancy;
pub mod reports;
pub mod resend_log;
pub mod rewrite;
pub mod rtcp;
pub mod rtp;
pub mod sent_log;
pub mod seq;
pub mod srtp;
pub mod stats;
pub mod stills;
pub mod streams;
pub mod stun;
pub mod sublayers;
pub mod subscription;
pub mod tap;
mod timers;
pub mod transport;
pub mod twcc;
pub mod units;
