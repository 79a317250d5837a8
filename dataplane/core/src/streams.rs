//! Which source of a transport belongs to which layer: signalled, or bound by MID / RID within caps (RFC 8843, RFC 8852).

use rustc_hash::FxHashMap;

use crate::io::{Encoding, ExtensionIds, Handle, InboundMedia, Kind};
use crate::rtp::extensions::ReceivedExtensions;
use crate::srtp::RtpReplay;
use crate::units::{Label, Ssrc, Time};

/// Sources of one transport at most.
const MAX_STREAMS: usize = 64;
/// Sources of layers that other sources replaced, remembered at most, and as many of their repairs; who restarts more
/// often must connect anew.
const MAX_REPLACED: usize = 8;
/// Sources that were not signalled and could not be bound, remembered at most.
const MAX_UNBOUND: usize = 8;

/// (bits, packets) a second of the largest publications, since descriptions name no rates: 1080p60 with three layers,
/// and sound in several channels in packets of 10 ms.
const VIDEO_PER_SECOND: (u64, u64) = (15_000_000, 2_000);
const AUDIO_PER_SECOND: (u64, u64) = (500_000, 100);

/// Where a source's packets belong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The publication (key in the plane's slab).
    pub publication: usize,
    /// Index of its encoding.
    pub layer: u8,
    /// Whether it carries retransmissions (RFC 4588).
    pub repair: bool,
}

/// One source as received.
#[derive(Debug)]
pub struct InboundStream {
    /// Its replay window and rollover.
    pub replay: RtpReplay,
    /// Where it belongs.
    pub binding: Binding,
    /// When its last authentic packet came.
    pub last: Time,
    /// When it was bound by a packet; zero when by a description.
    bound: Time,
}

impl InboundStream {
    fn new(replay: RtpReplay, binding: Binding, bound: Time) -> InboundStream {
        InboundStream { replay, binding, last: bound, bound }
    }
}

/// What a transport was told of one publication, for binding.
#[derive(Debug)]
struct Section {
    publication: usize,
    handle: Handle,
    mid: Option<Label>,
    kind: Kind,
    payload_type: u8,
    rtx_payload_type: Option<u8>,
    encodings: Vec<Encoding>,
}

/// A source whose publication ended. Senders name MID and RID only until they are acknowledged, so the same source in
/// a section used again could not be bound anew; and its replay window must outlive its publication.
#[derive(Debug)]
struct Retired {
    ssrc: Ssrc,
    replay: RtpReplay,
    mid: Option<Label>,
    rid: Option<Label>,
    repair: bool,
}

/// All sources of one transport.
#[derive(Debug, Default)]
pub struct Streams {
    bound: FxHashMap<Ssrc, InboundStream>,
    retired: Vec<Retired>,
    unbound: Vec<Ssrc>,
    sections: Vec<Section>,
    extensions: ExtensionIds,
}

impl Streams {
    /// A publication may be sent from now on.
    pub fn add(&mut self, publication: usize, handle: Handle, media: &InboundMedia) {
        for (layer, encoding) in media.encodings.iter().enumerate() {
            let binding = |repair| Binding { publication, layer: layer as u8, repair };
            if let Some(ssrc) = encoding.ssrc {
                self.bind(ssrc, binding(false));
            }
            if let Some(ssrc) = encoding.rtx_ssrc {
                self.bind(ssrc, binding(true));
            }
        }
        self.revive(publication, media);
        self.unbound.clear();
        self.extensions = merged(self.extensions, media.extensions);
        self.sections.push(Section {
            publication,
            handle,
            mid: media.mid,
            kind: media.kind,
            payload_type: media.payload_type,
            rtx_payload_type: media.rtx_payload_type,
            encodings: media.encodings.clone(),
        });
    }

