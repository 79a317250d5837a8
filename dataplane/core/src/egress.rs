//! A packet on its way out to one viewer.

use crate::history::StoredPacket;
use crate::io::Outbox;
use crate::layer::Verdict;
use crate::publication::{Fresh, Publication};
use crate::rewrite::timestamp_step;
use crate::rtp::{ExtensionWriter, FixedHeader};
use crate::seq::abs_send_time;
use crate::stats::{Counter, Counters, Drop};
use crate::subscription::Subscription;
use crate::transport::Transport;
use crate::twcc::FIRST_OUT;
use crate::units::{MediaTime, SeqNo, Ssrc, Time};

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
    let mut count = |sent: Result<bool, Drop>| match sent {
        Ok(true) => counters.add(Counter::RtpOut, 1),
        Ok(false) => {}
        Err(reason) => counters.drop(reason),
    };
    for (index, item) in fresh.iter().enumerate() {
        let before = subscription.switch.forwarded();
        count(forward_one(now, publication, *item, subscription, transport, outbox));
        if subscription.switch.forwarded() != before {
            for item in overtaking(publication, *item, &fresh[index + 1..]) {
                count(forward_one(now, publication, item, subscription, transport, outbox));
            }
        }
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

fn forward_one(
    now: Time,
    publication: &Publication,
    item: Fresh,
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<bool, Drop> {
    // Before the layer decision: a key frame that cannot leave must not count as sent.
    if transport.ice.path().is_none() || transport.keys.is_none() {
        return Err(Drop::NoConsent);
    }
    if item.padding {
        if subscription.switch.forwarded() == Some(item.layer) {
            subscription.seqs.skip(item.seq);
        }
        return Ok(false);
    }
    let Some(layer) = publication.layers.get(usize::from(item.layer)) else { return Ok(false) };
    let Some(packet) = layer.history.get(item.seq) else { return Ok(false) };
    match subscription.switch.judge(item.layer, packet.keyframe_start) {
        Verdict::Forward => {}
        Verdict::Switch => switch_lines(now, publication, item.layer, packet, subscription),
        Verdict::AwaitingKeyframe => return Err(Drop::AwaitingKeyframe),
        Verdict::OtherLayer | Verdict::Paused => return Ok(false),
    }
    let Some(seq) = subscription.seqs.map(item.seq) else { return Err(Drop::TooOld) };
    if !subscription.sent.note(now, seq, item.layer, item.seq) {
        return Err(Drop::Duplicate);
    }
    let time = MediaTime(subscription.times.map(packet.time.0));
    if subscription.last_sent.is_none_or(|(_, _, last)| packet.time >= last) {
        subscription.last_sent = Some((now, item.layer, packet.time));
    }
    let out = Outgoing {
        payload_type: subscription.media.payload_type,
        ssrc: subscription.media.ssrc,
        seq,
        time,
        original: None,
    };
    let bytes = write(now, out, packet, subscription, transport, outbox)?;
    subscription.packets += 1;
    subscription.octets += bytes as u64;
    outbox.depart(item.arrival);
    Ok(true)
}

/// Answers a request for a packet again (RFC 4588 section 4).
pub fn retransmit(
    now: Time,
    publication: &Publication,
    wire: u16,
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<(), Drop> {
    let (Some(ssrc), Some(payload_type)) = (subscription.media.rtx_ssrc, subscription.media.rtx_payload_type)
    else {
        return Err(Drop::RtxGone);
    };
    let round_trip =
        transport.outgoing.as_deref().and_then(|outgoing| outgoing.round_trip).unwrap_or_default();
    let (seq, layer, original) = subscription.sent.answer(now, wire, round_trip).ok_or(Drop::RtxGone)?;
    let layer = publication.layers.get(usize::from(layer)).ok_or(Drop::RtxGone)?;
    let packet = layer.history.get(original).ok_or(Drop::RtxGone)?;
    if !subscription.rtx_budget.take(now, packet.bytes.len() as u64) {
        return Err(Drop::RtxBudget);
    }
    let time = MediaTime(subscription.times.peek(packet.time.0));
    let out = Outgoing { payload_type, ssrc, seq: subscription.next_rtx, time, original: Some(seq) };
    subscription.next_rtx = SeqNo(subscription.next_rtx.0 + 1);
    write(now, out, packet, subscription, transport, outbox)?;
    subscription.retransmitted += 1;
    Ok(())
}

/// A new layer begins with `packet`: every line the viewer sees goes on without a break.
fn switch_lines(
    now: Time,
    publication: &Publication,
    layer: u8,
    packet: &StoredPacket,
    subscription: &mut Subscription,
) {
    subscription.seqs.switch(packet.seq);
    subscription.sent.forget();
    if let Some((sent_at, old_layer, old_time)) = subscription.last_sent {
        let clock_rate = publication.media.clock_rate;
        let info = |layer: u8| publication.layers.get(usize::from(layer)).and_then(|layer| layer.sender_info);
        let aligned = info(layer).zip(info(old_layer)).map(|(new, old)| {
            old.time_at(new.ntp_at(packet.time, clock_rate), clock_rate) - old_time.0 as i64
        });
        let elapsed = now.since(sent_at).as_micros() as u64;
        let step = timestamp_step(aligned, elapsed, clock_rate);
        subscription.times.switch(packet.time.0, step);
    }
    if let Some(numbers) = packet.picture {
        numbers.id.inspect(|id| subscription.picture_ids.switch(*id, 1));
        numbers.tl0_index.inspect(|index| subscription.tl0_indices.switch(*index, 1));
    }
    subscription.last_sent = Some((now, layer, packet.time));
}

/// The viewer's view of a packet.
#[derive(Clone, Copy)]
struct Outgoing {
    payload_type: u8,
    ssrc: Ssrc,
    seq: SeqNo,
    time: MediaTime,
    /// For a retransmission: the number it repeats.
    original: Option<SeqNo>,
}

/// Builds, protects and queues one packet; returns its payload bytes.
fn write(
    now: Time,
    out: Outgoing,
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
        marker: packet.marker,
        sequence: out.seq.wire(),
        timestamp: out.time.wire(),
        ssrc: out.ssrc,
    }
    .write(&mut outbox.bytes);
    write_extensions(now, packet, subscription, outgoing.sent.next_seq(), &mut outbox.bytes);
    let header_length = outbox.bytes.len() - start;
    if let Some(original) = out.original {
        outbox.bytes.extend_from_slice(&original.wire().to_be_bytes());
    }
    let payload_start = outbox.bytes.len();
    outbox.bytes.extend_from_slice(packet.payload());
    if let Some(numbers) = packet.picture {
        let id = numbers.id.map(|id| subscription.picture_ids.map(id));
        let tl0_index = numbers.tl0_index.map(|index| subscription.tl0_indices.map(index));
        numbers.patch(&mut outbox.bytes[payload_start..], id, tl0_index);
    }
    let payload = outbox.bytes.len() - payload_start;
    // Our numbers begin one turn above zero, SRTP's at zero.
    let index = SeqNo(out.seq.0 - FIRST_OUT.0);
    if keys.outbound.protect_rtp(&mut outbox.bytes, start, header_length, index).is_err() {
        outbox.bytes.truncate(start);
        return Err(Drop::SendFailed);
    }
    let length = outbox.bytes.len() - start;
    if subscription.media.extensions.transport_cc != 0 {
        outgoing.sent.send(now, length);
    }
    outgoing.packets += 1;
    outgoing.bytes += length as u64;
    outbox.push(path, start);
    Ok(payload)
}

fn write_extensions(
    now: Time,
    packet: &StoredPacket,
    subscription: &Subscription,
    transport_seq: SeqNo,
    bytes: &mut Vec<u8>,
) {
    let ids = &subscription.media.extensions;
    let received = &packet.extensions;
    let mut writer = ExtensionWriter::begin(bytes);
    if let Some(mid) = &subscription.media.mid {
        writer.push(ids.mid, mid.as_bytes());
    }
    if let Some(level) = received.audio_level {
        writer.push(ids.audio_level, &[level]);
    }
    if let Some(orientation) = received.video_orientation {
        writer.push(ids.video_orientation, &[orientation]);
    }
    for (id, span) in [
        (ids.abs_capture_time, received.abs_capture_time),
        (ids.playout_delay, received.playout_delay),
        (ids.dependency_descriptor, received.dependency_descriptor),
    ] {
        if let Some(span) = span {
            writer.push(id, span.of(&packet.bytes));
        }
    }
    if ids.abs_send_time != 0 {
        writer.push(ids.abs_send_time, &abs_send_time(now.micros()).to_be_bytes()[1..]);
    }
    writer.push(ids.transport_cc, &transport_seq.wire().to_be_bytes());
    writer.finish();
}
