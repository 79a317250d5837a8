//! Packets that come back by parity (`flexfec-03`): of those that one parity packet protects all came but one.

use std::collections::BTreeMap;

use loupe_core::io::ExtensionIds;
use loupe_core::rtp::RtpHeader;
use loupe_core::rtp::extensions::blank_volatile;
use loupe_core::rtp::flexfec::Received;
use loupe_core::seq::SeqUnwrapper;
use loupe_core::units::SeqNo;

/// Packets and parity packets kept.
const MAX_PACKETS: usize = 400;
const MAX_PARITIES: usize = 40;

/// The packets of one source, as parity knows them.
#[derive(Debug, Default)]
pub struct Recovery {
    unwrapper: SeqUnwrapper,
    packets: BTreeMap<u64, Vec<u8>>,
    parities: Vec<(u64, Received)>,
}

impl Recovery {
    /// A packet of the source came, for the first time and plain; packets that thereby come back.
    pub fn note(&mut self, header: &RtpHeader, packet: &[u8], ids: &ExtensionIds) -> Vec<Vec<u8>> {
        let mut plain = packet.to_vec();
        blank_volatile(&mut plain, header, ids);
        self.keep(header.sequence, plain);
        self.recover()
    }

    /// The payload of a parity packet came.
    pub fn note_parity(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        let Some(parity) = Received::read(payload) else { return Vec::new() };
        let base = self.unwrapper.peek(parity.base).0;
        if self.parities.len() == MAX_PARITIES {
            self.parities.remove(0);
        }
        self.parities.push((base, parity));
        self.recover()
    }

    fn keep(&mut self, wire: u16, plain: Vec<u8>) {
        let seq = self.unwrapper.peek(wire);
        self.unwrapper.commit(seq);
        self.packets.insert(seq.0, plain);
        if self.packets.len() > MAX_PACKETS {
            self.packets.pop_first();
        }
    }

    /// Until no parity packet has one missing.
    fn recover(&mut self) -> Vec<Vec<u8>> {
        let mut recovered = Vec::new();
        while let Some((n, missing)) = self.usable() {
            let (base, parity) = self.parities.remove(n);
            let offsets: Vec<u64> = parity.offsets().filter(|offset| *offset != missing).collect();
            let others = offsets.iter().filter_map(|it| Some((*it, &self.packets.get(&(base + it))?[..])));
            if let Some(packet) = parity.recover(missing, others) {
                self.keep(SeqNo(base + missing).wire(), packet.clone());
                recovered.push(packet);
            }
        }
        recovered
    }

    /// The first parity packet of which one packet is missing, and which; those of which none is are forgotten.
    fn usable(&mut self) -> Option<(usize, u64)> {
        let packets = &self.packets;
        let missing = |(base, parity): &(u64, Received)| {
            let mut missing = parity.offsets().filter(|offset| !packets.contains_key(&(base + offset)));
            (missing.next(), missing.next())
        };
        self.parities.retain(|parity| missing(parity).0.is_some());
        self.parities.iter().enumerate().find_map(|(n, parity)| match missing(parity) {
            (Some(one), None) => Some((n, one)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loupe_core::rtp::FixedHeader;
    use loupe_core::rtp::flexfec::Parity;
    use loupe_core::units::Ssrc;

    fn packet(sequence: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        FixedHeader { payload_type: 120, marker: sequence == 2, sequence, timestamp: 9, ssrc: Ssrc(5) }
            .write(&mut bytes);
        bytes.extend_from_slice(&[sequence as u8; 40]);
        bytes
    }

    fn parity(base: u16, offsets: &[u64]) -> Vec<u8> {
        let mut parity = Parity::default();
        offsets.iter().for_each(|it| parity.add(*it, &packet(SeqNo(u64::from(base) + it).wire())));
        let mut payload = Vec::new();
        parity.write(&mut payload, Ssrc(5), base);
        payload
    }

    fn note(recovery: &mut Recovery, sequence: u16) -> Vec<Vec<u8>> {
        let bytes = packet(sequence);
        recovery.note(&RtpHeader::parse(&bytes).unwrap(), &bytes, &ExtensionIds::default())
    }

    #[test]
    fn two_losses_come_back_one_by_the_other() {
        let mut recovery = Recovery::default();
        for sequence in [65_534, 65_535, 2] {
            assert!(note(&mut recovery, sequence).is_empty());
        }
        assert!(recovery.note_parity(&parity(65_534, &[0, 1, 2, 3, 4])).is_empty());
        assert_eq!(recovery.note_parity(&parity(65_534, &[1, 3])), [packet(1), packet(0)]);
    }

    #[test]
    fn a_late_packet_makes_parity_useful_and_what_is_whole_needs_none() {
        let mut recovery = Recovery::default();
        note(&mut recovery, 10);
        assert!(recovery.note_parity(&parity(10, &[0, 1, 2])).is_empty());
        assert_eq!(note(&mut recovery, 12), [packet(11)]);
        assert!(recovery.note_parity(&parity(10, &[0, 1, 2])).is_empty());
        assert!(recovery.parities.is_empty());
    }
}
