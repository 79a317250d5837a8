//! The standard session: a publisher with three layers and sound, a viewer behind a link, and the plainest layer choice.
//! What the link did is read from its log, what the viewer saw from its packets; nothing is asked of the plane.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use loupe_core::io::{Command, Event, Handle, LinkState, Phase, Wish};
use loupe_core::units::Time;
use loupe_netem::{
    Capacity, DelayConfig, Limit, Link, LinkConfig, Log, Loss, QueueConfig, RateSteps, percentile,
};

use super::media::{microphone, picture, simulcast, sound};
use super::source::Encoder;
use super::{World, clean, millis};

/// Bits a second of the encoders, lowest layer first.
pub const LADDER: [f64; 3] = [150e3, 500e3, 1_700e3];
/// What a layer takes of the link beyond its encoder's rate, and sound with its headers.
const OVERHEAD: f64 = 1.07;
const SOUND: f64 = 56e3;
/// The lowest temporal layer's share.
const BASE_SHARE: f64 = 0.6;
/// Layer choice looks at the estimate this often at the least.
const TICK: u64 = 5;

/// A link that carries `capacity`, takes `one_way_ms` and queues for `queue_ms` at most.
pub fn thin(capacity: Capacity, one_way_ms: u64, queue_ms: u64, loss: Loss) -> LinkConfig {
    let delay = DelayConfig { delay_us: one_way_ms * 1_000, ..DelayConfig::default() };
    let queue = QueueConfig { limit: Limit::DrainTime(queue_ms * 1_000), ..QueueConfig::default() };
    LinkConfig { capacity, delay, queue, loss, ..LinkConfig::default() }
}

/// Capacity in steps of (from which millisecond on, kbit/s).
pub fn steps(steps: &[(u64, u64)]) -> Capacity {
    let steps: Vec<(u64, u64)> = steps.iter().map(|(ms, kbits)| (ms * 1_000, kbits * 1_000)).collect();
    Capacity::Steps(RateSteps::new(&steps).expect("rising"))
}

/// One moment of a run.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub at: Time,
    pub estimate: f64,
    pub link: LinkState,
    pub choice: usize,
}

pub struct Session {
    pub world: World,
    pub publisher: usize,
    pub viewer: usize,
    pub video: Handle,
    pub subscription: Handle,
    /// Layer choice: what may be chosen, by rising rate.
    options: Vec<(f64, u8, Option<u8>)>,
    pub choice: usize,
    pub chooses: bool,
    estimate: f64,
    link: LinkState,
    seen: usize,
    pub samples: Vec<Sample>,
}

impl Session {
    /// Begins now; the viewer's datagrams pass `down`, its reports `up`.
    pub fn begin(seed: u64, up: LinkConfig, down: LinkConfig) -> Session {
        let mut world = World::new(seed);
        let publisher = world.join_by(clean(5), clean(5));
        world.run(millis(300));
        let mut camera = simulcast(1_000, &["q", "h", "f"]);
        for (source, rate) in camera.sources.iter_mut().zip(LADDER) {
            source.interval = std::time::Duration::from_millis(40);
            source.packet_bytes = 1_150;
            source.encoder = Some(Encoder::new(rate, seed * 31 + u64::from(source.ssrc)));
        }
        let video = world.publish(publisher, camera);
        let audio = world.publish(publisher, microphone(1_100));
        world.run(millis(3_000));
        let viewer = world.join_by(up, down);
        world.run(millis(200));
        let (subscription, line) = world.subscribe(video, viewer, picture(2_000));
        world.peer(viewer).viewer.lines[line].retry = millis(120);
        world.subscribe(audio, viewer, sound(2_100));
        let mut options = Vec::new();
        for (layer, rate) in LADDER.iter().enumerate() {
            options.push((rate * BASE_SHARE * OVERHEAD + SOUND, layer as u8, Some(0)));
            options.push((rate * OVERHEAD + SOUND, layer as u8, None));
        }
        options.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut session = Session {
            world,
            publisher,
            viewer,
            video,
            subscription,
            options,
            choice: 1,
            chooses: true,
            estimate: 0.0,
            link: LinkState::default(),
            seen: 0,
            samples: Vec::new(),
        };
        session.prefer(1);
        session
    }

