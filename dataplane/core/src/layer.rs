//! Which layer of a publication a subscription forwards: the wish, what flows, and the switch at a key frame.

use std::time::Duration;

use crate::io::Wish;
use crate::units::Time;

/// A key frame that did not come is asked for again after this.
const REQUEST_AGAIN: Duration = Duration::from_secs(1);

/// What a subscription does with packets now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forwarding {
    /// The viewer paused it.
    PausedByViewer,
    /// Nothing flows that could be forwarded.
    NothingFlows,
    /// Waits for a key frame of this layer, forwarding nothing.
    AwaitingKeyframe(u8),
    /// Forwards this layer.
    Layer(u8),
    /// Forwards the first layer until the second has a key frame.
    Switching(u8, u8),
}

/// The layer decision of one subscription.
#[derive(Debug)]
pub struct LayerSwitch {
    wish: Wish,
    state: Forwarding,
    needs_keyframe: bool,
    /// The highest layer that it takes meanwhile, whatever the wish.
    aside: Option<u8>,
    /// A key frame would let higher spatial layers of what is forwarded begin, or the next still.
    refreshes: bool,
    next_request: Time,
}

/// What to do with one packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Forward it.
    Forward,
    /// Forward it as the first packet of its layer.
    Switch,
    /// It is of another layer.
    OtherLayer,
    /// Of the right layer, before its key frame.
    AwaitingKeyframe,
    /// The viewer paused.
    Paused,
}

impl LayerSwitch {
    /// Nothing forwarded yet; `needs_keyframe` is false for sound.
    pub fn new(needs_keyframe: bool) -> LayerSwitch {
        LayerSwitch {
            wish: Wish::default(),
            state: Forwarding::NothingFlows,
            needs_keyframe,
            aside: None,
            refreshes: false,
            next_request: Time::ZERO,
        }
    }

    /// What it does now.
    pub fn state(&self) -> Forwarding {
        self.state
    }

    /// The layer whose packets leave now.
    pub fn forwarded(&self) -> Option<u8> {
        match self.state {
            Forwarding::Layer(layer) | Forwarding::Switching(layer, _) => Some(layer),
            _ => None,
        }
    }

    /// The layer a key frame of which is needed.
    pub fn awaited(&self) -> Option<u8> {
        match self.state {
            Forwarding::AwaitingKeyframe(layer) | Forwarding::Switching(_, layer) => Some(layer),
            _ => None,
        }
    }

    /// The layer to ask a key frame of.
    pub fn requested(&self) -> Option<u8> {
        self.awaited().or(self.forwarded().filter(|_| self.refreshes))
    }

    /// What flows changed (`active`: bit n for layer n), or the wish did.
    pub fn decide(&mut self, active: u32) {
        let wish = self.wish;
        let highest = wish.layer.unwrap_or(31).min(self.aside.unwrap_or(31));
        let target = highest_at_most(active, highest);
        self.state = match (target, self.forwarded()) {
            _ if wish.paused => Forwarding::PausedByViewer,
            (None, _) => Forwarding::NothingFlows,
            (Some(target), Some(current)) if target == current => Forwarding::Layer(current),
            (Some(target), Some(current)) if active & (1 << current) != 0 => {
                Forwarding::Switching(current, target)
            }
            (Some(target), _) => Forwarding::AwaitingKeyframe(target),
        };
        self.next_request = Time::ZERO;
    }

    /// A wish, to be decided upon next.
    pub fn wish_for(&mut self, wish: Wish) {
        let highest = |wish: &Wish| wish.spatial.unwrap_or(u8::MAX);
        self.refreshes |= highest(&wish) > highest(&self.wish);
        self.wish = wish;
    }

    /// Takes no higher layer than this from the next decision on, whatever the wish; `None`: any.
    pub fn step_aside(&mut self, highest: Option<u8>) {
        self.aside = highest;
    }

    /// Whether it is kept from higher layers.
    pub fn is_aside(&self) -> bool {
        self.aside.is_some()
    }

    /// A key frame of what is forwarded is needed now.
    pub fn refresh(&mut self, now: Time) {
        if !self.refreshes {
            (self.refreshes, self.next_request) = (true, now);
        }
    }

    /// What it forwarded can no longer be continued: the next decision waits for a key frame.
    pub fn interrupt(&mut self) {
        self.state = Forwarding::NothingFlows;
    }

    /// The wish.
    pub fn wish(&self) -> &Wish {
        &self.wish
    }

    /// Packets of `layer` could not leave: what follows needs a key frame.
    pub fn cut(&mut self, now: Time, layer: u8) {
        if self.forwarded() == Some(layer) {
            let target = self.awaited().unwrap_or(layer);
            self.state = Forwarding::AwaitingKeyframe(target);
            self.next_request = now;
        }
    }

