//! What the policy of a run is told, and what is done of what it wishes.

use loupe_core::io::{Command, Handle, Kind, Phase};
use loupe_core::publication::{MAX_SPATIAL, MAX_TEMPORAL};
use loupe_core::stats::{Figure, WorkerStats};
use loupe_core::units::Bitrate;

use crate::media::Layering;
use crate::policy::{
    LayerView, LinkView, Policy, PublicationView, Situation, SubscriptionView, Told, TransportView, Wanted,
};
use crate::run::{Joined, Run};
use crate::world::Role;

/// Temporal layers of a camera's encodings.
const TEMPORAL_LAYERS: u8 = 2;

impl Run<'_> {
    /// Asks what shall be forwarded from now on, and has it done.
    pub(crate) fn decide(&mut self, events: Vec<Told>, policy: &mut dyn Policy) -> Result<(), String> {
        let stats = self.world.plane.stats(self.world.now);
        self.downlinks.read(self.world.now, &stats.transports);
        let decided = policy.decide(&self.situation(events, &stats))?;
        for wanted in decided.wishes {
            self.wish(wanted);
        }
        for (transport, rate) in decided.wants {
            if self.wants.insert(transport, rate) != Some(rate) {
                let (transport, rate) = (Handle(transport), Some(Bitrate(rate)));
                self.world.command(Command::Want { transport, rate });
            }
        }
        Ok(())
    }

    fn wish(&mut self, wanted: Wanted) {
        let subscription = Handle(wanted.subscription);
        let Some(place) = self.subscriptions.iter().position(|it| it.handle == subscription) else { return };
        // A subscriber's lines are its subscriptions, in order.
        let of = self.subscriptions[place].subscriber;
        let line = self.subscriptions[..place].iter().filter(|it| it.subscriber == of).count();
        let known = &mut self.subscriptions[place];
        let scalable = self.publications[known.publication].layering == Layering::Svc;
        let (_, wish) = wanted.wish(scalable);
        let held = known.wanted.map(|before| before.held()).unwrap_or_default();
        if known.wanted.replace(wanted) == Some(wanted) {
            return;
        }
        let joined = self.subscribers[known.subscriber];
        if held != wanted.held()
            && let Some(peer) = joined.and_then(|joined| self.world.peers.get_mut(joined.peer))
            && let Role::Subscriber { observer, .. } = &mut peer.role
        {
            observer.holds.push((self.world.now, line, wanted.held()));
        }
        self.world.command(Command::Prefer { subscription, wish });
    }

    fn situation(&self, events: Vec<Told>, stats: &WorkerStats) -> Situation {
        let transport = |joined: &Joined| self.world.peers[joined.peer].transport;
        let present = self.scenario.subscribers.iter().zip(&self.subscribers);
        let present = present.filter_map(|(spec, joined)| Some((spec, joined.as_ref()?)));
        let transports = present
            .filter(|(_, joined)| joined.left.is_none())
            .map(|(spec, joined)| TransportView {
                id: transport(joined).0,
                estimate_bps: self.estimates.get(&transport(joined)).map(|(estimate, _)| *estimate),
                link: self.estimates.get(&transport(joined)).map_or_else(
                    || LinkView { phase: Phase::Start.name(), ..LinkView::default() },
                    |(_, link)| LinkView::from(*link),
                ),
                repair_overhead: self.downlinks.repair_overhead(transport(joined)),
                probed: spec.transport_cc,
            })
            .collect();
        let publications = self.publications.iter().enumerate();
        let publications = publications
            .map(|(number, publication)| {
                let figures = stats.publications.iter().find(|(handle, _)| *handle == publication.handle);
                let rates =
                    figures.and_then(|(_, figures)| figures.iter().find(|(name, _)| *name == "wire_rates"));
                let rates = rates.map(|(_, figure)| figure);
                self.publication_view(number, rates)
            })
            .collect();
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

    /// `rates` are the plane's own; of spatial layers it tells what they take with those below, the run what each takes alone.
    fn publication_view(&self, number: usize, rates: Option<&Figure>) -> PublicationView {
        let publication = &self.publications[number];
        let video = publication.kind == Kind::Video;
        let layers = (0..publication.layers)
            .map(|layer| {
                let temporals = if video { 0..TEMPORAL_LAYERS } else { 0..1 };
                // Spatial layers of one source flow together.
                let scalable = publication.layering == Layering::Svc;
                let bit = if scalable { 0 } else { layer };
                let rate = |temporal: u8| match rates {
                    Some(Figure::List(rates)) if !scalable => {
                        let whole = (usize::from(layer) + 1) * MAX_SPATIAL - 1;
                        let place = whole * MAX_TEMPORAL + usize::from(temporal);
                        rates.get(place).copied().unwrap_or(0)
                    }
                    _ => self.world.rates.up_to(self.world.now, number, layer, temporal).0,
                };
                LayerView { active: publication.active & (1 << bit) != 0, bps: temporals.map(rate).collect() }
            })
            .collect();
        PublicationView { id: publication.handle.0, kind: if video { "video" } else { "audio" }, layers }
    }
}
