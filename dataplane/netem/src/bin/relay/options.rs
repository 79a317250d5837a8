//! The command line of the relay.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use loupe_netem::options::{DEFAULT_HORIZON_US, HELP, LinkOptions};
use loupe_netem::{Direction, Limit, LinkConfig, QueueConfig};

/// What `--help` prints.
pub(crate) fn usage() -> String {
    format!(
        "relay --listen ADDRESS --forward ADDRESS [--NAME VALUE]...

Links, both directions or one of them with --up- (towards --forward) or --down- before the name:
{HELP}
  seed NUMBER           of the random numbers [1]
Without a queue option {DEFAULT_QUEUE_BYTES} bytes may wait.

For the process:
  duration-s SECONDS    end by itself
  report-s SECONDS      counts and lateness to stderr this often, and at the end"
    )
}

/// What waits at most when no option says: as much as the sockets' own buffers hold.
const DEFAULT_QUEUE_BYTES: u64 = 4 << 20;

/// One direction.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) config: LinkConfig,
    pub(crate) seed: u64,
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
        let (mut up, mut down) = (Words::new(), Words::new());
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
        let (up, down) = (up.side(Direction::Forward)?, down.side(Direction::Backward)?);
        Ok(Options { listen, forward, up, down, duration, report })
    }
}

/// One direction as its words come.
struct Words {
    link: LinkOptions,
    seed: u64,
}

impl Words {
    /// A relay has no end: neither a log nor a queue may grow without bound.
    fn new() -> Words {
        let queue = QueueConfig { limit: Limit::Bytes(DEFAULT_QUEUE_BYTES), ..QueueConfig::default() };
        let config = LinkConfig { unlogged: true, queue, ..LinkConfig::default() };
        Words { link: LinkOptions::from_config(config), seed: 1 }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if name == "seed" {
            self.seed = number(name, value)?;
            return Ok(());
        }
        let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        self.link.set(name, value, &read).unwrap_or_else(|| Err(unknown(name)))
    }

    fn side(&self, direction: Direction) -> Result<Side, String> {
        let config = self.link.config(self.seed, direction, DEFAULT_HORIZON_US)?;
        Ok(Side { config, seed: self.seed })
    }
}

fn unknown(name: &str) -> String {
    format!("unknown option {name}; --help tells all options")
}

fn number<N: FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{name}: {value} is not what it takes; --help tells all options"))
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    let given: f64 = number(name, value)?;
    let whole = (0.001..=1e9).contains(&given).then(|| Duration::from_secs_f64(given));
    whole.ok_or_else(|| format!("{name}: {value} is out of range"))
}

#[cfg(test)]
mod tests {
    use loupe_netem::{Capacity, Loss, profiles};

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
            (&format!("{ENDS} --loop-s 1 --up-steps 0:1,3:1"), "loop-s"),
            (&format!("{ENDS} --loss 101"), "loss"),
            (&format!("{ENDS} --colour red"), "colour"),
            (&format!("{ENDS} --capacity /nowhere.csv"), "/nowhere.csv"),
        ] {
            let problem = parse(line).expect_err(line);
            assert!(problem.contains(named), "{line}: {problem}");
        }
    }
}