    /// Decides about one packet of `layer`.
    pub fn judge(&mut self, layer: u8, keyframe_start: bool) -> Verdict {
        match self.state {
            Forwarding::PausedByViewer => Verdict::Paused,
            Forwarding::Layer(current) if layer == current => {
                self.refreshes &= !keyframe_start;
                Verdict::Forward
            }
            Forwarding::Switching(_, target) | Forwarding::AwaitingKeyframe(target) if layer == target => {
                if keyframe_start || !self.needs_keyframe {
                    self.state = Forwarding::Layer(target);
                    self.refreshes = false;
                    return Verdict::Switch;
                }
                Verdict::AwaitingKeyframe
            }
            Forwarding::Switching(current, _) if layer == current => Verdict::Forward,
            _ => Verdict::OtherLayer,
        }
    }

    /// The layer to ask a key frame of now, if one is due.
    pub fn keyframe_due(&mut self, now: Time) -> Option<u8> {
        let layer = self.requested().filter(|_| self.needs_keyframe && now >= self.next_request)?;
        self.next_request = now + REQUEST_AGAIN;
        Some(layer)
    }

    /// When [`LayerSwitch::keyframe_due`] has something to say.
    pub fn next_timeout(&self) -> Time {
        if self.needs_keyframe && self.requested().is_some() { self.next_request } else { Time::NEVER }
    }
}

fn highest_at_most(active: u32, limit: u8) -> Option<u8> {
    let below = if limit >= 31 { active } else { active & ((1 << (limit + 1)) - 1) };
    if below != 0 {
        return Some(31 - below.leading_zeros() as u8);
    }
    // Nothing at or below the wish: the lowest that flows is the nearest thing.
    (active != 0).then(|| active.trailing_zeros() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(layer: u8) -> Wish {
        Wish { layer: Some(layer), ..Wish::default() }
    }

    #[test]
    fn takes_the_highest_that_flows_within_the_wish() {
        assert_eq!(highest_at_most(0b111, 31), Some(2));
        assert_eq!(highest_at_most(0b101, 1), Some(0));
        assert_eq!(highest_at_most(0b100, 0), Some(2));
        assert_eq!(highest_at_most(0, 31), None);
    }

    #[test]
    fn switches_only_at_a_key_frame_and_keeps_the_old_layer_until_then() {
        let mut switch = LayerSwitch::new(true);
        switch.wish_for(wish(2));
        switch.decide(0b111);
        assert_eq!(switch.judge(2, false), Verdict::AwaitingKeyframe);
        assert_eq!(switch.judge(2, true), Verdict::Switch);
        assert_eq!(switch.judge(2, false), Verdict::Forward);
        switch.wish_for(wish(0));
        switch.decide(0b111);
        assert_eq!(switch.judge(2, false), Verdict::Forward);
        assert_eq!(switch.judge(0, false), Verdict::AwaitingKeyframe);
        assert_eq!(switch.judge(0, true), Verdict::Switch);
        assert_eq!(switch.judge(2, true), Verdict::OtherLayer);
    }

    #[test]
    fn a_layer_that_ends_is_replaced_and_asked_for() {
        let mut switch = LayerSwitch::new(true);
        switch.wish_for(Wish::default());
        switch.decide(0b11);
        switch.judge(1, true);
        switch.decide(0b01);
        assert_eq!(switch.state(), Forwarding::AwaitingKeyframe(0));
        assert_eq!(switch.keyframe_due(Time::from_millis(5)), Some(0));
        assert_eq!(switch.keyframe_due(Time::from_millis(900)), None);
        assert_eq!(switch.keyframe_due(Time::from_millis(1_005)), Some(0));
    }

    #[test]
    fn higher_spatial_layers_need_a_key_frame_of_what_is_forwarded() {
        let mut switch = LayerSwitch::new(true);
        switch.wish_for(Wish { spatial: Some(0), ..Wish::default() });
        switch.decide(1);
        switch.judge(0, true);
        assert_eq!(switch.keyframe_due(Time::ZERO), None);
        switch.wish_for(Wish { spatial: Some(1), ..Wish::default() });
        switch.decide(1);
        assert_eq!(switch.judge(0, false), Verdict::Forward);
        assert_eq!((switch.awaited(), switch.keyframe_due(Time::ZERO)), (None, Some(0)));
        assert_eq!(switch.judge(0, true), Verdict::Forward);
        assert_eq!(switch.keyframe_due(Time::from_millis(2_000)), None);
    }

    #[test]
    fn sound_needs_no_key_frame_and_pause_is_respected() {
        let mut switch = LayerSwitch::new(false);
        switch.wish_for(Wish::default());
        switch.decide(1);
        assert_eq!(switch.judge(0, false), Verdict::Switch);
        assert_eq!(switch.keyframe_due(Time::ZERO), None);
        switch.wish_for(Wish { paused: true, ..Wish::default() });
        switch.decide(1);
        assert_eq!(switch.judge(0, false), Verdict::Paused);
        switch.wish_for(Wish::default());
        switch.decide(1);
        assert_eq!(switch.judge(0, false), Verdict::Switch);
    }
}
