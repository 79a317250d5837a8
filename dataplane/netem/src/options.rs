//! Links in words: the one language of the relay's command line, of scenarios and of benchmarks.
//!
//! A link is a list of names and values, such as `rate 300`, `queue-ms 600`, `loss ge2x4`; [`HELP`] lists them all.

use std::str::FromStr;

use crate::codel::CoDelConfig;
use crate::delay::{DelayStep, Jitter};
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::profiles;
use crate::queue::Limit;
use crate::random::Direction;
use crate::rate::RateSteps;
use crate::server::Capacity;
use crate::trace;

/// All names, and what their values mean.
pub const HELP: &str = "  rate KBPS             constant capacity
  steps S:KBPS,...      capacity in steps, each from its second on
  capacity FILE         capacity from a trace: .csv (t_ms,kbps), .json, or mahimahi
  offset-s SECONDS      start at this moment of the steps or the trace
  scale FACTOR          capacity times this
  loop-s SECONDS        steps and .csv begin again after so long (.json and mahimahi do by themselves)
  queue-ms MS           drop tail at this drain time; or
  queue-bytes BYTES     drop tail at so many bytes; or
  queue-packets N       drop tail at so many packets
  head-drop-ms MS       drop what waited longer when it reaches the head
  codel drop|mark       active queue management (RFC 8289)
  priority on|off       urgent packets have a queue of their own, served first
  delay-ms MS           one-way delay
  delay-steps S:MS,...  other one-way delays, each from its second on
  jitter JITTER         nrbpdv:MS (size of a normal number of this deviation, clipped at three of them), uniform:MS,
                        stalls:S (everything held back 0.2-1 s, S seconds apart on average), or FILE (t_ms,extra_ms)
  reorder SHARE:MS      this share of packets is held back so long and overtaken
  jitter-reorders on    let jitter and falling delay reorder as well
  loss LOSS             a percentage; iid:SHARE; ge:P,R[,LOSS_BAD,LOSS_GOOD]; ge2x4, ge5x5, ge10x3; gaps:FROM-TO,...
                        (seconds); outages:MEAN_GOOD_S,MEAN_BAD_S; bits:FILE (0 and 1, one per packet);
                        satellite; several joined by +
  duplicate SHARE       share of packets that are sent twice
  l2-bytes BYTES        link layer of each packet, beyond 28 bytes of IPv4 and UDP";

/// For how long what is drawn beforehand (outages, stalls, satellite steps) is drawn when nothing ends the run.
pub const DEFAULT_HORIZON_US: u64 = 3_600_000_000;

/// Reads a file that an option names; the error is one line for the user.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// One link in words, to be made a [`LinkConfig`] when seed and direction are known.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LinkOptions {
    config: LinkConfig,
    offset_us: u64,
    scale_permille: Option<u64>,
    period_us: Option<u64>,
    satellite: bool,
    stalls_gap_us: Option<u64>,
    outages: Option<(u64, u64)>,
}

impl LinkOptions {
    /// Options that begin with the settings of `config`.
    pub fn from_config(config: LinkConfig) -> LinkOptions {
        LinkOptions { config, ..LinkOptions::default() }
    }

    /// Takes one option; `None` when it knows no such name. The error is one line for the user.
    pub fn set(&mut self, name: &str, value: &str, read: ReadFile<'_>) -> Option<Result<(), String>> {
        Some(match name {
            "loss" => self.set_loss(value, read),
            "jitter" => self.set_jitter(value, read),
            _ => match self.set_capacity(name, value, read).or_else(|| self.set_queue(name, value)) {
                Some(done) => done,
                None => self.set_delay(name, value)?,
            },
        })
    }

    fn set_capacity(&mut self, name: &str, value: &str, read: ReadFile<'_>) -> Option<Result<(), String>> {
        let capacity = &mut self.config.capacity;
        Some(match name {
            "rate" => thousandfold(name, value).map(|bps| *capacity = Capacity::constant(bps)),
            "steps" => rate_steps(value).map(|steps| *capacity = Capacity::Steps(steps)),
            "capacity" => read(value)
                .and_then(|text| trace::parse(value, &text).map_err(|error| format!("{value}: {error}")))
                .map(|trace| *capacity = trace),
            "offset-s" => seconds(name, value).map(|us| self.offset_us = us),
            "scale" => thousandfold(name, value).map(|permille| self.scale_permille = Some(permille)),
            "loop-s" => seconds(name, value).map(|us| self.period_us = Some(us)),
            _ => return None,
        })
    }

