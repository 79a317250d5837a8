//! Whatever happens, the plane comes to rest: one look at its timers and one drain of its outputs leave nothing that is
//! due now. (`World` asserts it at every step of every test; here much happens at once.)

use crate::support::media::{camera, microphone, picture, scalable_camera, simulcast, sound};
use crate::support::session::thin;
use crate::support::{World, clean, millis};
use loupe_core::io::{Command, Handle, Wish};
use loupe_core::rtcp::{write_nack, write_pli, write_remb};
use loupe_core::units::{Bitrate, SeqNo, Ssrc};
use loupe_netem::random::Random;
use loupe_netem::{Capacity, LinkConfig, Loss};

const VIEWERS: usize = 4;

/// A link of any kind, from one that carries nothing much to one that never matters.
fn any_link(random: &mut Random) -> LinkConfig {
    let rates = [30_000, 120_000, 300_000, 2_000_000, 50_000_000];
    let loss = match random.below(3) {
        0 => Loss::None,
        1 => Loss::Iid(random.below(40) as f64 / 100.0),
        _ => Loss::Schedule(std::iter::once(2_000_000..2_000_000 + random.below(3_000_000)).collect()),
    };
    let capacity = Capacity::constant(rates[random.below(rates.len() as u64) as usize]);
    thin(capacity, random.below(200), 20 + random.below(600), loss)
}

/// Something a viewer or the control plane may do at any moment.
fn act(world: &mut World, random: &mut Random, subscriptions: &[Vec<Handle>], publications: &[Handle]) {
    let viewer = random.below(VIEWERS as u64) as usize;
    let of = &subscriptions[viewer];
    let subscription = of[random.below(of.len() as u64) as usize];
    let publication = publications[random.below(publications.len() as u64) as usize];
    let number = 1 + viewer;
    let transport = world.ends[number].peer.handle;
    let media = Ssrc(2_000 + 100 * number as u32);
    let index = |random: &mut Random| Some(random.below(4) as u8).filter(|it| *it < 3);
    match random.below(9) {
        0 | 1 => {
            let (layer, spatial, temporal) = (index(random), index(random), index(random));
            let paused = random.below(4) == 0;
            let still = (random.below(4) == 0).then(|| millis(500 + random.below(2_000)));
            let wish = Wish { layer, spatial, temporal, paused, still };
            world.command(Command::Prefer { subscription, wish });
        }
        2 => {
            let rate = Some(Bitrate(random.below(8_000_000))).filter(|rate| rate.0 % 3 > 0);
            world.command(Command::Want { transport, rate });
        }
        3 => world.command(Command::Mute { publication, muted: random.below(2) == 0 }),
        4 => world.command(Command::RequestKeyframe { publication }),
        5 => world.peer(number).viewer.feedback = random.below(3) > 0,
        6 => {
            let lost: Vec<u16> = (0..=random.below(60)).map(|back| SeqNo(70_000 + back * 7).wire()).collect();
            let mut bytes = Vec::new();
            write_nack(&mut bytes, Ssrc(900), media, &lost);
            world.peer(number).say(bytes);
        }
        7 => {
            let mut bytes = Vec::new();
            write_pli(&mut bytes, Ssrc(900), media);
            world.peer(number).say(bytes);
        }
        _ => {
            let mut bytes = Vec::new();
            write_remb(&mut bytes, Ssrc(900), Bitrate(random.below(1 << 33)), &[media]);
            world.peer(number).say(bytes);
        }
    }
}

#[test]
fn nothing_stays_due() {
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let mut world = World::new(seed);
        world.join_by(clean(10), any_link(&mut random));
        for _ in 0..VIEWERS {
            world.join_by(clean(10), any_link(&mut random));
        }
        world.run(millis(300));
        let publications = [
            world.publish(0, simulcast(1_000, &["l", "m", "h"])),
            world.publish(0, camera(1_100)),
            world.publish(0, scalable_camera(1_200, 3)),
            world.publish(0, microphone(1_300)),
        ];
        let mut subscriptions = vec![Vec::new(); VIEWERS];
        for (viewer, subscriptions) in subscriptions.iter_mut().enumerate() {
            for (place, publication) in publications.iter().enumerate() {
                let base = 2_000 + 100 * (viewer + 1) as u32 + 10 * place as u32;
                let line = if place == 3 { sound(base) } else { picture(base) };
                subscriptions.push(world.subscribe(*publication, viewer + 1, line).0);
            }
        }
        for _ in 0..150 {
            act(&mut world, &mut random, &subscriptions, &publications);
            world.run(millis(random.below(120)));
        }
        let handles: Vec<Handle> = subscriptions.concat();
        for handle in handles.into_iter().chain(publications) {
            world.command(Command::Close { handle });
            world.run(millis(5));
        }
        world.run(millis(2_000));
    }
}
