//! What peers negotiate: the same everywhere unless a test changes it.

use loupe_core::io::{Codec, Encoding, ExtensionIds, InboundMedia, Kind, OutboundMedia};
use loupe_core::units::{Label, Ssrc};

use super::source::Source;

/// Extension identifiers as publishers send them.
pub const PUBLISHED: ExtensionIds = ExtensionIds {
    mid: 1,
    rid: 2,
    repaired_rid: 3,
    abs_send_time: 4,
    transport_cc: 5,
    audio_level: 6,
    abs_capture_time: 7,
    playout_delay: 8,
    dependency_descriptor: 9,
    video_orientation: 10,
};

/// Extension identifiers as viewers expect them.
pub const VIEWED: ExtensionIds = ExtensionIds {
    mid: 14,
    rid: 0,
    repaired_rid: 0,
    abs_send_time: 13,
    transport_cc: 12,
    audio_level: 11,
    abs_capture_time: 4,
    playout_delay: 3,
    dependency_descriptor: 2,
    video_orientation: 1,
};

pub const VIDEO_RATE: u32 = 90_000;
pub const AUDIO_RATE: u32 = 48_000;

/// A publication as negotiated, and the sources that a publisher feeds it with.
pub struct Media {
    pub inbound: InboundMedia,
    pub sources: Vec<Source>,
}

pub fn label(text: &str) -> Label {
    Label::new(text.as_bytes()).expect("a short text")
}

fn inbound(kind: Kind, mid: &str) -> InboundMedia {
    let video = kind == Kind::Video;
    InboundMedia {
        kind,
        codec: if video { Codec::Vp8 } else { Codec::Opus },
        clock_rate: if video { VIDEO_RATE } else { AUDIO_RATE },
        payload_type: if video { 96 } else { 111 },
        rtx_payload_type: video.then_some(97),
        mid: Some(label(mid)),
        encodings: Vec::new(),
        extensions: PUBLISHED,
        nack: video,
        pli: video,
        fir: false,
        transport_cc: true,
        remb: false,
        reduced_size: true,
    }
}

/// A camera with one layer, whose sources are signalled: `ssrc` and the next for its repairs.
pub fn camera(ssrc: u32) -> Media {
    let mut inbound = inbound(Kind::Video, "v");
    let encoding = Encoding { ssrc: Some(Ssrc(ssrc)), rtx_ssrc: Some(Ssrc(ssrc + 1)), rid: None };
    inbound.encodings = vec![encoding];
    Media { inbound, sources: vec![Source::video(ssrc, 0)] }
}

/// A camera with one layer of VP9, in which there are `spatial_layers`.
pub fn scalable_camera(ssrc: u32, spatial_layers: u8) -> Media {
    let mut media = camera(ssrc);
    media.inbound.codec = Codec::Vp9;
    media.sources[0].spatial_layers = spatial_layers;
    media.sources[0].packets_per_frame = 2;
    media
}

/// A camera with `rids.len()` layers, lowest first, bound by RID alone.
pub fn simulcast(ssrc: u32, rids: &[&str]) -> Media {
    let mut inbound = inbound(Kind::Video, "v");
    let mut sources = Vec::new();
    for (layer, rid) in rids.iter().enumerate() {
        inbound.encodings.push(Encoding { ssrc: None, rtx_ssrc: None, rid: Some(label(rid)) });
        let mut source = Source::video(ssrc + 2 * layer as u32, layer as u8);
        source.rid = Some((*rid).to_owned());
        source.packets_per_frame = layer as u8 * 2 + 2;
        sources.push(source);
    }
    Media { inbound, sources }
}

/// A microphone.
pub fn microphone(ssrc: u32) -> Media {
    let mut inbound = inbound(Kind::Audio, "a");
    inbound.encodings = vec![Encoding { ssrc: Some(Ssrc(ssrc)), rtx_ssrc: None, rid: None }];
    Media { inbound, sources: vec![Source::audio(ssrc)] }
}

fn outbound(ssrc: u32, kind: Kind) -> OutboundMedia {
    let video = kind == Kind::Video;
    OutboundMedia {
        ssrc: Ssrc(ssrc),
        rtx_ssrc: video.then_some(Ssrc(ssrc + 1)),
        payload_type: if video { 120 } else { 109 },
        rtx_payload_type: video.then_some(121),
        red_payload_type: None,
        parity: None,
        mid: Some(label(if video { "v" } else { "a" })),
        extensions: VIEWED,
        cname: "theatre".to_owned(),
    }
}

pub fn picture(ssrc: u32) -> super::Line {
    super::Line::new(outbound(ssrc, Kind::Video), VIDEO_RATE)
}

/// A picture to a viewer that takes parity: its source is the next but one.
pub fn protected_picture(ssrc: u32) -> super::Line {
    let media = OutboundMedia { parity: Some((Ssrc(ssrc + 2), 122)), ..outbound(ssrc, Kind::Video) };
    super::Line::new(media, VIDEO_RATE)
}

pub fn sound(ssrc: u32) -> super::Line {
    super::Line::new(outbound(ssrc, Kind::Audio), AUDIO_RATE)
}

/// Sound to a viewer that takes it redundantly.
pub fn redundant_sound(ssrc: u32) -> super::Line {
    let media = OutboundMedia { red_payload_type: Some(110), ..outbound(ssrc, Kind::Audio) };
    super::Line::new(media, AUDIO_RATE)
}
