//! A publisher's RTP packet on its way in.

use std::time::Duration;

use slab::Slab;

use crate::history::{History, Kept, StoredPacket};
use crate::keyframe::{begins, is_keyframe_start};
use crate::loss::Arrival;
use crate::publication::{Fresh, KeyframeSeen, Layer, Publication};
use crate::rtp::{Malformed, ReceivedExtensions, RtpHeader};
use crate::srtp::{RtpReplay, SrtpError};
use crate::stats::{Counter, Counters, Drop};
use crate::streams::Binding;
use crate::tap::TappedPacket;
use crate::transport::{Incoming, Keys, Transport};
use crate::units::{SeqNo, Ssrc, Time};

/// How far a retransmission may lie above what was received: it repeats what was lost at the end of a burst. One that
/// names a number far above repeats another source's.
const MAX_REPAIR_LEAD: u64 = 512;

/// What an accepted packet means for the plane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// Its publication (key in the plane's slab).
    pub publication: usize,
    /// Its layer.
    pub layer: u8,
    /// Whether its frame ends with it.
    pub marker: bool,
    /// Whether a stall of the publication ended with it.
    pub resumed: bool,
    /// What it meant for the loss log.
    pub arrival: Arrival,
    /// Whether a new source of the layer replaced the old one with it.
    pub restarted: bool,
}

/// The walk of one packet, in travel order. An error names why it went no further; nothing is changed by a packet
/// that is not authentic.
pub fn receive_rtp(
    now: Time,
    transport: &mut Transport,
    publications: &mut Slab<Publication>,
    counters: &mut Counters,
    datagram: &mut [u8],
) -> Result<Accepted, Drop> {
    let keys = transport.keys.as_mut().ok_or(Drop::NoKeys)?;
    let incoming = transport.incoming.as_deref_mut().ok_or(Drop::UnknownSource)?;
    let header = RtpHeader::parse(datagram).map_err(malformed)?;
    within_budget(now, incoming, datagram.len())?;
    let (length, known) = unprotect(now, keys, incoming, &header, datagram)?;
    let plain = &mut datagram[..length];
    let extensions = ReceivedExtensions::read(plain, &header, incoming.streams.extensions());
    note_arrival(now, incoming, counters, &extensions, length);
    let binding = bind(now, incoming, &header, &extensions, known)?;
    let publication = publications.get_mut(binding.publication).ok_or(Drop::UnknownSource)?;
    let packet = unwrap_rtx(publication, binding, &header, plain)?;
    let restarted = replace_source(now, publication, &packet);
    let arrival = note_sequence(now, publication, incoming, counters, &packet)?;
    record(now, publication, &packet, plain);
    let accepted = keep(now, (binding.publication, publication), packet, extensions, plain, arrival)?;
    Ok(Accepted { restarted, ..accepted })
}

/// A packet between un-RTX and the history.
#[derive(Clone, Copy)]
struct Packet {
    layer: u8,
    ssrc: Ssrc,
    sequence: u16,
    timestamp: u32,
    marker: bool,
    repaired: bool,
    header_length: usize,
    /// End of the payload in the plain datagram.
    end: usize,
}

fn malformed(_: Malformed) -> Drop {
    Drop::RtpMalformed
}

fn within_budget(now: Time, incoming: &mut Incoming, bytes: usize) -> Result<(), Drop> {
    let within = incoming.packets.take(now, 1) && incoming.bits.take(now, bytes as u64 * 8);
    if within { Ok(()) } else { Err(Drop::RateLimited) }
}

/// Decrypts in place. For a source not bound yet the replay state is returned, to be kept only if it can be bound.
fn unprotect(
    now: Time,
    keys: &mut Keys,
    incoming: &mut Incoming,
    header: &RtpHeader,
    datagram: &mut [u8],
) -> Result<(usize, Result<Binding, RtpReplay>), Drop> {
    let header_length = usize::from(header.header_length);
    if let Some(stream) = incoming.streams.get_mut(header.ssrc) {
        let opened = keys.inbound.unprotect_rtp(&mut stream.replay, header_length, datagram);
        let length = opened.map_err(SrtpError::rtp_drop)?.length;
        stream.last = now;
        return Ok((length, Ok(stream.binding)));
    }
    if !incoming.streams.may_probe(header.ssrc) {
        return Err(Drop::UnknownSource);
    }
    if !incoming.probes.take(now, 1) {
        return Err(Drop::RateLimited);
    }
    let mut replay = RtpReplay::default();
    let opened = keys.inbound.unprotect_rtp(&mut replay, header_length, datagram);
    Ok((opened.map_err(SrtpError::rtp_drop)?.length, Err(replay)))
}

