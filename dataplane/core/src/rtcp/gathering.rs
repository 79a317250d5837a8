//! Packets to be sent at one moment, gathered into as few compounds as hold them (RFC 3550 section 6.1).

use super::{RECEIVER_REPORT, SENDER_REPORT, write_cname, write_receiver_report};
use crate::units::Ssrc;

/// Longest compound written, in bytes before protection: with SRTCP's index and the longest tag a datagram of 1,200
/// bytes, below any path's MTU.
pub const MAX_COMPOUND_LENGTH: usize = 1_200 - 4 - 16;
/// Bytes of the report that goes before packets which are none; see [`begin_compound`].
pub const PREAMBLE_LENGTH: usize = 24;
/// Names our end in reports about what we receive. It is told apart from the peer's sources and from nobody else's.
const OWN_CNAME: &str = "loupe";

/// Packets of one moment, in order.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    bytes: Vec<u8>,
    /// Where each group of packets that stay together ends.
    ends: Vec<usize>,
}

impl Gathering {
    /// Adds what `write` appends: one packet, or a report with its description. At most [`MAX_COMPOUND_LENGTH`] less
    /// [`PREAMBLE_LENGTH`] bytes.
    pub fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        if self.bytes.len() > before {
            self.ends.push(self.bytes.len());
        }
    }

    /// The packets of each compound, which [`begin_compound`] begins.
    pub fn compounds(&self) -> impl Iterator<Item = &[u8]> {
        let mut groups = self.ends.iter().copied().peekable();
        let mut start = 0;
        std::iter::from_fn(move || {
            let mut end = groups.next()?;
            while let Some(next) =
                groups.next_if(|next| next - start <= MAX_COMPOUND_LENGTH - PREAMBLE_LENGTH)
            {
                end = next;
            }
            let compound = self.bytes.get(start..end);
            start = end;
            compound
        })
    }
}

/// Appends a receiver report about nothing and our name, unless `packets` begin with a report or may go without one
/// (`reduced`, RFC 5506).
pub fn begin_compound(out: &mut Vec<u8>, ssrc: Ssrc, packets: &[u8], reduced: bool) {
    let reports = packets.get(1).is_some_and(|kind| matches!(*kind, SENDER_REPORT | RECEIVER_REPORT));
    if !reports && !reduced {
        write_receiver_report(out, ssrc, &[]);
        write_own_name(out, ssrc);
    }
}

/// Appends the description of our own source.
pub fn write_own_name(out: &mut Vec<u8>, ssrc: Ssrc) {
    write_cname(out, ssrc, OWN_CNAME);
}

#[cfg(test)]
mod tests {
    use super::super::{Rtcp, compound, write_pli};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_preamble_is_as_long_as_it_says() {
        let mut bytes = Vec::new();
        begin_compound(&mut bytes, Ssrc(7), &[0x81, 206], false);
        assert_eq!(bytes.len(), PREAMBLE_LENGTH);
        let kinds: Vec<_> = compound(&bytes).collect();
        assert!(matches!(kinds[..], [Ok(Rtcp::ReceiverReport(_)), Ok(Rtcp::SourceDescription)]));
    }

    #[test]
    fn a_report_and_reduced_size_need_none() {
        let mut bytes = Vec::new();
        begin_compound(&mut bytes, Ssrc(7), &[0x81, 206], true);
        begin_compound(&mut bytes, Ssrc(7), &[0x80, 200], false);
        begin_compound(&mut bytes, Ssrc(7), &[0x80, 201], false);
        assert!(bytes.is_empty());
    }

    #[test]
    fn nothing_gathered_is_nothing_sent() {
        let mut packets = Gathering::default();
        packets.add(|_| {});
        assert_eq!(packets.compounds().count(), 0);
    }

    proptest! {
        #[test]
        fn all_packets_go_out_in_order_and_few_compounds(groups in prop::collection::vec(1_usize..60, 0..200)) {
            let mut packets = Gathering::default();
            let mut number = 0;
            for group in &groups {
                packets.add(|out| for _ in 0..*group {
                    write_pli(out, Ssrc(1), Ssrc(number));
                    number += 1;
                });
            }
            let compounds: Vec<&[u8]> = packets.compounds().collect();
            let room = MAX_COMPOUND_LENGTH - PREAMBLE_LENGTH;
            prop_assert!(compounds.iter().all(|bytes| bytes.len() <= room));
            prop_assert!(compounds.windows(2).all(|pair| pair[0].len() + pair[1].len() > room));
            let mut expected = 0;
            for packet in compounds.concat().chunks(12) {
                prop_assert_eq!(&packet[8..], &u32::to_be_bytes(expected));
                expected += 1;
            }
            prop_assert_eq!(expected, number);
        }
    }
}
