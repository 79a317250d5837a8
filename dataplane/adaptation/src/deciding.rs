//! What the policy of a run is told, and what is done of what it wishes.

use loupe_core::io::{Command, Kind};

use crate::media::Layering;
use crate::policy::{
    LayerView, Policy, PublicationView, Situation, SubscriptionView, Told, TransportView, Wanted,
};
use crate::run::{Joined, Run};
use crate::world::Role;

/// Temporal layers of a camera's encodings.
const TEMPORAL_LAYERS: u8 = 2;

impl Run<'_> {
    /// Asks what shall be forwarded from now on, and has it done.
    pub(crate) fn decide(&mut self, events: Vec<Told>, policy: &mut dyn Policy) -> Result<(), String> {
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
