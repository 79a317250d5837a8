//! What publishers, plane and subscribers negotiate: as a browser's offer would have it.

use loupe_core::io::{Codec, Encoding, ExtensionIds, InboundMedia, Kind, OutboundMedia};
use loupe_core::units::{Label, Ssrc};

/// Ticks of the RTP clock a second.
pub const VIDEO_CLOCK: u32 = 90_000;
/// The same for Opus (RFC 7587).
pub const AUDIO_CLOCK: u32 = 48_000;
/// Payload types at publishers.
pub const PUBLISHED_VIDEO: (u8, u8) = (96, 97);
/// The same for sound.
pub const PUBLISHED_AUDIO: (u8, u8) = (111, 112);
/// Payload types at subscribers.
pub const VIEWED_VIDEO: (u8, u8) = (120, 121);
/// The same for sound.
pub const VIEWED_AUDIO: (u8, u8) = (109, 110);
/// The same for redundant sound (RFC 2198).
pub const VIEWED_REDUNDANT: u8 = 111;
/// The same for parity of pictures.
pub const VIEWED_PARITY: u8 = 119;
/// Subscriptions' sources are so far apart: the media, its repairs, its parity.
pub const SOURCES: u32 = 3;
/// Names of simulcast layers, lowest first.
pub const RIDS: [&str; 4] = ["q", "h", "f", "u"];

/// Extension identifiers as publishers send them.
pub const PUBLISHED: ExtensionIds = ExtensionIds {
    mid: 1,
    rid: 2,
    repaired_rid: 3,
    abs_send_time: 4,
    transport_cc: 5,
    audio_level: 6,
    abs_capture_time: 7,
    playout_delay: 0,
    dependency_descriptor: 9,
    video_orientation: 0,
};

/// Extension identifiers as subscribers expect them.
pub const VIEWED: ExtensionIds = ExtensionIds {
    mid: 4,
    rid: 0,
    repaired_rid: 0,
    abs_send_time: 2,
    transport_cc: 3,
    audio_level: 1,
    abs_capture_time: 5,
    playout_delay: 6,
    dependency_descriptor: 9,
    video_orientation: 0,
};

/// How a camera's layers come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layering {
    /// VP8, one source for each layer.
    #[default]
    Simulcast,
    /// VP9, all spatial layers in one source.
    Svc,
}

fn label(text: &str) -> Option<Label> {
    Label::new(text.as_bytes())
}

fn inbound(kind: Kind, codec: Codec, mid: &str, encodings: Vec<Encoding>) -> InboundMedia {
    let video = kind == Kind::Video;
    let (payload_type, rtx_payload_type) = if video { PUBLISHED_VIDEO } else { PUBLISHED_AUDIO };
    InboundMedia {
        kind,
        codec,
        clock_rate: if video { VIDEO_CLOCK } else { AUDIO_CLOCK },
        payload_type,
        rtx_payload_type: Some(rtx_payload_type),
        mid: label(mid),
        encodings,
        extensions: PUBLISHED,
        nack: true,
        pli: video,
        fir: false,
        transport_cc: true,
        remb: false,
        reduced_size: true,
    }
}

/// A camera: simulcast layers are bound by RID, as browsers have it; one source is signalled by its number.
pub fn camera(layering: Layering, layers: usize, ssrc: u32) -> InboundMedia {
    match layering {
        Layering::Simulcast => {
            let encoding = |rid: &&str| Encoding { ssrc: None, rtx_ssrc: None, rid: label(rid) };
            let encodings = RIDS.iter().take(layers).map(encoding).collect();
            inbound(Kind::Video, Codec::Vp8, "v", encodings)
        }
        Layering::Svc => {
            let encoding = Encoding { ssrc: Some(Ssrc(ssrc)), rtx_ssrc: Some(Ssrc(ssrc + 1)), rid: None };
            inbound(Kind::Video, Codec::Vp9, "v", vec![encoding])
        }
    }
}

/// A microphone. With `repair` lost packets are asked for again, by NACK and RTX.
pub fn microphone(ssrc: u32, repair: bool) -> InboundMedia {
    let rtx_ssrc = repair.then_some(Ssrc(ssrc + 1));
    let encoding = Encoding { ssrc: Some(Ssrc(ssrc)), rtx_ssrc, rid: None };
    let media = inbound(Kind::Audio, Codec::Opus, "a", vec![encoding]);
    InboundMedia { nack: repair, rtx_payload_type: media.rtx_payload_type.filter(|_| repair), ..media }
}

/// What a subscriber takes beside the media themselves.
#[derive(Clone, Copy, Debug)]
pub struct Takes {
    /// What it asks for again.
    pub repair: bool,
    /// Sound redundantly.
    pub redundancy: bool,
    /// Parity of pictures.
    pub parity: bool,
}

/// A subscription as its subscriber was told it: `ssrc`, the next for its repairs, and the one after for its parity.
pub fn viewed(kind: Kind, ssrc: u32, mid: &str, takes: Takes) -> OutboundMedia {
    let Takes { repair, redundancy, parity } = takes;
    let (payload_type, rtx_payload_type) = if kind == Kind::Video { VIEWED_VIDEO } else { VIEWED_AUDIO };
    OutboundMedia {
        ssrc: Ssrc(ssrc),
        rtx_ssrc: repair.then_some(Ssrc(ssrc + 1)),
        payload_type,
        rtx_payload_type: repair.then_some(rtx_payload_type),
        red_payload_type: (redundancy && kind == Kind::Audio).then_some(VIEWED_REDUNDANT),
        parity: (parity && kind == Kind::Video).then_some((Ssrc(ssrc + 2), VIEWED_PARITY)),
        mid: label(mid),
        extensions: VIEWED,
        cname: "theatre".to_owned(),
    }
}
