//! Any datagrams and commands in any order: no panic, no timer that spins, no map that a peer makes grow.
//!
//! The fuzz target `session` searches the same space for longer.

use std::cell::RefCell;

use crate::scenario::{Packet, Scenario, Step};
use loupe_core::stats::Counter;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const CASES: u32 = 800;
const STEPS: usize = 60;
/// What the cases must reach, all together: else they would prove little.
const REACHED: [Counter; 9] = [
    Counter::RtpIn,
    Counter::RtpOut,
    Counter::LostIn,
    Counter::NacksSent,
    Counter::NacksReceived,
    Counter::RtxOut,
    Counter::PlisSent,
    Counter::ChecksAnswered,
    Counter::PathChanges,
];
const SEED: [u8; 32] = [11; 32];

fn bytes(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..longest)
}

/// Steps that mostly go on in order, as real senders' do.
fn sequence_step() -> impl Strategy<Value = i16> {
    prop_oneof![8 => Just(1_i16), 2 => -5..20_i16, 1 => any::<i16>()]
}

fn packet() -> impl Strategy<Value = Packet> {
    let publication = prop_oneof![3 => 0..2_u8, 1 => 0..6_u8];
    let layer = prop_oneof![3 => Just(0_u8), 1 => 0..4_u8];
    let place = (publication, layer, prop::bool::weighted(0.15), sequence_step());
    let time = (prop_oneof![6 => Just(3_000), 1 => any::<i32>()], any::<bool>());
    let payload_type = prop_oneof![9 => Just(255_u8), 1 => any::<u8>()];
    // Half the payloads begin as a VP8 key frame does.
    let payload = (any::<bool>(), bytes(60)).prop_map(|(keyframe, mut payload)| {
        if keyframe {
            payload.splice(0..0, [0x90, 0xe0, 0x81, 0x02, 0x03, 0x00, 0x00]);
        }
        payload
    });
    (place, time, payload_type, bytes(40), prop::bool::weighted(0.1), payload).prop_map(
        |(place, time, payload_type, extension, padding, payload)| {
            let ((publication, layer, repair, sequence_step), (time_step, marker)) = (place, time);
            Packet {
                publication,
                layer,
                repair,
                sequence_step,
                time_step,
                marker,
                payload_type,
                extension,
                padding,
                payload,
            }
        },
    )
}

fn datagram() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (any::<u8>(), bytes(200)).prop_map(|(host, bytes)| Step::Stranger { host, bytes }),
        1 => (0..4_u8, 0..3_u8, bytes(200)).prop_map(|(peer, port, bytes)| Step::Raw { peer, port, bytes }),
        1 => (0..4_u8, 0..20_u8, any::<bool>(), bytes(20))
            .prop_map(|(peer, port, nominate, extra)| Step::Check { peer, port, nominate, extra }),
        6 => (prop_oneof![5 => Just(0_u8), 1 => 0..4_u8], packet()).prop_map(|(peer, packet)| Step::Rtp { peer, packet }),
        1 => (0..4_u8, bytes(120)).prop_map(|(peer, bytes)| Step::Rtcp { peer, bytes }),
        3 => (prop_oneof![3 => Just(1_u8), 1 => 0..4_u8], any::<u8>(), 0..4_u8, vec(any::<u16>(), 0..12))
            .prop_map(|(peer, kind, source, numbers)| Step::Feedback { peer, kind, source, numbers }),
    ]
}

fn command() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..4_u8).prop_map(|peer| Step::Open { peer }),
        1 => (0..4_u8).prop_map(|peer| Step::Restart { peer }),
        1 => (0..4_u8).prop_map(|peer| Step::RemoteFragment { peer }),
        1 => (0..4_u8, any::<u8>(), prop::option::weighted(0.2, bytes(50)))
            .prop_map(|(peer, profile, bytes)| Step::Keys { peer, profile, bytes }),
        2 => (0..4_u8, 0..6_u8, any::<u8>(), 0..4_u8, any::<bool>()).prop_map(
            |(peer, publication, codec, layers, signalled)| {
                Step::Publish { peer, publication, codec, layers, signalled }
            }
        ),
        2 => (0..4_u8, 0..6_u8, 0..12_u8).prop_map(|(peer, publication, subscription)| {
            Step::Subscribe { peer, publication, subscription }
        }),
        2 => (0..12_u8, prop::option::of(any::<u8>()), any::<bool>())
            .prop_map(|(subscription, layer, paused)| Step::Prefer { subscription, layer, paused }),
        1 => (0..6_u8, any::<bool>()).prop_map(|(publication, muted)| Step::Mute { publication, muted }),
        1 => (0..6_u8).prop_map(|publication| Step::RequestKeyframe { publication }),
        1 => (0..4_u8, bytes(80)).prop_map(|(peer, bytes)| Step::Dtls { peer, bytes }),
        1 => any::<u8>().prop_map(|handle| Step::Close { handle }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        7 => datagram(),
        2 => command(),
        2 => (0..200_000_u32).prop_map(|micros| Step::Wait { micros }),
        1 => (0..12_000_000_u32).prop_map(|micros| Step::Wait { micros }),
    ]
}

#[test]
fn any_order_of_datagrams_and_commands_is_survived() {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    let mut runner = TestRunner::new_with_rng(config, random);
    let reached = RefCell::new([0; REACHED.len()]);
    let outcome = runner.run(&vec(step(), 0..STEPS), |steps| {
        let mut scenario = Scenario::new();
        steps.iter().for_each(|step| scenario.step(step));
        let counters = scenario.plane.stats(scenario.now).counters;
        let mut reached = reached.borrow_mut();
        reached.iter_mut().zip(REACHED).for_each(|(sum, counter)| *sum += counters.count(counter));
        scenario.end();
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let reached = reached.into_inner();
    assert!(reached.iter().all(|sum| *sum > 0), "{REACHED:?}: {reached:?}");
}
