//! The forwarding core against poor links, in virtual time.
//!
//! Real datagrams pass between real transports: authenticated checks, SRTP, RTP and RTCP, as the driver would carry them;
//! only the clock and the links are made ([`loupe_netem`]). Publishers and subscribers are models of browsers
//! ([`publisher`], [`subscriber`]); who chooses layers is a [`policy`], in production `mediaserver/layers.py`.
//!
//! A [`scenario`] is data. [`run`] plays it with a seed, [`metrics`] measures what came of it from the links' logs and the
//! receivers, [`report`] holds that against the scenario's goals.

#![forbid(unsafe_code)]

pub mod args;
pub mod control;
pub mod crossing;
mod deciding;
mod joining;
pub mod ladder;
pub mod media;
mod metering;
pub mod metrics;
pub mod policy;
pub mod publisher;
pub mod record;
pub mod report;
pub mod run;
pub mod scenario;
pub mod subscriber;
pub mod truth;
pub mod wire;
pub mod world;