fn note_arrival(
    now: Time,
    incoming: &mut Incoming,
    counters: &mut Counters,
    extensions: &ReceivedExtensions,
    length: usize,
) {
    if let (Some(arrivals), Some(wire)) = (&mut incoming.arrivals, extensions.transport_cc) {
        let seq = incoming.transport_seqs.unwrap(wire);
        let fits = arrivals.receive(now, seq, length);
        counters.add(Counter::UnreportedIn, u64::from(!fits));
    }
}

fn bind(
    now: Time,
    incoming: &mut Incoming,
    header: &RtpHeader,
    extensions: &ReceivedExtensions,
    known: Result<Binding, RtpReplay>,
) -> Result<Binding, Drop> {
    match known {
        Ok(binding) => Ok(binding),
        Err(replay) => incoming
            .streams
            .probe(now, header.ssrc, header.payload_type, extensions, replay)
            .ok_or(Drop::UnknownSource),
    }
}

/// Turns a retransmission back into the packet it repeats (RFC 4588 section 4): payload moved over its OSN.
fn unwrap_rtx(
    publication: &Publication,
    binding: Binding,
    header: &RtpHeader,
    plain: &mut [u8],
) -> Result<Packet, Drop> {
    let mut end = header.payload_end(plain).map_err(malformed)?;
    let header_length = usize::from(header.header_length);
    let repaired = Some(header.payload_type) == publication.media.rtx_payload_type;
    if !repaired && header.payload_type != publication.media.payload_type {
        return Err(Drop::UnknownPayloadType);
    }
    let mut sequence = header.sequence;
    if repaired {
        if end == header_length {
            return Err(Drop::Padding);
        }
        let original = plain.get(header_length..end).and_then(|payload| payload.first_chunk::<2>());
        sequence = u16::from_be_bytes(*original.ok_or(Drop::RtxMalformed)?);
        plain.copy_within(header_length + 2..end, header_length);
        end -= 2;
    }
    Ok(Packet {
        layer: binding.layer,
        ssrc: header.ssrc,
        sequence,
        timestamp: header.timestamp,
        marker: header.marker,
        repaired,
        header_length,
        end,
    })
}

/// A layer whose source is another than before begins anew; true when it did.
fn replace_source(now: Time, publication: &mut Publication, packet: &Packet) -> bool {
    let Some(layer) = publication.layers.get_mut(usize::from(packet.layer)) else { return false };
    if packet.repaired || layer.first.is_none() || layer.ssrc == Some(packet.ssrc) {
        return false;
    }
    publication.history_bytes -= layer.history.bytes();
    layer.restart();
    for tap in &mut publication.taps {
        tap.replace_source(now, packet.layer, packet.ssrc);
    }
    true
}

/// Unwraps the number, refuses what is there already, and keeps the loss log.
fn note_sequence(
    now: Time,
    publication: &mut Publication,
    incoming: &mut Incoming,
    counters: &mut Counters,
    packet: &Packet,
) -> Result<(SeqNo, Arrival), Drop> {
    let layer = publication.layers.get_mut(usize::from(packet.layer)).ok_or(Drop::UnknownSource)?;
    let seq = layer.seqs.peek(packet.sequence);
    let ahead = layer.loss.highest().map_or(0, |highest| seq.0.saturating_sub(highest.0));
    if packet.repaired && ahead > MAX_REPAIR_LEAD {
        return Err(Drop::RtxMalformed);
    }
    match layer.history.judge(seq) {
        Kept::New => {}
        Kept::Duplicate => return Err(Drop::Duplicate),
        Kept::TooOld if layer.loss.misses_late(seq) => {}
        Kept::TooOld => return Err(Drop::TooOld),
    }
    layer.seqs.commit(seq);
    let arrival = layer.loss.receive(now, seq);
    match arrival {
        // Given up, or here before and forgotten: nothing tells which.
        Arrival::Old => return Err(Drop::TooOld),
        Arrival::Gap(missing) => counters.add(Counter::LostIn, missing),
        Arrival::Filled(Some(round_trip)) if packet.repaired => {
            incoming.round_trip = Some(smooth(incoming.assumed_round_trip(), round_trip));
        }
        _ => {}
    }
    counters.add(Counter::RtpIn, 1);
    counters.add(Counter::RtxIn, u64::from(packet.repaired));
    Ok((seq, arrival))
}

