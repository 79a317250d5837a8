//! Which temporal and spatial layers of one encoding a viewer gets: fewer at any frame, more only where they can begin.

use crate::frame_mark::FrameMark;
use crate::units::MediaTime;

/// The choice for one viewer.
#[derive(Clone, Copy, Debug)]
pub struct Sublayers {
    spatial: u8,
    temporal: u8,
    /// The first picture of the present spatial layer, and the layer before it: of a picture that waits, or is sent again,
    /// it must be told alike each time where it ends.
    rescaled: Option<(MediaTime, u8)>,
    /// The frame judged last, and how: all packets of a frame share one fate.
    judged: Option<(MediaTime, u8, bool)>,
}

impl Default for Sublayers {
    fn default() -> Sublayers {
        Sublayers { spatial: u8::MAX, temporal: u8::MAX, rescaled: None, judged: None }
    }
}

/// The highest layers wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Spatial.
    pub spatial: u8,
    /// Temporal.
    pub temporal: u8,
}

impl Sublayers {
    /// A key frame begins: everything wanted begins with it.
    pub fn restart(&mut self, limits: Limits) {
        *self = Sublayers { spatial: limits.spatial, temporal: limits.temporal, ..Sublayers::default() };
    }

    /// Frames from the temporal layer `temporal` on were lost: they can be taken up again only where they begin.
    pub fn cut(&mut self, temporal: u8) {
        self.temporal = self.temporal.min(temporal.saturating_sub(1));
        self.judged = None;
    }

    /// Whether a packet is for the viewer.
    pub fn judge(&mut self, time: MediaTime, mark: FrameMark, limits: Limits) -> bool {
        if let Some((judged, spatial, passes)) = self.judged
            && (judged, spatial) == (time, mark.spatial)
        {
            return passes;
        }
        let newer = self.judged.is_none_or(|(judged, _, _)| time >= judged);
        if newer {
            self.adapt(time, mark, limits);
        }
        let passes = mark.temporal <= self.temporal && mark.spatial <= self.spatial_at(time);
        if newer {
            self.judged = Some((time, mark.spatial, passes));
        }
        passes
    }

    /// Whether a packet is the last that a viewer gets of its picture, though higher spatial layers follow.
    pub fn ends_picture(&self, time: MediaTime, mark: FrameMark) -> bool {
        mark.ends() && mark.spatial == self.spatial_at(time)
    }

    fn spatial_at(&self, time: MediaTime) -> u8 {
        self.rescaled.filter(|(first, _)| time < *first).map_or(self.spatial, |(_, before)| before)
    }

    fn adapt(&mut self, time: MediaTime, mark: FrameMark, limits: Limits) {
        if self.judged.is_none_or(|(judged, _, _)| time > judged) {
            // Not within a picture: its end was told already, or never would be.
            self.temporal = self.temporal.min(limits.temporal);
            if limits.spatial < self.spatial {
                self.rescale(time, limits.spatial);
            }
        }
        let next_temporal = self.temporal < limits.temporal && mark.temporal == self.temporal + 1;
        if next_temporal && mark.starts() && mark.begins_temporal() {
            self.temporal = mark.temporal;
        } else if mark.temporal <= self.temporal && mark.opens > self.temporal {
            self.temporal = mark.opens.min(limits.temporal);
        }
        let next_spatial = self.spatial < limits.spatial && mark.spatial == self.spatial + 1;
        if next_spatial && mark.starts() && mark.begins_spatial() {
            self.rescale(time, mark.spatial);
        }
    }

