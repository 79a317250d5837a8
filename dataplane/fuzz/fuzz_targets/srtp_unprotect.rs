//! SRTP and SRTCP: any bytes are refused without a trace, what was protected opens, and what was changed does not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use loupe_core::io::SrtpProfile;
use loupe_core::rtp::RtpHeader;
use loupe_core::srtp::{InboundSrtp, OutboundSrtp, RtcpReplay, RtpReplay};
use loupe_core::units::SeqNo;

const PROFILES: [SrtpProfile; 3] =
    [SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm, SrtpProfile::Aes128CmSha1_80];

struct Keys {
    inbound: InboundSrtp,
    outbound: OutboundSrtp,
}

thread_local! {
    static KEYS: Vec<Keys> = PROFILES.map(|profile| {
        let key = vec![7; profile.key_length() + profile.salt_length()];
        Keys {
            inbound: InboundSrtp::new(profile, &key).expect("a key of the profile's length"),
            outbound: OutboundSrtp::new(profile, &key).expect("a key of the profile's length"),
        }
    }).into();
}

/// Bytes that nobody protected; whatever header length a caller claims.
fn forged(keys: &Keys, claimed: usize, data: &[u8]) {
    let mut stream = RtpReplay::default();
    let mut copy = data.to_vec();
    assert!(keys.inbound.unprotect_rtp(&mut stream, claimed, &mut copy).is_err());
    assert_eq!(stream, RtpReplay::default());
    let mut stream = RtcpReplay::default();
    let mut copy = data.to_vec();
    assert!(keys.inbound.unprotect_rtcp(&mut stream, &mut copy).is_err());
    assert_eq!(stream, RtcpReplay::default());
}

fn rtp(keys: &Keys, change: (usize, u8), data: &[u8]) {
    let Ok(header) = RtpHeader::parse(data) else { return };
    let header_length = usize::from(header.header_length);
    let index = SeqNo(u64::from(header.sequence));
    let mut sealed = data.to_vec();
    keys.outbound.protect_rtp(&mut sealed, 0, header_length, index).expect("a packet that parses");
    let mut changed = sealed.clone();
    let place = change.0 % changed.len();
    changed[place] ^= change.1;
    let mut stream = RtpReplay::default();
    // A change of the sequence number can make it another index of the same stream, but never authentic.
    assert!(keys.inbound.unprotect_rtp(&mut stream, header_length, &mut changed).is_err());
    assert_eq!(stream, RtpReplay::default());
    let mut opened = sealed.clone();
    let unprotected = keys.inbound.unprotect_rtp(&mut stream, header_length, &mut opened).expect("authentic");
    assert_eq!((unprotected.index, &opened[..unprotected.length]), (index, data));
    assert!(keys.inbound.unprotect_rtp(&mut stream, header_length, &mut sealed).is_err(), "a replay");
}

fn rtcp(keys: &Keys, change: (usize, u8), data: &[u8]) {
    let mut sealed = data.to_vec();
    if keys.outbound.protect_rtcp(&mut sealed, 0, 5).is_err() {
        return;
    }
    let mut changed = sealed.clone();
    let place = change.0 % changed.len();
    changed[place] ^= change.1;
    let mut stream = RtcpReplay::default();
    assert!(keys.inbound.unprotect_rtcp(&mut stream, &mut changed).is_err());
    assert_eq!(stream, RtcpReplay::default());
    let mut opened = sealed.clone();
    let length = keys.inbound.unprotect_rtcp(&mut stream, &mut opened).expect("authentic");
    assert_eq!(&opened[..length], data);
    assert!(keys.inbound.unprotect_rtcp(&mut stream, &mut sealed).is_err(), "a replay");
}

fuzz_target!(|data: &[u8]| {
    let Some((head, data)) = data.split_first_chunk::<4>() else { return };
    let change = (usize::from(u16::from_be_bytes([head[0], head[1]])), head[2].max(1));
    KEYS.with(|all| {
        let keys = &all[usize::from(head[3]) % all.len()];
        forged(keys, usize::from(head[3] / 3), data);
        if let Ok(header) = RtpHeader::parse(data) {
            forged(keys, usize::from(header.header_length), data);
        }
        rtp(keys, change, data);
        rtcp(keys, change, data);
    });
});
