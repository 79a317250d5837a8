//! Pictures of viewers whose path is long and loses some packets have parity (`flexfec-03`), and of others never.

use crate::support::media::{camera, picture, protected_picture};
use crate::support::viewer::Line;
use crate::support::{World, clean, lossy, millis};
use loupe_core::io::{Command, Handle, Wish};
use loupe_core::rtp::RtpHeader;
use loupe_core::units::SeqNo;
use loupe_netem::{Loss, profiles};

/// A camera and one viewer, so many milliseconds away behind this loss.
fn seen(seed: u64, line: Line, one_way_ms: u64, loss: Loss) -> (World, Handle, Handle) {
    let mut world = World::new(seed);
    let publisher = world.join();
    let viewer = world.join_by(clean(one_way_ms), lossy(one_way_ms, loss));
    world.run(millis(2_000));
    let mut media = camera(1_000);
    media.sources[0].packets_per_frame = 6;
    let publication = world.publish(publisher, media);
    let (subscription, _) = world.subscribe(publication, viewer, line);
    world.command(Command::Want {
        transport: world.ends[viewer].peer.handle,
        rate: Some(loupe_core::units::Bitrate(20_000_000)),
    });
    world.run(millis(20_000));
    (world, publication, subscription)
}

#[test]
fn what_is_lost_on_a_long_path_comes_back_without_being_asked_for() {
    for seed in 1..5 {
        let (mut world, ..) = seen(seed, protected_picture(2_000), 150, profiles::iid(3.0));
        let line = world.line(1, 0);
        let recovered = line.recovered();
        // Repeats of what arrived are for probes.
        let lost = line.in_order().into_iter().filter(|packet| !line.plain.contains_key(&packet.seq));
        // Half of the pictures are of the lowest temporal layer.
        let lost: Vec<_> = lost.filter(|packet| packet.numbers().temporal == 0).collect();
        let mut compared = 0;
        for again in &lost {
            let Some(packet) = recovered.get(&again.seq) else { continue };
            let header = RtpHeader::parse(packet).unwrap();
            assert_eq!(header.sequence, SeqNo(again.seq).wire());
            assert_eq!((header.marker, header.payload(packet).unwrap()), (again.marker, &again.payload[..]));
            compared += 1;
        }
        assert!(
            lost.len() > 20 && compared * 10 > lost.len() * 6,
            "seed {seed}: {compared} of {}",
            lost.len()
        );
        assert_eq!(world.peer(1).wire.refused, 0);
    }
}

#[test]
fn it_takes_no_more_than_its_share() {
    let (world, ..) = seen(3, protected_picture(2_000), 150, profiles::iid(3.0));
    let line = world.line(1, 0);
    let parity: usize = line.parity.iter().map(|(.., payload)| payload.len()).sum();
    let media: usize = line.plain.values().map(Vec::len).sum();
    assert!(!line.parity.is_empty() && (parity as f64) < media as f64 * 0.2, "{parity} of {media}");
}

#[test]
fn short_clean_and_plain_paths_have_none() {
    for (line, one_way_ms, loss) in [
        (protected_picture(2_000), 40, profiles::iid(3.0)),
        (protected_picture(2_000), 150, Loss::None),
        (picture(2_000), 150, profiles::iid(3.0)),
    ] {
        let (world, ..) = seen(4, line, one_way_ms, loss);
        let line = world.line(1, 0);
        assert!(line.received.len() > 1_000 && line.parity.is_empty(), "{one_way_ms} ms");
    }
}

#[test]
fn stills_have_none_and_numbers_go_on_in_the_next_subscription() {
    let (mut world, publication, subscription) = seen(5, protected_picture(2_000), 150, profiles::iid(3.0));
    let still = Some(std::time::Duration::from_secs(1));
    world.command(Command::Prefer { subscription, wish: Wish { still, ..Wish::default() } });
    world.run(millis(1_000));
    let before = world.line(1, 0).parity.len();
    world.run(millis(5_000));
    assert_eq!(world.line(1, 0).parity.len(), before);
    let last = world.line(1, 0).parity.last().unwrap().1;
    world.command(Command::Close { handle: subscription });
    world.peer(1).viewer.lines.clear();
    world.subscribe(publication, 1, protected_picture(2_000));
    world.run(millis(10_000));
    let first = world.line(1, 0).parity.first().expect("protected again").1;
    assert!((1..20).contains(&(i32::from(first) - i32::from(last))), "{first} after {last}");
    assert_eq!(world.peer(1).wire.refused, 0);
}