    fn rescale(&mut self, time: MediaTime, spatial: u8) {
        if self.rescaled.is_none_or(|(first, _)| first != time) {
            self.rescaled = Some((time, self.spatial));
        }
        self.spatial = spatial;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame_mark::MarkReader;
    use crate::io::Codec;

    const ALL: Limits = Limits { spatial: u8::MAX, temporal: u8::MAX };
    const BASE: Limits = Limits { spatial: u8::MAX, temporal: 0 };

    fn vp8(temporal: u8, sync: bool) -> FrameMark {
        let layers = temporal << 6 | u8::from(sync) << 5;
        MarkReader::default().read(Codec::Vp8, &[0x90, 0xe0, 0x80, 1, 7, layers, 0x01], &[])
    }

    fn vp9(spatial: u8, key: bool) -> FrameMark {
        let flags = 0xac | u8::from(!key) << 6;
        MarkReader::default().read(Codec::Vp9, &[flags, 0x81, 0x02, spatial << 1, 200, 0xaa], &[])
    }

    #[test]
    fn fewer_at_once_and_more_where_they_begin() {
        let mut layers = Sublayers::default();
        let mut judge = |time, mark, limits| layers.judge(MediaTime(time), mark, limits);
        assert!(judge(1, vp8(1, false), ALL));
        assert!(!judge(2, vp8(1, true), BASE) && judge(3, vp8(0, false), BASE));
        assert!(!judge(4, vp8(1, false), ALL), "it may refer to what was not sent");
        assert!(judge(5, vp8(0, false), ALL) && judge(6, vp8(1, true), ALL));
        assert!(judge(8, vp8(1, false), ALL));
        assert!(!judge(9, vp8(3, true), Limits { temporal: 2, ..ALL }));
    }

    #[test]
    fn a_frame_is_forwarded_whole_or_not_at_all() {
        let mut layers = Sublayers::default();
        assert!(layers.judge(MediaTime(1), vp8(1, false), ALL));
        assert!(layers.judge(MediaTime(1), vp8(1, false), BASE), "it has begun");
        assert!(!layers.judge(MediaTime(2), vp8(1, false), BASE));
        assert!(!layers.judge(MediaTime(2), vp8(1, true), ALL));
        assert!(!layers.judge(MediaTime(1), vp8(1, false), ALL), "a late packet follows the layer as it is");
    }

    #[test]
    fn spatial_layers_come_back_without_a_reference_to_what_is_missing() {
        let low = Limits { spatial: 0, temporal: u8::MAX };
        let mut layers = Sublayers::default();
        layers.restart(low);
        assert!(
            layers.judge(MediaTime(1), vp9(0, true), low) && !layers.judge(MediaTime(1), vp9(1, true), low)
        );
        assert!(layers.ends_picture(MediaTime(1), vp9(0, true)));
        assert!(
            layers.judge(MediaTime(2), vp9(0, false), ALL) && !layers.judge(MediaTime(2), vp9(1, false), ALL)
        );
        assert!(
            layers.judge(MediaTime(3), vp9(0, true), ALL) && layers.judge(MediaTime(3), vp9(1, true), ALL)
        );
    }

    #[test]
    fn a_picture_ends_where_it_was_said_to_end() {
        let low = Limits { spatial: 0, temporal: u8::MAX };
        let mut layers = Sublayers::default();
        layers.restart(ALL);
        layers.judge(MediaTime(1), vp9(0, true), ALL);
        assert!(
            layers.judge(MediaTime(1), vp9(1, true), low),
            "the lower layer went without saying that it is all"
        );
        assert!(
            layers.judge(MediaTime(2), vp9(0, false), low) && !layers.judge(MediaTime(2), vp9(1, false), low)
        );
        assert!(layers.ends_picture(MediaTime(2), vp9(0, false)));
        assert!(!layers.ends_picture(MediaTime(1), vp9(0, true)), "sent again it is as it was");
        assert!(layers.judge(MediaTime(1), vp9(1, true), low), "what comes late belongs to what left");
        assert!(
            layers.judge(MediaTime(3), vp9(0, true), ALL) && layers.judge(MediaTime(3), vp9(1, true), ALL)
        );
        assert!(
            layers.ends_picture(MediaTime(2), vp9(0, false))
                && !layers.ends_picture(MediaTime(3), vp9(0, true))
        );
    }

    #[test]
    fn what_was_lost_is_cut_until_it_begins() {
        let mut layers = Sublayers::default();
        layers.cut(1);
        assert!(!layers.judge(MediaTime(1), vp8(1, false), ALL));
        assert!(layers.judge(MediaTime(2), vp8(1, true), ALL));
    }
}
