//! The circuit breaker (RFC 8083) stops pictures where loss goes on whatever is sent, and never sound.

use crate::support::session::{Session, thin};
use crate::support::{clean, millis};
use loupe_core::units::Time;
use loupe_netem::{Capacity, Loss, profiles};

/// Packets of sound in a second.
const SOUND_RATE: u64 = 50;

/// A viewer 400 ms away there and back, who has had all layers for a while.
fn watching(seed: u64, loss: Loss) -> Session {
    let mut session = Session::begin(seed, clean(200), thin(Capacity::constant(4_000_000), 200, 300, loss));
    session.run(15_000);
    assert_eq!(session.choice, 5, "seed {seed}");
    session
}

/// Packets of (pictures, sound) that came between two moments.
fn came(session: &Session, from: Time, to: Time) -> (u64, u64) {
    let count = |line| {
        let line = session.world.line(session.viewer, line);
        line.since(from).filter(|packet| packet.at < to && !packet.repaired).count() as u64
    };
    (count(0), count(1))
}

#[test]
fn sound_stays_whole_while_pictures_are_stopped() {
    for seed in 1..4 {
        let mut session = watching(seed, Loss::None);
        session.world.peer(session.viewer).viewer.fraction_lost = 200;
        session.run(5_000);
        // It opened at the third report, for 10 s.
        let (from, to) = (session.world.now, session.world.now + millis(5_000));
        session.world.peer(session.viewer).viewer.fraction_lost = 0;
        session.run(5_000);
        let (pictures, sound) = came(&session, from, to);
        assert_eq!(pictures, 0, "seed {seed}");
        assert!(sound + 1 >= 5 * SOUND_RATE, "seed {seed}: {sound} packets of sound in 5 s");
        session.run(10_000);
        let (pictures, _) = came(&session, to + millis(5_000), session.world.now);
        assert!(pictures > 100, "seed {seed}: {pictures} packets of pictures after it closed");
        assert!(session.world.line(session.viewer, 1).holes().is_empty(), "seed {seed}");
    }
}

#[test]
fn loss_that_is_there_whatever_is_sent_stops_nothing() {
    for seed in 1..4 {
        let mut session = watching(seed, profiles::iid(5.0));
        let from = session.world.now;
        // As many as are lost: TCP would send 130 kbit/s there.
        session.world.peer(session.viewer).viewer.fraction_lost = 13;
        session.run(20_000);
        for second in 0..19 {
            let begin = from + millis(second * 1_000);
            let (pictures, _) = came(&session, begin, begin + millis(1_000));
            assert!(pictures > 100, "seed {seed}, second {second}: {pictures} packets of pictures");
        }
    }
}

#[test]
fn who_says_nothing_any_more_is_still_only_asked_whether_they_are_there() {
    let mut session = watching(1, Loss::None);
    let viewer = &mut session.world.peer(session.viewer).viewer;
    (viewer.reports, viewer.feedback) = (false, false);
    // Its checks go on, so that nothing is paused.
    for wait in [2_000, 16_000] {
        session.run(wait);
        let from = session.world.now;
        session.run(2_000);
        let (pictures, sound) = came(&session, from, session.world.now);
        assert_eq!(pictures, 0, "after {wait} ms");
        assert!((1..SOUND_RATE).contains(&sound), "after {wait} ms: {sound} packets of sound in 2 s");
    }
}
