//! The header extensions of a packet on its way out.

use crate::rtp::{ExtensionWriter, ReceivedExtensions};
use crate::seq::abs_send_time;
use crate::subscription::Subscription;
use crate::units::{SeqNo, Time};

/// Those that the viewer agreed to: what the publisher sent of them, and our own.
pub(super) fn write_extensions(
    now: Time,
    (received, packet): (&ReceivedExtensions, &[u8]),
    subscription: &Subscription,
    transport_seq: SeqNo,
    bytes: &mut Vec<u8>,
) {
    let ids = &subscription.media.extensions;
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
            writer.push(id, span.of(packet));
        }
    }
    if ids.abs_send_time != 0 {
        writer.push(ids.abs_send_time, &abs_send_time(now.micros()).to_be_bytes()[1..]);
    }
    writer.push(ids.transport_cc, &transport_seq.wire().to_be_bytes());
    writer.finish();
}
