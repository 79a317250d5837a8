//! Feedback that lies: it may harm whoever sends it and nobody else, and never makes a path look better than what was sent
//! through it.

use std::time::Duration;

use crate::support::media::{camera, microphone, picture, sound};
use crate::support::{World, clean, millis};
use loupe_core::bwe::{Demand, Estimator};
use loupe_core::io::Event;
use loupe_core::rtcp::{TwccBuilder, write_remb};
use loupe_core::twcc::{FIRST_OUT, SendHistory};
use loupe_core::units::{Bitrate, SeqNo, Ssrc, Time};
use proptest::prelude::*;

/// How a viewer reports: for each packet whether, and when by its own clock.
#[derive(Clone, Copy, Debug)]
enum Lie {
    /// All arrived at one moment.
    AtOnce,
    /// In the order reversed.
    Backwards,
    /// Somewhere within an hour.
    Anywhere(i64),
    /// Nothing arrived.
    Nothing,
    /// Every other packet did not.
    Half,
    /// As it was: 20 ms each.
    Truth,
}

/// Any but the truth.
fn lies() -> impl Strategy<Value = Lie> {
    prop_oneof![
        Just(Lie::AtOnce),
        Just(Lie::Backwards),
        (-3_600_000_000_i64..3_600_000_000).prop_map(Lie::Anywhere),
        Just(Lie::Nothing),
        Just(Lie::Half),
    ]
}

/// 60 s of 1 Mbit/s, reported every 100 ms as the lies say in turn, and then as `at_last` says for another 20 s; some packets
/// with any number as their arrival.
fn estimate(lies: &[Lie], extremes: &[i64], at_last: Lie) -> u64 {
    let (mut estimator, mut history) = (Estimator::default(), SendHistory::default());
    let (mut now, mut told) = (Time::from_millis(1_000), FIRST_OUT.0);
    for round in 0..800_usize {
        for packet in 0..10_u64 {
            let at = now + Duration::from_millis(packet * 10);
            history.send(at, 1_222, 0);
            estimator.send(at, 1_250, true);
        }
        now += Duration::from_millis(100);
        estimator.want(Demand { rate: Bitrate(3_000_000), more: true, begins: false, stills: false });
        let lie = if round < 600 { lies[round % lies.len()] } else { at_last };
        let next = history.next_seq().0;
        let mut fates = Vec::new();
        for seq in told..next {
            let age = (next - seq) as i64 * 10_000;
            let honest = now.0 as i64 - age;
            let arrival = match lie {
                Lie::AtOnce => Some(now.0 as i64),
                Lie::Backwards => Some(now.0 as i64 + age),
                Lie::Anywhere(offset) => Some(honest.wrapping_mul(7_919) % 3_600_000_000 + offset),
                Lie::Nothing => None,
                Lie::Half => (seq % 2 == 0).then_some(honest),
                Lie::Truth => Some(honest + 20_000),
            };
            let extreme = extremes.get(seq as usize % 97).copied().filter(|_| round < 600);
            let arrival = extreme.or(arrival);
            fates.extend(history.settle(SeqNo(seq).wire(), arrival));
        }
        // Packets that were told already, or never sent.
        for seq in [told.saturating_sub(5), next + 40, next + 40_000] {
            fates.extend(history.settle(SeqNo(seq).wire(), Some(0)));
        }
        told = next;
        estimator.receive(now, &fates, &history);
        estimator.handle_timeout(now);
        if let Some(order) = estimator.take_order() {
            // The probe is sent as ordered, but only its bytes count.
            assert!(order.rate.0 <= 20_000_000 && order.bytes <= 60_000, "{order:?}");
            estimator.probe_left(now, history.next_seq());
        }
        let (estimate, sent) = (estimator.estimate().0, 1_000_000);
        assert!(estimate <= sent * 26 / 10, "round {round}, {lie:?}: {estimate}");
    }
    estimator.estimate().0
}

#[test]
fn no_kind_of_lie_makes_the_path_better_than_what_was_sent() {
    for lie in [Lie::AtOnce, Lie::Backwards, Lie::Anywhere(1_234_567), Lie::Nothing, Lie::Half] {
        estimate(&[lie], &[], lie);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nor_does_any_mixture_and_the_truth_is_believed_afterwards(
        lies in prop::collection::vec(lies(), 1..12),
        extremes in prop::collection::vec(prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)], 0..8),
    ) {
        let estimate = estimate(&lies, &extremes, Lie::Truth);
        prop_assert!(estimate >= 900_000, "{estimate}");
    }
}

#[test]
fn one_viewer_s_lies_do_not_touch_another() {
    let mut world = World::new(1);
    let publisher = world.join();
    let viewers = [world.join_by(clean(20), clean(20)), world.join_by(clean(20), clean(20))];
    world.run(millis(300));
    let video = world.publish(publisher, camera(1_000));
    let audio = world.publish(publisher, microphone(1_100));
    for (index, viewer) in viewers.into_iter().enumerate() {
        world.subscribe(video, viewer, picture(2_000 + 100 * index as u32));
        world.subscribe(audio, viewer, sound(2_050 + 100 * index as u32));
    }
    world.run(millis(2_000));
    let liar = viewers[0];
    world.peer(liar).viewer.feedback = false;
    let mut builder = TwccBuilder::new();
    for round in 0..100_u64 {
        let mut bytes = Vec::new();
        let base = SeqNo(65_536 + round * 37);
        // Arrivals that jump to and fro by seconds.
        let at =
            |n: u64| (SeqNo(base.0 + n), Time(9_000_000_000 + (n * 7_654_321 + round * 31) % 60_000_000));
        builder.write(&mut bytes, (Ssrc(7), Ssrc(2_000)), base, &(0..30).map(at).collect::<Vec<_>>());
        write_remb(&mut bytes, Ssrc(7), Bitrate(10_000_000_000), &[Ssrc(2_000)]);
        world.peer(liar).say(bytes);
        world.run(millis(50));
    }
    let honest = world.line(viewers[1], 0);
    assert!(honest.holes().is_empty());
    assert!(honest.since(world.now - millis(1_000)).count() >= 140);
    let handle = world.peer(liar).handle;
    let told =
        world.events_of(|event| matches!(event, Event::Bandwidth { transport, .. } if *transport == handle));
    for (_, event) in told {
        let Event::Bandwidth { estimate, .. } = event else { continue };
        assert!(estimate.0 <= 4_500_000, "{estimate:?}");
    }
    assert!(world.peer(publisher).publisher.rembs.is_empty(), "a viewer's estimate is not the publisher's");
}
