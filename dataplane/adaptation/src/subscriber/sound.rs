//! Sound out of packets: each packet has its moment, and what is not there by then is concealed.

use std::collections::BTreeSet;
use std::time::Duration;

use loupe_core::units::Time;

use super::playout::{PACKET_US, Playout, PlayoutConfig};
use crate::truth::Truth;

/// One packet's turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    /// When it was played or concealed.
    pub at: Time,
    /// When it was captured.
    pub capture: Time,
    /// It was not there.
    pub concealed: bool,
}

/// The sound of one subscription.
#[derive(Debug)]
pub struct Sound {
    playout: Playout,
    arrived: BTreeSet<u32>,
    /// The next to play, and when that was captured.
    next: Option<(u32, Time)>,
    /// All turns, in order.
    pub turns: Vec<Turn>,
    /// When the first packet came.
    pub first_arrival: Option<Time>,
}

impl Sound {
    /// Nothing received.
    pub fn new(config: PlayoutConfig) -> Sound {
        Sound {
            playout: Playout::new(config),
            arrived: BTreeSet::new(),
            next: None,
            turns: Vec::new(),
            first_arrival: None,
        }
    }

    /// A packet.
    pub fn receive(&mut self, now: Time, payload: &[u8]) {
        let Some(truth) = Truth::read(payload) else { return };
        if self.has(truth.frame) {
            return;
        }
        let capture = Time(truth.capture_us);
        self.playout.note(now, now.since(capture).as_micros() as u64);
        self.first_arrival.get_or_insert(now);
        self.next.get_or_insert((truth.frame, capture));
        // One that missed its turn too: it made playing wait once, and not each time it comes again.
        self.arrived.insert(truth.frame);
    }

    /// Whether a packet is there or was played: redundant sound brings most of them again.
    fn has(&self, frame: u32) -> bool {
        let Some((next, _)) = self.next else { return false };
        let turns = next.checked_sub(frame).filter(|back| *back > 0).map(|back| back as usize);
        let Some(back) = turns else { return self.arrived.contains(&frame) };
        // What is from before the first turn is never played.
        let turn = self.turns.len().checked_sub(back);
        turn.is_none_or(|turn| !self.turns[turn].concealed || self.arrived.contains(&frame))
    }

    /// Plays or conceals what has its turn.
    pub fn handle_timeout(&mut self, now: Time) {
        while self.next_timeout() <= now {
            let Some((number, capture)) = self.next else { return };
            let concealed = !self.arrived.remove(&number);
            self.turns.push(Turn { at: now, capture, concealed });
            self.next = Some((number + 1, capture + Duration::from_micros(PACKET_US)));
        }
    }

    /// When the next packet has its turn.
    pub fn next_timeout(&self) -> Time {
        self.next.map_or(Time::NEVER, |(_, capture)| capture + self.playout.delay())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(frame: u32) -> Vec<u8> {
        let capture_us = u64::from(frame) * PACKET_US;
        let truth = Truth { capture_us, frame, layer: 0, temporal: 0, keyframe: true, index: 0, count: 1 };
        let mut payload = Vec::new();
        truth.complete(&mut payload, 60);
        payload
    }

    #[test]
    fn what_comes_again_does_not_make_playing_wait() {
        let mut sound = Sound::new(PlayoutConfig::SOUND);
        for frame in 0..50_u32 {
            let at = Time(u64::from(frame) * PACKET_US + 50_000);
            for earlier in
                (frame.saturating_sub(2)..=frame).rev().filter(|earlier| *earlier != 30 || frame > 30)
            {
                sound.receive(at, &packet(earlier));
            }
            sound.handle_timeout(at);
            let waits = if frame > 30 { 70_000 } else { 50_000 };
            assert_eq!(sound.playout.delay().as_micros(), waits, "{frame}");
        }
        let concealed = sound.turns.iter().filter(|turn| turn.concealed);
        assert_eq!(concealed.map(|turn| turn.capture.0 / PACKET_US).collect::<Vec<_>>(), [30]);
    }

    #[test]
    fn what_is_not_there_at_its_turn_is_concealed_even_if_it_comes_later() {
        let mut sound = Sound::new(PlayoutConfig::SOUND);
        for frame in 0..100_u32 {
            let (late, lost) = (frame == 60, frame == 70);
            let at = Time(u64::from(frame) * PACKET_US + 50_000);
            if !lost && !late {
                sound.receive(at, &packet(frame));
            }
            sound.handle_timeout(at);
            if frame == 62 {
                sound.receive(at, &packet(60));
            }
        }
        let concealed: Vec<u64> =
            sound.turns.iter().filter(|turn| turn.concealed).map(|turn| turn.capture.0 / PACKET_US).collect();
        assert_eq!(concealed, [60, 70]);
        assert!(sound.turns.iter().all(|turn| turn.at.since(turn.capture) >= Duration::from_millis(50)));
    }
}
