//! Taps of a plane: beginning, ending, and handing out their batches.

use crate::io::Handle;
use crate::plane::{Entity, Plane};
use crate::tap::{SystemClocks, Tap, TapBatch, TapReader};
use crate::units::Time;

impl Plane {
    /// A publication is copied from now on, in place of any tap that this reader has of it.
    pub(crate) fn tap(
        &mut self,
        now: Time,
        publication: Handle,
        (number, reader): (u64, TapReader),
        clocks: SystemClocks,
    ) {
        let Some(Entity::Publication(key)) = self.handles.get(&publication).copied() else {
            // The driver holds a descriptor for it.
            self.last_batches.push_back(TapBatch { tap: number, records: Vec::new(), ended: true });
            return;
        };
        self.end_tap(now, key, reader);
        let publication = &mut self.publications[key];
        let needs_keyframe = publication.needs_keyframe();
        let mut tap = Tap::new(now, (number, reader), publication.handle, needs_keyframe, clocks);
        if publication.muted {
            tap.mute(now, true);
        }
        for (index, layer) in publication.layers.iter_mut().enumerate() {
            if reader == TapReader::Recorder {
                layer.loss.set_recorded(true);
            }
            if let Some((info, ssrc)) = layer.sender_info.zip(layer.ssrc) {
                tap.report(info.arrival, index as u8, ssrc, info.time.wire(), info.ntp);
            }
        }
        tap.choose(now, publication.active, publication.muted);
        publication.taps.push(tap);
        let transport = publication.transport;
        if !self.tapped.contains(&key) {
            self.tapped.push(key);
        }
        self.wake(transport, now);
    }

    /// A publication is copied no longer for this reader.
    pub(crate) fn untap(&mut self, now: Time, publication: Handle, reader: TapReader) {
        if let Some(Entity::Publication(key)) = self.handles.get(&publication).copied() {
            self.end_tap(now, key, reader);
        }
    }

    /// Ends all taps of a publication.
    pub(crate) fn end_taps(&mut self, now: Time, key: usize) {
        self.end_tap(now, key, TapReader::Recorder);
        self.end_tap(now, key, TapReader::Probe);
    }

    fn end_tap(&mut self, now: Time, key: usize, reader: TapReader) {
        let publication = &mut self.publications[key];
        let Some(place) = publication.taps.iter().position(|tap| tap.reader() == reader) else { return };
        self.last_batches.push_back(publication.taps.swap_remove(place).end(now));
        if reader == TapReader::Recorder {
            publication.layers.iter_mut().for_each(|layer| layer.loss.set_recorded(false));
        }
        if publication.taps.is_empty() {
            self.tapped.retain(|tapped| *tapped != key);
        }
    }

    /// The next batch that is due.
    pub(crate) fn take_batch(&mut self, now: Time) -> Option<TapBatch> {
        if let Some(batch) = self.last_batches.pop_front() {
            return Some(batch);
        }
        let publications = &mut self.publications;
        self.tapped.iter().find_map(|key| publications[*key].taps.iter_mut().find_map(|tap| tap.take(now)))
    }

    /// When [`Plane::take_batch`] has something.
    pub(crate) fn next_batch(&self) -> Time {
        let taps = self.tapped.iter().flat_map(|key| &self.publications[*key].taps);
        taps.map(Tap::batch_due).min().unwrap_or(Time::NEVER)
    }
}
