//! Negotiated media: Python's value objects, checked at the door and then types of the core.

use std::collections::HashSet;

use loupe_core::io::{Codec, Encoding, ExtensionIds, InboundMedia, Kind, OutboundMedia, SrtpProfile};
use loupe_core::tap::TapReader;
use loupe_core::units::{Label, Ssrc};
use pyo3::prelude::*;

use crate::error::bad;

/// Layers of one publication.
const MAX_ENCODINGS: usize = 4;

/// Bytes of an SDES item's text (RFC 3550 section 6.5).
const MAX_CNAME_BYTES: usize = 255;

/// Identifiers of header extensions, 1-255 (0: not negotiated); names as in `docs/rtcp.md`.
#[pyclass(name = "Extensions", frozen, module = "mediaserver._dataplane")]
pub(crate) struct PyExtensions(ExtensionIds);

#[pymethods]
impl PyExtensions {
    #[new]
    #[pyo3(signature = (
        *, mid=0, rid=0, repaired_rid=0, abs_send_time=0, transport_cc=0, audio_level=0, abs_capture_time=0,
        playout_delay=0, dependency_descriptor=0, video_orientation=0
    ))]
    #[allow(clippy::too_many_arguments, reason = "one per extension, all by name")]
    fn new(
        mid: i64,
        rid: i64,
        repaired_rid: i64,
        abs_send_time: i64,
        transport_cc: i64,
        audio_level: i64,
        abs_capture_time: i64,
        playout_delay: i64,
        dependency_descriptor: i64,
        video_orientation: i64,
    ) -> PyResult<PyExtensions> {
        let mut used = HashSet::new();
        let mut id = |field: &str, value: i64| {
            let id = u8::try_from(value).map_err(|_| bad(field, "an identifier from 0 to 255"))?;
            if id > 0 && !used.insert(id) {
                return Err(bad(field, "its identifier is another extension's, too"));
            }
            Ok(id)
        };
        Ok(PyExtensions(ExtensionIds {
            mid: id("mid", mid)?,
            rid: id("rid", rid)?,
            repaired_rid: id("repaired_rid", repaired_rid)?,
            abs_send_time: id("abs_send_time", abs_send_time)?,
            transport_cc: id("transport_cc", transport_cc)?,
            audio_level: id("audio_level", audio_level)?,
            abs_capture_time: id("abs_capture_time", abs_capture_time)?,
            playout_delay: id("playout_delay", playout_delay)?,
            dependency_descriptor: id("dependency_descriptor", dependency_descriptor)?,
            video_orientation: id("video_orientation", video_orientation)?,
        }))
    }
}

/// One layer of a publication, as signalled.
#[pyclass(name = "Encoding", frozen, module = "mediaserver._dataplane")]
pub(crate) struct PyEncoding(Encoding);

#[pymethods]
impl PyEncoding {
    #[new]
    #[pyo3(signature = (*, ssrc=None, rtx_ssrc=None, rid=None))]
    fn new(ssrc: Option<i64>, rtx_ssrc: Option<i64>, rid: Option<&str>) -> PyResult<PyEncoding> {
        Ok(PyEncoding(Encoding {
            ssrc: optional("ssrc", ssrc, source)?,
            rtx_ssrc: optional("rtx_ssrc", rtx_ssrc, source)?,
            rid: optional("rid", rid, label)?,
        }))
    }
}

/// A publication as negotiated; `encodings` lowest layer first, never empty (at most 4).
#[pyclass(name = "InboundMedia", frozen, module = "mediaserver._dataplane")]
pub(crate) struct PyInboundMedia(pub(crate) InboundMedia);