    fn set_queue(&mut self, name: &str, value: &str) -> Option<Result<(), String>> {
        let queue = &mut self.config.queue;
        Some(match name {
            "queue-ms" => thousandfold(name, value).map(|us| queue.limit = Limit::DrainTime(us)),
            "queue-bytes" => number(name, value).map(|bytes| queue.limit = Limit::Bytes(bytes)),
            "queue-packets" => number(name, value).map(|packets| queue.limit = Limit::Packets(packets)),
            "head-drop-ms" => thousandfold(name, value).map(|us| queue.head_drop_us = Some(us)),
            "codel" => match value {
                "drop" | "mark" => {
                    queue.codel = Some(CoDelConfig { mark: value == "mark", ..CoDelConfig::default() });
                    Ok(())
                }
                _ => Err(wrong(name, value)),
            },
            "priority" => switch(name, value).map(|on| queue.strict_priority = on),
            _ => return None,
        })
    }

    fn set_delay(&mut self, name: &str, value: &str) -> Option<Result<(), String>> {
        let config = &mut self.config;
        Some(match name {
            "delay-ms" => thousandfold(name, value).map(|us| config.delay.delay_us = us),
            "delay-steps" => timed(name, value).map(|steps| {
                config.delay.steps =
                    steps.into_iter().map(|(t_us, delay_us)| DelayStep { t_us, delay_us }).collect();
            }),
            "reorder" => reordering(name, value).map(|(share, extra_us)| {
                config.delay.reordering.probability = share;
                config.delay.reordering.extra_us = extra_us;
            }),
            "jitter-reorders" => switch(name, value).map(|on| config.delay.reordering.allowed = on),
            "duplicate" => share(name, value).map(|share| config.duplication = share),
            "l2-bytes" => number(name, value).map(|bytes| config.l2_overhead = bytes),
            _ => return None,
        })
    }

    fn set_jitter(&mut self, value: &str, read: ReadFile<'_>) -> Result<(), String> {
        self.stalls_gap_us = None;
        self.config.delay.jitter = match value.split_once(':') {
            Some(("nrbpdv", ms)) => Jitter::Nrbpdv { std_us: thousandfold("jitter", ms)?, clip_std: 3 },
            Some(("uniform", ms)) => Jitter::Uniform { max_us: thousandfold("jitter", ms)? },
            Some(("stalls", gap)) => {
                self.stalls_gap_us = Some(seconds("jitter", gap)?);
                Jitter::None
            }
            _ if value == "none" => Jitter::None,
            _ => Jitter::Trace(
                trace::parse_delays(&read(value)?).map_err(|error| format!("{value}: {error}"))?,
            ),
        };
        Ok(())
    }

    fn set_loss(&mut self, value: &str, read: ReadFile<'_>) -> Result<(), String> {
        (self.satellite, self.outages) = (false, None);
        let mut losses = Vec::new();
        for part in value.split('+') {
            match (part, part.split_once(':')) {
                ("satellite", _) => self.satellite = true,
                (_, Some(("outages", means))) => {
                    let [good, bad] = list::<2>("loss", means)?;
                    self.outages = Some(((good * 1e6) as u64, (bad * 1e6) as u64));
                }
                _ => losses.extend(loss(part, read)?),
            }
        }
        self.config.loss = match losses.len() {
            0 => Loss::None,
            1 => losses.remove(0),
            _ => Loss::Any(losses),
        };
        Ok(())
    }

    /// The link that the words describe. What some of them draw beforehand depends on seed and direction, and is drawn
    /// for `horizon_us`.
    pub fn config(&self, seed: u64, direction: Direction, horizon_us: u64) -> Result<LinkConfig, String> {
        let mut config = self.config.clone();
        if let Some(period) = self.period_us {
            config.capacity = config.capacity.looped(period).map_err(|error| format!("loop-s: {error}"))?;
        }
        if let Capacity::Steps(steps) = &config.capacity
            && let Some(end) = steps.stays_from().filter(|end| (1..=self.offset_us).contains(end))
        {
            return Err(format!("offset-s: the capacity ends at {} s", end as f64 / 1e6));
        }
        config.capacity = config.capacity.starting_at(self.offset_us);
        if let Some(permille) = self.scale_permille {
            config.capacity = config.capacity.scaled(permille);
        }
        let mut losses = vec![std::mem::take(&mut config.loss)];
        if self.satellite {
            let (loss, steps) = profiles::satellite(config.delay.delay_us, horizon_us, seed, direction);
            config.delay.steps = steps;
            losses.push(loss);
        }
        if let Some((mean_good_us, mean_bad_us)) = self.outages {
            losses.push(Loss::Outages { mean_good_us, mean_bad_us, horizon_us });
        }
        losses.retain(|loss| *loss != Loss::None);
        config.loss = match losses.len() {
            0 => Loss::None,
            1 => losses.remove(0),
            _ => Loss::Any(losses),
        };
        if let Some(gap_us) = self.stalls_gap_us {
            config.delay.jitter = profiles::wifi_stalls(gap_us, horizon_us, seed, direction);
        }
        Ok(config)
    }
}

