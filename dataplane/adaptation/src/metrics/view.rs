//! One subscriber's run, laid out for measuring.

use loupe_core::io::Kind;
use loupe_core::units::Time;
use loupe_netem::{Log, PacketRecord, SAMPLE_US};

use super::Window;
use crate::ladder::{DECISION_US, Step, oracle, steps};
use crate::record::{Observer, Purpose, Sent};
use crate::run::{Joined, Run};
use crate::subscriber::picture::Pictures;
use crate::subscriber::sound::Sound;
use crate::subscriber::{Decoded, Line, Subscriber};
use crate::world::Role;

/// What the first packet of each picture says was forwarded.
#[derive(Clone, Copy, Debug)]
pub struct Forwarded {
    /// When.
    pub at: Time,
    /// The line.
    pub line: usize,
    /// Simulcast or spatial layer: the highest of the capture.
    pub layer: u8,
    /// Temporal layer.
    pub temporal: u8,
    /// Whether it is a key frame.
    pub keyframe: bool,
    /// Counts captures.
    pub frame: u32,
}

/// A subscriber, its link and its wire.
pub struct View<'a> {
    /// The run.
    pub run: &'a Run<'a>,
    /// When and where it joined.
    pub joined: Joined,
    /// The receiver.
    pub subscriber: &'a Subscriber,
    /// Its wire.
    pub observer: &'a Observer,
    /// Its link's log.
    pub log: &'a Log,
    /// Its own packets in that log, in the order of [`Observer::sent`].
    pub records: Vec<&'a PacketRecord>,
    /// Pictures that were forwarded to it.
    pub forwarded: Vec<Forwarded>,
    /// The steps of its ladder, when it has one camera only.
    pub ladder: Vec<Step>,
    /// What the oracle would have forwarded, every [`DECISION_US`] from the beginning.
    pub oracle: Vec<Option<Step>>,
}

impl<'a> View<'a> {
    /// Of a subscriber by its place in the scenario; `None` when it did not join.
    pub fn new(run: &'a Run<'a>, number: usize) -> Option<View<'a>> {
        let joined = (*run.subscribers.get(number)?)?;
        let Role::Subscriber { subscriber, observer } = &run.world.peers.get(joined.peer)?.role else {
            return None;
        };
        let log = run.world.net.link(joined.down)?.log?;
        let records = log.packets.iter().filter(|it| it.flow == joined.flow && !it.duplicate).collect();
        let ladder = ladder(run, number);
        let fair = if ladder.is_empty() { Vec::new() } else { fair_capacity(run, joined, log) };
        let oracle = oracle(&ladder, &fair, joined.round_trip_us);
        let forwarded = forwarded(&observer.sent);
        Some(View { run, joined, subscriber, observer, log, records, forwarded, ladder, oracle })
    }

    /// What was sent in a window.
    pub fn sent(&self, window: Window) -> impl Iterator<Item = &'a Sent> {
        self.observer.sent.iter().filter(move |sent| window.holds(sent.at))
    }

    /// When it left, or the run ended.
    pub fn end(&self) -> Time {
        self.joined.left.unwrap_or(Time((self.run.scenario.duration_s * 1e6) as u64))
    }

    /// The lines with pictures.
    pub fn pictures(&self) -> impl Iterator<Item = &'a Pictures> {
        self.numbered_pictures().map(|(_, pictures)| pictures)
    }

    /// The same with their places among all lines.
    pub fn numbered_pictures(&self) -> impl Iterator<Item = (usize, &'a Pictures)> {
        self.subscriber.lines.iter().enumerate().filter_map(|(number, line)| match &line.decoded {
            Decoded::Pictures(pictures) => Some((number, pictures)),
            Decoded::Sound(_) => None,
        })
    }

    /// The lines with sound.
    pub fn sounds(&self) -> impl Iterator<Item = &'a Sound> {
        self.subscriber.lines.iter().filter_map(|line| match &line.decoded {
            Decoded::Sound(sound) => Some(sound),
            Decoded::Pictures(_) => None,
        })
    }

    /// All lines.
    pub fn lines(&self) -> &'a [Line] {
        &self.subscriber.lines
    }

    /// What the oracle would forward at a moment.
    pub fn oracle_at(&self, at: Time) -> Option<Step> {
        self.oracle.get((at.0 / DECISION_US) as usize).copied().flatten()
    }

    /// The step of a forwarded layer.
    pub fn step(&self, layer: u8, temporal: u8) -> Option<Step> {
        self.ladder.iter().find(|step| step.layer == layer && step.temporal == temporal).copied()
    }

    /// The highest layer of its ladder.
    pub fn top_layer(&self) -> Option<u8> {
        self.ladder.last().map(|step| step.layer)
    }

    /// What is useful to it at most, bits per second on the wire.
    pub fn useful_bps(&self) -> Option<u64> {
        self.ladder.last().map(|step| step.wire_bps as u64)
    }
}

/// The ladder of the one camera that a subscriber watches; empty when there are several or none.
fn ladder(run: &Run<'_>, number: usize) -> Vec<Step> {
    let mut cameras = run
        .subscriptions
        .iter()
        .filter(|it| it.subscriber == number)
        .map(|it| &run.publications[it.publication])
        .filter(|it| it.kind == Kind::Video);
    let (Some(camera), None) = (cameras.next(), cameras.next()) else { return Vec::new() };
    let spec = &run.scenario.publishers[camera.publisher];
    let ladder: Vec<u64> = spec.ladder_kbps.iter().map(|kbps| kbps * 1_000).collect();
    steps(&ladder, spec.audio_kbps * 1_000)
}

/// What the link could carry for this subscriber in each sample: its capacity less constant-rate cross traffic, divided
/// by all who adapt on it at the time.
fn fair_capacity(run: &Run<'_>, joined: Joined, log: &Log) -> Vec<Option<f64>> {
    let others: Vec<Joined> =
        run.subscribers.iter().flatten().filter(|other| other.down == joined.down).copied().collect();
    let sharing = |t: u64| {
        let present =
            others.iter().filter(|it| it.at.0 <= t && it.left.is_none_or(|left| left.0 > t)).count();
        present + run.crossing.elastic(joined.down, Time(t))
    };
    log.samples
        .iter()
        .map(|sample| {
            let crossing =
                run.crossing.constant_bps(joined.down, Time(sample.t - SAMPLE_US)) * SAMPLE_US / 1_000_000;
            let left = sample.capacity_bits?.saturating_sub(crossing) as f64;
            Some(left / sharing(sample.t).max(1) as f64)
        })
        .collect()
}

/// One entry for each picture of each line, by its first packet; with SVC the highest layer that was sent of it.
fn forwarded(sent: &[Sent]) -> Vec<Forwarded> {
    let mut pictures: Vec<Forwarded> = Vec::new();
    let first = sent.iter().filter(|it| it.purpose == Purpose::Picture);
    for (sent, truth) in first.filter_map(|it| Some((it, it.truth?))) {
        let known =
            pictures.iter_mut().rev().take(8).find(|it| it.line == sent.line && it.frame == truth.frame);
        match known {
            Some(known) => known.layer = known.layer.max(truth.layer),
            None => pictures.push(Forwarded {
                at: sent.at,
                line: sent.line,
                layer: truth.layer,
                temporal: truth.temporal,
                keyframe: truth.keyframe,
                frame: truth.frame,
            }),
        }
    }
    pictures
}
