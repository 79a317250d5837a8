//! Scenarios as data: links, who sends, who receives, what else is on the links, and what is aimed at.
//!
//! A scenario is one JSON object (`scenarios/*.json`, or a file of anybody's own). Links are described in the words of
//! [`loupe_netem::options`]. A file may hold `variants`: each is merged over the rest (RFC 7386) and is a scenario of
//! its own, `name/variant`; its `control`, when there is one, is merged over that and run beside it with the same seed.

pub mod goal;
pub mod library;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

pub use self::goal::Goal;
use crate::media::Layering;

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// `file` or `file/variant`.
    #[serde(skip)]
    pub name: String,
    /// One line for readers.
    pub about: String,
    /// How long it runs.
    pub duration_s: f64,
    /// What comes before is not measured, but where a metric says so.
    #[serde(default = "settle")]
    pub settle_s: f64,
    /// Links by name, in words; anything not named here is a clean link.
    #[serde(default)]
    pub links: BTreeMap<String, Words>,
    /// Who sends.
    #[serde(default = "one_publisher")]
    pub publishers: Vec<PublisherSpec>,
    /// Who receives.
    pub subscribers: Vec<SubscriberSpec>,
    /// What else the links carry.
    #[serde(default)]
    pub cross: Vec<Cross>,
    /// Times that metrics are also taken over, by name: from and to, in seconds.
    #[serde(default)]
    pub windows: BTreeMap<String, [f64; 2]>,
    /// Moments after which reactions are measured, by name.
    #[serde(default)]
    pub moments: BTreeMap<String, Moments>,
    /// What is aimed at.
    #[serde(default)]
    pub goals: Vec<Goal>,
    /// The run beside it, without what is under test.
    #[serde(skip)]
    pub control: Option<Box<Scenario>>,
}

/// One or several moments, in seconds. Of what is measured after several, the worst counts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Moments {
    /// One.
    One(f64),
    /// Each of these.
    Several(Vec<f64>),
    /// From a first on, so far apart, to the end.
    Every {
        /// The first.
        from: f64,
        /// So far apart.
        every: f64,
    },
}

impl Moments {
    /// All of them before `end_s`.
    pub fn before(&self, end_s: f64) -> Vec<f64> {
        let moments = match self {
            Moments::One(moment) => vec![*moment],
            Moments::Several(moments) => moments.clone(),
            Moments::Every { from, every } => {
                let count = ((end_s - from) / every.max(0.1)).ceil().max(0.0) as usize;
                (0..count).map(|n| from + n as f64 * every).collect()
            }
        };
        moments.into_iter().filter(|moment| *moment < end_s).collect()
    }
}

/// A link's options, names as in [`loupe_netem::options::HELP`].
pub type Words = BTreeMap<String, Value>;

/// A publisher.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublisherSpec {
    /// Its name.
    pub name: String,
    /// Rates of the camera's layers, lowest first.
    #[serde(default = "ladder")]
    pub ladder_kbps: Vec<u64>,
    /// How the layers come.
    #[serde(default)]
    pub layering: Layering,
    /// Rate of the microphone; 0 for none.
    #[serde(default = "audio")]
    pub audio_kbps: u64,
    /// Whether it fits its rates to the plane's feedback.
    #[serde(default)]
    pub obeys_feedback: bool,
    /// Links to the plane, in order.
    #[serde(default)]
    pub up: Vec<String>,
    /// Links from the plane, in order.
    #[serde(default)]
    pub down: Vec<String>,
    /// When it begins.
    #[serde(default)]
    pub from_s: f64,
    /// When nothing of its camera is forwarded: pairs of from and to.
    #[serde(default)]
    pub muted_s: Vec<[f64; 2]>,
}

