//! Prints what one packet of 1,100 bytes costs: `cargo run --release -p loupe-core --example srtp_speed`.

use std::hint::black_box;
use std::time::Instant;

use loupe_core::io::SrtpProfile;
use loupe_core::srtp::{InboundSrtp, OutboundSrtp, RtpReplay};
use loupe_core::units::SeqNo;

const PACKETS: u64 = 200_000;
const LENGTH: usize = 1_100;

/// Microseconds per packet.
#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock; nothing of the core runs by it")]
fn measure(mut step: impl FnMut(u64)) -> f64 {
    let start = Instant::now();
    for index in 0..PACKETS {
        step(index);
    }
    start.elapsed().as_secs_f64() * 1e6 / PACKETS as f64
}

fn template(index: u64, arena: &mut Vec<u8>) {
    arena.clear();
    arena.resize(LENGTH, 0xab);
    arena[..4].copy_from_slice(&[0x80, 96, (index >> 8) as u8, index as u8]);
    arena[4..12].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2]);
}

fn main() {
    println!("us per packet of {LENGTH} bytes, best of 5 runs of {PACKETS}");
    println!("{:<18} {:>8} {:>10} {:>10} {:>10}", "profile", "protect", "unprotect", "bad tag", "replay");
    for profile in [SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm, SrtpProfile::Aes128CmSha1_80] {
        let key = vec![7; profile.key_length() + profile.salt_length()];
        let outbound = OutboundSrtp::new(profile, &key).expect("a key of the profile's length");
        let inbound = InboundSrtp::new(profile, &key).expect("a key of the profile's length");
        let mut best = [f64::INFINITY; 5];
        for _ in 0..5 {
            let mut arena = Vec::with_capacity(2 * LENGTH);
            let fill = measure(|index| template(index, black_box(&mut arena)));
            let protect = measure(|index| {
                template(index, &mut arena);
                outbound.protect_rtp(black_box(&mut arena), 0, 12, SeqNo(index)).expect("a valid packet");
            });
            let mut stream = RtpReplay::default();
            let both = measure(|index| {
                template(index, &mut arena);
                outbound.protect_rtp(&mut arena, 0, 12, SeqNo(index)).expect("a valid packet");
                inbound.unprotect_rtp(&mut stream, 12, black_box(&mut arena)).expect("an authentic packet");
            });
            let mut unseen = RtpReplay::default();
            let forged = measure(|index| {
                template(index, &mut arena);
                inbound.unprotect_rtp(&mut unseen, 12, black_box(&mut arena)).expect_err("no tag");
            });
            template(PACKETS - 1, &mut arena);
            let replay = measure(|_| {
                inbound.unprotect_rtp(&mut stream, 12, black_box(&mut arena)).expect_err("seen before");
            });
            for (best, figure) in
                best.iter_mut().zip([fill, protect - fill, both - protect, forged - fill, replay])
            {
                *best = best.min(figure);
            }
        }
        let [_, protect, unprotect, forged, replay] = best;
        println!(
            "{:<18} {protect:>8.3} {unprotect:>10.3} {forged:>10.3} {replay:>10.3}",
            format!("{profile:?}")
        );
    }
}
