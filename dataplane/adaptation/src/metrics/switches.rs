//! Changes of what is forwarded: of the layer, and of the temporal layers up to which it is.

use std::collections::HashMap;

use loupe_core::units::Time;

use super::view::Forwarded;
use super::{View, Window};

/// An up-switch that is taken back sooner was none; seconds.
const FALSE_WITHIN: f64 = 5.0;
/// Whether the upper temporal layer is forwarded shows in so many pictures.
const TELLING: usize = 4;

/// Switches over a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Switches {
    ups: u32,
    downs: u32,
    /// Those of `downs` that took back an up-switch at once.
    false_ups: u32,
}

/// What a line forwards.
#[derive(Default)]
struct Course {
    layer: Option<u8>,
    /// Up to which temporal layer; not known at first.
    temporal: Option<u8>,
    /// Temporal layers of the last pictures of this layer.
    recent: Vec<u8>,
    last_up: Option<Time>,
}

impl Course {
    /// Whether a picture shows a switch, and whether that is up.
    fn take(&mut self, it: &Forwarded) -> Option<bool> {
        let before = self.layer.replace(it.layer);
        if before != Some(it.layer) {
            (self.temporal, self.recent) = (None, vec![it.temporal]);
            return before.map(|before| it.layer > before);
        }
        self.recent.push(it.temporal);
        if self.recent.len() < TELLING {
            return None;
        }
        let lately = self.recent[self.recent.len() - TELLING..].iter().copied().max();
        let before = std::mem::replace(&mut self.temporal, lately);
        before.zip(lately).filter(|(before, now)| before != now).map(|(before, now)| now > before)
    }
}

/// Figures over a window.
pub(super) fn figures(view: &View<'_>, window: Window, put: &mut dyn FnMut(&str, Option<f64>)) {
    let minutes = window.length() / 60.0;
    let found = switches(&view.forwarded, window);
    put("ups_per_minute", Some(f64::from(found.ups) / minutes));
    put("downs_per_minute", Some(f64::from(found.downs) / minutes));
    put("false_ups_per_minute", Some(f64::from(found.false_ups) / minutes));
}

fn switches(forwarded: &[Forwarded], window: Window) -> Switches {
    let mut courses: HashMap<usize, Course> = HashMap::new();
    let mut found = Switches::default();
    for it in forwarded {
        let course = courses.entry(it.line).or_default();
        let Some(up) = course.take(it) else { continue };
        let counts = window.holds(it.at);
        if up {
            found.ups += u32::from(counts);
            course.last_up = Some(it.at);
        } else {
            let last_up = course.last_up.take();
            let taken_back = last_up.is_some_and(|up| it.at.since(up).as_secs_f64() < FALSE_WITHIN);
            found.downs += u32::from(counts);
            found.false_ups += u32::from(counts && taken_back);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures of one line every 40 ms.
    fn pictures(of: &[(u8, u8)]) -> Vec<Forwarded> {
        let picture = |(n, (layer, temporal)): (usize, &(u8, u8))| Forwarded {
            at: Time::from_millis(n as u64 * 40),
            line: 0,
            layer: *layer,
            temporal: *temporal,
            keyframe: false,
            frame: n as u32,
        };
        of.iter().enumerate().map(picture).collect()
    }

    fn counted(of: &[(u8, u8)]) -> (u32, u32, u32) {
        let found = switches(&pictures(of), Window::seconds(0.0, 100.0));
        (found.ups, found.downs, found.false_ups)
    }

    #[test]
    fn layers_and_temporal_layers_are_switched_and_a_missing_picture_is_no_switch() {
        let whole = [(1, 0), (1, 1)].repeat(4);
        assert_eq!(counted(&whole), (0, 0, 0));
        assert_eq!(counted(&[whole.clone(), vec![(1, 0), (1, 0)], whole.clone()].concat()), (0, 0, 0));
        let half = vec![(1, 0); 6];
        assert_eq!(counted(&[whole.clone(), half.clone()].concat()), (0, 1, 0));
        assert_eq!(counted(&[whole.clone(), half, whole.clone()].concat()), (1, 1, 0));
        // To another layer and its upper temporal layer is one switch.
        let low = [(0, 0), (0, 1)].repeat(4);
        assert_eq!(counted(&[vec![(1, 0); 6], low.clone()].concat()), (0, 1, 0));
        assert_eq!(counted(&[low.clone(), whole, low].concat()), (1, 1, 1));
    }

    #[test]
    fn an_up_switch_that_held_for_five_seconds_was_none_in_vain() {
        let long = [(1, 0), (1, 1)].repeat(63);
        let low = [(0, 0), (0, 1)].repeat(4);
        assert_eq!(counted(&[low.clone(), long, low].concat()), (1, 1, 0));
    }
}
