//! Packets that no publisher sent: padding and parity.

use super::header::write_extensions;
use crate::io::Outbox;
use crate::rtp::{FixedHeader, ReceivedExtensions};
use crate::stats::Drop;
use crate::subscription::Subscription;
use crate::transport::{Cause, Transport};
use crate::twcc::FIRST_OUT;
use crate::units::{MediaTime, SeqNo, Ssrc, Time};

/// Padding of one packet: its count has one byte (RFC 3550 section 5.1).
const PADDING_BYTES: usize = 255;
/// P of the first byte.
const PADDED: u8 = 0x20;

/// What such a packet is.
#[derive(Clone, Copy)]
struct Own {
    payload_type: u8,
    ssrc: Ssrc,
    seq: SeqNo,
    time: MediaTime,
    cause: Cause,
}

/// A packet of padding alone.
pub(super) fn send_padding(
    now: Time,
    (payload_type, ssrc): (u8, Ssrc),
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<(), Drop> {
    let time = MediaTime(subscription.times.highest().unwrap_or(0));
    let own = Own { payload_type, ssrc, seq: subscription.take_rtx(), time, cause: Cause::Probe };
    send(now, own, subscription, transport, outbox, |bytes, start| {
        bytes[start] |= PADDED;
        bytes.resize(bytes.len() + PADDING_BYTES - 1, 0);
        bytes.push(PADDING_BYTES as u8);
    })
}

/// The parity that leaves behind a picture of the moment `time`, against so much loss; none when that would be too much.
pub(super) fn send_parity(
    now: Time,
    loss: f64,
    time: MediaTime,
    subscription: &mut Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
) -> Result<(), Drop> {
    let (Some((ssrc, payload_type)), Some(mut block)) =
        (subscription.media.parity, subscription.block.take())
    else {
        return Ok(());
    };
    let protected = subscription.media.ssrc;
    let (base, parities) = block.close(now, loss);
    let mut sent = Ok(());
    for parity in parities {
        let own = Own { payload_type, ssrc, seq: subscription.take_parity(), time, cause: Cause::Parity };
        sent = sent.and(send(now, own, subscription, transport, outbox, |bytes, _| {
            parity.write(bytes, protected, base.wire());
        }));
        subscription.parity += u64::from(sent.is_ok());
    }
    if !parities.is_empty() {
        block.clear();
    }
    subscription.block = Some(block);
    sent
}

/// Builds, protects and queues one packet; `fill` appends what follows its header and is told where the packet starts.
fn send(
    now: Time,
    own: Own,
    subscription: &Subscription,
    transport: &mut Transport,
    outbox: &mut Outbox,
    fill: impl FnOnce(&mut Vec<u8>, usize),
) -> Result<(), Drop> {
    let (Some(path), Some(keys)) = (transport.ice.path(), transport.keys.as_ref()) else {
        return Err(Drop::NoConsent);
    };
    let Some(outgoing) = transport.outgoing.as_deref_mut() else { return Err(Drop::NoConsent) };
    let start = outbox.bytes.len();
    let Own { payload_type, ssrc, seq, time, cause } = own;
    FixedHeader { payload_type, marker: false, sequence: seq.wire(), timestamp: time.wire(), ssrc }
        .write(&mut outbox.bytes);
    let bare = ReceivedExtensions::default();
    write_extensions(now, (&bare, &[]), subscription, outgoing.sent.next_seq(), &mut outbox.bytes);
    let header_length = outbox.bytes.len() - start;
    fill(&mut outbox.bytes, start);
    // Our numbers begin one turn above zero, SRTP's at zero.
    let index = SeqNo(seq.0 - FIRST_OUT.0);
    if keys.outbound.protect_rtp(&mut outbox.bytes, start, header_length, index).is_err() {
        outbox.bytes.truncate(start);
        return Err(Drop::SendFailed);
    }
    let length = outbox.bytes.len() - start;
    outgoing.account(now, length, cause, subscription.media.extensions.transport_cc != 0);
    outbox.push(path, start);
    Ok(())
}
