//! Replays, forgeries, truncations and rollovers: nothing bad gets through, nothing good is refused.

use loupe_core::io::SrtpProfile;
use loupe_core::srtp::{InboundSrtp, OutboundSrtp, REPLAY_WINDOW, RtcpReplay, RtpReplay, SrtpError};
use loupe_core::units::SeqNo;
use proptest::prelude::*;

const PROFILES: [SrtpProfile; 3] =
    [SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm, SrtpProfile::Aes128CmSha1_80];

fn pair(profile: SrtpProfile) -> (OutboundSrtp, InboundSrtp) {
    let key: Vec<u8> =
        (0..profile.key_length() + profile.salt_length()).map(|byte| byte as u8 ^ 0x5a).collect();
    (OutboundSrtp::new(profile, &key).unwrap(), InboundSrtp::new(profile, &key).unwrap())
}

fn rtp(index: u64, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend_from_slice(&SeqNo(index).wire().to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 9, 0xca, 0xfe, 0xba, 0xbe]);
    packet.extend_from_slice(payload);
    packet
}

fn protected(outbound: &OutboundSrtp, index: u64) -> Vec<u8> {
    let mut packet = rtp(index, b"picture");
    outbound.protect_rtp(&mut packet, 0, 12, SeqNo(index)).unwrap();
    packet
}

/// A small generator (xorshift64), so that every run is the same run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}

#[test]
fn three_wraps_with_loss_and_reordering_have_no_false_refusal() {
    for profile in PROFILES {
        let (outbound, inbound) = pair(profile);
        let mut random = Random(7);
        // Sending order, each packet late by up to 64 places, 5 % lost.
        let mut arrivals: Vec<(u64, u64)> = (65_000..65_000 + 3 * 65_536)
            .map(|index| (random.below(100), index + random.below(65), index))
            .filter(|(chance, ..)| *chance >= 5)
            .map(|(_, place, index)| (place, index))
            .collect();
        arrivals.sort_unstable();
        let mut stream = RtpReplay::default();
        for (_, index) in &arrivals {
            let mut packet = protected(&outbound, *index);
            let opened = inbound.unprotect_rtp(&mut stream, 12, &mut packet).unwrap();
            assert_eq!(
                (opened.index, &packet[..opened.length]),
                (SeqNo(*index), &rtp(*index, b"picture")[..])
            );
        }
        assert!(stream.highest().unwrap() > SeqNo(3 * 65_536));
        // Every packet of the last window, again.
        for (_, index) in arrivals.iter().rev().take(5_000) {
            let again = inbound.unprotect_rtp(&mut stream, 12, &mut protected(&outbound, *index));
            assert_eq!(again, Err(SrtpError::Replay));
        }
    }
}

#[test]
fn the_window_ends_where_it_says() {
    let (outbound, inbound) = pair(SrtpProfile::AeadAes128Gcm);
    let mut stream = RtpReplay::default();
    let mut open =
        |index| inbound.unprotect_rtp(&mut stream, 12, &mut protected(&outbound, index)).map(|_| ());
    assert_eq!(open(10_000), Ok(()));
    assert_eq!(open(10_001 - REPLAY_WINDOW), Ok(()));
    assert_eq!(open(10_001 - REPLAY_WINDOW), Err(SrtpError::Replay));
    assert_eq!(open(10_000 - REPLAY_WINDOW), Err(SrtpError::Replay));
    // A jump over the whole window forgets what lies below, and only that.
    assert_eq!(open(20_000), Ok(()));
    assert_eq!(open(19_999), Ok(()));
    assert_eq!(open(20_000), Err(SrtpError::Replay));
}

#[test]
fn a_packet_before_the_first_turn_is_refused_without_arithmetic_trouble() {
    let (outbound, inbound) = pair(SrtpProfile::Aes128CmSha1_80);
    let mut stream = RtpReplay::default();
    inbound.unprotect_rtp(&mut stream, 12, &mut protected(&outbound, 3)).unwrap();
    let before = stream.clone();
    let early = inbound.unprotect_rtp(&mut stream, 12, &mut protected(&outbound, 65_530));
    assert_eq!((early, stream), (Err(SrtpError::Replay), before));
}

#[test]
fn a_million_forgeries_leave_the_stream_as_it_was() {
    for profile in PROFILES {
        let (outbound, inbound) = pair(profile);
        let mut stream = RtpReplay::default();
        inbound.unprotect_rtp(&mut stream, 12, &mut protected(&outbound, 500)).unwrap();
        let before = stream.clone();
        let mut random = Random(3);
        let good = protected(&outbound, 501);
        for _ in 0..334_000 {
            let mut forged = good.clone();
            forged[2..4].copy_from_slice(&(random.below(65_536) as u16).to_be_bytes());
            let end = forged.len();
            forged[end - 4..].copy_from_slice(&(random.below(1 << 32) as u32).to_be_bytes());
            let refused = inbound.unprotect_rtp(&mut stream, 12, &mut forged).unwrap_err();
            assert!(matches!(refused, SrtpError::Authentication | SrtpError::Replay));
        }
        assert_eq!(stream, before);
        inbound.unprotect_rtp(&mut stream, 12, &mut protected(&outbound, 501)).unwrap();
    }
}