    /// Takes an option from now on, by its place.
    pub fn prefer(&mut self, choice: usize) {
        self.choice = choice;
        let (_, layer, temporal) = self.options[choice];
        let wish = Wish { layer: Some(layer), temporal, ..Wish::default() };
        self.world.command(Command::Prefer { subscription: self.subscription, wish });
    }

    /// The highest that fits nine tenths of the estimate.
    fn choose(&mut self) {
        let fits = |room: f64| self.options.iter().rposition(|option| option.0 <= room).unwrap_or(0);
        let choice = fits(self.estimate * 0.95).min(fits(self.estimate * 0.9).max(self.choice));
        if choice != self.choice {
            self.prefer(choice);
        }
    }

    pub fn run(&mut self, ms: u64) {
        let end = self.world.now + millis(ms);
        while self.world.now < end {
            self.world.run(millis(TICK));
            let events = &self.world.events[self.seen..];
            let told = events.iter().rev().find_map(|(_, event)| match event {
                Event::Bandwidth { estimate, link, .. } => Some((estimate.0 as f64, *link)),
                _ => None,
            });
            self.seen = self.world.events.len();
            if let Some((estimate, link)) = told {
                (self.estimate, self.link) = (estimate, link);
                if self.chooses {
                    self.choose();
                }
            }
            self.samples.push(Sample {
                at: self.world.now,
                estimate: self.estimate,
                link: self.link,
                choice: self.choice,
            });
        }
    }

    pub fn down(&self) -> &Link<Vec<u8>> {
        &self.world.ends[self.viewer].down
    }

    pub fn log(&self) -> &Log {
        self.down().log().expect("the link is logged")
    }

    /// Queue delays between two moments of the run, in milliseconds: median, 95th percentile, most.
    pub fn queue(&self, from: Time, to: Time) -> (u64, u64, u64) {
        let delays = self.log().queue_delays(from.0, to.0);
        let of = |percent| percentile(&delays, percent).unwrap_or(0) / 1_000;
        (of(50), of(95), of(100))
    }

    /// Bytes that a full queue dropped between two moments.
    pub fn overflowed(&self, from: Time, to: Time) -> u64 {
        let within = |record: &&loupe_netem::PacketRecord| record.t_in >= from.0 && record.t_in < to.0;
        let full =
            |record: &&loupe_netem::PacketRecord| record.dropped == Some(loupe_netem::DropReason::QueueFull);
        self.log().packets.iter().filter(within).filter(full).map(|record| record.bytes).sum()
    }

    /// Estimates between two moments: least, mean, most.
    pub fn estimates(&self, from: Time, to: Time) -> (f64, f64, f64) {
        let of: Vec<f64> = self.between(from, to).map(|sample| sample.estimate).collect();
        let mean = of.iter().sum::<f64>() / of.len().max(1) as f64;
        (of.iter().copied().fold(f64::MAX, f64::min), mean, of.iter().copied().fold(0.0, f64::max))
    }

