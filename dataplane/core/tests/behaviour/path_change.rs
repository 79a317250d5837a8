//! A peer moves from one link to another: what may move the path, and what may not.

use crate::ice_peer::{CONTROLLING, Integrity, Peer, USE_CANDIDATE, credentials, path, request, seconds};
use loupe_core::ice::{IceEvent, Path};
use loupe_core::stats::Drop;
use loupe_core::units::Time;

#[test]
fn a_nomination_moves_the_path_and_a_plain_check_does_not() {
    let mut peer = Peer::new();
    assert_eq!(peer.check(seconds(0.0), path(1), "A", &[]).unwrap().event, Some(IceEvent::Ready(path(1))));
    let second = peer.check(seconds(0.1), path(2), "A", &[]).unwrap();
    assert_eq!((second.admitted, second.event), (Some(path(2)), None));
    assert_eq!(peer.ice.path(), Some(path(1)));
    let nominated = peer.check(seconds(0.2), path(2), "A", &[USE_CANDIDATE]).unwrap();
    assert_eq!((nominated.admitted, nominated.event), (None, Some(IceEvent::PathChanged(path(2)))));
    assert_eq!(peer.check(seconds(0.3), path(2), "A", &[USE_CANDIDATE]).unwrap().event, None);
    let back = peer.check(seconds(0.4), path(1), "A", &[USE_CANDIDATE]).unwrap();
    assert_eq!(back.event, Some(IceEvent::PathChanged(path(1))));
    assert_eq!(peer.ice.path(), Some(path(1)));
}

#[test]
fn the_local_socket_is_part_of_the_path() {
    let mut peer = Peer::new();
    let other = Path { local: 1, ..path(1) };
    let _ = peer.check(seconds(0.0), path(1), "A", &[]).unwrap();
    assert!(!peer.ice.is_validated(other));
    let moved = peer.check(seconds(0.1), other, "A", &[USE_CANDIDATE]).unwrap();
    assert_eq!(moved.event, Some(IceEvent::PathChanged(other)));
}

#[test]
fn a_silent_path_gives_way_to_one_with_fresh_consent() {
    let mut peer = Peer::new();
    let _ = peer.check(seconds(0.0), path(1), "A", &[USE_CANDIDATE]).unwrap();
    for half in 1..12 {
        let now = seconds(f64::from(half) * 0.5);
        assert_eq!(peer.ice.handle_timeout(now), None);
        assert_eq!(peer.check(now, path(2), "A", &[]).unwrap().event, None);
    }
    let now = peer.ice.next_timeout();
    assert!(now <= seconds(6.0));
    assert_eq!(peer.ice.handle_timeout(now), Some(IceEvent::PathChanged(path(2))));
    assert_eq!(peer.ice.path(), Some(path(2)));
}

#[test]
fn an_interrupted_transport_comes_back_on_another_path_by_a_plain_check() {
    let mut peer = Peer::new();
    let _ = peer.check(seconds(0.0), path(1), "A", &[USE_CANDIDATE]).unwrap();
    assert_eq!(peer.ice.handle_timeout(seconds(6.0)), Some(IceEvent::ConsentLost));
    let outcome = peer.check(seconds(7.0), path(2), "A", &[]).unwrap();
    assert_eq!((outcome.admitted, outcome.event), (Some(path(2)), Some(IceEvent::Restored(path(2)))));
}

#[test]
fn the_least_recently_checked_makes_room_but_never_the_path() {
    let mut peer = Peer::new();
    for host in 1..=8 {
        let outcome = peer.check(seconds(f64::from(host) * 0.01), path(host), "A", &[]).unwrap();
        assert_eq!((outcome.admitted, outcome.evicted), (Some(path(host)), None));
    }
    // 1 is the path although it is the oldest; 2 is checked again, so 3 goes.
    let _ = peer.check(seconds(0.2), path(2), "A", &[]).unwrap();
    let ninth = peer.check(seconds(0.3), path(9), "A", &[]).unwrap();
    assert_eq!((ninth.admitted, ninth.evicted), (Some(path(9)), Some(path(3))));
    assert!(!peer.ice.is_validated(path(3)) && peer.ice.is_validated(path(1)));
    assert_eq!(peer.ice.validated().count(), 8);
    assert_eq!(peer.ice.path(), Some(path(1)));
}

