//! Packets that leave again, because they were asked for or are known to be lost.

use std::time::Duration;

use super::{Outgoing, write};
use crate::history::StoredPacket;
use crate::io::{Kind, Outbox};
use crate::pacer::Repair;
use crate::publication::Publication;
use crate::redundancy::Repeated;
use crate::resend_log::Left;
use crate::sent_log::Again;
use crate::stats::Drop;
use crate::stills::Stills;
use crate::subscription::Subscription;
use crate::transport::{self, Cause, Transport};
use crate::units::{MediaTime, SeqNo, Time};

/// From so much loss on answers are lost often enough that a second one leaves twice, and requests are so many that the
/// needless ones count.
const VERY_LOSSY: f64 = 0.04;
/// A receiver asks again when the answer should be there, that is, as it arrives: such a request is here this much later
/// than a round trip after the answer left.
const CROSSED: Duration = Duration::from_millis(5);

/// Remembers what leaves, as long as a report may show that it was lost on a path that loses whatever is sent.
#[inline]
pub(super) fn may_resend(
    now: Time,
    (packet, seq): (&StoredPacket, SeqNo),
    kind: Kind,
    subscription: &Subscription,
    transport: &mut Transport,
) {
    let sound = kind == Kind::Audio;
    let Some(outgoing) = transport.outgoing.as_deref_mut() else { return };
    if subscription.media.rtx_ssrc.is_some() && (sound || outgoing.bandwidth.is_lossy()) {
        let left = Left { subscription: subscription.key, wire: seq.wire(), since: packet.arrival, sound };
        outgoing.resends.note(now, outgoing.sent.next_seq(), left);
    }
}

/// Sends a packet again (RFC 4588 section 4).
pub fn retransmit(
    now: Time,
    publication: &Publication,
    wanted: (u16, Again),
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<(), Drop> {
    let stills = subscription.stills.take();
    let answered = repair(now, (publication, stills.as_deref()), wanted, subscription, transport, outbox);
    subscription.stills = stills;
    answered
}

fn repair(
    now: Time,
    (publication, stills): (&Publication, Option<&Stills>),
    (wire, again): (u16, Again),
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<(), Drop> {
    let (Some(ssrc), Some(payload_type)) = (subscription.media.rtx_ssrc, subscription.media.rtx_payload_type)
    else {
        return Err(Drop::RtxGone);
    };
    let outgoing = transport.outgoing.as_deref();
    let lossy = outgoing.is_some_and(|it| it.bandwidth.inherent_loss() >= VERY_LOSSY);
    let very_lossy = lossy && stills.is_none();
    let on_its_way = outgoing.map_or(Duration::ZERO, |it| on_its_way(it, very_lossy));
    let answer = subscription.sent.answer(now, (wire, again), on_its_way).ok_or(Drop::RtxGone)?;
    let (seq, layer, original) = (answer.out, answer.layer, answer.original);
    // Of a layer that is not shown any more nothing is missed.
    if subscription.switch.forwarded() != Some(layer) {
        return Err(Drop::RtxGone);
    }
    let history = publication.layers.get(usize::from(layer)).map(|layer| &layer.history);
    let kept = stills.and_then(|stills| stills.get(layer, original));
    let packet = kept.or_else(|| history?.get(original)).ok_or(Drop::RtxGone)?;
    if !subscription.rtx_budget.take(now, packet.bytes.len() as u64) {
        return Err(Drop::RtxBudget);
    }
    let time = MediaTime(subscription.times.peek(packet.time.0));
    let copied = again == Again::Copy;
    if !copied {
        may_resend(now, (packet, seq), publication.media.kind, subscription, transport);
    }
    let original = Some(seq);
    let seq = subscription.take_rtx();
    let repeated = Repeated::default();
    let out = Outgoing { payload_type, ssrc, seq, time, original, cause: Cause::Repair, repeated };
    write(now, out, packet, subscription, transport, outbox)?;
    subscription.retransmitted += 1;
    // Of sound little is lost by sending it twice, and there is no time for another request; nor is there for a picture whose
    // first answer was lost.
    if (publication.media.kind == Kind::Audio || (very_lossy && answer.times > 1))
        && !copied
        && let Some(outgoing) = transport.outgoing.as_deref_mut().filter(|it| it.bandwidth.is_lossy())
    {
        let copy = Repair { subscription: subscription.key, wire, again: Again::Copy, since: now };
        outgoing.pacer.copy_later(copy);
    }
    Ok(())
}

/// How long after an answer a request may have left before that came. Somewhat less than a round trip: the viewer has
/// measured it, too, and neither measure is exact.
fn on_its_way(outgoing: &transport::Outgoing, very_lossy: bool) -> Duration {
    // The answer may still wait in the path's queue.
    let round_trip = outgoing.round_trip.unwrap_or_default() + outgoing.bandwidth.queue_delay();
    if very_lossy { round_trip + CROSSED } else { round_trip * 3 / 4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_crosses_its_answer_is_none_where_requests_are_many() {
        let outgoing =
            transport::Outgoing { round_trip: Some(Duration::from_millis(100)), ..Default::default() };
        let spacing = [false, true].map(|very_lossy| on_its_way(&outgoing, very_lossy).as_millis());
        assert_eq!(spacing, [75, 105]);
    }
}
