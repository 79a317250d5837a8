//! Every file of the shared corpora, as a stranger's datagram and inside an encrypted session: no panic, none takes long,
//! and to a bystander each packet comes at the very moment at which it would have come without.

use std::time::Duration;

use crate::support::media::{camera, microphone, picture, simulcast, sound};
use crate::support::wire::address;
use crate::support::{World, clean, millis};
use loupe_core::io::{Command, Event, SrtpProfile};
use loupe_core::rtp::RtpHeader;
use loupe_core::stats::Drop;
use loupe_core::units::Time;

/// The longest UDP payload over IPv4.
const LONGEST: usize = 65_507;
const HOSTILE: usize = 2;
/// Of the processor for one file in every disguise, and for what honest peers send meanwhile.
const MOST: Duration = Duration::from_millis(20);

/// Peer 0 publishes to bystander 1 and to peer 2, which sends the files, publishes, and is watched by peer 3.
fn begin() -> World {
    let mut world = World::new(1);
    for _ in 0..4 {
        world.join();
    }
    world.run(millis(300));
    let video = world.publish(0, camera(1_000));
    let audio = world.publish(0, microphone(1_100));
    let own = world.publish(HOSTILE, simulcast(3_000, &["q", "h"]));
    world.subscribe(video, 1, picture(2_000));
    world.subscribe(audio, 1, sound(2_100));
    world.subscribe(video, HOSTILE, picture(2_200));
    world.subscribe(own, 3, picture(2_300));
    world.run(millis(1_000));
    world
}

/// What the bystander has, and when it came.
fn arrivals(world: &mut World) -> Vec<(usize, Time, u64)> {
    let of = |number: usize| world.line(1, number).received.iter().map(move |it| (number, it.at, it.seq));
    [0, 1].into_iter().flat_map(of).collect()
}

fn assert_unharmed(world: &mut World) {
    world.run(millis(500));
    assert_eq!(world.peer(1).wire.refused, 0);
    let mut honest = begin();
    honest.run(world.now.since(honest.now));
    let (found, expected) = (arrivals(world), arrivals(&mut honest));
    let first = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    assert_eq!((found.len(), first), (expected.len(), None));
    // The hostile peer alone may have been thrown out by its own goodbye, never another.
    assert_eq!(world.events_of(|event| matches!(event, Event::Closed { .. })).len(), 0);
}

/// Since `before` no more than [`MOST`] of the processor was taken; what other programs take does not count.
fn assert_quick(before: Duration) {
    let taken = processor().saturating_sub(before);
    assert!(taken <= MOST, "{taken:?}");
}

fn processor() -> Duration {
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    let nanos = figures.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanos.expect("a number of nanoseconds"))
}

fn files() -> Option<Vec<Vec<u8>>> {
    crate::corpora::find("")?;
    let all = crate::corpora::files("");
    assert!(all.len() > 300, "only {} files", all.len());
    Some(all.into_iter().map(|(_, bytes)| bytes[..bytes.len().min(LONGEST)].to_vec()).collect())
}

#[test]
fn as_datagrams_of_a_stranger() {
    let Some(files) = files() else { return };
    let mut world = begin();
    // What links carry is told once a second, whatever happens.
    let of_strangers = |event: &Event| !matches!(event, Event::Bandwidth { .. });
    let events = world.events_of(of_strangers).len();
    for (number, file) in files.into_iter().enumerate() {
        let before = processor();
        world.inject(address(200, number as u16 + 1), file);
        world.run(millis(2));
        assert_quick(before);
    }
    assert!(world.strays.len() <= 300, "{} answers", world.strays.len());
    assert_eq!(world.events_of(of_strangers).len(), events);
    assert_eq!(world.plane.census().addresses, 4);
    assert_unharmed(&mut world);
}

#[test]
fn as_plain_datagrams_of_a_participant() {
    let Some(files) = files() else { return };
    let mut world = begin();
    let source = world.peer(HOSTILE).wire.address;
    for file in files {
        let before = processor();
        world.inject(source, file);
        world.run(millis(2));
        assert_quick(before);
    }
    assert_unharmed(&mut world);
}

#[test]
fn as_encrypted_reports() {
    let Some(files) = files() else { return };
    let mut world = begin();
    let source = world.peer(HOSTILE).wire.address;
    for file in files {
        let before = processor();
        // As it is, and after a header that makes each of its first types reach its own parser.
        let mut bodies = vec![file.clone()];
        for packet_type in [200, 201, 202, 203, 205, 206] {
            for count in [0x80, 0x81, 0x8f, 0x9f] {
                let body = &file[..file.len().min(1_200) & !3];
                let words = (body.len() / 4) as u16;
                bodies.push([&[count, packet_type][..], &words.to_be_bytes(), body].concat());
            }
        }
        for body in bodies {
            if let Some(datagram) = world.peer(HOSTILE).wire.protect_any_rtcp(body) {
                world.inject(source, datagram);
            }
        }
        // As fast as reports are taken at all.
        world.run(millis(25));
        assert_quick(before);
    }
    assert_eq!(world.dropped(Drop::RateLimited), 0);
    assert!(world.plane.census().rtcp_sources <= 64 + 8);
    assert_unharmed(&mut world);
}

#[test]
fn as_encrypted_media() {
    let Some(files) = files() else { return };
    let mut world = begin();
    let source = world.peer(HOSTILE).wire.address;
    let mut index = world.peer(HOSTILE).publisher.sources[0].index;
    world.peer(HOSTILE).publisher.sources.iter_mut().for_each(|source| source.flowing = false);
    for file in files {
        let before = processor();
        for payload_type in [96, 97] {
            index += 1;
            let mut whole = file.clone();
            if whole.len() >= 12 {
                // Its own header, with a source, type and number that are accepted.
                whole[0] = whole[0] & 0x3f | 0x80;
                whole[1] = payload_type;
                whole[2..4].copy_from_slice(&(index as u16).to_be_bytes());
                whole[8..12].copy_from_slice(&3_000_u32.to_be_bytes());
            }
            let header_length =
                RtpHeader::parse(&whole).map_or(12, |header| usize::from(header.header_length));
            let protected = world.peer(HOSTILE).wire.protect_anything(whole, header_length, index);
            protected.into_iter().for_each(|datagram| world.inject(source, datagram));
            index += 1;
            let mut wrapped = vec![0x80, payload_type];
            wrapped.extend_from_slice(&(index as u16).to_be_bytes());
            wrapped.extend_from_slice(&[0, 0, 1, 0]);
            wrapped.extend_from_slice(&3_000_u32.to_be_bytes());
            wrapped.extend_from_slice(&file[..file.len().min(1_200)]);
            let protected = world.peer(HOSTILE).wire.protect_anything(wrapped, 12, index);
            protected.into_iter().for_each(|datagram| world.inject(source, datagram));
        }
        world.run(millis(2));
        assert_quick(before);
    }
    assert_eq!(world.peer(3).wire.refused, 0, "what was accepted reaches its viewer sound");
    assert_unharmed(&mut world);
}

#[test]
fn keys_of_a_length_that_is_none_are_counted_and_leave_no_media() {
    let mut world = World::new(1);
    let peer = world.join_without_keys(clean(10), clean(10));
    let transport = world.peer(peer).handle;
    let (inbound, outbound) = (vec![1; 28], vec![2; 27]);
    let profile = SrtpProfile::AeadAes128Gcm;
    world.command(Command::SetSrtp { transport, profile, inbound, outbound });
    assert_eq!(world.dropped(Drop::NoKeys), 1);
}