#[pymethods]
impl PyInboundMedia {
    #[new]
    #[pyo3(signature = (
        *, kind, codec, clock_rate, payload_type, encodings, rtx_payload_type=None, mid=None, extensions=None,
        nack=false, pli=false, fir=false, transport_cc=false, remb=false, reduced_size=false
    ))]
    #[allow(
        clippy::too_many_arguments,
        clippy::fn_params_excessive_bools,
        reason = "as negotiated, all by name"
    )]
    fn new(
        kind: &str,
        codec: &str,
        clock_rate: i64,
        payload_type: i64,
        encodings: Vec<Bound<'_, PyEncoding>>,
        rtx_payload_type: Option<i64>,
        mid: Option<&str>,
        extensions: Option<Bound<'_, PyExtensions>>,
        nack: bool,
        pli: bool,
        fir: bool,
        transport_cc: bool,
        remb: bool,
        reduced_size: bool,
    ) -> PyResult<PyInboundMedia> {
        let kind = kind_of(kind)?;
        let clock_rate = u32::try_from(clock_rate).ok().filter(|rate| *rate > 0);
        let encodings: Vec<_> = encodings.iter().map(|encoding| encoding.get().0).collect();
        check_encodings(&encodings)?;
        Ok(PyInboundMedia(InboundMedia {
            kind,
            codec: codec_of(kind, codec)?,
            clock_rate: clock_rate.ok_or_else(|| bad("clock_rate", "ticks a second, from 1"))?,
            payload_type: payload("payload_type", payload_type)?,
            rtx_payload_type: other_payload("rtx_payload_type", rtx_payload_type, payload_type)?,
            mid: optional("mid", mid, label)?,
            encodings,
            extensions: extensions.map(|extensions| extensions.get().0).unwrap_or_default(),
            nack,
            pli,
            fir,
            transport_cc,
            remb,
            reduced_size,
        }))
    }
}

/// A subscription as negotiated; `cname` groups one participant's sources for lip-sync.
#[pyclass(name = "OutboundMedia", frozen, module = "mediaserver._dataplane")]
pub(crate) struct PyOutboundMedia(pub(crate) OutboundMedia);

#[pymethods]
impl PyOutboundMedia {
    #[new]
    #[pyo3(signature = (
        *, ssrc, payload_type, cname, rtx_ssrc=None, rtx_payload_type=None, red_payload_type=None,
        parity_ssrc=None, parity_payload_type=None, mid=None, extensions=None
    ))]
    #[allow(clippy::too_many_arguments, reason = "as negotiated, all by name")]
    fn new(
        ssrc: i64,
        payload_type: i64,
        cname: String,
        rtx_ssrc: Option<i64>,
        rtx_payload_type: Option<i64>,
        red_payload_type: Option<i64>,
        parity_ssrc: Option<i64>,
        parity_payload_type: Option<i64>,
        mid: Option<&str>,
        extensions: Option<Bound<'_, PyExtensions>>,
    ) -> PyResult<PyOutboundMedia> {
        if cname.is_empty() || cname.len() > MAX_CNAME_BYTES {
            return Err(bad("cname", "1 to 255 bytes"));
        }
        if rtx_ssrc == Some(ssrc) {
            return Err(bad("rtx_ssrc", "another source than ssrc"));
        }
        if parity_ssrc.is_some_and(|parity| parity == ssrc || rtx_ssrc == Some(parity)) {
            return Err(bad("parity_ssrc", "another source than ssrc and rtx_ssrc"));
        }
        if parity_ssrc.is_some() != parity_payload_type.is_some() {
            return Err(bad("parity_payload_type", "given with parity_ssrc"));
        }
        let parity_payload_type = other_payload("parity_payload_type", parity_payload_type, payload_type)?;
        Ok(PyOutboundMedia(OutboundMedia {
            ssrc: source("ssrc", ssrc)?,
            rtx_ssrc: optional("rtx_ssrc", rtx_ssrc, source)?,
            payload_type: payload("payload_type", payload_type)?,
            rtx_payload_type: other_payload("rtx_payload_type", rtx_payload_type, payload_type)?,
            red_payload_type: other_payload("red_payload_type", red_payload_type, payload_type)?,
            parity: optional("parity_ssrc", parity_ssrc, source)?.zip(parity_payload_type),
            mid: optional("mid", mid, label)?,
            extensions: extensions.map(|extensions| extensions.get().0).unwrap_or_default(),
            cname,
        }))
    }
}

