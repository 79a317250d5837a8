//! Taps of a plane: beginning, ending, and handing out their batches.

use crate::io::Handle;
use crate::plane::{Entity, Plane};
use crate::tap::{SystemClocks, Tap, TapBatch};
use crate::units::Time;

impl Plane {
    /// A publication is copied from now on.
    pub(crate) fn tap(&mut self, now: Time, publication: Handle, number: u64, clocks: SystemClocks) {
        let Some(Entity::Publication(key)) = self.handles.get(&publication).copied() else {
            // The driver holds a descriptor for it.
            self.last_batches.push_back(TapBatch { tap: number, records: Vec::new(), ended: true });
            return;
        };
        self.end_tap(now, key);
        let publication = &mut self.publications[key];
        let needs_keyframe = publication.needs_keyframe();
        let mut tap = Tap::new(now, number, publication.handle, needs_keyframe, clocks);
        if publication.muted {
            tap.mute(now, true);
        }
        for (index, layer) in publication.layers.iter_mut().enumerate() {
            layer.loss.set_recorded(true);
            if let Some((info, ssrc)) = layer.sender_info.zip(layer.ssrc) {
                tap.report(info.arrival, index as u8, ssrc, info.time.wire(), info.ntp);
            }
        }
        tap.choose(now, publication.active, publication.muted);
        publication.tap = Some(Box::new(tap));
        let transport = publication.transport;
        self.tapped.push(key);
        self.wake(transport, now);
    }

    /// A publication is copied no longer.
    pub(crate) fn untap(&mut self, now: Time, publication: Handle) {
        if let Some(Entity::Publication(key)) = self.handles.get(&publication).copied() {
            self.end_tap(now, key);
        }
    }

    /// Ends the tap of a publication, if it has one.
    pub(crate) fn end_tap(&mut self, now: Time, key: usize) {
        let Some(tap) = self.publications[key].tap.take() else { return };
        for layer in &mut self.publications[key].layers {
            layer.loss.set_recorded(false);
        }
        self.tapped.retain(|tapped| *tapped != key);
        self.last_batches.push_back(tap.end(now));
    }

    /// The next batch that is due.
    pub(crate) fn take_batch(&mut self, now: Time) -> Option<TapBatch> {
        if let Some(batch) = self.last_batches.pop_front() {
            return Some(batch);
        }
        let publications = &mut self.publications;
        self.tapped.iter().find_map(|key| publications[*key].tap.as_mut()?.take(now))
    }

    /// When [`Plane::take_batch`] has something.
    pub(crate) fn next_batch(&self) -> Time {
        let due = |key: &usize| self.publications[*key].tap.as_ref().map(|tap| tap.batch_due());
        self.tapped.iter().filter_map(due).min().unwrap_or(Time::NEVER)
    }
}
