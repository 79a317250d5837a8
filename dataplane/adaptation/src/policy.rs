//! Who chooses layers: production's own code at the other end of two pipes, or a plain rule for tests.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::time::Duration;

use loupe_core::io::{Handle, LinkState, Wish};
use serde::{Deserialize, Serialize};

use crate::record::Held;

/// Part of the estimate that the greedy rule spends.
const GREEDY_PART: f64 = 0.9;

/// What a decision is made of: all that the control plane knows at a moment.
#[derive(Clone, Debug, Serialize)]
pub struct Situation {
    /// Virtual time, microseconds.
    pub t_us: u64,
    /// Why this is asked: the plane's events since the last time; empty at a control tick.
    pub events: Vec<Told>,
    /// Subscribers' transports.
    pub transports: Vec<TransportView>,
    /// What is published.
    pub publications: Vec<PublicationView>,
    /// Who receives it.
    pub subscriptions: Vec<SubscriptionView>,
}

/// One event of the plane.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Told {
    /// A run begins: nothing of an earlier one counts.
    Begin {
        /// The scenario.
        scenario: String,
        /// The seed.
        seed: u64,
    },
    /// A subscriber joined.
    Joined {
        /// Its transport.
        transport: u64,
    },
    /// A new estimate.
    Bandwidth {
        /// Of this transport.
        transport: u64,
        /// Bits per second.
        estimate_bps: u64,
    },
    /// Other layers flow than before.
    LayersChanged {
        /// Of this publication.
        publication: u64,
        /// Bit n for layer n.
        active: u32,
    },
    /// A subscription forwards another layer than before.
    LayerForwarded {
        /// This subscription.
        subscription: u64,
        /// The layer; none when nothing is forwarded.
        layer: Option<u8>,
    },
    /// A source is silent, or flows again (0).
    Stalled {
        /// This publication.
        publication: u64,
        /// For how long.
        silent_ms: u32,
    },
}

impl Told {
    /// Whether layers are to be chosen anew at once; what only informs waits for the next tick.
    pub fn wants_decision(&self) -> bool {
        !matches!(self, Told::LayerForwarded { .. } | Told::Stalled { .. })
    }
}

/// A subscriber's transport.
#[derive(Clone, Debug, Serialize)]
pub struct TransportView {
    /// Its number.
    pub id: u64,
    /// What its link carries, as the plane last said.
    pub estimate_bps: Option<u64>,
    /// What else the plane said of it.
    #[serde(flatten)]
    pub link: LinkView,
    /// Bytes of repair for each byte of media, as its snapshots say.
    pub repair_overhead: f64,
    /// Whether the plane can find out by itself that the path carries more.
    pub probed: bool,
}

/// The state of a link, as the plane's own words have it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct LinkView {
    /// What is done about it.
    pub phase: &'static str,
    /// How long packets wait.
    pub queue_delay_seconds: f64,
    /// Share lost whatever is sent.
    pub inherent_loss: f64,
    /// Share lost beyond that.
    pub congestion_loss: f64,
    /// The round trip, once known.
    pub round_trip_seconds: Option<f64>,
    /// Spread of the estimate's logarithm.
    pub volatility: f64,
}

impl From<LinkState> for LinkView {
    fn from(link: LinkState) -> LinkView {
        LinkView {
            phase: link.phase.name(),
            queue_delay_seconds: link.queue_delay.as_secs_f64(),
            inherent_loss: link.inherent_loss,
            congestion_loss: link.congestion_loss,
            round_trip_seconds: link.round_trip.map(|it| it.as_secs_f64()),
            volatility: link.volatility,
        }
    }
}

/// A publication.
#[derive(Clone, Debug, Serialize)]
pub struct PublicationView {
    /// Its number.
    pub id: u64,
    /// `video` or `audio`.
    pub kind: &'static str,
    /// Its layers, lowest first.
    pub layers: Vec<LayerView>,
}

/// A layer of a publication.
#[derive(Clone, Debug, Serialize)]
pub struct LayerView {
    /// Whether it flows.
    pub active: bool,
    /// Bits per second of its temporal layers up to the first, the second, ...
    pub bps: Vec<u64>,
}

/// A subscription.
#[derive(Clone, Debug, Serialize)]
pub struct SubscriptionView {
    /// Its number.
    pub id: u64,
    /// Its transport.
    pub transport: u64,
    /// Its publication.
    pub publication: u64,
    /// Its weight among the pictures of its transport.
    pub priority: f64,
    /// The layer that is forwarded.
    pub layer: Option<u8>,
}