#[test]
fn an_address_without_checks_for_30_s_is_forgotten() {
    let mut peer = Peer::new();
    let _ = peer.check(seconds(0.0), path(2), "A", &[]).unwrap();
    let mut expired = Vec::new();
    for second in 1..60 {
        let now = seconds(f64::from(second));
        let _ = peer.check(now, path(1), "A", &[USE_CANDIDATE]).unwrap();
        while let Some(event) = peer.ice.handle_timeout(now) {
            expired.push((now, event));
        }
    }
    assert_eq!(expired, [(seconds(30.0), IceEvent::AddressExpired(path(2)))]);
    assert_eq!(peer.ice.validated().collect::<Vec<_>>(), [path(1)]);
}

#[test]
fn a_restart_keeps_the_path_and_ends_the_old_credentials_at_the_first_new_check() {
    let mut peer = Peer::new();
    let _ = peer.check(seconds(0.0), path(1), "A", &[USE_CANDIDATE]).unwrap();
    peer.ice.restart(seconds(1.0), credentials("B"));
    assert_eq!(peer.ice.local_ufrags(seconds(1.0)).collect::<Vec<_>>(), ["oursB", "oursA"]);
    assert_eq!(peer.check(seconds(2.0), path(1), "A", &[]).unwrap().event, None);
    assert_eq!(peer.ice.path(), Some(path(1)));
    let moved = peer.check(seconds(3.0), path(2), "B", &[USE_CANDIDATE]).unwrap();
    assert_eq!(moved.event, Some(IceEvent::PathChanged(path(2))));
    assert_eq!(peer.check(seconds(3.1), path(1), "A", &[USE_CANDIDATE]), Err(Drop::StunUnknownUser));
    assert_eq!(peer.ice.path(), Some(path(2)));
    assert_eq!(peer.ice.local_ufrags(seconds(3.1)).collect::<Vec<_>>(), ["oursB"]);
}

#[test]
fn old_credentials_end_30_s_after_a_restart_that_nobody_followed() {
    let mut peer = Peer::new();
    let _ = peer.check(seconds(0.0), path(1), "A", &[]).unwrap();
    peer.ice.restart(seconds(1.0), credentials("B"));
    assert!(peer.check(seconds(30.9), path(1), "A", &[]).is_ok());
    assert_eq!(peer.check(seconds(31.0), path(1), "A", &[]), Err(Drop::StunUnknownUser));
}

#[test]
fn a_second_restart_keeps_the_credentials_that_the_peer_still_uses() {
    let mut peer = Peer::new();
    let _ = peer.check(seconds(0.0), path(1), "A", &[]).unwrap();
    peer.ice.restart(seconds(1.0), credentials("B"));
    peer.ice.restart(seconds(2.0), credentials("C"));
    assert!(peer.check(seconds(3.0), path(1), "A", &[]).is_ok());
    assert_eq!(peer.check(seconds(3.0), path(1), "B", &[]), Err(Drop::StunUnknownUser));
    assert!(peer.check(seconds(4.0), path(1), "C", &[]).is_ok());
    assert_eq!(peer.check(seconds(5.0), path(1), "A", &[]), Err(Drop::StunUnknownUser));
}

#[test]
fn new_credentials_with_an_old_password_are_refused() {
    let mut peer = Peer::new();
    peer.ice.restart(seconds(1.0), credentials("B"));
    let mixed = request(1, "oursB:theirsB", &[CONTROLLING], Integrity::Key(&credentials("A").local_pwd));
    assert_eq!(peer.give(seconds(2.0), path(1), &mixed).0, Err(Drop::StunIntegrity));
    assert!(peer.check(seconds(2.0), path(1), "A", &[]).is_ok(), "a forged new check ends nothing");
}

#[test]
fn a_caught_check_sent_again_from_elsewhere_moves_nothing() {
    let mut peer = Peer::new();
    let key = credentials("A").local_pwd;
    let caught = request(77, "oursA:theirsA", &[CONTROLLING, USE_CANDIDATE], Integrity::Key(&key));
    assert!(peer.give(seconds(0.0), path(1), &caught).0.is_ok());
    let replayed = peer.give(seconds(0.1), path(66), &caught);
    assert_eq!(replayed, (Err(Drop::StunUnexpected), vec![]));
    assert!(!peer.ice.is_validated(path(66)));
    assert_eq!(peer.ice.path(), Some(path(1)));
    // A retransmission from the same address is an honest one.
    assert!(peer.give(Time::from_millis(200), path(1), &caught).0.is_ok());
}
