//! Whatever is closed in whatever order, with media on its way: nothing is left in any map, and nothing panics.

use crate::support::media::{camera, microphone, picture, protected_picture, sound};
use crate::support::{World, clean, millis};
use loupe_core::census::Census;
use loupe_core::io::{Command, Handle};
use loupe_core::stats::Counter;

/// Two peers, each publishing picture and sound, each subscribed to the other's: ten handles.
fn meeting(seed: u64) -> (World, Vec<Handle>) {
    let mut world = World::new(seed);
    let peers = [world.join(), world.join()];
    world.run(millis(300));
    let mut handles: Vec<Handle> = peers.iter().map(|peer| world.ends[*peer].peer.handle).collect();
    for peer in peers {
        let number = peer as u32;
        let video = world.publish(peer, camera(1_000 + 500 * number));
        let audio = world.publish(peer, microphone(1_100 + 500 * number));
        let (see, _) = world.subscribe(video, 1 - peer, picture(5_000 + 500 * number));
        let (hear, _) = world.subscribe(audio, 1 - peer, sound(5_100 + 500 * number));
        handles.extend([video, audio, see, hear]);
    }
    world.run(millis(500));
    (world, handles)
}

fn close(world: &mut World, handle: Handle) {
    world.command(Command::Close { handle });
}

/// All orders of `items` (Heap's algorithm).
fn orders(items: &mut Vec<Handle>, length: usize, visit: &mut impl FnMut(&[Handle])) {
    if length <= 1 {
        return visit(items);
    }
    for index in 0..length {
        orders(items, length - 1, visit);
        let other = if length.is_multiple_of(2) { index } else { 0 };
        items.swap(other, length - 1);
    }
}

#[test]
fn somebody_connects_until_all_have_keys_or_are_gone() {
    let mut world = World::new(1);
    assert!(!world.plane.connects());
    let peers = [(); 2].map(|()| world.join_without_keys(clean(10), clean(10)));
    assert!(world.plane.connects());
    world.give_keys(peers[0]);
    assert!(world.plane.connects(), "the other has none");
    world.give_keys(peers[0]);
    assert!(world.plane.connects(), "new keys are not another's");
    let handle = world.ends[peers[1]].peer.handle;
    close(&mut world, handle);
    assert!(!world.plane.connects());
}

#[test]
fn every_order_of_closing_leaves_nothing() {
    let (_, handles) = meeting(1);
    // Both transports, one peer's publications, one subscription of each: 720 orders.
    let mut chosen = vec![handles[0], handles[1], handles[2], handles[3], handles[4], handles[9]];
    let mut count = 0;
    orders(&mut chosen, 6, &mut |order| {
        count += 1;
        let mut world = small_meeting();
        for handle in order {
            close(&mut world, *handle);
        }
        assert_eq!(world.plane.census(), Census::default(), "{order:?}");
    });
    assert_eq!(count, 720);
}

/// As [`meeting`], but nothing has been sent yet: quick to make.
fn small_meeting() -> World {
    let mut world = World::new(2);
    let peers = [world.join(), world.join()];
    for peer in peers {
        let number = peer as u32;
        let video = world.publish(peer, camera(1_000 + 500 * number));
        let audio = world.publish(peer, microphone(1_100 + 500 * number));
        world.subscribe(video, 1 - peer, picture(5_000 + 500 * number));
        world.subscribe(audio, 1 - peer, sound(5_100 + 500 * number));
    }
    world
}

#[test]
fn closing_in_the_middle_of_media_leaves_nothing() {
    for seed in 0..30 {
        let (mut world, mut handles) = meeting(seed);
        let mut state = seed;
        while !handles.is_empty() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let handle = handles.swap_remove((state >> 33) as usize % handles.len());
            close(&mut world, handle);
            world.run(millis(state >> 60));
        }
        assert_eq!(world.plane.census(), Census::default(), "seed {seed}");
        world.run(millis(2_000));
        assert_eq!(world.plane.census(), Census::default(), "seed {seed}, afterwards");
    }
}

#[test]
fn closing_twice_or_what_never_was_has_no_effect() {
    let (mut world, handles) = meeting(3);
    close(&mut world, Handle(999_999));
    let before = world.plane.census();
    close(&mut world, handles[4]);
    let after = world.plane.census();
    assert_ne!(before, after);
    close(&mut world, handles[4]);
    assert_eq!(world.plane.census(), after);
}

#[test]
fn a_transport_takes_everything_of_it_along() {
    let (mut world, handles) = meeting(4);
    close(&mut world, handles[0]);
    let census = world.plane.census();
    assert_eq!((census.transports, census.publications, census.subscriptions), (1, 2, 0));
    assert_eq!((census.handles, census.addresses, census.fragments), (3, 1, 1));
    let received = world.line(1, 0).received.len();
    world.run(millis(1_000));
    assert!(world.line(1, 0).received.len() <= received + 10);
}

#[test]
fn who_comes_after_all_have_left_is_served() {
    let (mut world, handles) = meeting(5);
    for handle in &handles {
        close(&mut world, *handle);
    }
    let viewer = world.join();
    let publisher = world.join();
    world.run(millis(300));
    let publication = world.publish(publisher, camera(1_000));
    world.subscribe(publication, viewer, picture(2_000));
    world.run(millis(1_000));
    assert!(world.line(viewer, 0).frames().len() > 25);
}

/// A source that never sent needs no remembering, and one that did has one entry, however often it is used.
#[test]
fn a_viewer_may_be_offered_as_much_as_comes_and_goes() {
    let mut world = World::new(6);
    let (publisher, viewer) = (world.join(), world.join());
    world.run(millis(300));
    let silent = world.publish(publisher, camera(1_000));
    world.peer(publisher).publisher.sources[0].flowing = false;
    for number in 0..5_000 {
        let (subscription, _) = world.subscribe(silent, viewer, protected_picture(10_000 + 3 * number));
        close(&mut world, subscription);
    }
    let flowing = world.publish(publisher, camera(1_300));
    for _ in 0..3 {
        let (subscription, _) = world.subscribe(flowing, viewer, picture(10_000));
        world.run(millis(300));
        close(&mut world, subscription);
    }
    assert_eq!(world.count(Counter::SubscriptionsRefused), 0);
    assert!(world.line(viewer, 0).frames().len() > 20);
}

#[test]
fn a_source_in_use_is_refused_and_counted() {
    let mut world = small_meeting();
    let publication = world.publish(0, camera(3_000));
    let before = world.plane.census();
    world.subscribe(publication, 1, picture(5_000));
    assert_eq!(world.count(Counter::SubscriptionsRefused), 1);
    assert_eq!(world.plane.census(), before);
}