/// A wish for one subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The subscription.
    pub subscription: u64,
    /// The layer; none takes the highest that flows.
    #[serde(default)]
    pub layer: Option<u8>,
    /// The spatial layer within it; none takes all.
    #[serde(default)]
    pub spatial: Option<u8>,
    /// The temporal layer; none takes all.
    #[serde(default)]
    pub temporal: Option<u8>,
    /// Send nothing.
    #[serde(default)]
    pub paused: bool,
    /// Send nothing but key frames, one in so long at most.
    #[serde(default)]
    pub still_ms: Option<u64>,
}

impl Wanted {
    /// What is held back of its pictures.
    pub fn held(&self) -> Held {
        match (self.paused, self.still_ms) {
            (true, _) => Held::Everything,
            (false, Some(_)) => Held::Stills,
            (false, None) => Held::Nothing,
        }
    }

    /// All of one layer.
    pub fn layer(subscription: u64, layer: u8) -> Wanted {
        Wanted {
            subscription,
            layer: Some(layer),
            spatial: None,
            temporal: None,
            paused: false,
            still_ms: None,
        }
    }

    /// The plane's own words; in a `scalable` encoding layers are spatial ones.
    pub fn wish(&self, scalable: bool) -> (Handle, Wish) {
        let (layer, spatial) = if scalable { (None, self.layer) } else { (self.layer, self.spatial) };
        let still = self.still_ms.map(Duration::from_millis);
        let wish = Wish { layer, spatial, temporal: self.temporal, paused: self.paused, still };
        (Handle(self.subscription), wish)
    }
}

/// What is decided.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// What shall be forwarded from now on; subscriptions that are not named stay as they are.
    pub wishes: Vec<Wanted>,
    /// Up to which rate more would be useful to a transport; those that are not named stay as they are.
    #[serde(default)]
    pub wants: BTreeMap<u64, u64>,
}

impl From<Vec<Wanted>> for Decided {
    fn from(wishes: Vec<Wanted>) -> Decided {
        Decided { wishes, wants: BTreeMap::new() }
    }
}

/// Who decides.
pub trait Policy {
    /// The decision at a moment.
    fn decide(&mut self, situation: &Situation) -> Result<Decided, String>;
}

/// Always the same layer.
#[derive(Clone, Copy, Debug)]
pub struct Fixed(pub u8);

impl Policy for Fixed {
    fn decide(&mut self, situation: &Situation) -> Result<Decided, String> {
        let videos = situation.subscriptions.iter().filter(|it| situation.is_video(it));
        Ok(videos.map(|it| Wanted::layer(it.id, self.0)).collect::<Vec<_>>().into())
    }
}

/// The highest layers whose rates fit into nine tenths of the estimate, one step for each subscription in turn, those
/// of higher priority first; the lowest layer always. For tests: it knows no hysteresis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Greedy;

impl Policy for Greedy {
    fn decide(&mut self, situation: &Situation) -> Result<Decided, String> {
        let wishes = situation.transports.iter().flat_map(|transport| share(situation, transport));
        Ok(wishes.collect::<Vec<_>>().into())
    }
}

fn share(situation: &Situation, transport: &TransportView) -> Vec<Wanted> {
    let of_it = |it: &&SubscriptionView| it.transport == transport.id;
    let sound: u64 = situation
        .subscriptions
        .iter()
        .filter(of_it)
        .filter(|it| !situation.is_video(it))
        .map(|it| situation.rate(it, 0))
        .sum();
    let mut videos: Vec<&SubscriptionView> =
        situation.subscriptions.iter().filter(of_it).filter(|it| situation.is_video(it)).collect();
    videos.sort_by(|a, b| b.priority.total_cmp(&a.priority));
    let budget = transport.estimate_bps.unwrap_or(0) as f64 * GREEDY_PART;
    let mut left = budget - sound as f64 - videos.iter().map(|it| situation.rate(it, 0)).sum::<u64>() as f64;
    let mut layers = vec![0_u8; videos.len()];
    loop {
        let mut rose = false;
        for (video, layer) in videos.iter().zip(&mut layers) {
            let next = *layer + 1;
            let more = situation.rate(video, next).saturating_sub(situation.rate(video, *layer)) as f64;
            if situation.flows(video, next) && more <= left {
                left -= more;
                *layer = next;
                rose = true;
            }
        }
        if !rose {
            break;
        }
    }
    videos.iter().zip(&layers).map(|(video, layer)| Wanted::layer(video.id, *layer)).collect()
}

impl Situation {
    fn publication(&self, of: &SubscriptionView) -> Option<&PublicationView> {
        self.publications.iter().find(|it| it.id == of.publication)
    }

    fn is_video(&self, of: &SubscriptionView) -> bool {
        self.publication(of).is_some_and(|it| it.kind == "video")
    }

    fn layer(&self, of: &SubscriptionView, layer: u8) -> Option<&LayerView> {
        self.publication(of)?.layers.get(usize::from(layer))
    }