/// A subscriber.
// What it can do are abilities, independent of each other.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscriberSpec {
    /// Its name.
    pub name: String,
    /// Makes so many of it, `name-0` and on, each with links of its own that are like those it names.
    #[serde(default)]
    pub copies: usize,
    /// Publishers whose camera and microphone it receives; all when empty.
    #[serde(default)]
    pub watches: Vec<String>,
    /// Weight of a publisher's pictures against the others', 1 where nothing is said.
    #[serde(default)]
    pub priorities: BTreeMap<String, f64>,
    /// Links from the plane, in order; the first is the one that is measured.
    #[serde(default)]
    pub down: Vec<String>,
    /// Links to the plane, in order.
    #[serde(default)]
    pub up: Vec<String>,
    /// When it joins.
    #[serde(default)]
    pub from_s: f64,
    /// When it leaves.
    pub until_s: Option<f64>,
    /// Whether it sends transport-wide feedback.
    #[serde(default = "yes")]
    pub transport_cc: bool,
    /// Whether it sends estimates of its own.
    #[serde(default)]
    pub remb: bool,
    /// Whether it asks for lost packets of sound.
    #[serde(default = "yes")]
    pub audio_nack: bool,
    /// Whether it takes redundant sound (RFC 2198).
    #[serde(default = "yes")]
    pub audio_redundancy: bool,
    /// Whether it takes parity of pictures (`flexfec-03`).
    #[serde(default = "yes")]
    pub parity: bool,
    /// Percentile of sound's delays that playing waits for; see [`crate::subscriber::playout`].
    pub audio_percentile: Option<f64>,
}

/// Traffic of others.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum Cross {
    /// Datagrams of one size at one rate.
    Udp {
        /// Its name.
        name: String,
        /// The link.
        link: String,
        /// Rate on the wire.
        kbps: u64,
        /// From when.
        #[serde(default)]
        from_s: f64,
        /// Until when.
        until_s: Option<f64>,
    },
    /// A bulk transfer by TCP.
    Tcp {
        /// Its name.
        name: String,
        /// Its congestion control.
        congestion: Tcp,
        /// The link of its segments.
        link: String,
        /// The link of its acknowledgements.
        back: String,
        /// From when.
        #[serde(default)]
        from_s: f64,
        /// Until when.
        until_s: Option<f64>,
    },
    /// Sources of short TCP connections in bursts (RFC 8867 section 5.7).
    TcpBursts {
        /// Their name.
        name: String,
        /// Their congestion control.
        congestion: Tcp,
        /// The link of their segments.
        link: String,
        /// The link of their acknowledgements.
        back: String,
        /// How many there are, and how many of them begin with a burst.
        sources: u32,
        /// How many of them begin with a burst.
        begin_busy: u32,
        /// Connections of a burst.
        connections: u32,
        /// Least and most of each.
        kilobytes: [u64; 2],
        /// Mean of the idle times.
        mean_idle_s: f64,
    },
}

/// Congestion control of a TCP source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tcp {
    /// RFC 6582.
    Reno,
    /// RFC 9438.
    Cubic,
    /// Version 1.
    Bbr,
}

fn settle() -> f64 {
    10.0
}

fn ladder() -> Vec<u64> {
    vec![150, 500, 1_700]
}

fn audio() -> u64 {
    24
}

fn yes() -> bool {
    true
}

fn one_publisher() -> Vec<PublisherSpec> {
    vec![PublisherSpec {
        name: "theatre".to_owned(),
        ladder_kbps: ladder(),
        layering: Layering::default(),
        audio_kbps: audio(),
        obeys_feedback: false,
        up: Vec::new(),
        down: Vec::new(),
        from_s: 0.0,
        muted_s: Vec::new(),
    }]
}

