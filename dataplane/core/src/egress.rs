//! A packet on its way out to one viewer.

mod again;
mod header;
mod lines;
mod own;

pub use self::again::retransmit;
pub use self::header::OwnExtensions;

use self::again::may_resend;
use self::header::write_extensions;
use self::lines::switch_lines;
use self::own::{send_padding, send_parity};
use crate::history::StoredPacket;
use crate::io::{Kind, Outbox};
use crate::layer::Verdict;
use crate::pacer::{Gate, Pacer, Step, Waiting};
use crate::publication::{Fresh, Publication};
use crate::redundancy::{Repeated, is_repaired_in_time};
use crate::rtp::FixedHeader;
use crate::stats::{Counter, Counters, Drop};
use crate::subscription::Subscription;
use crate::transport::{Cause, Transport};
use crate::twcc::FIRST_OUT;
use crate::units::{MediaTime, SeqNo, Ssrc, Time};

/// Packets smaller than this are not worth repeating for a probe.
const MIN_PROBE_PAYLOAD: usize = 400;

/// The walk of the fresh packets of a publication to one viewer, in travel order.
pub fn forward(
    now: Time,
    publication: &Publication,
    fresh: &[Fresh],
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
    counters: &mut Counters,
) {
    for (index, item) in fresh.iter().enumerate() {
        let before = subscription.beginnings;
        let sent = forward_one(now, publication, *item, subscription, transport, outbox, counters);
        count(sent, counters);
        if subscription.beginnings != before {
            for item in overtaking(publication, *item, &fresh[index + 1..]) {
                let sent = forward_one(now, publication, item, subscription, transport, outbox, counters);
                count(sent, counters);
            }
        }
    }
}

fn count(sent: Result<bool, Drop>, counters: &mut Counters) {
    match sent {
        Ok(true) => counters.add(Counter::RtpOut, 1),
        Ok(false) => {}
        Err(reason) => counters.drop(reason),
    }
}

/// What follows `first` but came before it, in order: the rest of a key frame whose beginning was late or repaired.
/// What is still `pending` has its turn later.
fn overtaking<'a>(
    publication: &'a Publication,
    first: Fresh,
    pending: &'a [Fresh],
) -> impl Iterator<Item = Fresh> + 'a {
    let layer = publication.layers.get(usize::from(first.layer));
    let highest = layer.and_then(|layer| layer.loss.highest()).unwrap_or(first.seq);
    let is_pending = move |seq| pending.iter().any(|item| item.layer == first.layer && item.seq == seq);
    let oldest = layer.map_or(first.seq, |layer| layer.history.oldest());
    let after = (oldest.0.max(first.seq.0 + 1)..=highest.0).map(SeqNo);
    let is_kept = move |seq| layer.is_some_and(|layer| layer.history.get(seq).is_some());
    after.filter(move |seq| is_kept(*seq) && !is_pending(*seq)).map(move |seq| Fresh { seq, ..first })
}

/// Up to the pacer: whether a packet is for the viewer.
fn forward_one(
    now: Time,
    publication: &Publication,
    item: Fresh,
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
    counters: &mut Counters,
) -> Result<bool, Drop> {
    // Before the layer decision: a key frame that cannot leave must not count as sent.
    if transport.ice.path().is_none() || transport.keys.is_none() {
        return Err(Drop::NoConsent);
    }
    let Some(outgoing) = transport.outgoing.as_deref_mut() else { return Err(Drop::NoConsent) };
    let Some(step) = decide(now, publication, item, subscription, &outgoing.pacer)? else { return Ok(false) };
    if step == Step::Switch {
        // What still waits of a higher layer would only delay the new beginning.
        counters.drop_many(Drop::Stale, outgoing.pacer.supersede(subscription.key, item.layer));
    }
    let result = leave_or_wait(now, publication, item, step, subscription, transport, outbox);
    if result.is_err() && step == Step::Switch {
        // Nothing began: the next packet that can begin has to.
        subscription.switch.cut(now, item.layer);
    }
    result
}

