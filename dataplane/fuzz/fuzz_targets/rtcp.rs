//! RTCP: every packet of a compound, every iterator, and builders whose output reads back the same.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use loupe_core::rtcp::feedback::{Remb, write_fir, write_nack, write_pli, write_remb};
use loupe_core::rtcp::report::ReportBlock;
use loupe_core::rtcp::twcc_builder::MAX_FEEDBACK_LENGTH;
use loupe_core::rtcp::{
    Rtcp, TransportFeedback, TwccBuilder, compound, write_bye, write_cname, write_receiver_report,
    write_sender_report,
};
use loupe_core::units::{SeqNo, Ssrc, Time};

/// Largest number a REMB can say: 18 bits, shifted by 46.
const LARGEST_REMB: u64 = 0x3_ffff << 46;

/// The one packet that `bytes` holds.
fn only(bytes: &[u8]) -> Rtcp<'_> {
    let mut packets = compound(bytes);
    let packet = packets.next().expect("a packet").expect("our own packet");
    assert!(packets.next().is_none());
    packet
}

fn check_reports(packet: &Rtcp<'_>) {
    let mut out = Vec::new();
    match packet {
        Rtcp::SenderReport(report) => {
            let blocks: Vec<ReportBlock> = report.blocks.into_iter().collect();
            write_sender_report(&mut out, &report.figures, &blocks);
            let Rtcp::SenderReport(again) = only(&out) else { panic!("no sender report") };
            assert_eq!(
                (again.figures, again.blocks.into_iter().collect::<Vec<_>>()),
                (report.figures, blocks)
            );
        }
        Rtcp::ReceiverReport(report) => {
            let blocks: Vec<ReportBlock> = report.blocks.into_iter().collect();
            write_receiver_report(&mut out, report.ssrc, &blocks);
            let Rtcp::ReceiverReport(again) = only(&out) else { panic!("no receiver report") };
            assert_eq!((again.ssrc, again.blocks.into_iter().collect::<Vec<_>>()), (report.ssrc, blocks));
        }
        Rtcp::Bye(bye) => {
            let sources: Vec<Ssrc> = bye.sources().collect();
            write_bye(&mut out, &sources);
            let Rtcp::Bye(again) = only(&out) else { panic!("no goodbye") };
            assert_eq!(again.sources().collect::<Vec<_>>(), sources);
        }
        _ => {}
    }
}

fn check_requests(packet: &Rtcp<'_>) {
    let mut out = Vec::new();
    match packet {
        Rtcp::Nack(nack) => {
            let lost: Vec<u16> = nack.lost().collect();
            if lost.is_empty() {
                return;
            }
            write_nack(&mut out, nack.sender, nack.media, &lost);
            let Rtcp::Nack(again) = only(&out) else { panic!("no NACK") };
            let set = |numbers: &[u16]| numbers.iter().copied().collect::<BTreeSet<u16>>();
            assert_eq!(set(&again.lost().collect::<Vec<_>>()), set(&lost));
        }
        Rtcp::Pli(pli) => {
            write_pli(&mut out, pli.sender, pli.media);
            assert!(matches!(only(&out), Rtcp::Pli(again) if again == *pli));
        }
        Rtcp::Fir(fir) => {
            for (media, command) in fir.requests() {
                out.clear();
                write_fir(&mut out, fir.sender, media, command);
                let Rtcp::Fir(again) = only(&out) else { panic!("no FIR") };
                assert_eq!(again.requests().collect::<Vec<_>>(), [(media, command)]);
            }
        }
        Rtcp::Remb(remb) => check_remb(remb, &mut out),
        _ => {}
    }
}

fn check_remb(remb: &Remb<'_>, out: &mut Vec<u8>) {
    let sources: Vec<Ssrc> = remb.sources().collect();
    write_remb(out, remb.sender, remb.bitrate, &sources);
    let Rtcp::Remb(again) = only(out) else { panic!("no REMB") };
    // What came from the wire has 18 significant bits at most, unless it said that there is no limit.
    assert_eq!(again.bitrate.0, remb.bitrate.0.min(LARGEST_REMB));
    assert_eq!((again.sender, again.sources().collect::<Vec<_>>()), (remb.sender, sources));
}

fn check_feedback(feedback: &TransportFeedback<'_>) {
    let statuses: Vec<_> = feedback.statuses().collect();
    assert_eq!(statuses.len(), usize::from(feedback.status_count));
    let start = SeqNo((1 << 17) + u64::from(feedback.base_sequence));
    // Far enough from zero for every delta, and a multiple of the reference's unit.
    let reference = 64_000 << 16;
    let numbered = statuses.iter().enumerate().filter_map(|(index, status)| {
        let arrival = u64::try_from(reference + status.arrival_micros?).ok()?;
        Some((SeqNo(start.0 + index as u64), Time(arrival)))
    });
    round_trip(start, &numbered.collect::<Vec<_>>());
}

/// Feedback written about arrivals says these arrivals and no others.
fn round_trip(mut base: SeqNo, arrivals: &[(SeqNo, Time)]) {
    let mut builder = TwccBuilder::new();
    let (mut rest, mut told) = (arrivals, Vec::new());
    while !rest.is_empty() {
        let mut out = Vec::new();
        let taken = builder.write(&mut out, (Ssrc(1), Ssrc(2)), base, rest);
        assert!((1..=rest.len()).contains(&taken) && out.len() <= MAX_FEEDBACK_LENGTH);
        let Rtcp::TransportFeedback(feedback) = only(&out) else { panic!("no feedback") };
        let start = i64::from(feedback.reference_time) * 64_000;
        let received =
            feedback.statuses().filter_map(|status| Some((status.sequence, status.arrival_micros?)));
        told.extend(received.map(|(sequence, arrival)| (sequence, start + arrival)));
        base = SeqNo(rest[taken - 1].0.0 + 1);
        rest = &rest[taken..];
    }
    assert_eq!(told.len(), arrivals.len());
    // The reference has 24 bits of 64 ms on the wire, arrivals are in ticks of 250 us.
    let turn = 64_000 << 24;
    for ((sequence, micros), (expected, arrival)) in told.into_iter().zip(arrivals) {
        assert_eq!(sequence, expected.wire());
        let error = (micros - i64::try_from(arrival.0).expect("small")).rem_euclid(turn);
        assert!(error.min(turn - error) <= 250, "{error} us off");
    }
}

fuzz_target!(|data: &[u8]| {
    for packet in compound(data) {
        let Ok(packet) = packet else { break };
        check_reports(&packet);
        check_requests(&packet);
        if let Rtcp::TransportFeedback(feedback) = &packet {
            check_feedback(feedback);
        }
    }
    let mut out = Vec::new();
    write_cname(&mut out, Ssrc(1), &String::from_utf8_lossy(data));
    assert!(matches!(only(&out), Rtcp::SourceDescription));
    let (mut seq, mut time, mut arrivals) = (SeqNo(1 << 17), Time(1 << 30), Vec::new());
    for step in data.chunks_exact(3) {
        let delta = i64::from(i16::from_be_bytes([step[1], step[2]])) * 300;
        seq =
            SeqNo(seq.0 + 1 + if step[0] > 250 { u64::from(step[0]) * 90 } else { u64::from(step[0] / 64) });
        time = Time(time.0.saturating_add_signed(delta).max(1 << 29));
        arrivals.push((seq, time));
    }
    round_trip(SeqNo(1 << 17), &arrivals);
});
