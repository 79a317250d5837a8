//! The command line of the relay.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use loupe_netem::{Capacity, DelayConfig, Jitter, Limit, LinkConfig, Loss, QueueConfig, profiles, trace};

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
relay --listen ADDRESS --forward ADDRESS [options]

Both directions, or one of them with --up- (towards --forward) or --down- before the name:
  --rate KBPS           constant capacity
  --capacity FILE       capacity from a trace: .csv (t_ms,kbps), .json, or mahimahi
  --offset-ms MS        start at this moment of the trace
  --delay-ms MS         one-way delay
  --jitter-ms MS        extra delay: size of a normal number of this deviation, clipped at three of them
  --loss LOSS           percent lost independently, or ge2x4, ge5x5, ge10x3
  --queue-ms MS         drop tail at this drain time; or
  --queue-bytes BYTES   drop tail at so many bytes (default 4194304)
  --seed NUMBER         of the random numbers (default 1)
For the process:
  --duration-s SECONDS  end by itself
  --report-s SECONDS    counts and lateness to stderr this often, and at the end";

/// What waits at most when no option says: as much as the sockets' own buffers hold.
const DEFAULT_QUEUE_BYTES: u64 = 4 << 20;

/// One direction.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) config: LinkConfig,
    pub(crate) seed: u64,
    offset_us: u64,
}

/// All that the command line says.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) listen: SocketAddr,
    pub(crate) forward: SocketAddr,
    pub(crate) up: Side,
    pub(crate) down: Side,
    pub(crate) duration: Option<Duration>,
    pub(crate) report: Option<Duration>,
}

impl Options {
    /// Reads `--name value` pairs; the error is one line for the user.
    pub(crate) fn parse(arguments: &[String]) -> Result<Options, String> {
        let (mut listen, mut forward, mut duration, mut report) = (None, None, None, None);
        // A relay has no end: neither a log nor a queue may grow without bound.
        let queue = QueueConfig { limit: Limit::Bytes(DEFAULT_QUEUE_BYTES), ..QueueConfig::default() };
        let side = Side {
            config: LinkConfig { unlogged: true, queue, ..LinkConfig::default() },
            seed: 1,
            offset_us: 0,
        };
        let (mut up, mut down) = (side.clone(), side);
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} needs a value", pair.concat())) };
            match name.as_str() {
                "--listen" => listen = Some(number(name, value)?),
                "--forward" => forward = Some(number(name, value)?),
                "--duration-s" => duration = Some(seconds(name, value)?),
                "--report-s" => report = Some(seconds(name, value)?),
                _ => {
                    if let Some(rest) = name.strip_prefix("--up-") {
                        up.set(rest, value)?;
                    } else if let Some(rest) = name.strip_prefix("--down-") {
                        down.set(rest, value)?;
                    } else {
                        let rest = name.strip_prefix("--").ok_or_else(|| unknown(name))?;
                        up.set(rest, value)?;
                        down.set(rest, value)?;
                    }
                }
            }
        }
        let listen = listen.ok_or("--listen is missing; --help tells all options")?;
        let forward = forward.ok_or("--forward is missing; --help tells all options")?;
        Ok(Options { listen, forward, up: up.finished(), down: down.finished(), duration, report })
    }
}

impl Side {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let config = &mut self.config;
        match name {
            "rate" => config.capacity = Capacity::constant(thousandfold(name, value)?),
            "capacity" => config.capacity = read_capacity(value)?,
            "offset-ms" => self.offset_us = thousandfold(name, value)?,
            "delay-ms" => config.delay.delay_us = thousandfold(name, value)?,
            "jitter-ms" => {
                let jitter = Jitter::Nrbpdv { std_us: thousandfold(name, value)?, clip_std: 3 };
                config.delay = DelayConfig { jitter, ..config.delay.clone() };
            }
            "loss" => config.loss = loss(name, value)?,
            "queue-ms" => config.queue.limit = Limit::DrainTime(thousandfold(name, value)?),
            "queue-bytes" => config.queue.limit = Limit::Bytes(number(name, value)?),
            "seed" => self.seed = number(name, value)?,
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    /// The offset may stand before or after the trace it is for.
    fn finished(mut self) -> Side {
        self.config.capacity = self.config.capacity.starting_at(self.offset_us);
        self
    }
}

fn unknown(name: &str) -> String {
    format!("unknown option {name}; --help tells all options")
}

fn number<N: FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{name}: {value} is not what it takes; --help tells all options"))
}

/// A thousandfold: milliseconds as microseconds, kbit/s as bit/s.
fn thousandfold(name: &str, value: &str) -> Result<u64, String> {
    let given: f64 = number(name, value)?;
    if (0.0..=1e9).contains(&given) {
        Ok((given * 1_000.0).round() as u64)
    } else {
        Err(format!("{name}: {value} is out of range"))
    }
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    let given: f64 = number(name, value)?;
    let whole = (0.001..=1e9).contains(&given).then(|| Duration::from_secs_f64(given));
    whole.ok_or_else(|| format!("{name}: {value} is out of range"))
}

fn loss(name: &str, value: &str) -> Result<Loss, String> {
    match value {
        "ge2x4" => Ok(profiles::ge2x4()),
        "ge5x5" => Ok(profiles::ge5x5()),
        "ge10x3" => Ok(profiles::ge10x3()),
        _ => {
            let percent: f64 = number(name, value)?;
            let share = (0.0..=100.0).contains(&percent).then(|| profiles::iid(percent));
            share.ok_or_else(|| format!("{name}: {value} is no percentage"))
        }
    }
}

fn read_capacity(path: &str) -> Result<Capacity, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    trace::parse(path, &text).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&arguments)
    }

    const ENDS: &str = "--listen 127.0.0.1:7000 --forward 127.0.0.1:7882";

    #[test]
    fn plain_options_are_for_both_directions_and_prefixed_ones_for_one() {
        let line =
            format!("{ENDS} --rate 1000 --down-rate 250.5 --delay-ms 50 --up-loss ge2x4 --down-seed 9");
        let options = parse(&line).expect("well formed");
        assert_eq!(options.up.config.capacity, Capacity::constant(1_000_000));
        assert_eq!(options.down.config.capacity, Capacity::constant(250_500));
        assert_eq!((options.up.config.delay.delay_us, options.down.config.delay.delay_us), (50_000, 50_000));
        assert_eq!((options.up.config.loss, options.down.config.loss), (profiles::ge2x4(), Loss::None));
        assert_eq!((options.up.seed, options.down.seed), (1, 9));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, named) in [
            ("--listen 127.0.0.1:1", "--forward"),
            ("--listen here", "--listen"),
            (&format!("{ENDS} --rate"), "--rate"),
            (&format!("{ENDS} --rate -3"), "rate"),
            (&format!("{ENDS} --loss 101"), "loss"),
            (&format!("{ENDS} --colour red"), "colour"),
            (&format!("{ENDS} --capacity /nowhere.csv"), "/nowhere.csv"),
        ] {
            let problem = parse(line).expect_err(line);
            assert!(problem.contains(named), "{line}: {problem}");
        }
    }
}