impl Scenario {
    /// Whether a name means it: its own, or that of the file whose variant it is.
    pub fn is_meant_by(&self, name: &str) -> bool {
        self.name == name || self.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Files that its links name.
    pub fn files(&self) -> Vec<String> {
        let names = |words: &Words| {
            let capacity = words.get("capacity").and_then(Value::as_str).map(str::to_owned);
            let bits = words.get("loss").and_then(Value::as_str).and_then(|loss| loss.strip_prefix("bits:"));
            capacity.into_iter().chain(bits.map(str::to_owned)).collect::<Vec<_>>()
        };
        self.links.values().flat_map(names).collect()
    }

    /// All scenarios of a file's text. The error is one line for the user.
    pub fn parse(name: &str, text: &str) -> Result<Vec<Scenario>, String> {
        let json: Value = serde_json::from_str(text).map_err(|error| format!("{name}: {error}"))?;
        let Value::Object(mut base) = json else { return Err(format!("{name}: is no object")) };
        let control = base.remove("control");
        let Some(variants) = base.remove("variants") else {
            return Ok(vec![Scenario::from_json(name, Value::Object(base), control)?]);
        };
        let Value::Object(variants) = variants else { return Err(format!("{name}: variants is no object")) };
        let variant = |(variant, mut patch): (String, Value)| {
            // Apart from the rest: what it takes away is to be taken from the variant, not from the patch.
            let control = patch.as_object_mut().and_then(|patch| patch.remove("control")).or(control.clone());
            let mut merged = Value::Object(base.clone());
            merge(&mut merged, patch);
            Scenario::from_json(&format!("{name}/{variant}"), merged, control)
        };
        variants.into_iter().map(variant).collect()
    }

    fn from_json(name: &str, json: Value, control: Option<Value>) -> Result<Scenario, String> {
        let control = match control.filter(|patch| !patch.is_null()) {
            Some(patch) => {
                let mut merged = json.clone();
                merge(&mut merged, patch);
                Some(Box::new(Scenario::from_json(&format!("{name} control"), merged, None)?))
            }
            None => None,
        };
        let scenario: Scenario = serde_json::from_value(json).map_err(|error| format!("{name}: {error}"))?;
        Ok(Scenario { name: name.to_owned(), control, ..scenario }.with_copies())
    }

    /// Makes the copies of its subscribers, and of their links.
    fn with_copies(mut self) -> Scenario {
        let mut subscribers = Vec::new();
        for spec in std::mem::take(&mut self.subscribers) {
            if spec.copies == 0 {
                subscribers.push(spec);
                continue;
            }
            for n in 0..spec.copies {
                let mut copy = spec.clone();
                copy.name = format!("{}-{n}", spec.name);
                for link in copy.down.iter_mut().chain(&mut copy.up) {
                    let words = self.links.get(link).cloned().unwrap_or_default();
                    *link = format!("{link}-{n}");
                    self.links.insert(link.clone(), words);
                }
                subscribers.push(copy);
            }
        }
        self.subscribers = subscribers;
        self
    }
}

/// JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_and_controls_are_merged_over_the_rest() {
        let text = r#"{
            "about": "x", "duration_s": 10,
            "links": {"down": {"rate": 300, "loss": "ge2x4"}},
            "subscribers": [{"name": "a"}],
            "variants": {
                "thin": {"links": {"down": {"rate": 100}}, "control": {"links": {"down": {"loss": null}}}},
                "two": {"subscribers": [{"name": "a"}, {"name": "b"}]}
            }
        }"#;
        let scenarios = Scenario::parse("s", text).unwrap();
        let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names, ["s/thin", "s/two"]);
        assert_eq!(scenarios[0].links["down"]["rate"], 100);
        assert_eq!(scenarios[0].links["down"]["loss"], "ge2x4");
        let control = scenarios[0].control.as_ref().unwrap();
        assert!(!control.links["down"].contains_key("loss") && control.links["down"]["rate"] == 100);
        assert_eq!((scenarios[1].subscribers.len(), scenarios[1].control.is_none()), (2, true));
        assert_eq!(scenarios[1].publishers[0].ladder_kbps, [150, 500, 1_700]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("{", "s:"),
            ("[]", "no object"),
            (r#"{"about": "x", "duration_s": 1, "subscribers": [], "colour": "red"}"#, "colour"),
            (r#"{"about": "x", "subscribers": []}"#, "duration_s"),
        ] {
            let problem = Scenario::parse("s", text).unwrap_err();
            assert!(problem.contains(named), "{problem}");
        }
    }
}
