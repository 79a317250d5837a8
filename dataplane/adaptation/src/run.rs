//! A scenario from beginning to end: what is made when, what is asked of the policy, and what is left to be measured.

use std::collections::BTreeMap;
use std::time::Duration;

use loupe_core::io::{Codec, Command, Event, Handle, Kind, LinkState};
use loupe_core::units::Time;
use loupe_netem::options::LinkOptions;
use loupe_netem::{Direction, LinkConfig, LinkId};
use serde_json::Value;

use crate::crossing::Crossing;
use crate::media::Layering;
use crate::metering::Downlinks;
use crate::policy::{Policy, Told, Wanted};
use crate::scenario::{Scenario, library};
use crate::world::{Role, World};

/// The control plane looks at least this often.
const TICK: Duration = Duration::from_millis(100);

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
    pub(crate) layers: u8,
    pub(crate) active: u32,
    pub(crate) layering: Layering,
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
    pub(crate) layer: Option<u8>,
    /// What was wished last: the same again would only ask for another key frame.
    pub(crate) wanted: Option<Wanted>,
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
    pub(crate) delays_us: BTreeMap<LinkId, u64>,
    pub(crate) downlinks: Downlinks,
    pub(crate) estimates: BTreeMap<Handle, (u64, LinkState)>,
    /// Up to which rate more is useful, as last told to the plane.
    pub(crate) wants: BTreeMap<u64, u64>,
    pub(crate) next_handle: u64,
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
            downlinks: Downlinks::default(),
            estimates: BTreeMap::new(),
            wants: BTreeMap::new(),
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

    pub(crate) fn add_link(&mut self, config: LinkConfig, direction: Direction) -> LinkId {
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

    /// The plane's events, noted and as the policy is told them.
    fn take_told(&mut self) -> Vec<Told> {
        let events = self.world.take_events();
        events.into_iter().filter_map(|event| self.note(&event)).collect()
    }

    fn note(&mut self, event: &Event) -> Option<Told> {
        Some(match event {
            Event::Bandwidth { transport, estimate, link } => {
                self.estimates.insert(*transport, (estimate.0, *link));
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
}

pub(crate) fn link_config<'w>(
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
