//! The command line.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use lexopt::prelude::*;

use crate::profile::Profile;

/// What the command line can say, as it is shown to who asks.
pub const HELP: &str = "\
loupe-loadtest: publishers and viewers as real WebRTC endpoints against a media server

  --server URL         http://HOST:PORT of the server (Janus: http://HOST:PORT/janus)
  --peer whip|janus    how to join [whip]
  --room NAME          room to use [loadtest]
  --token-publish T    bearer token for publishing   (or LOUPE_TOKEN_PUBLISH)
  --token-view T       bearer token for viewing      (or LOUPE_TOKEN_VIEW)
  --viewers N          viewers [10]
  --publishers N       publishers, all into the room [1]
  --join-rate N        viewers that join per second [40]
  --duration SECONDS   length of the measured window, from when all have joined [10]
  --settle SECONDS     wait between the last join and the window [2]
  --rate-kbps N        video rate of a publisher [1500]
  --fps N              frames per second [30]
  --key-interval S     seconds between key frames nobody asked for [10]
  --profile P          SRTP profile to offer: any, gcm, gcm256, cm [any]
  --loss PERCENT       RTP packets each viewer throws away, to provoke repair [0]
  --viewing V          what a viewer does once it has seen a key frame: full, light (it reports what comes and looks
                       into nothing: much load from one processor; needs --profile), silent (it throws all RTP
                       away and reports nothing) [full]
  --bind IP            local address for media [that which reaches the server]
  --json               one JSON object per line: joined, start, end, report

Exit code 0: every viewer saw media; 1: some did not; 2: the command line or the server is wrong.
";

/// How the server is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// WHIP and WHEP.
    Whip,
    /// Janus' video room.
    Janus,
}

/// What a viewer does once it has seen a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewing {
    /// All that a viewer does: it decrypts, has lost packets repaired, reports.
    Full,
    /// It reports what comes and looks into nothing.
    Light,
    /// It throws all RTP away and reports nothing.
    Silent,
}

/// A load to make.
#[derive(Clone, Debug)]
pub struct Args {
    /// The server's address.
    pub server: String,
    /// How it is joined.
    pub peer: Peer,
    /// The room.
    pub room: String,
    /// Token for publishing.
    pub token_publish: Option<String>,
    /// Token for viewing.
    pub token_view: Option<String>,
    /// Number of viewers.
    pub viewers: usize,
    /// Number of publishers.
    pub publishers: usize,
    /// Joins per second.
    pub join_rate: f64,
    /// The measured window.
    pub duration: Duration,
    /// The wait before it.
    pub settle: Duration,
    /// Video rate in kbit/s.
    pub rate_kbps: u32,
    /// Frames per second.
    pub fps: u32,
    /// Time between unasked key frames.
    pub key_interval: Duration,
    /// SRTP profile offered.
    pub profile: Profile,
    /// Of how many RTP packets a viewer throws one away; 0 for none.
    pub discard_every: u64,
    /// What viewers do.
    pub viewing: Viewing,
    /// Local address for media.
    pub bind: Option<IpAddr>,
    /// Whether to print JSON.
    pub json: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            server: String::new(),
            peer: Peer::Whip,
            room: "loadtest".to_owned(),
            token_publish: std::env::var("LOUPE_TOKEN_PUBLISH").ok(),
            token_view: std::env::var("LOUPE_TOKEN_VIEW").ok(),
            viewers: 10,
            publishers: 1,
            join_rate: 40.0,
            duration: Duration::from_secs(10),
            settle: Duration::from_secs(2),
            rate_kbps: 1_500,
            fps: 30,
            key_interval: Duration::from_secs(10),
            profile: Profile::Any,
            discard_every: 0,
            viewing: Viewing::Full,
            bind: None,
            json: false,
        }
    }
}

