//! Where the lines of numbers that a viewer sees go on with another layer.

use crate::history::StoredPacket;
use crate::publication::Publication;
use crate::rewrite::timestamp_step;
use crate::subscription::Subscription;
use crate::units::{SeqNo, Time};

/// A new layer begins with `packet`: every line the viewer sees goes on without a break.
pub(super) fn switch_lines(
    now: Time,
    publication: &Publication,
    layer: u8,
    packet: &StoredPacket,
    subscription: &mut Subscription,
) {
    subscription.seqs.switch(packet.seq);
    subscription.sent.forget();
    let last_sent = subscription.last_sent.map(|(at, ..)| at).or(subscription.stopped_at);
    if let Some(sent_at) = last_sent {
        let clock_rate = publication.media.clock_rate;
        let info = |layer: u8| publication.layers.get(usize::from(layer)).and_then(|layer| layer.sender_info);
        let aligned = subscription.last_sent.and_then(|(_, old_layer, old_time)| {
            let (new, old) = info(layer).zip(info(old_layer))?;
            Some(old.time_at(new.ntp_at(packet.time, clock_rate), clock_rate) - old_time.0 as i64)
        });
        let elapsed = now.since(sent_at).as_micros() as u64;
        let step = timestamp_step(aligned, elapsed, clock_rate);
        subscription.times.switch(packet.time.0, step);
    }
    if let Some(numbers) = packet.picture {
        numbers.id.inspect(|id| subscription.picture_ids.switch(SeqNo(*id)));
        numbers.tl0_index.inspect(|index| subscription.tl0_indices.switch(*index, 1));
    }
    subscription.last_sent = Some((now, layer, packet.time));
}
