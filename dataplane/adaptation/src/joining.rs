//! How publishers and subscribers of a run come: their links, their transports, what is negotiated.

use loupe_core::io::{Codec, Command, Handle, Kind, OutboundMedia};
use loupe_netem::random::{Stage, derive};
use loupe_netem::{Direction, LinkId};
use serde_json::Value;

use crate::media::{SOURCES, Takes, VIEWED, camera, microphone, viewed};
use crate::policy::{Policy, Told};
use crate::publisher::{Publisher, PublisherConfig};
use crate::record::{LineNames, Observer};
use crate::run::{Joined, Publication, Run, Subscription, link_config};
use crate::scenario::{PublisherSpec, SubscriberSpec};
use crate::subscriber::playout::PlayoutConfig;
use crate::subscriber::{Subscriber, SubscriberConfig};
use crate::world::Role;

/// A link that the scenario does not describe.
const CLEAN_DELAY_MS: &str = "5";

impl Run<'_> {
    fn handle(&mut self) -> Handle {
        self.next_handle += 1;
        Handle(self.next_handle - 1)
    }

    /// The links of these names, or a clean one.
    fn route(&mut self, names: &[String], direction: Direction) -> Result<Vec<LinkId>, String> {
        if names.is_empty() {
            let words = [("delay-ms".to_owned(), Value::from(CLEAN_DELAY_MS))];
            let words = words.iter().map(|(name, value)| (name, value));
            let config = link_config(self.scenario, "clean", words, self.seed, direction)?;
            return Ok(vec![self.add_link(config, direction)]);
        }
        let known = |name: &String| {
            self.links.get(name).copied().ok_or_else(|| format!("{}: no link {name}", self.scenario.name))
        };
        names.iter().map(known).collect()
    }

    pub(crate) fn publish(&mut self, n: usize) -> Result<(), String> {
        let spec = &self.scenario.publishers[n];
        let config = publisher_config(spec, n, self.seed);
        let (up, down) =
            (self.route(&spec.up, Direction::Forward)?, self.route(&spec.down, Direction::Backward)?);
        let transport = self.handle();
        let first = self.publications.len();
        let mut media = Vec::new();
        if !config.ladder_bps.is_empty() {
            media.push(camera(config.layering, config.ladder_bps.len(), config.ssrc));
        }
        if config.audio_bps.is_some() {
            media.push(microphone(config.audio_ssrc(), true));
        }
        let numbered: Vec<_> = media.into_iter().map(|media| (self.handle(), media)).collect();
        for (handle, media) in &numbered {
            let video = media.kind == Kind::Video;
            self.publications.push(Publication {
                handle: *handle,
                publisher: n,
                kind: media.kind,
                codec: media.codec,
                layers: if video { config.ladder_bps.len() as u8 } else { 1 },
                active: 0,
                layering: config.layering,
            });
        }
        let (peer, flow) = self.world.join(transport, (&up, &down), |world, _| {
            for (publication, media) in numbered {
                world.command(Command::Publish { transport, publication, media });
            }
            Role::Publisher { publisher: Box::new(Publisher::new(config, world.now)), publication: first }
        });
        self.publishers[n] = Some(self.joined(peer, flow, &up, &down)?);
        Ok(())
    }

    fn joined(&self, peer: usize, flow: u32, up: &[LinkId], down: &[LinkId]) -> Result<Joined, String> {
        let round_trip_us = up.iter().chain(down).filter_map(|link| self.delays_us.get(link)).sum();
        let (down, up) = down.first().copied().zip(up.first().copied()).ok_or("no link")?;
        Ok(Joined { peer, flow, at: self.world.now, down, up, left: None, round_trip_us })
    }

    /// A subscriber joins: its subscriptions are made and wished for before anything can be sent to it.
    pub(crate) fn join(&mut self, n: usize, policy: &mut dyn Policy) -> Result<Vec<Told>, String> {
        let spec = &self.scenario.subscribers[n];
        let (up, down) =
            (self.route(&spec.up, Direction::Backward)?, self.route(&spec.down, Direction::Forward)?);
        let transport = self.handle();
        let lines = self.lines(spec, n);
        let subscriber = Subscriber::new(900_000 + n as u32, subscriber_config(spec), VIEWED);
        let (peer, flow) = self.world.join(transport, (&up, &down), |world, wire| {
            let (mut subscriber, mut observer) = (subscriber, Observer::new(wire.observer()));
            for (subscription, publication, media, codec) in lines {
                let kind = if codec == Codec::Opus { Kind::Audio } else { Kind::Video };
                let red_payload_type = media.red_payload_type;
                let (ssrc, rtx_ssrc) = (media.ssrc, media.rtx_ssrc);
                let parity_ssrc = media.parity.map(|(ssrc, _)| ssrc);
                observer.add(LineNames { kind, ssrc, rtx_ssrc, parity_ssrc, red_payload_type });
                subscriber.add(media.clone(), codec);
                world.command(Command::Subscribe { publication, subscription, transport, media });
            }
            Role::Subscriber { subscriber: Box::new(subscriber), observer: Box::new(observer) }
        });
        self.subscribers[n] = Some(self.joined(peer, flow, &up, &down)?);
        self.decide(vec![Told::Joined { transport: transport.0 }], policy)?;
        Ok(Vec::new())
    }

    /// The subscriptions of a subscriber: number, publication, and what both sides are told.
    fn lines(&mut self, spec: &SubscriberSpec, n: usize) -> Vec<(Handle, Handle, OutboundMedia, Codec)> {
        let mut lines = Vec::new();
        for number in 0..self.publications.len() {
            let Publication { handle, publisher, kind, codec, .. } = self.publications[number].clone();
            let name = &self.scenario.publishers[publisher].name;
            if !spec.watches.is_empty() && !spec.watches.contains(name) {
                continue;
            }
            let subscription = self.handle();
            let mid = format!("{number}");
            let takes = Takes {
                repair: kind == Kind::Video || spec.audio_nack,
                redundancy: spec.audio_redundancy,
                parity: spec.parity,
            };
            let media = viewed(kind, 10_000 + SOURCES * number as u32, &mid, takes);
            lines.push((subscription, handle, media, codec));
            self.subscriptions.push(Subscription {
                handle: subscription,
                publication: number,
                subscriber: n,
                priority: spec.priorities.get(name).copied().unwrap_or(1.0),
                layer: None,
                wanted: None,
            });
        }
        lines
    }
}

fn publisher_config(spec: &PublisherSpec, n: usize, seed: u64) -> PublisherConfig {
    PublisherConfig {
        ladder_bps: spec.ladder_kbps.iter().map(|kbps| kbps * 1_000).collect(),
        layering: spec.layering,
        audio_bps: (spec.audio_kbps > 0).then_some(spec.audio_kbps * 1_000),
        obeys_feedback: spec.obeys_feedback,
        ssrc: 1_000 + 100 * n as u32,
        seed: derive(seed, Direction::Forward, Stage::Source(n as u32)),
    }
}

fn subscriber_config(spec: &SubscriberSpec) -> SubscriberConfig {
    let percentile = spec.audio_percentile.unwrap_or(PlayoutConfig::SOUND.percentile);
    SubscriberConfig {
        transport_cc: spec.transport_cc,
        remb: spec.remb,
        pictures: PlayoutConfig::PICTURES,
        sound: PlayoutConfig { percentile, ..PlayoutConfig::SOUND },
    }
}
