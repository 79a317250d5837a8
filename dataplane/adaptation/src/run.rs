//! A scenario from beginning to end: what is made when, what is asked of the policy, and what is left to be measured.

use std::collections::BTreeMap;
use std::time::Duration;

use loupe_core::io::{Codec, Command, Event, Handle, Kind};
use loupe_core::units::Time;
use loupe_netem::options::LinkOptions;
use loupe_netem::{Direction, LinkConfig, LinkId};
use serde_json::Value;

use crate::crossing::Crossing;
use crate::media::{Layering, VIEWED, camera, microphone, viewed};
use crate::policy::{
    LayerView, Policy, PublicationView, Situation, SubscriptionView, Told, TransportView, Wanted,
};
use crate::publisher::{Publisher, PublisherConfig};
use crate::record::{LineNames, Observer};
use crate::scenario::{PublisherSpec, Scenario, SubscriberSpec, library};
use crate::subscriber::playout::PlayoutConfig;
use crate::subscriber::{Subscriber, SubscriberConfig};
use crate::world::{Role, World};

/// The control plane looks at least this often.
const TICK: Duration = Duration::from_millis(100);
/// A link that the scenario does not describe.
const CLEAN_DELAY: &str = "5";
/// Temporal layers of a camera's encodings.
const TEMPORAL_LAYERS: u8 = 2;

/// A publication of a run.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Its number.
    pub handle: Handle,
    /// Its publisher among the scenario's.
    pub publisher: usize,
    /// Pictures or sound.
    pub kind: Kind,
    /// Its codec.
    pub codec: Codec,
    layers: u8,
    active: u32,
    layering: Layering,
}

/// A subscription of a run.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Its number.
    pub handle: Handle,
    /// Its publication among the run's.
    pub publication: usize,
    /// Its subscriber among the scenario's.
    pub subscriber: usize,
    /// Its weight.
    pub priority: f64,
    layer: Option<u8>,
    /// What was wished last: the same again would only ask for another key frame.
    wanted: Option<Wanted>,
}

/// A subscriber or publisher that joined.
#[derive(Clone, Copy, Debug)]
pub struct Joined {
    /// Its place in the world.
    pub peer: usize,
    /// The flow towards it in the links' logs.
    pub flow: u32,
    /// When.
    pub at: Time,
    /// The first link by which the plane reaches it.
    pub down: LinkId,
    /// The first link by which it reaches the plane.
    pub up: LinkId,
    /// When it left.
    pub left: Option<Time>,
    /// Propagation there and back, microseconds.
    pub round_trip_us: u64,
}

/// A run, to be measured when it has ended.
pub struct Run<'a> {
    /// What is run.
    pub scenario: &'a Scenario,
    /// Of everything random.
    pub seed: u64,
    /// Everything.
    pub world: World,
    /// Links by name.
    pub links: BTreeMap<String, LinkId>,
    /// Publishers as far as they joined, by their place in the scenario.
    pub publishers: Vec<Option<Joined>>,
    /// Subscribers as far as they joined, by their place in the scenario.
    pub subscribers: Vec<Option<Joined>>,
    /// All publications.
    pub publications: Vec<Publication>,
    /// All subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// What else the links carry.
    pub crossing: Crossing,
    delays_us: BTreeMap<LinkId, u64>,
    estimates: BTreeMap<Handle, u64>,
    next_handle: u64,
}

/// What happens at a moment by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Publish(usize),
    Join(usize),
    Leave(usize),
    Mute(usize, bool),
}

pub(crate) fn at(seconds: f64) -> Time {
    Time((seconds * 1e6) as u64)
}

