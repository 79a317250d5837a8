//! RTP: header, extensions, every payload descriptor, key frames, and the rewriting of VP8's counters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use loupe_core::io::{Codec, ExtensionIds};
use loupe_core::keyframe::is_keyframe_start;
use loupe_core::picture::PictureUnwrapper;
use loupe_core::rtp::dependency_descriptor::{DependencyDescriptor, TemplateStructure};
use loupe_core::rtp::vp8::{PictureId, Vp8Descriptor};
use loupe_core::rtp::vp9::Vp9Descriptor;
use loupe_core::rtp::{
    Elements, ExtensionWriter, FixedHeader, ReceivedExtensions, RtpHeader, av1, h264, h265,
};

const CODECS: [Codec; 7] =
    [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::H265, Codec::Av1, Codec::Opus, Codec::Opaque];
const IDS: ExtensionIds = ExtensionIds {
    mid: 1,
    rid: 2,
    repaired_rid: 3,
    abs_send_time: 4,
    transport_cc: 5,
    audio_level: 6,
    abs_capture_time: 7,
    playout_delay: 8,
    dependency_descriptor: 9,
    video_orientation: 200,
};

fn check_payload(payload: &[u8]) {
    for codec in CODECS {
        is_keyframe_start(codec, payload);
    }
    h264::starts_keyframe(payload);
    h265::starts_keyframe(payload);
    av1::starts_keyframe(payload);
    if let Some(descriptor) = Vp9Descriptor::parse(payload) {
        assert!(usize::from(descriptor.header_length) < payload.len());
    }
    check_vp8(payload);
    let _ = DependencyDescriptor::parse(payload);
    if let Some(structure) = TemplateStructure::parse(payload) {
        for id in 0..=u8::MAX {
            if let Some(template) = structure.template(id) {
                for target in 0..=u8::MAX {
                    let _ = template.indication(target);
                }
            }
        }
    }
}

/// New counters stand where the old ones stood, and nothing else changes.
fn check_vp8(payload: &[u8]) {
    let Some(before) = Vp8Descriptor::parse(payload) else { return };
    assert!(usize::from(before.header_length) < payload.len());
    before.dimensions(payload);
    let mut copy = payload.to_vec();
    before.rewrite(&mut copy, 0x1_2345, 0x1_67);
    let after = Vp8Descriptor::parse(&copy).expect("a descriptor of the same shape");
    let expected = Vp8Descriptor {
        picture_id: before.picture_id.map(|id| match id {
            PictureId::Short(_) => PictureId::Short(0x45),
            PictureId::Long(_) => PictureId::Long(0x2345),
        }),
        tl0_pic_idx: before.tl0_pic_idx.map(|_| 0x67),
        ..before
    };
    assert_eq!(after, expected);
    let data = usize::from(before.header_length);
    assert_eq!(copy[data..], payload[data..]);
    let mut unwrapper = PictureUnwrapper::default();
    for _ in 0..2 {
        if let Some(numbers) = unwrapper.read(Codec::Vp8, &copy) {
            numbers.patch(&mut copy, Some(7), Some(9));
        }
    }
    assert_eq!(copy[data..], payload[data..]);
}

/// What is written with the elements that were read gives the same elements again.
fn check_extensions(packet: &[u8], header: &RtpHeader) {
    let received = ReceivedExtensions::read(packet, header, &IDS);
    for span in [received.abs_capture_time, received.playout_delay, received.dependency_descriptor] {
        assert!(span.is_none_or(|span| span.of(packet).len() == usize::from(span.length)));
    }
    let Some(block) = header.extension else { return };
    let elements: Vec<(u8, &[u8])> = Elements::new(packet, block).filter(|(id, _)| *id != 0).collect();
    let mut out = b"before".to_vec();
    let start = out.len();
    let fixed = FixedHeader {
        payload_type: header.payload_type,
        marker: header.marker,
        sequence: header.sequence,
        timestamp: header.timestamp,
        ssrc: header.ssrc,
    };
    fixed.write(&mut out);
    let mut writer = ExtensionWriter::begin(&mut out);
    for (id, data) in &elements {
        writer.push(*id, data);
    }
    let taken = writer.finish();
    let written = &out[start..];
    let again = RtpHeader::parse(written).expect("our own header");
    assert_eq!(usize::from(again.header_length), 12 + taken);
    assert_eq!(written.len(), 12 + taken);
    let (named, renamed) = ((header.ssrc, header.sequence), (again.ssrc, again.sequence));
    assert_eq!((named, header.timestamp, header.marker), (renamed, again.timestamp, again.marker));
    let reread: Vec<(u8, &[u8])> =
        again.extension.map(|block| Elements::new(written, block).collect()).unwrap_or_default();
    assert_eq!(reread, elements);
}

fuzz_target!(|data: &[u8]| {
    check_payload(data);
    let Ok(header) = RtpHeader::parse(data) else { return };
    assert!(usize::from(header.header_length) <= data.len());
    check_extensions(data, &header);
    if let Ok(payload) = header.payload(data) {
        check_payload(payload);
    }
});