fn wrong(name: &str, value: &str) -> String {
    format!("{name}: {value} is not what it takes")
}

fn number<N: FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.trim().parse().map_err(|_| wrong(name, value))
}

/// A thousandfold as a whole number: milliseconds as microseconds, kbit/s as bit/s, factors as permille.
fn thousandfold(name: &str, value: &str) -> Result<u64, String> {
    scaled(name, value, 1e3)
}

fn seconds(name: &str, value: &str) -> Result<u64, String> {
    scaled(name, value, 1e6)
}

fn scaled(name: &str, value: &str, factor: f64) -> Result<u64, String> {
    let given: f64 = number(name, value)?;
    if (0.0..=1e9).contains(&given) {
        Ok((given * factor).round() as u64)
    } else {
        Err(format!("{name}: {value} is out of range"))
    }
}

/// A probability, `0.05` or `5%`.
fn share(name: &str, value: &str) -> Result<f64, String> {
    let given = match value.strip_suffix('%') {
        Some(percent) => number::<f64>(name, percent)? / 100.0,
        None => number(name, value)?,
    };
    if (0.0..=1.0).contains(&given) { Ok(given) } else { Err(format!("{name}: {value} is no probability")) }
}

fn switch(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(wrong(name, value)),
    }
}

/// Exactly `N` numbers with commas between.
fn list<const N: usize>(name: &str, value: &str) -> Result<[f64; N], String> {
    let numbers: Result<Vec<f64>, String> = value.split(',').map(|part| number(name, part)).collect();
    numbers?.try_into().map_err(|_| wrong(name, value))
}

/// `second:value` pairs with commas between, as microseconds and thousandfolds.
fn timed(name: &str, value: &str) -> Result<Vec<(u64, u64)>, String> {
    let pair = |part: &str| {
        let (at, value) = part.split_once(':').ok_or_else(|| wrong(name, part))?;
        Ok((seconds(name, at)?, thousandfold(name, value)?))
    };
    value.split(',').map(pair).collect()
}

fn rate_steps(value: &str) -> Result<RateSteps, String> {
    RateSteps::new(&timed("steps", value)?).map_err(|error| format!("steps: {error}"))
}

fn reordering(name: &str, value: &str) -> Result<(f64, u64), String> {
    let (probability, ms) = value.split_once(':').ok_or_else(|| wrong(name, value))?;
    Ok((share(name, probability)?, thousandfold(name, ms)?))
}