    pub fn between(&self, from: Time, to: Time) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.at >= from && sample.at < to)
    }

    /// Share of time at or above a choice.
    pub fn share_at(&self, choice: usize, from: Time, to: Time) -> f64 {
        let all = self.between(from, to).count();
        let above = self.between(from, to).filter(|sample| sample.choice >= choice).count();
        above as f64 / all.max(1) as f64
    }

    /// The first moment from `from` on at which `wanted` holds, in milliseconds after it.
    pub fn first(&self, from: Time, wanted: impl Fn(&Sample) -> bool) -> Option<u64> {
        let found = self.samples.iter().find(|sample| sample.at >= from && wanted(sample))?;
        Some(found.at.since(from).as_millis() as u64)
    }

    /// When each frame could be decoded, with its layer, as a decoder sees it: whole, and with what it refers to.
    pub fn decoded(&self) -> Vec<(Time, u8)> {
        let line = self.world.line(self.viewer, 0);
        let mut frames: BTreeMap<u64, Frame> = BTreeMap::new();
        for packet in &line.received {
            let (content, numbers) = (packet.content(), packet.numbers());
            let frame = frames.entry(packet.time).or_insert_with(|| Frame {
                packets: BTreeMap::new(),
                count: content.count,
                layer: content.layer,
                keyframe: content.keyframe,
                temporal: numbers.temporal,
                tl0: numbers.tl0_pic_idx,
            });
            frame.packets.entry(content.index).or_insert(packet.at);
        }
        let (mut decoded, mut base, mut latest) = (Vec::new(), None, Time::ZERO);
        for frame in frames.values().filter(|frame| frame.packets.len() == usize::from(frame.count)) {
            let needs = if frame.temporal == 0 { frame.tl0.wrapping_sub(1) } else { frame.tl0 };
            if !frame.keyframe && base != Some(needs) {
                continue;
            }
            if frame.temporal == 0 {
                base = Some(frame.tl0);
            }
            latest = latest.max(frame.packets.values().copied().max().unwrap_or_default());
            decoded.push((latest, frame.layer));
        }
        decoded
    }

    /// Distances between decoded frames above 190 ms (40 ms and 150 more): how many, their sum and the longest, in
    /// milliseconds.
    pub fn freezes(&self, from: Time, to: Time) -> (usize, u64, u64) {
        let times: Vec<Time> =
            self.decoded().into_iter().map(|(at, _)| at).filter(|at| *at >= from && *at < to).collect();
        let gaps = times.windows(2).map(|pair| pair[1].since(pair[0]).as_millis() as u64);
        let freezes: Vec<u64> = gaps.filter(|gap| *gap > 190).collect();
        (freezes.len(), freezes.iter().sum(), freezes.iter().copied().max().unwrap_or(0))
    }

    /// Waits of sound behind the queue between two moments, in milliseconds: 95th percentile and most.
    pub fn sound_waits(&self, from: Time, to: Time) -> (u64, u64) {
        let within = |record: &&loupe_netem::PacketRecord| {
            record.t_in >= from.0 && record.t_in < to.0 && record.bytes < 200
        };
        let records = self.log().packets.iter().filter(within);
        let mut waits: Vec<u64> = records.filter_map(loupe_netem::PacketRecord::queue_delay).collect();
        waits.sort_unstable();
        (percentile(&waits, 95).unwrap_or(0) / 1_000, percentile(&waits, 100).unwrap_or(0) / 1_000)
    }

    /// When the run began, and now.
    pub fn span(&self) -> (Time, Time) {
        (self.samples[0].at, self.world.now)
    }

    /// The moment `ms` after the beginning of the run.
    pub fn at(&self, ms: u64) -> Time {
        self.samples[0].at + millis(ms)
    }

    /// The whole run as a table, a line for every 100 ms, to look at when a test fails.
    pub fn table(&self) -> String {
        let mut text = String::from("      t  capacity  sent  queue  estimate  phase  loss%  choice\n");
        let log = self.log();
        for sample in self.samples.iter().step_by(20) {
            let (at, to) = (sample.at.0, sample.at.0 + 100_000);
            let kbits = |bits: u64| bits / 100;
            let capacity = log.capacity_bits(at, to, None).map_or(0, kbits);
            let within = log.packets.iter().filter(|record| record.t_in >= at && record.t_in < to);
            let sent = within.map(|record| record.bytes * 8).sum::<u64>() / 100;
            let queue = self.queue(sample.at, Time(to)).2;
            let _ = writeln!(
                text,
                "{:7.2} {:9} {:5} {:6} {:9.0}  {:6} {:5.1}+{:4.1} {:3} {}",
                at as f64 / 1e6,
                capacity,
                sent,
                queue,
                sample.estimate / 1e3,
                sample.link.phase.name(),
                sample.link.inherent_loss * 100.0,
                sample.link.congestion_loss * 100.0,
                sample.choice,
                if sample.link.phase == Phase::Silent { "silent" } else { "" },
            );
        }
        text
    }
}

struct Frame {
    packets: BTreeMap<u8, Time>,
    count: u8,
    layer: u8,
    keyframe: bool,
    temporal: u8,
    tl0: u8,
}
