//! Of a path that carries no moving picture a viewer gets one key frame in a while, whole, and all of the sound.

use std::collections::BTreeMap;

use crate::support::session::{Session, thin};
use crate::support::{clean, millis};
use loupe_core::io::{Command, Kind, Wish};
use loupe_core::stats::Drop;
use loupe_core::units::Time;
use loupe_netem::{Capacity, Loss, profiles};

/// Opus of 24 kbit/s: with everything around it 50 kbit/s on the wire.
const SOUND_BYTES: usize = 60;

/// A viewer behind a link of so many kbit/s who is sent a still of `layer` each `interval_ms`, after `ms`.
fn stills(seed: u64, kbits: u64, loss: Loss, (layer, interval_ms): (u8, u64), ms: u64) -> Session {
    let mut session = Session::begin(seed, clean(50), thin(Capacity::constant(kbits * 1_000), 50, 600, loss));
    let sources = &mut session.world.peer(session.publisher).publisher.sources;
    sources.iter_mut().filter(|it| it.kind == Kind::Audio).for_each(|it| it.packet_bytes = SOUND_BYTES);
    session.chooses = false;
    wish(&mut session, layer, Some(interval_ms));
    session.run(ms);
    session
}

fn wish(session: &mut Session, layer: u8, still_ms: Option<u64>) {
    let still = still_ms.map(millis);
    let wish = Wish { layer: Some(layer), still, ..Wish::default() };
    session.world.command(Command::Prefer { subscription: session.subscription, wish });
}

/// Pictures from `from` on: (first packet, last packet, packets that came, packets it has, a key frame).
fn pictures(session: &Session, from: Time) -> Vec<(Time, Time, usize, usize, bool)> {
    let mut pictures: BTreeMap<u64, BTreeMap<u8, Time>> = BTreeMap::new();
    let mut shape = BTreeMap::new();
    for packet in session.world.line(session.viewer, 0).since(from) {
        let content = packet.content();
        pictures.entry(packet.time).or_default().entry(content.index).or_insert(packet.at);
        shape.insert(packet.time, (usize::from(content.count), content.keyframe));
    }
    let of = |(time, packets): (&u64, &BTreeMap<u8, Time>)| {
        let (count, keyframe) = shape[time];
        let times = || packets.values().copied();
        (times().min().unwrap(), times().max().unwrap(), packets.len(), count, keyframe)
    };
    pictures.iter().map(of).collect()
}

/// Packets of sound between two moments that were sent, and the most that one waited in the path.
fn sound(session: &Session, from: Time, to: Time) -> (usize, u64) {
    let heard = session.world.line(session.viewer, 1).received.iter();
    (heard.filter(|packet| packet.at >= from && packet.at < to).count(), session.sound_waits(from, to).1)
}

#[test]
fn a_still_takes_as_long_as_the_path_needs_and_sound_goes_beside_it() {
    // 3.6, 8.3 and 19.6 kB; beside sound the paths carry 14, 50 and 100 kbit/s.
    for (kbits, layer, packet_ms) in [(64, 0, 120), (100, 1, 100), (150, 2, 66)] {
        for seed in 1..4 {
            let session = stills(seed, kbits, Loss::None, (layer, 5_000), 60_000);
            let (from, to) = (session.at(10_000), session.world.now);
            let seen = pictures(&session, from);
            let whole = seen.iter().filter(|picture| picture.2 == picture.3);
            assert!(seen.iter().all(|picture| picture.4), "{kbits} kbit/s: more than key frames");
            // The last may be on its way.
            assert!(
                seen.len() >= 8 && whole.count() + 1 >= seen.len(),
                "{kbits} kbit/s, seed {seed}: {seen:?}"
            );
            let apart = seen.windows(2).map(|pair| pair[1].0.since(pair[0].0)).min();
            assert!(apart >= Some(millis(3_000)), "{kbits} kbit/s, seed {seed}: {apart:?}");
            let (heard, most) = sound(&session, from, to);
            assert!(heard >= 2_495, "{kbits} kbit/s, seed {seed}: {heard} of 2,500 packets of sound");
            // One packet of the picture, and two of a probe.
            assert!(most <= packet_ms + 100, "{kbits} kbit/s, seed {seed}: sound waited {most} ms");
        }
    }
}

#[test]
fn stills_are_repaired_after_the_history_has_forgotten_them() {
    for seed in 1..4 {
        let session = stills(seed, 100, profiles::iid(10.0), (1, 5_000), 90_000);
        let seen = pictures(&session, session.at(10_000));
        let whole = seen.iter().filter(|picture| picture.2 == picture.3);
        assert!(seen.len() >= 14 && whole.count() + 2 >= seen.len(), "seed {seed}: {seen:?}");
        let late = session.world.line(session.viewer, 0).since(session.at(10_000)).filter(|it| it.repaired);
        assert!(late.count() > 10);
    }
}

#[test]
fn no_more_often_than_wished_whatever_others_ask_for() {
    let mut session = stills(1, 1_000, Loss::None, (0, 1_000), 5_000);
    let other = session.world.join_by(clean(5), clean(5));
    session.world.run(millis(200));
    let video = session.video;
    session.world.subscribe(video, other, crate::support::media::picture(5_000));
    let from = session.world.now;
    for _ in 0..40 {
        session.world.peer(other).viewer.want_keyframe(0);
        session.run(500);
    }
    let seen = pictures(&session, from);
    assert!((15..=20).contains(&seen.len()), "{}", seen.len());
    assert!(seen.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= millis(990)));
}

#[test]
fn a_moving_picture_begins_again_with_a_key_frame_and_the_numbers_go_on() {
    let mut session = stills(2, 2_000, Loss::None, (0, 1_000), 5_000);
    let from = session.world.now;
    wish(&mut session, 0, None);
    session.run(3_000);
    let seen = pictures(&session, from + millis(60));
    let moving: Vec<bool> = seen.iter().map(|picture| picture.4).collect();
    assert!(moving[0] && moving.len() > 60, "{}", moving.len());
    assert_eq!(session.world.line(session.viewer, 0).holes(), [] as [u64; 0]);
    assert!(seen.iter().all(|picture| picture.2 == picture.3));
    assert_eq!(session.world.dropped(Drop::Stale), 0);
}