impl Args {
    /// Reads a command line without its program's name; `None` when only help is wanted.
    pub fn parse(line: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Option<Self>, String> {
        let mut parser = lexopt::Parser::from_args(line);
        let mut args = Self::default();
        while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
            let Long(name) = arg else {
                return if arg == Short('h') { Ok(None) } else { Err(arg.unexpected().to_string()) };
            };
            let name = name.to_owned();
            match name.as_str() {
                "help" => return Ok(None),
                "json" => args.json = true,
                _ => {
                    let value = parser.value().map_err(|error| error.to_string())?;
                    let value = value.into_string().map_err(|_| format!("--{name}: not text"))?;
                    args.set(&name, value)?;
                }
            }
        }
        args.check().map(|()| Some(args))
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "server" => self.server = value,
            "room" => self.room = value,
            "token-publish" => self.token_publish = Some(value),
            "token-view" => self.token_view = Some(value),
            "peer" if value == "whip" => self.peer = Peer::Whip,
            "peer" if value == "janus" => self.peer = Peer::Janus,
            "viewers" => self.viewers = number(name, &value)?,
            "publishers" => self.publishers = number(name, &value)?,
            "join-rate" => self.join_rate = number(name, &value)?,
            "duration" => self.duration = seconds(name, &value)?,
            "settle" => self.settle = seconds(name, &value)?,
            "rate-kbps" => self.rate_kbps = number(name, &value)?,
            "fps" => self.fps = number(name, &value)?,
            "key-interval" => self.key_interval = seconds(name, &value)?,
            "profile" => {
                self.profile = Profile::parse(&value).ok_or(format!("--profile: {value} is unknown"))?;
            }
            "loss" => self.discard_every = discard_every(number(name, &value)?)?,
            "viewing" if value == "full" => self.viewing = Viewing::Full,
            "viewing" if value == "light" => self.viewing = Viewing::Light,
            "viewing" if value == "silent" => self.viewing = Viewing::Silent,
            "bind" => self.bind = Some(number(name, &value)?),
            _ => return Err(format!("--{name} {value}: not understood; --help lists what is")),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        if self.server.is_empty() {
            return Err("--server is needed".to_owned());
        }
        if !(0.1..=10_000.0).contains(&self.join_rate) {
            return Err("--join-rate: from 0.1 to 10000".to_owned());
        }
        if !(1..=240).contains(&self.fps) || !(8..=100_000).contains(&self.rate_kbps) {
            return Err("--fps: from 1 to 240, --rate-kbps: from 8 to 100000".to_owned());
        }
        if self.viewing == Viewing::Light && self.profile == Profile::Any {
            return Err("--viewing light: with --profile gcm, gcm256 or cm".to_owned());
        }
        if self.viewing == Viewing::Light && self.discard_every > 0 {
            return Err("--viewing light: without --loss, which it would not notice".to_owned());
        }
        Ok(())
    }
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("--{name}: {value} is no value for it"))
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number(name, value)?).map_err(|_| format!("--{name}: {value} is no time"))
}

fn discard_every(percent: f64) -> Result<u64, String> {
    match percent {
        0.0 => Ok(0),
        _ if (0.001..=50.0).contains(&percent) => Ok((100.0 / percent).round() as u64),
        _ => Err("--loss: 0, or from 0.001 to 50".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Args>, String> {
        Args::parse(line.split_whitespace().map(Into::into))
    }

    #[test]
    fn a_whole_line() {
        let args = parse(
            "--server http://h:1 --viewers 400 --loss 2 --profile cm --peer janus --duration 2.5 --json",
        );
        let args = args.expect("it is right").expect("it is no help");
        assert_eq!(
            (args.viewers, args.discard_every, args.profile, args.peer),
            (400, 50, Profile::Cm, Peer::Janus)
        );
        assert_eq!((args.duration, args.json), (Duration::from_millis(2_500), true));
    }

    #[test]
    fn help_and_mistakes() {
        assert!(
            parse("--help").is_ok_and(|args| args.is_none()) && parse("-h").is_ok_and(|args| args.is_none())
        );
        for line in [
            "",
            "--server",
            "--server h --viewers x",
            "--server h --nonsense 1",
            "--server h --loss 80",
            "--server h --duration -1",
            "--server h --peer x",
            "--server h --fps 0",
            "--server h x",
            "--server h --viewing light",
            "--server h --viewing drain",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
