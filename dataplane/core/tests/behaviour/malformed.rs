//! Every RTP and RTCP file of the shared corpora gives a value or a named error, within 20 ms and without a panic; the
//! fixtures that are known to be good or bad give what they must.
#![allow(clippy::disallowed_methods, reason = "a parser's own time is measured, not the core's")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use loupe_core::io::{Codec, ExtensionIds};
use loupe_core::keyframe::is_keyframe_start;
use loupe_core::rtcp::{MalformedRtcp, Rtcp, compound};
use loupe_core::rtp::dependency_descriptor::{DependencyDescriptor, TemplateStructure};
use loupe_core::rtp::header::MAX_PACKET_LENGTH;
use loupe_core::rtp::vp8::Vp8Descriptor;
use loupe_core::rtp::{Elements, Malformed, ReceivedExtensions, RtpHeader};
use loupe_core::units::{Label, Ssrc};

const CODECS: [Codec; 7] =
    [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::H265, Codec::Av1, Codec::Opus, Codec::Opaque];
const LONGEST: Duration = Duration::from_millis(20);

/// The folder of corpora; says what is left out when there is none.
fn corpora() -> Option<PathBuf> {
    let shared = std::env::var_os("LOUPE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let corpora = shared.join("corpora");
    if corpora.is_dir() {
        return Some(corpora);
    }
    println!("left out: no corpora at {}", corpora.display());
    None
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found
}

/// Reads whatever the bytes may hold as a payload of any codec.
fn read_payload(payload: &[u8]) {
    for codec in CODECS {
        is_keyframe_start(codec, payload);
    }
    if let Some(descriptor) = Vp8Descriptor::parse(payload) {
        let mut copy = payload.to_vec();
        descriptor.rewrite(&mut copy, 0x7fff, 0xff);
        assert_eq!(copy.len(), payload.len());
    }
    DependencyDescriptor::parse(payload);
    TemplateStructure::parse(payload);
}

/// Reads the bytes as RTP, with every id standing for every extension once.
fn read_rtp(packet: &[u8]) -> Result<RtpHeader, Malformed> {
    let header = RtpHeader::parse(packet)?;
    for id in 1..=15 {
        let ids = ExtensionIds {
            mid: id,
            abs_send_time: id % 15 + 1,
            abs_capture_time: (id + 1) % 15 + 1,
            playout_delay: (id + 2) % 15 + 1,
            dependency_descriptor: (id + 3) % 15 + 1,
            ..ExtensionIds::default()
        };
        let received = ReceivedExtensions::read(packet, &header, &ids);
        for span in [received.abs_capture_time, received.playout_delay, received.dependency_descriptor] {
            read_payload(span.unwrap_or_default().of(packet));
        }
    }
    read_payload(header.payload(packet)?);
    Ok(header)
}

/// Reads the bytes as RTCP to their end; the number of good packets and the error that ended them.
fn read_rtcp(bytes: &[u8]) -> (usize, Option<MalformedRtcp>) {
    let mut good = 0;
    for packet in compound(bytes) {
        match packet {
            Ok(Rtcp::TransportFeedback(feedback)) => {
                assert_eq!(feedback.statuses().count(), usize::from(feedback.status_count));
            }
            Ok(Rtcp::Nack(nack)) => assert!(nack.lost().count() <= bytes.len() / 4 * 17),
            Ok(_) => {}
            Err(error) => return (good, Some(error)),
        }
        good += 1;
    }
    (good, None)
}

#[test]
fn no_file_of_the_corpora_panics_or_takes_long() {
    let Some(corpora) = corpora() else { return };
    let all = files(&corpora);
    assert!(all.len() > 300, "only {} files", all.len());
    for (path, bytes) in all {
        // The test vectors are texts of a megabyte that no datagram can hold.
        let datagram = &bytes[..bytes.len().min(usize::from(u16::MAX))];
        let begin = Instant::now();
        let rtp = read_rtp(datagram);
        read_rtcp(datagram);
        read_payload(datagram);
        assert!(begin.elapsed() < LONGEST, "{}: {:?}", path.display(), begin.elapsed());
        assert!(bytes.len() <= MAX_PACKET_LENGTH || rtp == Err(Malformed::TooLong), "{}", path.display());
    }
}

#[test]
fn every_truncation_and_bit_flip_of_the_fixtures_is_survived() {
    let Some(corpora) = corpora() else { return };
    for folder in ["aiortc", "mediasoup"] {
        for (path, bytes) in files(&corpora.join(folder)) {
            if bytes.len() > 1_500 {
                println!("left out: {} is longer than a datagram", path.display());
                continue;
            }
            for length in 0..bytes.len() {
                let _ = read_rtp(&bytes[..length]);
                read_rtcp(&bytes[..length]);
            }
            let mut copy = bytes.clone();
            for bit in 0..copy.len().min(64) * 8 {
                copy[bit / 8] ^= 1 << (bit % 8);
                let _ = read_rtp(&copy);
                read_rtcp(&copy);
                copy[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}

#[test]
fn rtp_fixtures_give_what_they_hold() {
    let Some(corpora) = corpora() else { return };
    let packet = |name: &str| fs::read(corpora.join(name)).unwrap();
    let read = |name: &str| read_rtp(&packet(name)).unwrap_or_else(|error| panic!("{name}: {error}"));

    let plain = read("aiortc/rtp.bin");
    assert_eq!((plain.sequence, plain.timestamp, plain.ssrc), (15_743, 3_937_035_252, Ssrc(4_028_317_929)));
    assert_eq!((plain.payload_type, plain.marker, plain.header_length), (0, false, 12));
    let with_sources = read("aiortc/rtp_with_csrc.bin");
    assert_eq!((with_sources.source_count, with_sources.header_length), (2, 20));
    for name in ["aiortc/rtp_only_padding.bin", "aiortc/rtp_only_padding_with_header_extensions.bin"] {
        let bytes = packet(name);
        assert_eq!(read(name).payload(&bytes), Ok(&[][..]), "{name}");
    }
    let bytes = packet("aiortc/rtp_with_sdes_mid.bin");
    let ids = ExtensionIds { mid: 9, ..ExtensionIds::default() };
    assert_eq!(ReceivedExtensions::read(&bytes, &read_rtp(&bytes).unwrap(), &ids).mid, Label::new(b"0"));

    let bytes = packet("mediasoup/packets/packet3.raw");
    let header = read_rtp(&bytes).unwrap();
    assert_eq!((header.sequence, header.timestamp, header.payload_type), (19_354, 863_466_045, 111));
    let elements: Vec<_> = Elements::new(&bytes, header.extension.unwrap()).collect();
    assert_eq!(elements, [(3, &[0x65, 0x34, 0x1e][..]), (1, &[0xd0][..])]);
    let bytes = packet("mediasoup/packets/packet2.raw");
    let padded = RtpHeader::parse(&bytes).unwrap();
    assert!(padded.has_padding);
    // The padding count of that packet is longer than its payload.
    assert_eq!(padded.payload(&bytes), Err(Malformed::Padding));

    let keyframe = |name: &str| is_keyframe_start(Codec::H264, &packet(name));
    assert!(keyframe("aiortc/h264_0000.bin"), "parameter sets in an aggregate");
    assert!(keyframe("aiortc/h264_0001.bin"), "the first fragment of an IDR slice");
    assert!(!keyframe("aiortc/h264_0002.bin"), "the last fragment");
    assert!(!keyframe("aiortc/h264_0003.bin"), "another slice");
}

#[test]
fn rtcp_fixtures_give_what_they_hold() {
    let Some(corpora) = corpora() else { return };
    let packet = |name: &str| fs::read(corpora.join("aiortc").join(name)).unwrap();
    let read = |name: &str| read_rtcp(&packet(name));

    for name in ["rtcp_bye.bin", "rtcp_bye_no_sources.bin", "rtcp_bye_padding.bin", "rtcp_psfb_pli.bin"] {
        assert_eq!(read(name), (1, None), "{name}");
    }
    for name in ["rtcp_rr.bin", "rtcp_rtpfb.bin", "rtcp_sdes.bin", "rtcp_sr.bin"] {
        assert_eq!(read(name), (1, None), "{name}");
    }
    for kind in ["bye", "psfb", "rr", "rtpfb", "sr"] {
        let name = &format!("rtcp_{kind}_invalid.bin");
        assert_eq!(read(name), (0, Some(MalformedRtcp::Content)), "{name}");
    }
    for name in ["rtcp_sdes_item_truncated.bin", "rtcp_sdes_source_truncated.bin"] {
        assert_eq!(read(name), (0, Some(MalformedRtcp::Content)), "{name}");
    }
}

#[test]
fn rtcp_fixtures_give_their_figures() {
    let Some(corpora) = corpora() else { return };
    let packet = |name: &str| fs::read(corpora.join("aiortc").join(name)).unwrap();

    let bytes = packet("rtcp_sr.bin");
    let Some(Ok(Rtcp::SenderReport(report))) = compound(&bytes).next() else { panic!("no sender report") };
    assert_eq!(
        (report.figures.ssrc, report.figures.ntp.0),
        (Ssrc(1_831_097_322), 16_016_567_581_311_369_308)
    );
    assert_eq!((report.figures.rtp_timestamp, report.figures.packets), (1_722_342_718, 269));
    assert_eq!((report.figures.octets, report.blocks.into_iter().count()), (13_557, 1));

    let bytes = packet("rtcp_rr.bin");
    let Some(Ok(Rtcp::ReceiverReport(report))) = compound(&bytes).next() else {
        panic!("no receiver report")
    };
    let block = report.blocks.into_iter().next().unwrap();
    assert_eq!((report.ssrc, block.ssrc), (Ssrc(817_267_719), Ssrc(1_200_895_919)));
    assert_eq!((block.cumulative_lost, block.highest_sequence, block.jitter), (0, 630, 1_906));

    let bytes = packet("rtcp_psfb_pli.bin");
    let Some(Ok(Rtcp::Pli(pli))) = compound(&bytes).next() else { panic!("no PLI") };
    assert_eq!((pli.sender, pli.media), (Ssrc(1_414_554_213), Ssrc(587_284_409)));

    let bytes = packet("rtcp_rtpfb.bin");
    let Some(Ok(Rtcp::Nack(nack))) = compound(&bytes).next() else { panic!("no NACK") };
    assert_eq!(
        nack.lost().collect::<Vec<_>>(),
        [12, 32, 39, 54, 76, 110, 123, 142, 183, 187, 223, 236, 271, 292]
    );
}