    /// Whether a layer flows and its rate is known.
    fn flows(&self, of: &SubscriptionView, layer: u8) -> bool {
        self.layer(of, layer).is_some_and(|it| it.active) && self.rate(of, layer) > 0
    }

    /// A layer with all its temporal layers, bits per second.
    fn rate(&self, of: &SubscriptionView, layer: u8) -> u64 {
        self.layer(of, layer).and_then(|layer| layer.bps.last().copied()).unwrap_or(0)
    }
}

/// Asks whoever holds the other ends of two pipes: one line of JSON there, one back (`{"wishes": [...], "wants": {}}`).
pub struct Asked<R, W> {
    input: R,
    output: W,
}

impl<R: BufRead, W: Write> Asked<R, W> {
    /// Over these pipes.
    pub fn new(input: R, output: W) -> Asked<R, W> {
        Asked { input, output }
    }
}

impl<R: BufRead, W: Write> Policy for Asked<R, W> {
    fn decide(&mut self, situation: &Situation) -> Result<Decided, String> {
        let problem = |error: std::io::Error| format!("the policy does not answer: {error}");
        let mut line = serde_json::to_string(situation).map_err(|error| error.to_string())?;
        line.push('\n');
        self.output.write_all(line.as_bytes()).and_then(|()| self.output.flush()).map_err(problem)?;
        let mut answer = String::new();
        if self.input.read_line(&mut answer).map_err(problem)? == 0 {
            return Err("the policy ended".to_owned());
        }
        serde_json::from_str(&answer).map_err(|error| format!("the policy's answer: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation(estimate_bps: Option<u64>) -> Situation {
        let layer = |bps| LayerView { active: true, bps: vec![bps * 6 / 10, bps] };
        let video = |id| PublicationView {
            id,
            kind: "video",
            layers: vec![layer(150_000), layer(500_000), layer(1_700_000)],
        };
        let sound = PublicationView {
            id: 3,
            kind: "audio",
            layers: vec![LayerView { active: true, bps: vec![30_000] }],
        };
        let subscription = |id, publication, priority| SubscriptionView {
            id,
            transport: 9,
            publication,
            priority,
            layer: None,
        };
        Situation {
            t_us: 0,
            events: Vec::new(),
            transports: vec![TransportView {
                id: 9,
                estimate_bps,
                link: LinkView::default(),
                repair_overhead: 0.0,
                probed: true,
            }],
            publications: vec![video(1), video(2), sound],
            subscriptions: vec![subscription(11, 1, 1.0), subscription(12, 2, 2.0), subscription(13, 3, 1.0)],
        }
    }

    fn layers(estimate_bps: Option<u64>) -> Vec<(u64, Option<u8>)> {
        let decided = Greedy.decide(&situation(estimate_bps)).unwrap();
        decided.wishes.into_iter().map(|it| (it.subscription, it.layer)).collect()
    }

    #[test]
    fn greedy_takes_what_fits_and_higher_priorities_first() {
        assert_eq!(layers(None), [(12, Some(0)), (11, Some(0))]);
        assert_eq!(layers(Some(760_000)), [(12, Some(1)), (11, Some(0))]);
        assert_eq!(layers(Some(2_000_000)), [(12, Some(1)), (11, Some(1))]);
        assert_eq!(layers(Some(4_000_000)), [(12, Some(2)), (11, Some(2))]);
    }

    #[test]
    fn a_layer_that_does_not_flow_or_whose_rate_is_unknown_is_not_taken() {
        let mut situation = situation(Some(9_000_000));
        situation.publications[1].layers[2].active = false;
        situation.publications[0].layers[1].bps = vec![0, 0];
        let layers: Vec<Option<u8>> =
            Greedy.decide(&situation).unwrap().wishes.iter().map(|it| it.layer).collect();
        assert_eq!(layers, [Some(1), Some(0)]);
    }

    #[test]
    fn asks_by_one_line_and_takes_one_line() {
        let mut output = Vec::new();
        let answer =
            &b"{\"wishes\":[{\"subscription\":11,\"layer\":1,\"temporal\":0}],\"wants\":{\"9\":800000}}\n"[..];
        let mut asked = Asked::new(answer, &mut output);
        let decided = asked.decide(&situation(Some(1))).unwrap();
        assert_eq!(decided.wishes, [Wanted { temporal: Some(0), ..Wanted::layer(11, 1) }]);
        assert_eq!(decided.wants, BTreeMap::from([(9, 800_000)]));
        assert!(asked.decide(&situation(None)).is_err(), "it ended");
        let line: serde_json::Value =
            serde_json::from_slice(output.split(|b| *b == b'\n').next().unwrap()).unwrap();
        assert_eq!(line["transports"][0]["estimate_bps"], 1);
        assert_eq!(output.split(|byte| *byte == b'\n').count(), 3, "two lines, and nothing after");
    }
}