/// Whose a tap is, by name.
pub(crate) fn tap_reader(name: &str) -> PyResult<TapReader> {
    match name {
        "recorder" => Ok(TapReader::Recorder),
        "probe" => Ok(TapReader::Probe),
        _ => Err(bad("reader", "recorder or probe")),
    }
}

/// A profile by its registered name and the length of its master key with salt (RFC 5764 section 4.1.2, RFC 7714
/// section 14.2).
pub(crate) fn srtp_profile(name: &str) -> PyResult<(SrtpProfile, usize)> {
    match name {
        "SRTP_AEAD_AES_128_GCM" => Ok((SrtpProfile::AeadAes128Gcm, 16 + 12)),
        "SRTP_AEAD_AES_256_GCM" => Ok((SrtpProfile::AeadAes256Gcm, 32 + 12)),
        "SRTP_AES128_CM_SHA1_80" => Ok((SrtpProfile::Aes128CmSha1_80, 16 + 14)),
        _ => Err(bad("profile", "no profile of that name")),
    }
}

fn optional<T, U>(field: &str, value: Option<T>, check: fn(&str, T) -> PyResult<U>) -> PyResult<Option<U>> {
    value.map(|value| check(field, value)).transpose()
}

fn source(field: &str, value: i64) -> PyResult<Ssrc> {
    u32::try_from(value).map(Ssrc).map_err(|_| bad(field, "a number of 32 bits"))
}

fn label(field: &str, text: &str) -> PyResult<Label> {
    Label::new(text.as_bytes()).ok_or_else(|| bad(field, "1 to 16 bytes"))
}

fn payload(field: &str, value: i64) -> PyResult<u8> {
    u8::try_from(value).ok().filter(|value| *value <= 127).ok_or_else(|| bad(field, "a number from 0 to 127"))
}

fn other_payload(field: &str, other: Option<i64>, payload_type: i64) -> PyResult<Option<u8>> {
    if other == Some(payload_type) {
        return Err(bad(field, "another number than payload_type"));
    }
    optional(field, other, payload)
}

fn kind_of(name: &str) -> PyResult<Kind> {
    match name {
        "audio" => Ok(Kind::Audio),
        "video" => Ok(Kind::Video),
        _ => Err(bad("kind", "audio or video")),
    }
}

/// Encoding names of the media type registry, which compares them without case.
fn codec_of(kind: Kind, name: &str) -> PyResult<Codec> {
    match (kind, name.to_ascii_lowercase().as_str()) {
        (Kind::Video, "vp8") => Ok(Codec::Vp8),
        (Kind::Video, "vp9") => Ok(Codec::Vp9),
        (Kind::Video, "h264") => Ok(Codec::H264),
        (Kind::Video, "h265") => Ok(Codec::H265),
        (Kind::Video, "av1") => Ok(Codec::Av1),
        (Kind::Audio, "opus") => Ok(Codec::Opus),
        (Kind::Audio, "vp8" | "vp9" | "h264" | "h265" | "av1") => {
            Err(bad("codec", "a video codec for sound"))
        }
        (Kind::Audio, _) => Ok(Codec::Opaque),
        (Kind::Video, _) => Err(bad("codec", "VP8, VP9, H264, H265 or AV1")),
    }
}

fn check_encodings(encodings: &[Encoding]) -> PyResult<()> {
    if encodings.is_empty() || encodings.len() > MAX_ENCODINGS {
        return Err(bad("encodings", "1 to 4 of them"));
    }
    let mut sources = HashSet::new();
    let mut rids = HashSet::new();
    for encoding in encodings {
        if encoding.ssrc.into_iter().chain(encoding.rtx_ssrc).any(|source| !sources.insert(source)) {
            return Err(bad("encodings", "one source is named twice"));
        }
        if encoding.rid.is_some_and(|rid| !rids.insert(rid)) {
            return Err(bad("encodings", "one rid is named twice"));
        }
    }
    Ok(())
}
