//! A participant with sound keys misbehaves for a minute, in each of four ways: the plane takes no more than 4 MiB for
//! it, the publisher it watches is asked for two key frames a second at most, and to whom it has nothing to say each
//! packet comes at the very moment at which it would have come without.
#![allow(unsafe_code, reason = "an allocator that counts what the plane holds")]

#[path = "behaviour/support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use loupe_core::rtcp::{write_nack, write_pli};
use loupe_core::rtp::FixedHeader;
use loupe_core::stats::{Counter, Drop};
use loupe_core::units::{SeqNo, Ssrc, Time};
use support::media::{camera, microphone, picture, sound};
use support::{World, millis};

const HOSTILE: usize = 2;
const MINUTE_MS: u64 = 60_000;
/// What the plane may hold more than before.
const MOST: isize = 4 << 20;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// Counts what this thread allocates and frees while the plane works.
struct Counting;

impl Counting {
    fn count(bytes: isize) {
        if INSIDE.get() {
            HELD.set(HELD.get() + bytes);
        }
    }
}

// SAFETY: every call goes to the system's allocator as it came; counting touches two cells of the thread, which need
// neither memory nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Counting::count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Counting::count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Counting::count(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the bystander saw: when which packet of which of its two lines came.
type Arrivals = Vec<(usize, Time, u64, bool)>;

/// Peer 0 publishes to bystander 1 and to peer 2, which publishes to peer 3.
fn begin() -> World {
    let mut world = World::new(1);
    world.watch = |inside| INSIDE.set(inside);
    for _ in 0..4 {
        world.join();
    }
    world.run(millis(300));
    let video = world.publish(0, camera(1_000));
    let audio = world.publish(0, microphone(1_100));
    let own = world.publish(HOSTILE, camera(3_000));
    world.subscribe(video, 1, picture(2_000));
    world.subscribe(audio, 1, sound(2_100));
    world.subscribe(video, HOSTILE, picture(2_200));
    world.subscribe(own, 3, picture(2_300));
    world.peer(3).deaf = true;
    world.run(millis(5_000));
    world
}

/// A minute in which `misbehave` is called each millisecond with its number.
fn minute(misbehave: impl Fn(&mut World, u64)) -> (World, Arrivals) {
    let mut world = begin();
    let plis = world.peer(0).publisher.plis.len();
    let before = HELD.get();
    let mut most = 0;
    for turn in 0..MINUTE_MS {
        misbehave(&mut world, turn);
        world.run(millis(1));
        most = most.max(HELD.get() - before);
        // The tests' own records would grow for ever.
        world.runs.clear();
    }
    world.run(millis(200));
    assert!(most <= MOST, "{most} bytes more");
    let asked = world.peer(0).publisher.plis.len() - plis;
    assert!(asked <= 2 * 60 + 1, "{asked} key frames in a minute");
    let lines = [0, 1].into_iter().flat_map(|number| {
        world.line(1, number).received.iter().map(move |it| (number, it.at, it.seq, it.repaired))
    });
    let arrivals = lines.collect();
    (world, arrivals)
}

fn assert_unharmed(found: &Arrivals) {
    let (mut honest, expected) = minute(|_, _| {});
    assert_eq!(honest.peer(1).wire.refused, 0);
    assert!(honest.line(1, 0).holes().is_empty() && honest.line(1, 1).holes().is_empty());
    assert!(expected.len() > 60 * 195, "{} packets", expected.len());
    let first = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    assert_eq!((found.len(), first), (expected.len(), None));
}

fn give(world: &mut World, datagram: Vec<u8>) {
    let address = world.peer(HOSTILE).wire.address;
    world.inject(address, datagram);
}

fn rtp(world: &mut World, ssrc: u32, index: u64, length: usize) -> Vec<u8> {
    let fixed = FixedHeader {
        payload_type: 96,
        marker: true,
        sequence: SeqNo(index).wire(),
        timestamp: index as u32,
        ssrc: Ssrc(ssrc),
    };
    let packet = [&fixed.bytes()[..], &vec![0x11; length][..]].concat();
    world.peer(HOSTILE).wire.protect_rtp(packet, index)
}

#[test]
fn of_a_hundred_thousand_sources() {
    let (world, arrivals) = minute(|world, turn| {
        for ssrc in turn * 100_000 / MINUTE_MS..(turn + 1) * 100_000 / MINUTE_MS {
            let datagram = rtp(world, 100_000 + ssrc as u32, 1, 200);
            give(world, datagram);
        }
    });
    assert!(world.dropped(Drop::UnknownSource) + world.dropped(Drop::RateLimited) >= 100_000);
    assert!(world.plane.census().sources <= 8 + 16, "{:?}", world.plane.census());
    assert_unharmed(&arrivals);
}

#[test]
fn of_ten_times_the_rate_of_a_camera() {
    let first = 65_000 + 10_000;
    let (world, arrivals) = minute(|world, turn| {
        world.peer(HOSTILE).publisher.sources[0].flowing = false;
        // 150 Mbit/s.
        for number in turn * 16_500 / 1_000..(turn + 1) * 16_500 / 1_000 {
            let datagram = rtp(world, 3_000, first + number, 1_100);
            give(world, datagram);
        }
    });
    // 30 Mbit/s are taken, half a second of that at once, and 2 Mbit/s of peer 0.
    let forwarded = world.count(Counter::RtpIn) * 1_128 * 8 / 60;
    assert!((30_000_000..33_000_000).contains(&forwarded), "{forwarded} bits a second");
    assert!(world.dropped(Drop::RateLimited) > 750_000);
    assert_unharmed(&arrivals);
}

#[test]
fn of_a_thousand_key_frame_requests_a_second() {
    let (world, arrivals) = minute(|world, _| {
        let mut report = Vec::new();
        write_pli(&mut report, Ssrc(902), Ssrc(2_200));
        let datagram = world.peer(HOSTILE).wire.protect_rtcp(report);
        give(world, datagram);
    });
    assert!(world.count(Counter::PlisReceived) > 50_000);
    assert_unharmed(&arrivals);
}

#[test]
fn of_requests_for_all_it_ever_received() {
    let (mut world, arrivals) = minute(|world, turn| {
        let newest = world.line(HOSTILE, 0).received.last().unwrap().seq;
        let from = newest - turn * 7 % 3_000;
        let all: Vec<u16> = (from - 900..=from).map(|seq| SeqNo(seq).wire()).collect();
        let mut report = Vec::new();
        write_nack(&mut report, Ssrc(902), Ssrc(2_200), &all);
        let datagram = world.peer(HOSTILE).wire.protect_rtcp(report);
        give(world, datagram);
    });
    assert!(world.count(Counter::NacksReceived) > 50_000_000);
    let line = &world.line(HOSTILE, 0).received;
    let bytes = |repaired| line.iter().filter(|it| it.repaired == repaired).map(|it| it.payload.len()).sum();
    let (stream, repairs): (usize, usize) = (bytes(false), bytes(true));
    assert!(repairs * 4 * 60 <= stream * 62, "{repairs} of {stream} were sent again");
    assert_eq!(world.peer(0).publisher.nacked.len(), 0);
    assert_unharmed(&arrivals);
}
