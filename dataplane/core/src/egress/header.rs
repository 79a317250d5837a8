//! The header extensions of a packet on its way out.

use crate::io::OutboundMedia;
use crate::rtp::header::FIXED_HEADER_LENGTH;
use crate::rtp::{Elements, ExtensionWriter, FixedHeader, ReceivedExtensions, RtpHeader};
use crate::seq::abs_send_time;
use crate::subscription::Subscription;
use crate::units::{SeqNo, Ssrc, Time};

/// What our own extensions take at most: the block's head, then a head and what it is about of each, in whole words.
const OWN_BYTES: usize = 4 + (2 + 16) + (2 + 3) + (2 + 2) + 1;
/// X of the first byte.
const EXTENDED: u8 = 0x10;

/// The block of a packet that carries no extension of its publisher's, as most do: the same for all packets of a
/// subscription but for time and transport-wide number.
#[derive(Clone, Copy, Debug)]
pub struct OwnExtensions {
    bytes: [u8; OWN_BYTES],
    length: u8,
    /// Where time and number stand in it; `None`: not negotiated.
    time: Option<u8>,
    number: Option<u8>,
}

impl OwnExtensions {
    /// For what was negotiated.
    pub fn new(media: &OutboundMedia) -> OwnExtensions {
        let mut packet = Vec::new();
        FixedHeader { payload_type: 0, marker: false, sequence: 0, timestamp: 0, ssrc: Ssrc(0) }
            .write(&mut packet);
        write_all(Time::ZERO, (&ReceivedExtensions::default(), &[]), media, SeqNo(0), &mut packet);
        let mut own = OwnExtensions { bytes: [0; OWN_BYTES], length: 0, time: None, number: None };
        let block = &packet[FIXED_HEADER_LENGTH..];
        own.bytes[..block.len()].copy_from_slice(block);
        own.length = block.len() as u8;
        let extension = RtpHeader::parse(&packet).ok().and_then(|header| header.extension);
        let mut elements = extension.map(|block| Elements::new(&packet, block));
        while let Some((id, span)) = elements.as_mut().and_then(Elements::next_span) {
            let place = Some((usize::from(span.start) - FIXED_HEADER_LENGTH) as u8);
            if id == media.extensions.abs_send_time {
                own.time = place;
            } else if id == media.extensions.transport_cc {
                own.number = place;
            }
        }
        own
    }

    #[inline]
    fn write(&self, now: Time, transport_seq: SeqNo, bytes: &mut Vec<u8>) {
        if self.length == 0 {
            return;
        }
        let mut block = self.bytes;
        if let Some(place) = self.time {
            let time = abs_send_time(now.micros()).to_be_bytes();
            block[usize::from(place)..][..3].copy_from_slice(&time[1..]);
        }
        if let Some(place) = self.number {
            block[usize::from(place)..][..2].copy_from_slice(&transport_seq.wire().to_be_bytes());
        }
        let start = bytes.len();
        bytes[start - FIXED_HEADER_LENGTH] |= EXTENDED;
        // More than is needed: so many bytes as are known beforehand are copied at once.
        bytes.extend_from_slice(&block);
        bytes.truncate(start + usize::from(self.length));
    }
}

/// Those that the viewer agreed to: what the publisher sent of them, and our own.
#[inline]
pub(super) fn write_extensions(
    now: Time,
    (received, packet): (&ReceivedExtensions, &[u8]),
    subscription: &Subscription,
    transport_seq: SeqNo,
    bytes: &mut Vec<u8>,
) {
    if received.has_any_to_pass_on() {
        write_all(now, (received, packet), &subscription.media, transport_seq, bytes);
    } else {
        subscription.own_extensions.write(now, transport_seq, bytes);
    }
}

fn write_all(
    now: Time,
    (received, packet): (&ReceivedExtensions, &[u8]),
    media: &OutboundMedia,
    transport_seq: SeqNo,
    bytes: &mut Vec<u8>,
) {
    let ids = &media.extensions;
    let mut writer = ExtensionWriter::begin(bytes);
    if let Some(mid) = &media.mid {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::ExtensionIds;
    use crate::units::Label;

    #[test]
    fn a_block_made_beforehand_is_the_one_that_would_be_written() {
        let (now, number) = (Time::from_millis(123_456), SeqNo(70_000));
        for (mid, abs_send_time, transport_cc) in
            [(1, 2, 3), (1, 0, 3), (0, 2, 0), (0, 0, 0), (4, 3, 15), (15, 16, 200)]
        {
            for text in [&b"0"[..], b"0123456789abcdef"] {
                let extensions = ExtensionIds { mid, abs_send_time, transport_cc, ..ExtensionIds::default() };
                let media = OutboundMedia { mid: Label::new(text), ..OutboundMedia::plain(extensions) };
                let mut ready = vec![0x80; FIXED_HEADER_LENGTH];
                let mut written = ready.clone();
                OwnExtensions::new(&media).write(now, number, &mut ready);
                let bare = (&ReceivedExtensions::default(), &[][..]);
                write_all(now, bare, &media, number, &mut written);
                assert_eq!(ready, written, "{mid} {abs_send_time} {transport_cc}");
            }
        }
    }
}
