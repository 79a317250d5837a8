//! Consent (RFC 7675) and what may draw an answer: only authenticated checks keep a transport alive.

use crate::ice_peer::{
    CONTROLLED, CONTROLLING, Integrity, Peer, USE_CANDIDATE, credentials, path, request, seconds,
};
use loupe_core::ice::{AnswerLimiter, IceEvent};
use loupe_core::io::CloseReason;
use loupe_core::stats::Drop;
use loupe_core::stun::{StunKey, StunKind, StunMessage};
use loupe_core::units::Time;

/// Type and value of a STUN attribute.
type Attribute<'a> = (u16, &'a [u8]);

const USER: &str = "oursA:theirsA";

fn password() -> String {
    credentials("A").local_pwd
}

/// Runs the timer until `end`; what happened, and when.
fn events_until(peer: &mut Peer, end: Time) -> Vec<(Time, IceEvent)> {
    let mut events = Vec::new();
    while peer.ice.next_timeout() <= end {
        let now = peer.ice.next_timeout();
        let before = events.len();
        while let Some(event) = peer.ice.handle_timeout(now) {
            events.push((now, event));
        }
        assert!(events.len() > before || peer.ice.next_timeout() > now, "the timer stands still at {now:?}");
    }
    events
}

#[test]
fn a_transport_without_a_first_check_ends() {
    let mut peer = Peer::new();
    assert_eq!(peer.ice.path(), None);
    let events = events_until(&mut peer, seconds(100.0));
    assert_eq!(events, [(seconds(30.0), IceEvent::Closed(CloseReason::NeverConnected))]);
    assert_eq!(peer.ice.next_timeout(), Time::NEVER);
    assert_eq!(peer.check(seconds(101.0), path(1), "A", &[]), Err(Drop::StunUnknownUser));
}

#[test]
fn silence_pauses_within_5_to_6_s_and_ends_after_30() {
    let mut peer = Peer::new();
    let outcome = peer.check(seconds(1.0), path(1), "A", &[]).unwrap();
    assert_eq!((outcome.event, outcome.admitted), (Some(IceEvent::Ready(path(1))), Some(path(1))));
    let events = events_until(&mut peer, seconds(100.0));
    let [(paused, IceEvent::ConsentLost), (ended, IceEvent::Closed(CloseReason::ConsentExpired))] =
        events[..]
    else {
        panic!("{events:?}")
    };
    assert!(seconds(5.0) <= paused && paused <= seconds(7.0), "paused at {paused:?}");
    assert_eq!(ended, seconds(31.0));
    assert_eq!(peer.ice.path(), None);
}

#[test]
fn checks_every_5_s_within_a_fifth_never_pause() {
    let mut peer = Peer::new();
    let mut now = 0.0;
    // The spacings that RFC 7675 section 5.1 allows, but for the last tenth of a second of them.
    for step in (0..200).map(|step| 4.0 + f64::from(step % 19) * 0.1) {
        assert!(peer.check(seconds(now), path(1), "A", &[]).is_ok());
        now += step;
        assert_eq!(events_until(&mut peer, seconds(now - 0.000_002)), []);
    }
}

#[test]
fn a_check_after_the_pause_restores_the_path() {
    let mut peer = Peer::new();
    let _ = peer.check(seconds(0.0), path(1), "A", &[]).unwrap();
    assert_eq!(events_until(&mut peer, seconds(10.0)).len(), 1);
    assert_eq!(peer.ice.path(), None);
    let outcome = peer.check(seconds(10.0), path(1), "A", &[]).unwrap();
    assert_eq!((outcome.event, outcome.admitted), (Some(IceEvent::Restored(path(1))), None));
    assert_eq!(peer.ice.path(), Some(path(1)));
}

#[test]
fn forged_checks_refresh_nothing_and_draw_one_answer_a_second() {
    let mut peer = Peer::new();
    let _ = peer.check(seconds(0.0), path(1), "A", &[]).unwrap();
    let mut answers = Vec::new();
    let mut truncated = request(8, USER, &[USE_CANDIDATE], Integrity::Key(&password()));
    truncated.truncate(truncated.len() - 24);
    let length = (truncated.len() - 20) as u8;
    truncated[3] = length;
    let forgeries = [
        request(9, USER, &[CONTROLLING, USE_CANDIDATE], Integrity::Missing),
        request(10, USER, &[CONTROLLING, USE_CANDIDATE], Integrity::Key("wrong")),
        truncated,
    ];
    for milli in 0..5_000_u64 {
        let (outcome, answer) =
            peer.give(Time::from_millis(milli), path(66), &forgeries[(milli % 3) as usize]);
        assert!(matches!(outcome, Err(Drop::StunIntegrity | Drop::StunRateLimited)));
        // ASVS 17.1: whoever forges a source gains nothing to aim with.
        assert!(answer.len() * 2 <= forgeries[(milli % 3) as usize].len() * 3, "{} bytes", answer.len());
        if !answer.is_empty() {
            answers.push((milli, answer));
        }
    }
    assert_eq!(answers.iter().map(|(milli, _)| *milli).collect::<Vec<_>>(), [0, 1_000, 2_000, 3_000, 4_000]);
    assert_eq!(answers[0].1[26..28], [4, 0], "400 without integrity");
    assert_eq!(answers[1].1[26..28], [4, 1], "401 with a wrong one");
    assert!(!peer.ice.is_validated(path(66)));
    assert_eq!(peer.ice.path(), Some(path(1)));
    assert_eq!(peer.ice.validated().collect::<Vec<_>>(), [path(1)]);
    assert!(matches!(events_until(&mut peer, seconds(6.0))[..], [(_, IceEvent::ConsentLost)]));
}