fn smooth(old: Duration, new: Duration) -> Duration {
    (old * 7 + new) / 8
}

/// Gives recorder and probe their copies.
fn record(now: Time, publication: &mut Publication, packet: &Packet, plain: &[u8]) {
    if publication.taps.is_empty() || publication.muted {
        return;
    }
    let Some(bytes) = plain.get(..packet.end) else { return };
    let Packet { layer, sequence, repaired, .. } = *packet;
    // A repair came under its own source.
    let original = publication.layers.get(usize::from(layer)).and_then(|layer| layer.ssrc);
    let ssrc = original.filter(|_| repaired).unwrap_or(packet.ssrc);
    let payload = bytes.get(packet.header_length..).unwrap_or_default();
    let keyframe_start = !payload.is_empty() && is_keyframe_start(publication.media.codec, payload);
    let payload_type = publication.media.payload_type;
    let copy = TappedPacket { layer, ssrc, payload_type, sequence, repaired, keyframe_start, bytes };
    publication.taps.iter_mut().for_each(|tap| tap.packet(now, &copy));
}

/// Keeps the packet for forwarding and retransmission.
fn keep(
    now: Time,
    (key, publication): (usize, &mut Publication),
    packet: Packet,
    extensions: ReceivedExtensions,
    plain: &[u8],
    (seq, arrival): (SeqNo, Arrival),
) -> Result<Accepted, Drop> {
    let codec = publication.media.codec;
    let clock_rate = publication.media.clock_rate;
    let longest_gap = publication.longest_gap();
    let layer = publication.layers.get_mut(usize::from(packet.layer)).ok_or(Drop::UnknownSource)?;
    let time = layer.times.unwrap(packet.timestamp);
    let bytes = plain.get(..packet.end).ok_or(Drop::RtpMalformed)?;
    let payload = bytes.get(packet.header_length..).unwrap_or_default();
    layer.first = Some(layer.first.map_or(seq, |first| first.min(seq)));
    count(now, layer, &packet, bytes.len());
    layer.note_arrival(now, longest_gap);
    if arrival == Arrival::InOrder {
        layer.jitter.receive(now, time, clock_rate);
    }
    let mut accepted = Accepted {
        publication: key,
        layer: packet.layer,
        marker: packet.marker,
        resumed: false,
        arrival,
        restarted: false,
    };
    if arrival == Arrival::Late {
        return Ok(accepted);
    }
    let fresh = Fresh { layer: packet.layer, seq, arrival: now, padding: payload.is_empty() };
    publication.fresh.push(fresh);
    if fresh.padding {
        return Ok(accepted);
    }
    let keyframe_start = begins(codec, payload, (seq, time), &layer.history);
    if keyframe_start && layer.last_keyframe.is_none_or(|last| last.time != time) {
        layer.last_keyframe = Some(KeyframeSeen { seq, time, arrival: now });
        layer.keyframes_seen += 1;
        layer.keyframes.satisfy();
    }
    let descriptor = extensions.dependency_descriptor.map(|span| span.of(bytes)).unwrap_or_default();
    let mark = layer.marks.read(codec, payload, descriptor);
    layer.note_wire_bytes(now, mark, bytes.len());
    let entry = StoredPacket {
        seq,
        time,
        arrival: now,
        header_length: packet.header_length as u16,
        marker: packet.marker,
        keyframe_start,
        mark,
        picture: layer.pictures.read(codec, payload),
        extensions,
        bytes: Vec::new(),
    };
    let before = layer.history.bytes();
    let others = publication.history_bytes - before;
    layer.history.insert(entry, bytes, History::limit(others));
    publication.history_bytes = others + layer.history.bytes();
    accepted.resumed = publication.receive_frame(now, time);
    Ok(accepted)
}

/// Counts a packet of `size` bytes without its protection.
fn count(now: Time, layer: &mut Layer, packet: &Packet, size: usize) {
    if !packet.repaired {
        layer.ssrc = Some(packet.ssrc);
    }
    layer.packets += 1;
    layer.bytes += size as u64;
    layer.repaired += u64::from(packet.repaired);
    layer.meter.add(now, size);
}