impl<'a> Run<'a> {
    /// Runs a scenario to its end. The error is one line for the user: a link that is wrong, a policy that fails.
    pub fn complete(scenario: &'a Scenario, seed: u64, policy: &mut dyn Policy) -> Result<Run<'a>, String> {
        let mut run = Run::new(scenario, seed)?;
        let begin = Told::Begin { scenario: scenario.name.clone(), seed };
        let end = at(scenario.duration_s);
        let mut actions = run.actions();
        let mut told = vec![begin];
        let mut tick = Time::ZERO;
        while run.world.now < end {
            while let Some((_, action)) = actions.first().filter(|(when, _)| *when <= run.world.now).copied()
            {
                actions.remove(0);
                told.extend(run.act(action, policy)?);
            }
            told.extend(run.take_told());
            let ticks = tick <= run.world.now;
            if ticks {
                tick += TICK;
            }
            if ticks || told.iter().any(Told::wants_decision) {
                run.decide(std::mem::take(&mut told), policy)?;
            }
            let next = actions.first().map_or(end, |(when, _)| *when).min(tick).min(end);
            run.world.run_until(next);
        }
        Ok(run)
    }

    fn new(scenario: &'a Scenario, seed: u64) -> Result<Run<'a>, String> {
        let mut run = Run {
            scenario,
            seed,
            world: World::new(seed),
            links: BTreeMap::new(),
            publishers: vec![None; scenario.publishers.len()],
            subscribers: vec![None; scenario.subscribers.len()],
            publications: Vec::new(),
            subscriptions: Vec::new(),
            crossing: Crossing::default(),
            delays_us: BTreeMap::new(),
            estimates: BTreeMap::new(),
            next_handle: 1,
        };
        for (name, words) in &scenario.links {
            // Names tell the way: what carries feedback or publishers' media draws like the other half of a pair.
            let direction = if name.starts_with("up") { Direction::Backward } else { Direction::Forward };
            let config = link_config(scenario, name, words.iter(), seed, direction)?;
            let id = run.add_link(config, direction);
            run.links.insert(name.clone(), id);
        }
        run.crossing = Crossing::add(scenario, &mut run.world.net, &run.links)?;
        Ok(run)
    }

    fn add_link(&mut self, config: LinkConfig, direction: Direction) -> LinkId {
        let delay_us = config.delay.delay_us;
        let id = self.world.net.add_link(config, direction);
        self.delays_us.insert(id, delay_us);
        id
    }

    /// All that happens by itself, by time; of what happens together, publishers come first.
    fn actions(&self) -> Vec<(Time, Action)> {
        let mut actions = Vec::new();
        for (n, publisher) in self.scenario.publishers.iter().enumerate() {
            actions.push((at(publisher.from_s), Action::Publish(n)));
            for [from, to] in &publisher.muted_s {
                actions.push((at(*from), Action::Mute(n, true)));
                actions.push((at(*to), Action::Mute(n, false)));
            }
        }
        for (n, subscriber) in self.scenario.subscribers.iter().enumerate() {
            actions.push((at(subscriber.from_s), Action::Join(n)));
            actions.extend(subscriber.until_s.map(|until| (at(until), Action::Leave(n))));
        }
        actions.sort_by_key(|(when, _)| *when);
        actions
    }

    fn act(&mut self, action: Action, policy: &mut dyn Policy) -> Result<Vec<Told>, String> {
        match action {
            Action::Publish(n) => self.publish(n)?,
            Action::Join(n) => return self.join(n, policy),
            Action::Leave(n) => {
                if let Some(joined) = &mut self.subscribers[n] {
                    joined.left = Some(self.world.now);
                    self.world.leave(joined.peer);
                }
            }
            Action::Mute(n, muted) => {
                let camera = self.publications.iter().find(|it| it.publisher == n && it.kind == Kind::Video);
                if let Some(publication) = camera.map(|it| it.handle) {
                    self.world.command(Command::Mute { publication, muted });
                }
            }
        }
        Ok(Vec::new())
    }

    fn handle(&mut self) -> Handle {
        self.next_handle += 1;
        Handle(self.next_handle - 1)
    }

    /// The links of these names, or a clean one.
    fn route(&mut self, names: &[String], direction: Direction) -> Result<Vec<LinkId>, String> {
        if names.is_empty() {
            let words = [("delay-ms".to_owned(), Value::from(CLEAN_DELAY))];
            let words = words.iter().map(|(name, value)| (name, value));
            let config = link_config(self.scenario, "clean", words, self.seed, direction)?;
            return Ok(vec![self.add_link(config, direction)]);
        }
        let known = |name: &String| {
            self.links.get(name).copied().ok_or_else(|| format!("{}: no link {name}", self.scenario.name))
        };
        names.iter().map(known).collect()
    }

    fn publish(&mut self, n: usize) -> Result<(), String> {
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
    fn join(&mut self, n: usize, policy: &mut dyn Policy) -> Result<Vec<Told>, String> {
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
                observer.add(LineNames { kind, ssrc: media.ssrc, rtx_ssrc: media.rtx_ssrc });
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
    fn lines(
        &mut self,
        spec: &SubscriberSpec,
        n: usize,
    ) -> Vec<(Handle, Handle, loupe_core::io::OutboundMedia, Codec)> {
        let mut lines = Vec::new();
        for number in 0..self.publications.len() {
            let Publication { handle, publisher, kind, codec, .. } = self.publications[number].clone();
            let name = &self.scenario.publishers[publisher].name;
            if !spec.watches.is_empty() && !spec.watches.contains(name) {
                continue;
            }
            let subscription = self.handle();
            let mid = format!("{number}");
            let repair = kind == Kind::Video || spec.audio_nack;
            lines.push((subscription, handle, viewed(kind, 10_000 + 2 * number as u32, &mid, repair), codec));
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

    /// The plane's events, noted and as the policy is told them.
    fn take_told(&mut self) -> Vec<Told> {
        let events = self.world.take_events();
        events.into_iter().filter_map(|event| self.note(&event)).collect()
    }

    fn note(&mut self, event: &Event) -> Option<Told> {
        Some(match event {
            Event::Bandwidth { transport, estimate } => {
                self.estimates.insert(*transport, estimate.0);
                let now = self.world.now;
                let peer = self.world.peers.iter_mut().find(|peer| peer.transport == *transport)?;
                if let Role::Subscriber { observer, .. } = &mut peer.role {
                    observer.estimates.push((now, *estimate));
                }
                Told::Bandwidth { transport: transport.0, estimate_bps: estimate.0 }
            }
            Event::LayersChanged { publication, active } => {
                self.publications.iter_mut().find(|it| it.handle == *publication)?.active = *active;
                Told::LayersChanged { publication: publication.0, active: *active }
            }
            Event::LayerForwarded { subscription, layer } => {
                self.subscriptions.iter_mut().find(|it| it.handle == *subscription)?.layer = *layer;
                Told::LayerForwarded { subscription: subscription.0, layer: *layer }
            }
            Event::Stalled { publication, silent_ms } => {
                Told::Stalled { publication: publication.0, silent_ms: *silent_ms }
            }
            _ => return None,
        })
    }

    fn decide(&mut self, events: Vec<Told>, policy: &mut dyn Policy) -> Result<(), String> {
        let wishes = policy.decide(&self.situation(events))?;
        for wanted in wishes {
            self.wish(wanted);
        }
        Ok(())
    }

    fn wish(&mut self, wanted: Wanted) {
        let (subscription, wish) = wanted.wish();
        let Some(known) = self.subscriptions.iter_mut().find(|it| it.handle == subscription) else { return };
        let paused = known.wanted.is_some_and(|before| before.paused);
        if known.wanted.replace(wanted) == Some(wanted) {
            return;
        }
        let joined = self.subscribers[known.subscriber];
        if paused != wanted.paused
            && let Some(peer) = joined.and_then(|joined| self.world.peers.get_mut(joined.peer))
            && let Role::Subscriber { observer, .. } = &mut peer.role
        {
            observer.pauses.push((self.world.now, wanted.paused));
        }
        self.world.command(Command::Prefer { subscription, wish });
    }

    fn situation(&self, events: Vec<Told>) -> Situation {
        let transport = |joined: &Joined| self.world.peers[joined.peer].transport;
        let present = self.subscribers.iter().flatten().filter(|joined| joined.left.is_none());
        let transports = present
            .map(|joined| TransportView {
                id: transport(joined).0,
                estimate_bps: self.estimates.get(&transport(joined)).copied(),
            })
            .collect();
        let publications = (0..self.publications.len()).map(|number| self.publication_view(number)).collect();
        let subscriptions = self
            .subscriptions
            .iter()
            .filter_map(|it| {
                let joined = self.subscribers[it.subscriber].as_ref().filter(|joined| joined.left.is_none());
                Some(SubscriptionView {
                    id: it.handle.0,
                    transport: transport(joined?).0,
                    publication: self.publications[it.publication].handle.0,
                    priority: it.priority,
                    layer: it.layer,
                })
            })
            .collect();
        Situation { t_us: self.world.now.0, events, transports, publications, subscriptions }
    }

    fn publication_view(&self, number: usize) -> PublicationView {
        let publication = &self.publications[number];
        let video = publication.kind == Kind::Video;
        let layers = (0..publication.layers)
            .map(|layer| {
                let temporals = if video { 0..TEMPORAL_LAYERS } else { 0..1 };
                let rate = |temporal| self.world.rates.up_to(self.world.now, number, layer, temporal).0;
                // Spatial layers of one source flow together.
                let bit = if publication.layering == Layering::Svc { 0 } else { layer };
                LayerView { active: publication.active & (1 << bit) != 0, bps: temporals.map(rate).collect() }
            })
            .collect();
        PublicationView { id: publication.handle.0, kind: if video { "video" } else { "audio" }, layers }
    }
}

fn link_config<'w>(
    scenario: &Scenario,
    link: &str,
    words: impl Iterator<Item = (&'w String, &'w Value)>,
    seed: u64,
    direction: Direction,
) -> Result<LinkConfig, String> {
    let problem = |problem: String| format!("{}: link {link}: {problem}", scenario.name);
    let mut options = LinkOptions::default();
    for (name, value) in words {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let unknown = || Err(format!("{name} is no option"));
        options.set(name, &text, &library::read).unwrap_or_else(unknown).map_err(problem)?;
    }
    options.config(seed, direction, at(scenario.duration_s).0).map_err(problem)
}

fn publisher_config(spec: &PublisherSpec, n: usize, seed: u64) -> PublisherConfig {
    PublisherConfig {
        ladder_bps: spec.ladder_kbps.iter().map(|kbps| kbps * 1_000).collect(),
        layering: spec.layering,
        audio_bps: (spec.audio_kbps > 0).then_some(spec.audio_kbps * 1_000),
        obeys_feedback: spec.obeys_feedback,
        ssrc: 1_000 + 100 * n as u32,
        seed: loupe_netem::random::derive(
            seed,
            Direction::Forward,
            loupe_netem::random::Stage::Source(n as u32),
        ),
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