#[test]
fn unknown_users_and_other_messages_get_no_answer() {
    let mut peer = Peer::new();
    for user in ["nobody:theirsA", "oursA", "", "ours:theirsA"] {
        let bytes = request(1, user, &[], Integrity::Key(&password()));
        assert_eq!(peer.give(seconds(1.0), path(1), &bytes), (Err(Drop::StunUnknownUser), vec![]));
    }
    for kind in [[0, 0x11], [1, 1], [1, 0x11], [0, 3]] {
        let mut bytes = request(1, USER, &[], Integrity::Key(&password()));
        bytes[..2].copy_from_slice(&kind);
        assert_eq!(peer.give(seconds(1.0), path(1), &bytes), (Err(Drop::StunUnexpected), vec![]));
    }
    assert_eq!(peer.ice.validated().count(), 0);
}

#[test]
fn refusals_after_authentication_are_signed_and_change_nothing() {
    let mut peer = Peer::new();
    let known = credentials("A").local_pwd;
    let cases: [(&str, &[Attribute<'_>], u8, Drop); 2] = [
        (USER, &[CONTROLLED], 87, Drop::StunUnexpected),
        (USER, &[CONTROLLING, (0x7ff1, b"????")], 20, Drop::StunUnexpected),
    ];
    for (number, (user, attributes, code, reason)) in cases.into_iter().enumerate() {
        let bytes = request(number as u32, user, attributes, Integrity::Key(&known));
        let (outcome, answer) = peer.give(seconds(2.0 * number as f64), path(1), &bytes);
        assert_eq!(outcome, Err(reason));
        assert_eq!(answer[26..28], [4, code]);
        let parsed = StunMessage::parse(&answer).unwrap();
        assert_eq!(parsed.kind, StunKind::BindingError);
        assert_eq!(parsed.verify_integrity(&StunKey::new(known.as_bytes())), Ok(()));
    }
    let stranger = request(7, "oursA:else", &[CONTROLLING], Integrity::Key(&known));
    let (outcome, answer) = peer.give(seconds(10.0), path(1), &stranger);
    assert_eq!((outcome, &answer[26..28]), (Err(Drop::StunUnknownUser), &[4, 1][..]));
    assert_eq!((peer.ice.path(), peer.ice.validated().count()), (None, 0));
}

#[test]
fn the_peers_fragment_is_asked_for_once_it_is_known() {
    let mut peer = Peer::new();
    let mut early = credentials("A");
    early.remote_ufrag = None;
    peer.ice = loupe_core::ice::IceLite::new(Time::ZERO, early);
    let any = request(1, "oursA:whoever", &[CONTROLLING], Integrity::Key(&password()));
    assert!(peer.give(seconds(1.0), path(1), &any).0.is_ok());
    peer.ice.set_remote_ufrag("theirsA".to_owned());
    let any = request(2, "oursA:whoever", &[CONTROLLING], Integrity::Key(&password()));
    assert_eq!(peer.give(seconds(2.0), path(1), &any).0, Err(Drop::StunUnknownUser));
    assert!(peer.check(seconds(3.0), path(1), "A", &[]).is_ok());
}

#[test]
fn success_answers_are_limited_and_the_limit_keeps_consent() {
    let mut peer = Peer::new();
    let answered =
        (0..10_000_u64).filter(|step| peer.check(Time(step * 100), path(1), "A", &[]).is_ok()).count();
    assert_eq!(answered, 50);
    assert!(peer.check(seconds(1.0), path(1), "A", &[]).is_ok());
    assert_eq!(events_until(&mut peer, seconds(6.8)), []);
}

#[test]
fn success_answers_name_the_address_and_verify() {
    let mut peer = Peer::new();
    let bytes = request(5, USER, &[], Integrity::Key(&password()));
    let (outcome, answer) = peer.give(seconds(1.0), path(7), &bytes);
    assert!(outcome.is_ok());
    assert!(answer.len() * 2 <= bytes.len() * 3, "{} bytes for {}", answer.len(), bytes.len());
    let parsed = StunMessage::parse(&answer).unwrap();
    assert_eq!(parsed.kind, StunKind::BindingSuccess);
    assert_eq!(parsed.transaction.0[8..], 5_u32.to_be_bytes());
    assert_eq!(parsed.verify_integrity(&StunKey::new(password().as_bytes())), Ok(()));
    assert_eq!(answer[26..28], (0x1388_u16 ^ 0x2112).to_be_bytes());
}

#[test]
fn the_limiter_counts_networks_and_is_bounded() {
    let mut limiter = AnswerLimiter::default();
    let v6 = |network: u16, host: u16| ([0x2001, 0xdb8, 0, network, 0, 0, 0, host], 9).into();
    assert!(limiter.admit(seconds(0.0), v6(1, 1)));
    assert!(!limiter.admit(seconds(0.5), v6(1, 2)), "one /64 is one source");
    assert!(limiter.admit(seconds(0.5), v6(2, 1)));
    assert!(
        !limiter.admit(seconds(0.9), ([0x2001, 0xdb8, 0, 1, 0, 0, 0, 1], 10).into()),
        "ports do not count"
    );
    assert!(limiter.admit(seconds(1.0), v6(1, 2)));
    let mut admitted = 0;
    for host in 0..100_000_u32 {
        admitted += u32::from(limiter.admit(seconds(5.0), (host.to_be_bytes(), 9).into()));
    }
    assert_eq!((admitted, limiter.len()), (4_096, 4_096));
    assert!(limiter.admit(seconds(6.0), ([10, 0, 0, 1], 9).into()));
    assert_eq!(limiter.len(), 1);
}