#[test]
fn srtcp_has_its_own_window() {
    for profile in PROFILES {
        let (outbound, inbound) = pair(profile);
        let report = [&[0x81, 201, 0, 7, 1, 2, 3, 4][..], &[9; 24]].concat();
        let mut stream = RtcpReplay::default();
        for index in [5, 3, 4, 0x7fff_ffff] {
            let mut packet = report.clone();
            outbound.protect_rtcp(&mut packet, 0, index).unwrap();
            assert_eq!(packet.len(), report.len() + 4 + outbound.tag_length());
            let mut again = packet.clone();
            let length = inbound.unprotect_rtcp(&mut stream, &mut packet).unwrap();
            assert_eq!(packet[..length], report);
            assert_eq!(inbound.unprotect_rtcp(&mut stream, &mut again), Err(SrtpError::Replay));
        }
        assert_eq!(outbound.protect_rtcp(&mut report.clone(), 0, 1 << 31), Err(SrtpError::Exhausted));
    }
}

#[test]
fn an_index_beyond_the_last_rollover_is_not_sent() {
    let (outbound, _) = pair(SrtpProfile::AeadAes128Gcm);
    let mut packet = rtp(0, b"x");
    assert_eq!(outbound.protect_rtp(&mut packet, 0, 12, SeqNo(1 << 48)), Err(SrtpError::Exhausted));
}

proptest! {
    #[test]
    fn what_is_protected_comes_out_again(
        which in 0usize..3,
        index in 0u64..65_536,
        words in 0usize..15,
        payload in prop::collection::vec(any::<u8>(), 0..1_400),
    ) {
        let (outbound, inbound) = pair(PROFILES[which]);
        let mut plain = rtp(index, &[]);
        plain.resize(12 + 4 * words, 0xee);
        let header_length = plain.len();
        plain.extend_from_slice(&payload);
        let mut arena = vec![1, 2, 3];
        arena.extend_from_slice(&plain);
        outbound.protect_rtp(&mut arena, 3, header_length, SeqNo(index)).unwrap();
        prop_assert_eq!(&arena[..3], &[1, 2, 3]);
        prop_assert_eq!(arena.len(), 3 + plain.len() + outbound.tag_length());
        prop_assert_eq!(&arena[3..3 + header_length], &plain[..header_length]);
        let opened = inbound.unprotect_rtp(&mut RtpReplay::default(), header_length, &mut arena[3..]).unwrap();
        prop_assert_eq!(&arena[3..3 + opened.length], &plain[..]);
    }

    #[test]
    fn a_flipped_bit_or_a_cut_is_refused_and_changes_nothing(
        which in 0usize..3, place: prop::sample::Index, bit in 0u8..8, cut in 1usize..40,
    ) {
        let (outbound, inbound) = pair(PROFILES[which]);
        let good = protected(&outbound, 700);
        let mut stream = RtpReplay::default();
        let mut flipped = good.clone();
        flipped[place.index(good.len())] ^= 1 << bit;
        let mut shorter = good[..good.len().saturating_sub(cut)].to_vec();
        prop_assert!(inbound.unprotect_rtp(&mut stream, 12, &mut flipped).is_err());
        prop_assert!(inbound.unprotect_rtp(&mut stream, 12, &mut shorter).is_err());
        prop_assert_eq!(stream, RtpReplay::default());
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(which in 0usize..3, header in 0usize..80, bytes: Vec<u8>) {
        let (_, inbound) = pair(PROFILES[which]);
        let (mut rtp, mut rtcp) = (RtpReplay::default(), RtcpReplay::default());
        prop_assert!(inbound.unprotect_rtp(&mut rtp, header, &mut bytes.clone()).is_err());
        prop_assert!(inbound.unprotect_rtcp(&mut rtcp, &mut bytes.clone()).is_err());
        prop_assert_eq!((rtp, rtcp), (RtpReplay::default(), RtcpReplay::default()));
    }

    #[test]
    fn srtcp_round_trips_and_refuses_tampering(
        which in 0usize..3, index in 0u32..0x8000_0000, body in prop::collection::vec(any::<u8>(), 8..600),
        place: prop::sample::Index, bit in 0u8..8,
    ) {
        let (outbound, inbound) = pair(PROFILES[which]);
        let mut packet = body.clone();
        outbound.protect_rtcp(&mut packet, 0, index).unwrap();
        let mut flipped = packet.clone();
        flipped[place.index(packet.len())] ^= 1 << bit;
        let mut stream = RtcpReplay::default();
        prop_assert!(inbound.unprotect_rtcp(&mut stream, &mut flipped).is_err());
        prop_assert_eq!(&stream, &RtcpReplay::default());
        let length = inbound.unprotect_rtcp(&mut stream, &mut packet).unwrap();
        prop_assert_eq!(&packet[..length], &body[..]);
    }
}