    /// A publication ended: its sources are unknown again.
    pub fn remove(&mut self, handle: Handle) {
        let Some(index) = self.sections.iter().position(|section| section.handle == handle) else { return };
        let section = self.sections.remove(index);
        let ended = self.bound.extract_if(|_, stream| stream.binding.publication == section.publication);
        self.retired.extend(ended.map(|(ssrc, stream)| Retired {
            ssrc,
            replay: stream.replay,
            mid: section.mid,
            rid: section.encodings.get(usize::from(stream.binding.layer)).and_then(|encoding| encoding.rid),
            repair: stream.binding.repair,
        }));
        let excess = self.retired.len().saturating_sub(MAX_STREAMS);
        self.retired.drain(..excess);
    }

    /// Binds the sources that this section had before.
    fn revive(&mut self, publication: usize, media: &InboundMedia) {
        for retired in self.retired.extract_if(.., |retired| media.mid.is_some() && retired.mid == media.mid)
        {
            let layer = media.encodings.iter().position(|encoding| encoding.rid == retired.rid);
            let Some(layer) = layer.filter(|_| self.bound.len() < MAX_STREAMS) else { continue };
            let binding = Binding { publication, layer: layer as u8, repair: retired.repair };
            self.bound.insert(retired.ssrc, InboundStream::new(retired.replay, binding, Time::ZERO));
        }
    }

    /// Keys of the publications, in the order they came.
    pub fn publications(&self) -> impl Iterator<Item = usize> + '_ {
        self.sections.iter().map(|section| section.publication)
    }

    /// The transport's extension identifiers: one meaning each across a bundle (RFC 8843 section 9.1).
    pub fn extensions(&self) -> &ExtensionIds {
        &self.extensions
    }

    /// A known source.
    pub fn get_mut(&mut self, ssrc: Ssrc) -> Option<&mut InboundStream> {
        self.bound.get_mut(&ssrc)
    }

    /// Sources remembered: bound, retired, or unknown.
    pub(crate) fn len(&self) -> usize {
        self.bound.len() + self.unbound.len() + self.retired.len()
    }

    /// Whether packets of an unknown source are worth decrypting: not one that could not be bound before.
    pub fn may_probe(&self, ssrc: Ssrc) -> bool {
        // A source that was replaced must not come back by a packet of its past.
        let retired = self.retired.iter().any(|retired| retired.ssrc == ssrc);
        self.bound.len() < MAX_STREAMS
            && !retired
            && !self.unbound.contains(&ssrc)
            && !self.sections.is_empty()
    }

    /// Binds an authenticated packet's source, or remembers that it cannot be bound.
    pub fn probe(
        &mut self,
        now: Time,
        ssrc: Ssrc,
        payload_type: u8,
        extensions: &ReceivedExtensions,
        replay: RtpReplay,
    ) -> Option<Binding> {
        let found = self.find(payload_type, extensions).filter(|binding| self.may_replace(*binding));
        let Some(binding) = found else {
            if self.unbound.len() == MAX_UNBOUND {
                self.unbound.remove(0);
            }
            self.unbound.push(ssrc);
            return None;
        };
        self.retire_predecessors(binding);
        self.bound.insert(ssrc, InboundStream::new(replay, binding, now));
        Some(binding)
    }

    /// A layer has one source at a time: an encoder that restarts under a new one replaces the old, and with it the
    /// source of its repairs, whose numbers mean other packets from now on.
    fn retire_predecessors(&mut self, binding: Binding) {
        let Some(replaced) = self.bound.values().find(|stream| stream.binding == binding) else { return };
        let last = replaced.last;
        let repair = Binding { repair: true, ..binding };
        let predecessors = self.bound.extract_if(|_, stream| {
            // A repair that was bound since may be the new source's, whose first packet it overtook.
            stream.binding == binding || stream.binding == repair && stream.bound <= last
        });
        self.retired.extend(predecessors.map(|(ssrc, stream)| Retired {
            ssrc,
            replay: stream.replay,
            mid: None,
            rid: None,
            repair: stream.binding.repair,
        }));
    }

    /// Whether there is room to remember the source that would be replaced.
    fn may_replace(&self, binding: Binding) -> bool {
        let like = |retired: &&Retired| retired.mid.is_none() && retired.repair == binding.repair;
        self.retired.iter().filter(like).count() < MAX_REPLACED
            || !self.bound.values().any(|stream| stream.binding == binding)
    }

    fn find(&self, payload_type: u8, extensions: &ReceivedExtensions) -> Option<Binding> {
        let mut fitting = self.sections.iter().filter(|section| {
            (payload_type == section.payload_type || Some(payload_type) == section.rtx_payload_type)
                && extensions.mid.is_none_or(|mid| section.mid.is_none_or(|own| own == mid))
        });
        let section = fitting.next()?;
        // Two sections fit and no identification tells them apart.
        if extensions.mid.is_none() && fitting.next().is_some() {
            return None;
        }
        let rid = extensions.rid.or(extensions.repaired_rid);
        let layer = match rid {
            Some(rid) => section.encodings.iter().position(|encoding| encoding.rid == Some(rid))?,
            None if section.encodings.len() == 1 => 0,
            None => return None,
        };
        let repair = Some(payload_type) == section.rtx_payload_type;
        Some(Binding { publication: section.publication, layer: layer as u8, repair })
    }

    fn bind(&mut self, ssrc: Ssrc, binding: Binding) {
        if self.bound.len() < MAX_STREAMS {
            let known = self.retired.iter().position(|retired| retired.ssrc == ssrc);
            let replay = known.map(|index| self.retired.swap_remove(index).replay).unwrap_or_default();
            self.bound.insert(ssrc, InboundStream::new(replay, binding, Time::ZERO));
        }
    }

    /// (bits, packets) a second that are taken of these publications: twice the bits and three times the packets that
    /// the largest of their kind send, so that repairs and bursts have room.
    pub fn budget(&self) -> (u64, u64) {
        self.sections.iter().fold((0, 0), |(bits, packets), section| {
            let (most_bits, most_packets) = match section.kind {
                Kind::Video => VIDEO_PER_SECOND,
                Kind::Audio => AUDIO_PER_SECOND,
            };
            (bits + 2 * most_bits, packets + 3 * most_packets)
        })
    }
}

