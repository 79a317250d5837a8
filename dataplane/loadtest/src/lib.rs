//! The load client: publishers and viewers that are real WebRTC endpoints (ICE, DTLS, SRTP, transport-wide feedback,
//! NACK, RTX, receiver reports), hundreds of them on one thread, for measuring a media server from outside.
//!
//! One run: [`join`] makes endpoints over [`whip`] or [`janus`]; [`run`] drives all of them; [`report`] says what was
//! seen. What is sent is [`media`]: valid RTP whose filler carries a number and a clock, so that a viewer can tell
//! order, loss and delay without decoding anything. Where many viewers are only to load the server, they are [`light`].

pub mod args;
pub mod burst;
pub mod endpoint;
pub mod http;
pub mod janus;
pub mod join;
pub mod light;
pub mod media;
pub mod profile;
pub mod publisher;
pub mod report;
pub mod run;
pub mod viewer;
pub mod whip;
pub mod wire;
