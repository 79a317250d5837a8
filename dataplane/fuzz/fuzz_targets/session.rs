//! A session: datagrams of strangers and peers, and commands, in any order; `core/tests/behaviour/scenario` says what must hold.
#![no_main]

#[path = "../../core/tests/behaviour/scenario/mod.rs"]
mod scenario;

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use scenario::{Packet, Scenario, Step};

const MAX_STEPS: usize = 200;
/// Longest wait: past every timer of a transport.
const MAX_WAIT_MICROS: u32 = 40_000_000;

fn bytes(u: &mut Unstructured<'_>, longest: usize) -> Result<Vec<u8>> {
    let length = u.int_in_range(0..=longest)?.min(u.len());
    Ok(u.bytes(length)?.to_vec())
}

fn packet(u: &mut Unstructured<'_>) -> Result<Packet> {
    let bits = u8::arbitrary(u)?;
    // Half the packets follow their predecessors as a real sender's do.
    let (sequence_step, time_step) =
        if bits & 1 == 0 { (1, 3_000) } else { (i16::arbitrary(u)?, i32::arbitrary(u)?) };
    let mut payload = Vec::new();
    if bits & 2 == 0 {
        // The beginning of a VP8 key frame with 15 bits of picture id.
        payload.extend_from_slice(&[0x90, 0xe0, 0x80 | u8::arbitrary(u)?, u8::arbitrary(u)?, 3, 0, 0]);
    }
    payload.extend(bytes(u, if bits & 4 == 0 { 24 } else { 1_200 })?);
    Ok(Packet {
        publication: u8::arbitrary(u)?,
        layer: u8::arbitrary(u)?,
        repair: bits & 0x18 == 0x18,
        sequence_step,
        time_step,
        marker: bits & 0x20 != 0,
        payload_type: if bits & 0xc0 == 0xc0 { u8::arbitrary(u)? } else { u8::MAX },
        extension: if bits & 0x40 == 0 { Vec::new() } else { bytes(u, 60)? },
        padding: bits & 0x88 == 0x88,
        payload,
    })
}

fn datagram(u: &mut Unstructured<'_>) -> Result<Step> {
    let peer = u8::arbitrary(u)?;
    Ok(match u.int_in_range(0..=7)? {
        0 => Step::Stranger { host: peer, bytes: bytes(u, 1_500)? },
        1 => Step::Raw { peer, port: u.int_in_range(0..=2)?, bytes: bytes(u, 1_500)? },
        2 => {
            let (port, nominate) = (u8::arbitrary(u)?, bool::arbitrary(u)?);
            Step::Check { peer, port, nominate, extra: bytes(u, 30)? }
        }
        3 => Step::Rtcp { peer, bytes: bytes(u, 400)? },
        4 => {
            let (kind, source, count) = (u8::arbitrary(u)?, u8::arbitrary(u)?, u.int_in_range(0..=20)?);
            let numbers = (0..count).map(|_| u16::arbitrary(u)).collect::<Result<_>>()?;
            Step::Feedback { peer, kind, source, numbers }
        }
        _ => Step::Rtp { peer, packet: packet(u)? },
    })
}

fn command(u: &mut Unstructured<'_>) -> Result<Step> {
    let (peer, publication, subscription) = (u8::arbitrary(u)?, u8::arbitrary(u)?, u8::arbitrary(u)?);
    Ok(match u.int_in_range(0..=10)? {
        0 => Step::Open { peer },
        1 => Step::Restart { peer },
        2 => Step::RemoteFragment { peer },
        3 => {
            let known = u.ratio(3, 4)?;
            Step::Keys { peer, profile: publication, bytes: if known { None } else { Some(bytes(u, 50)?) } }
        }
        4 => {
            let signalled = bool::arbitrary(u)?;
            let (codec, layers) = (subscription, u8::arbitrary(u)?);
            Step::Publish { peer, publication, codec, layers, signalled }
        }
        5 => Step::Subscribe { peer, publication, subscription },
        6 => Step::Prefer { subscription, layer: Option::arbitrary(u)?, paused: u.ratio(1, 5)? },
        7 => Step::Mute { publication, muted: bool::arbitrary(u)? },
        8 => Step::RequestKeyframe { publication },
        9 => Step::Dtls { peer, bytes: bytes(u, 1_500)? },
        _ => Step::Close { handle: peer },
    })
}

fn step(u: &mut Unstructured<'_>) -> Result<Step> {
    match u.int_in_range(0..=9)? {
        0 => Ok(Step::Wait { micros: u.int_in_range(0..=200_000)? }),
        1 => Ok(Step::Wait { micros: u.int_in_range(0..=MAX_WAIT_MICROS)? }),
        2 | 3 => command(u),
        _ => datagram(u),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut u = Unstructured::new(data);
    let mut scenario = Scenario::new();
    for _ in 0..MAX_STEPS {
        if u.is_empty() {
            break;
        }
        let Ok(step) = step(&mut u) else { break };
        scenario.step(&step);
    }
    scenario.end();
});