/// At the pacer: whether a packet that the viewer gets leaves now.
fn leave_or_wait(
    now: Time,
    publication: &Publication,
    item: Fresh,
    step: Step,
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<bool, Drop> {
    let Some(outgoing) = transport.outgoing.as_deref_mut() else { return Err(Drop::NoConsent) };
    let sound = publication.media.kind == Kind::Audio;
    if sound && !outgoing.pacer.admits_sound(now) {
        let skipped = Fresh { padding: true, ..item };
        depart(now, publication, skipped, Step::Skip, subscription, transport, outbox)?;
        return Err(Drop::Stale);
    }
    let still = subscription.stills.is_some();
    let admitted = if still { outgoing.pacer.admits_still(now) } else { outgoing.pacer.admits(now) };
    if sound || admitted {
        let left = depart(now, publication, item, step, subscription, transport, outbox)?;
        if left {
            outbox.depart(item.arrival);
        }
        return Ok(left);
    }
    let (subscription, Fresh { layer, seq, arrival: since, .. }) = (subscription.key, item);
    let waiting = Waiting { subscription, layer, seq, since, step };
    let waits = if still { outgoing.pacer.wait_still(waiting) } else { outgoing.pacer.wait(waiting) };
    if waits { Ok(false) } else { Err(Drop::Stale) }
}

/// The layer decisions; `None`: the packet is of no concern to the viewer.
fn decide(
    now: Time,
    publication: &Publication,
    item: Fresh,
    subscription: &mut Subscription,
    pacer: &Pacer,
) -> Result<Option<Step>, Drop> {
    if item.padding {
        let forwarded = subscription.switch.forwarded() == Some(item.layer);
        return Ok(forwarded.then_some(Step::Skip));
    }
    let Some(layer) = publication.layers.get(usize::from(item.layer)) else { return Ok(None) };
    let Some(packet) = layer.history.get(item.seq) else { return Err(Drop::TooOld) };
    if item.seq < layer.shown_from {
        return Err(Drop::Muted);
    }
    let limits = subscription.limits(pacer.gate, publication.media.codec);
    let mut step = match subscription.switch.judge(item.layer, packet.keyframe_start) {
        Verdict::Forward => Step::Forward,
        Verdict::Switch => Step::Switch,
        Verdict::AwaitingKeyframe => return Err(Drop::AwaitingKeyframe),
        Verdict::OtherLayer | Verdict::Paused => return Ok(None),
    };
    if let Some(stills) = subscription.stills.as_deref_mut() {
        let busy = pacer.holds_still(subscription.key);
        let Some(taken) = stills.judge(now, item.layer, packet, step, busy) else { return Ok(None) };
        step = taken;
    }
    if step == Step::Switch {
        subscription.beginnings += 1;
        subscription.sublayers.restart(limits);
    }
    let wanted = subscription.sublayers.judge(packet.time, packet.mark, limits);
    Ok(Some(if wanted || step == Step::Switch { step } else { Step::Skip }))
}

/// From the pacer on: numbers, protection, out. True when the packet left.
pub(crate) fn depart(
    now: Time,
    publication: &Publication,
    item: Fresh,
    step: Step,
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<bool, Drop> {
    let packet =
        publication.layers.get(usize::from(item.layer)).and_then(|layer| layer.history.get(item.seq));
    if step == Step::Skip {
        subscription.seqs.skip(item.seq);
        if let Some(id) = packet.and_then(|packet| packet.picture?.id) {
            subscription.picture_ids.skip(SeqNo(id));
        }
        return if item.padding { Ok(false) } else { Err(Drop::UnwantedLayer) };
    }
    let packet = packet.ok_or(Drop::TooOld)?;
    leave(now, publication, (item.layer, packet), step, subscription, transport, outbox)
}

/// The same for a packet of a still, which is kept apart.
pub(crate) fn depart_still(
    now: Time,
    publication: &Publication,
    (layer, seq, step): (u8, SeqNo, Step),
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<bool, Drop> {
    if step == Step::Skip {
        let skipped = Fresh { layer, seq, arrival: now, padding: false };
        return depart(now, publication, skipped, step, subscription, transport, outbox);
    }
    let stills = subscription.stills.take();
    let packet = stills.as_deref().and_then(|stills| stills.get(layer, seq)).ok_or(Drop::TooOld);
    let left = packet
        .and_then(|packet| leave(now, publication, (layer, packet), step, subscription, transport, outbox));
    subscription.stills = stills;
    left
}

fn leave(
    now: Time,
    publication: &Publication,
    (layer, packet): (u8, &StoredPacket),
    step: Step,
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<bool, Drop> {
    if step == Step::Switch {
        switch_lines(now, publication, layer, packet, subscription);
    }
    let Some(seq) = subscription.seqs.map(packet.seq) else { return Err(Drop::TooOld) };
    if !subscription.sent.note(now, seq, layer, packet.seq) {
        return Err(Drop::Duplicate);
    }
    let time = MediaTime(subscription.times.map(packet.time.0));
    if subscription.last_sent.is_none_or(|(_, _, last)| packet.time >= last) {
        subscription.last_sent = Some((now, layer, packet.time));
    }
    let repeated = repeat(now, publication, (layer, packet), subscription, transport);
    let loss = protected_against(subscription, transport);
    let redundant = subscription.media.red_payload_type.filter(|_| !repeated.is_empty());
    let out = Outgoing {
        payload_type: redundant.unwrap_or(subscription.media.payload_type),
        ssrc: subscription.media.ssrc,
        seq,
        time,
        original: None,
        cause: Cause::Media,
        repeated,
    };
    may_resend(now, (packet, seq), publication.media.kind, subscription, transport);
    let bytes = write(now, out, packet, subscription, transport, outbox)?;
    subscription.packets += 1;
    subscription.octets += bytes as u64;
    if let Some(loss) = loss.filter(|_| packet.mark.temporal == 0 && subscription.ends_picture(packet)) {
        send_parity(now, loss, time, subscription, transport, outbox)?;
    }
    Ok(true)
}

/// The loss against which a picture gets parity; begins and ends that.
#[inline]
fn protected_against(subscription: &mut Subscription, transport: &Transport) -> Option<f64> {
    subscription.media.parity?;
    let outgoing = transport.outgoing.as_deref().filter(|it| it.pacer.gate == Gate::Open);
    let loss = outgoing.and_then(|it| it.protection.against()).filter(|_| subscription.stills.is_none());
    match (loss, &subscription.block) {
        (Some(_), None) => subscription.block = Some(Box::default()),
        (None, Some(_)) => subscription.block = None,
        _ => {}
    }
    loss
}

/// Earlier sound that leaves again with this packet, where the viewer takes it and its path needs it.
#[inline]
fn repeat<'a>(
    now: Time,
    publication: &'a Publication,
    (layer, packet): (u8, &StoredPacket),
    subscription: &Subscription,
    transport: &mut Transport,
) -> Repeated<'a> {
    let media = &subscription.media;
    let outgoing = transport.outgoing.as_deref_mut().filter(|_| media.red_payload_type.is_some());
    let Some(outgoing) = outgoing.filter(|it| it.redundancy.is_on() && it.pacer.gate == Gate::Open) else {
        return Repeated::default();
    };
    let is_repaired = media.rtx_ssrc.is_some() && is_repaired_in_time(outgoing.bandwidth.known());
    let Some(layer) = publication.layers.get(usize::from(layer)) else { return Repeated::default() };
    outgoing.redundancy.repeat(now, (packet, is_repaired), &layer.history, &subscription.seqs)
}

/// Sends something useful for a probe: a recent packet again, the larger the better, else padding (RFC 4588 stream in
/// both cases). Repeats of what arrived are duplicates to a viewer; of what was lost they are repairs. Gives the bytes.
pub(crate) fn send_probe(
    now: Time,
    publication: &Publication,
    back: u64,
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<(), Drop> {
    let (Some(ssrc), Some(payload_type)) = (subscription.media.rtx_ssrc, subscription.media.rtx_payload_type)
    else {
        return Err(Drop::RtxGone);
    };
    let recent = subscription.sent.recent(back).filter(|_| subscription.stills.is_none()).and_then(
        |(seq, layer, original)| {
            let packet = publication.layers.get(usize::from(layer))?.history.get(original)?;
            (packet.payload().len() >= MIN_PROBE_PAYLOAD).then_some((seq, packet))
        },
    );
    let Some((original, packet)) = recent else {
        return send_padding(now, (payload_type, ssrc), subscription, transport, outbox);
    };
    let time = MediaTime(subscription.times.peek(packet.time.0));
    let seq = subscription.take_rtx();
    let (original, repeated) = (Some(original), Repeated::default());
    let out = Outgoing { payload_type, ssrc, seq, time, original, cause: Cause::Probe, repeated };
    write(now, out, packet, subscription, transport, outbox).map(|_| ())
}

/// The viewer's view of a packet.
#[derive(Clone, Copy)]
struct Outgoing<'a> {
    payload_type: u8,
    ssrc: Ssrc,
    seq: SeqNo,
    time: MediaTime,
    /// For a retransmission: the number it repeats.
    original: Option<SeqNo>,
    /// Why it leaves.
    cause: Cause,
    /// Earlier sound that it carries.
    repeated: Repeated<'a>,
}

/// Builds, protects and queues one packet; returns its payload bytes.
fn write(
    now: Time,
    out: Outgoing<'_>,
    packet: &StoredPacket,
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<usize, Drop> {
    let (Some(path), Some(keys)) = (transport.ice.path(), transport.keys.as_ref()) else {
        return Err(Drop::NoConsent);
    };
    let Some(outgoing) = transport.outgoing.as_deref_mut() else { return Err(Drop::NoConsent) };
    let start = outbox.bytes.len();
    FixedHeader {
        payload_type: out.payload_type,
        marker: subscription.ends_picture(packet),
        sequence: out.seq.wire(),
        timestamp: out.time.wire(),
        ssrc: out.ssrc,
    }
    .write(&mut outbox.bytes);
    let received = (&packet.extensions, &packet.bytes[..]);
    write_extensions(now, received, subscription, outgoing.sent.next_seq(), &mut outbox.bytes);
    let header_length = outbox.bytes.len() - start;
    if let Some(original) = out.original {
        outbox.bytes.extend_from_slice(&original.wire().to_be_bytes());
    }
    let payload_start = outbox.bytes.len();
    if out.repeated.is_empty() {
        outbox.bytes.extend_from_slice(packet.payload());
    } else {
        let (codec, bytes) = (subscription.media.payload_type, &mut outbox.bytes);
        outgoing.repair_bytes += out.repeated.write(bytes, codec, packet) as u64;
        subscription.redundant += 1;
    }
    if let Some(numbers) = packet.picture {
        let id = numbers.id.map(|id| subscription.picture_ids.map(SeqNo(id)).map_or(id, |mapped| mapped.0));
        let tl0_index = numbers.tl0_index.map(|index| subscription.tl0_indices.map(index));
        numbers.patch(&mut outbox.bytes[payload_start..], id, tl0_index);
    }
    let payload = outbox.bytes.len() - payload_start;
    if let Some(block) = subscription.block.as_deref_mut().filter(|_| out.cause == Cause::Media) {
        block.save(outbox.bytes.len() - start, outgoing.protection.share());
        let (plain, ids) = (&outbox.bytes[start..], &subscription.media.extensions);
        block.note(now, out.seq, plain, packet.mark.temporal == 0, ids);
    }
    // Our numbers begin one turn above zero, SRTP's at zero.
    let index = SeqNo(out.seq.0 - FIRST_OUT.0);
    if keys.outbound.protect_rtp(&mut outbox.bytes, start, header_length, index).is_err() {
        outbox.bytes.truncate(start);
        return Err(Drop::SendFailed);
    }
    let length = outbox.bytes.len() - start;
    outgoing.account(now, length, out.cause, subscription.media.extensions.transport_cc != 0);
    outbox.push(path, start);
    Ok(payload)
}