fn loss(part: &str, read: ReadFile<'_>) -> Result<Option<Loss>, String> {
    Ok(Some(match (part, part.split_once(':')) {
        ("none", _) => return Ok(None),
        ("ge2x4", _) => profiles::ge2x4(),
        ("ge5x5", _) => profiles::ge5x5(),
        ("ge10x3", _) => profiles::ge10x3(),
        (_, Some(("iid", value))) => Loss::Iid(share("loss", value)?),
        (_, Some(("ge", values))) => {
            let shares: Result<Vec<f64>, String> =
                values.split(',').map(|part| share("loss", part)).collect();
            match shares?[..] {
                [p, r] => Loss::GilbertElliott { p, r, loss_bad: 1.0, loss_good: 0.0 },
                [p, r, loss_bad, loss_good] => Loss::GilbertElliott { p, r, loss_bad, loss_good },
                _ => return Err(wrong("loss", part)),
            }
        }
        (_, Some(("gaps", values))) => {
            let gap = |part: &str| {
                let (from, to) = part.split_once('-').ok_or_else(|| wrong("loss", part))?;
                Ok(seconds("loss", from)?..seconds("loss", to)?)
            };
            Loss::Schedule(values.split(',').map(gap).collect::<Result<_, String>>()?)
        }
        (_, Some(("bits", file))) => {
            let text = read(file)?;
            let bits = text.chars().filter(|bit| !bit.is_whitespace()).map(|bit| match bit {
                '0' => Ok(false),
                '1' => Ok(true),
                _ => Err(format!("{file}: holds more than 0 and 1")),
            });
            Loss::Trace(bits.collect::<Result<_, String>>()?)
        }
        _ => {
            let percent: f64 = number("loss", part.trim_end_matches('%'))?;
            Loss::Iid(share("loss", &format!("{percent}%"))?)
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(file: &str) -> Result<String, String> {
        Err(format!("{file}: no such file"))
    }

    fn options(words: &[(&str, &str)]) -> Result<LinkConfig, String> {
        let mut options = LinkOptions::default();
        for (name, value) in words {
            options.set(name, value, &nothing).unwrap_or_else(|| Err(format!("unknown {name}")))?;
        }
        options.config(1, Direction::Forward, 120_000_000)
    }

    #[test]
    fn every_name_in_the_help_is_known() {
        let entries = HELP.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names: Vec<&str> = entries.filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names.len(), 20);
        for name in names {
            assert!(LinkOptions::default().set(name, "?", &nothing).is_some(), "{name}");
        }
        assert!(LinkOptions::default().set("colour", "red", &nothing).is_none());
    }

    #[test]
    fn capacities() {
        assert_eq!(options(&[("rate", "250.5")]).unwrap().capacity, Capacity::constant(250_500));
        let looped =
            options(&[("offset-s", "1"), ("steps", "0:2000,1.5:250"), ("loop-s", "3"), ("scale", "0.5")]);
        let capacity = looped.unwrap().capacity;
        let rates = [0, 500_000, 1_999_999, 2_000_000].map(|t| capacity.rate_at(t));
        assert_eq!(rates, [Some(1_000_000), Some(125_000), Some(125_000), Some(1_000_000)]);
        assert!(options(&[("steps", "0:1,9:2"), ("loop-s", "3")]).is_err());
        assert!(options(&[("capacity", "nowhere.csv")]).unwrap_err().contains("nowhere.csv"));
        let beyond = options(&[("steps", "0:1,9.5:2"), ("offset-s", "9.5")]);
        assert_eq!(beyond, Err("offset-s: the capacity ends at 9.5 s".to_owned()));
    }

    #[test]
    fn losses() {
        let loss = |value| options(&[("loss", value)]).map(|config| config.loss);
        assert_eq!(loss("2"), Ok(Loss::Iid(0.02)));
        assert_eq!(loss("iid:0.02"), loss("iid:2%"));
        let chain = Loss::GilbertElliott { p: 0.1, r: 0.3, loss_bad: 1.0, loss_good: 0.0 };
        assert_eq!(loss("ge:0.1,0.3"), Ok(chain));
        assert_eq!(loss("ge2x4+1"), Ok(Loss::Any(vec![profiles::ge2x4(), Loss::Iid(0.01)])));
        assert_eq!(
            loss("gaps:1-2,5-5.5"),
            Ok(Loss::Schedule(vec![1_000_000..2_000_000, 5_000_000..5_500_000]))
        );
        assert_eq!(loss("none"), Ok(Loss::None));
        for wrong in ["101", "iid:1.5", "ge:0.1", "gaps:1", "red"] {
            assert!(loss(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_drawn_follows_seed_and_direction() {
        let drawn = |words: &[(&str, &str)], seed, direction| {
            let mut options = LinkOptions::default();
            for (name, value) in words {
                options.set(name, value, &nothing).unwrap().unwrap();
            }
            options.config(seed, direction, 120_000_000).unwrap()
        };
        for words in
            [[("loss", "satellite"), ("delay-ms", "75")], [("jitter", "stalls:15"), ("delay-ms", "15")]]
        {
            let first = drawn(&words, 1, Direction::Forward);
            assert_eq!(first, drawn(&words, 1, Direction::Forward));
            assert_ne!(first, drawn(&words, 2, Direction::Forward));
            assert_ne!(first, drawn(&words, 1, Direction::Backward));
        }
        let satellite = drawn(&[("loss", "satellite"), ("delay-ms", "75")], 1, Direction::Forward);
        assert_eq!(satellite.delay.steps.len(), 7);
    }

    #[test]
    fn delays_and_queues() {
        let config = options(&[
            ("delay-ms", "50"),
            ("delay-steps", "10:60,20:40"),
            ("jitter", "nrbpdv:10"),
            ("reorder", "1%:30"),
            ("queue-packets", "14"),
            ("codel", "mark"),
            ("duplicate", "0.1"),
            ("l2-bytes", "18"),
        ])
        .unwrap();
        assert_eq!(config.delay.delay_us, 50_000);
        assert_eq!(config.delay.steps[1], DelayStep { t_us: 20_000_000, delay_us: 40_000 });
        assert_eq!(config.delay.jitter, Jitter::Nrbpdv { std_us: 10_000, clip_std: 3 });
        assert_eq!(config.delay.reordering.extra_us, 30_000);
        assert_eq!(config.queue.limit, Limit::Packets(14));
        assert!(config.queue.codel.is_some_and(|codel| codel.mark));
        assert_eq!((config.duplication, config.l2_overhead), (0.1, 18));
        assert!(options(&[("delay-steps", "10")]).is_err() && options(&[("codel", "maybe")]).is_err());
        assert!(options(&[("delay-ms", "-3")]).unwrap_err().contains("delay-ms"));
    }
}