fn merged(old: ExtensionIds, new: ExtensionIds) -> ExtensionIds {
    let pick = |old: u8, new: u8| if new == 0 { old } else { new };
    ExtensionIds {
        mid: pick(old.mid, new.mid),
        rid: pick(old.rid, new.rid),
        repaired_rid: pick(old.repaired_rid, new.repaired_rid),
        abs_send_time: pick(old.abs_send_time, new.abs_send_time),
        transport_cc: pick(old.transport_cc, new.transport_cc),
        audio_level: pick(old.audio_level, new.audio_level),
        abs_capture_time: pick(old.abs_capture_time, new.abs_capture_time),
        playout_delay: pick(old.playout_delay, new.playout_delay),
        dependency_descriptor: pick(old.dependency_descriptor, new.dependency_descriptor),
        video_orientation: pick(old.video_orientation, new.video_orientation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Codec;

    fn section(rids: &[&str], ssrc: Option<u32>) -> InboundMedia {
        let encoding =
            |rid: &str| Encoding { ssrc: ssrc.map(Ssrc), rtx_ssrc: None, rid: Label::new(rid.as_bytes()) };
        InboundMedia {
            kind: Kind::Video,
            codec: Codec::Vp8,
            clock_rate: 90_000,
            payload_type: 96,
            rtx_payload_type: Some(97),
            mid: Label::new(b"0"),
            encodings: rids.iter().map(|rid| encoding(rid)).collect(),
            extensions: ExtensionIds::default(),
            nack: true,
            pli: true,
            fir: false,
            transport_cc: true,
            remb: false,
            reduced_size: true,
        }
    }

    fn named(mid: &str, rid: &str) -> ReceivedExtensions {
        ReceivedExtensions {
            mid: Label::new(mid.as_bytes()),
            rid: Label::new(rid.as_bytes()),
            ..ReceivedExtensions::default()
        }
    }

    #[test]
    fn binds_a_layer_by_its_names_and_its_repair_by_the_payload_type() {
        let mut streams = Streams::default();
        streams.add(7, Handle(1), &section(&["l", "m"], None));
        let media = streams.probe(Time::ZERO, Ssrc(1), 96, &named("0", "m"), RtpReplay::default()).unwrap();
        assert_eq!(media, Binding { publication: 7, layer: 1, repair: false });
        let mut repaired = named("0", "");
        repaired.repaired_rid = Label::new(b"m");
        let repair = streams.probe(Time::ZERO, Ssrc(2), 97, &repaired, RtpReplay::default()).unwrap();
        assert_eq!(repair, Binding { publication: 7, layer: 1, repair: true });
        assert_eq!(streams.probe(Time::ZERO, Ssrc(3), 96, &named("1", "m"), RtpReplay::default()), None);
        assert!(!streams.may_probe(Ssrc(3)));
    }

    #[test]
    fn a_section_used_again_knows_its_sources_without_their_names() {
        let mut streams = Streams::default();
        streams.add(7, Handle(1), &section(&["l", "m"], None));
        streams.probe(Time::ZERO, Ssrc(1), 96, &named("0", "m"), RtpReplay::default());
        streams.remove(Handle(1));
        assert!(streams.get_mut(Ssrc(1)).is_none());
        streams.add(9, Handle(2), &section(&["l", "m"], None));
        let binding = streams.get_mut(Ssrc(1)).unwrap().binding;
        assert_eq!(binding, Binding { publication: 9, layer: 1, repair: false });
    }

    #[test]
    fn unknown_sources_take_no_memory_beyond_the_cap() {
        let mut streams = Streams::default();
        streams.add(7, Handle(1), &section(&["l"], Some(5)));
        for ssrc in 100..100_100 {
            streams.probe(Time::ZERO, Ssrc(ssrc), 50, &ReceivedExtensions::default(), RtpReplay::default());
        }
        assert_eq!((streams.bound.len(), streams.unbound.len()), (1, MAX_UNBOUND));
    }

    /// The sources of repairs that are bound, after a camera with its repairs began anew.
    fn repairs_after_a_restart(repair_bound: u64, restarted: u64) -> Vec<u32> {
        let mut streams = Streams::default();
        streams.add(7, Handle(1), &section(&["l"], None));
        let at = Time::from_millis;
        let mut repaired = named("0", "");
        repaired.repaired_rid = Label::new(b"l");
        streams.probe(at(1), Ssrc(1), 96, &named("0", "l"), RtpReplay::default()).unwrap();
        streams.get_mut(Ssrc(1)).unwrap().last = at(1_000);
        streams.probe(at(repair_bound), Ssrc(2), 97, &repaired, RtpReplay::default()).unwrap();
        streams.probe(at(restarted), Ssrc(3), 96, &named("0", "l"), RtpReplay::default()).unwrap();
        assert!(streams.get_mut(Ssrc(1)).is_none() && streams.get_mut(Ssrc(3)).is_some());
        let bound = [2].into_iter().filter(|ssrc| streams.get_mut(Ssrc(*ssrc)).is_some()).collect();
        assert_eq!(streams.len(), 3, "every replay window is kept");
        bound
    }

    #[test]
    fn repairs_are_unbound_with_their_source() {
        assert_eq!(repairs_after_a_restart(500, 2_000), []);
        assert_eq!(repairs_after_a_restart(1_990, 2_000), [2], "the new source's, that came first");
    }

    #[test]
    fn restarts_and_their_repairs_are_remembered_up_to_the_cap() {
        let mut streams = Streams::default();
        streams.add(7, Handle(1), &section(&["l"], None));
        let mut repaired = named("0", "");
        repaired.repaired_rid = Label::new(b"l");
        for number in 0..1_000 {
            let now = Time::from_millis(u64::from(number) * 10);
            streams.probe(now, Ssrc(2 * number), 96, &named("0", "l"), RtpReplay::default());
            streams.probe(now, Ssrc(2 * number + 1), 97, &repaired, RtpReplay::default());
        }
        assert!(streams.bound.len() <= 2 && streams.retired.len() <= 2 * MAX_REPLACED + 1);
    }
}
