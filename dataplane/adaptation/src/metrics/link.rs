//! What the subscriber's link did, from its log.

use std::collections::BTreeMap;

use loupe_core::units::Time;
use loupe_netem::{DropReason, PacketRecord, Sample};

use super::statistics::{mean, percentile};
use super::{View, Window};

/// What waited longer is of no use to a live viewer, microseconds.
const LATE_US: u64 = 400_000;
/// A queue below this is drained, for good when it stays so for a second; microseconds.
const DRAINED_US: u64 = 50_000;
const FOR_GOOD_US: u64 = 1_000_000;
/// Less than this is no picture with sound, bits per second; over so long, microseconds.
const STARVED_BPS: u64 = 150_000;
const STARVED_SLOT_US: u64 = 500_000;

/// Figures over a window.
pub(super) fn figures(view: &View<'_>, window: Window, put: &mut dyn FnMut(&str, Option<f64>)) {
    let own: Vec<&PacketRecord> =
        view.records.iter().filter(|record| window.holds(Time(record.t_in))).copied().collect();
    let delays: Vec<f64> =
        own.iter().filter_map(|record| record.queue_delay()).map(|us| us as f64 / 1e3).collect();
    for percent in [50.0, 95.0, 99.0, 100.0] {
        let name = if percent < 100.0 { format!("queue_p{percent}_ms") } else { "queue_max_ms".to_owned() };
        put(&name, percentile(&delays, percent));
    }
    let bytes: u64 = own.iter().filter(|it| it.dropped.is_none()).map(|it| it.bytes).sum();
    let late: u64 = own
        .iter()
        .filter(|record| record.queue_delay().is_some_and(|us| us > LATE_US))
        .map(|record| record.bytes)
        .sum();
    put("late_bytes_percent", percent(late as f64, bytes as f64));
    let lost = own.iter().filter(|it| it.dropped.is_some()).count();
    put("lost_percent", percent(lost as f64, own.len() as f64));
    let dropped: u64 = own
        .iter()
        .filter(|it| {
            matches!(it.dropped, Some(DropReason::QueueFull | DropReason::HeadDrop | DropReason::CoDel))
        })
        .map(|it| it.bytes)
        .sum();
    put("dropped_kb", Some(dropped as f64 / 1e3));
    let carried = view.log.carried_bytes(window.from.0, window.to.0, Some(view.joined.flow)) as f64 * 8.0;
    put("carried_kbps", Some(carried / window.length() / 1e3));
    let all = view.log.carried_bytes(window.from.0, window.to.0, None) as f64 * 8.0;
    put("share", (all > 0.0).then(|| carried / all));
    put("starved_longest_s", Some(starved(view, window)));
    put("utilisation", view.log.utilisation(window.from.0, window.to.0, view.useful_bps()));
    let useful = view.log.capacity_bits(window.from.0, window.to.0, view.useful_bps());
    put("own_utilisation", useful.filter(|bits| *bits > 0).map(|bits| carried / bits as f64));
    let capacity = view.log.capacity_bits(window.from.0, window.to.0, None);
    put("capacity_kbps", capacity.map(|bits| bits as f64 / window.length() / 1e3));
}

/// The longest time for which less than [`STARVED_BPS`] were carried for the subscriber, seconds.
fn starved(view: &View<'_>, window: Window) -> f64 {
    let mut bytes = vec![0_u64; (window.length() * 1e6 / STARVED_SLOT_US as f64) as usize];
    for record in &view.records {
        let slot = record.t_done.and_then(|t| t.checked_sub(window.from.0)).map(|t| t / STARVED_SLOT_US);
        if let Some(sum) = slot.and_then(|slot| bytes.get_mut(slot as usize)) {
            *sum += record.bytes;
        }
    }
    let (mut run, mut longest) = (0_u32, 0_u32);
    for bytes in bytes {
        run = if bytes * 8_000_000 < STARVED_BPS * STARVED_SLOT_US { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    f64::from(longest) * STARVED_SLOT_US as f64 / 1e6
}

/// From a fall of the capacity to a queue below 50 ms for good, seconds.
pub(super) fn drain(view: &View<'_>, moment: Time) -> Option<f64> {
    let after: Vec<&Sample> = view.log.samples.iter().filter(|sample| sample.t >= moment.0).collect();
    let waits = |sample: &Sample| {
        // The drain time of what waits, at the rate of the 10 ms in which it is.
        let rate = sample.capacity_bits.map_or(f64::INFINITY, |bits| bits as f64);
        sample.queue_bytes as f64 * 8.0 / rate.max(1.0) * loupe_netem::SAMPLE_US as f64 > DRAINED_US as f64
    };
    let mut drained_at = moment.0;
    for sample in after {
        if waits(sample) {
            drained_at = sample.t + loupe_netem::SAMPLE_US;
        } else if sample.t >= drained_at + FOR_GOOD_US {
            return Some((drained_at - moment.0) as f64 / 1e6);
        }
    }
    None
}

/// Queue delay of the subscriber's packets in each 100 ms: mean and longest, milliseconds.
pub(crate) fn queue_samples(view: &View<'_>, slot_us: u64, slots: usize) -> Vec<Option<f64>> {
    let mut delays: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for record in &view.records {
        if let Some(us) = record.queue_delay() {
            delays.entry(record.t_in / slot_us).or_default().push(us as f64 / 1e3);
        }
    }
    (0..slots as u64).map(|slot| delays.get(&slot).and_then(|values| mean(values))).collect()
}

/// A part in percent; `None` of nothing.
pub(super) fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| 100.0 * part / whole)
}
