//! The media thread: all endpoints, one epoll loop, and the run's phases.

use std::io::Write;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use serde_json::{Value, json};
use str0m::media::Direction;
use str0m::{Event, Rtc};

use crate::args::{Args, Viewing};
use crate::endpoint::{Endpoint, Part};
use crate::join::{Joined, Joiner};
use crate::media::VideoShape;
use crate::publisher::{Publisher, Source};
use crate::report::{Findings, Window};
use crate::viewer::{Delays, Viewer};
use crate::whip::Session;
use crate::wire::{Reader, cpu_seconds};

/// Few enough that a publisher's frame is never late by more than these reads take.
const EVENTS: usize = 64;
/// Joins finish on other threads; the loop looks for them this often. Also the shortest wait that epoll knows.
const TICK: Duration = Duration::from_millis(1);
/// Datagrams for light viewers gather so long: the kernel says when each came, and many read at once cost less.
const GATHERING: Duration = Duration::from_millis(4);
/// Among the members' numbers, that of the alarm.
const ALARM: u64 = u64::MAX;
/// Publishers are given this long before viewers come, and viewers after the last has been asked to join.
const PATIENCE: Duration = Duration::from_secs(30);
/// A publisher's first frames are to be at the server before viewers ask for them.
const LEAD: Duration = Duration::from_millis(500);

#[derive(Debug)]
enum Role {
    Viewer(Box<Viewer>),
    Publisher(Publisher),
}

impl Role {
    /// Whether it is a viewer that has seen a key frame.
    fn saw(&self) -> bool {
        matches!(self, Self::Viewer(viewer) if viewer.first_frame.is_some())
    }
}

impl Part for Role {
    fn on_event(&mut self, rtc: &mut Rtc, event: Event, arrived: u64) {
        match self {
            Self::Viewer(viewer) => viewer.on_event(rtc, event, arrived),
            Self::Publisher(publisher) => publisher.on_event(rtc, event, arrived),
        }
    }
}

#[derive(Debug)]
struct Member {
    endpoint: Endpoint,
    role: Role,
    session: Option<Session>,
    direction: Direction,
}

/// What has been counted up to a moment.
#[derive(Clone, Copy, Debug)]
struct Totals {
    received: u64,
    published: u64,
    cpu: f64,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Publishing { until: Instant },
    Leading { until: Instant },
    Joining { next: Instant, started: usize, until: Instant },
    Settling { until: Instant },
    Measuring { since: Instant, until: Instant, before: Totals },
    Done { window: Window },
}

/// One run.
#[derive(Debug)]
pub struct Load {
    args: Args,
    joiner: Joiner,
    epoll: Epoll,
    /// Ends waits that are shorter than epoll's shortest: a frame's time comes to the microsecond, without spinning.
    alarm: TimerFd,
    reader: Reader,
    members: Vec<Member>,
    /// When each member's time is next to be handled; apart from the members, since it is searched often.
    due: Vec<Instant>,
    /// When that of any is, at the earliest.
    earliest: Instant,
    failures: Vec<String>,
    delays: Delays,
    phase: Phase,
}

impl Load {
    /// Prepares a run; the server must answer already.
    pub fn new(args: Args) -> Result<Self, String> {
        let joiner = Joiner::open(&args)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(|error| error.to_string())?;
        let alarm =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::empty()).map_err(|error| error.to_string())?;
        // Told at its edge, so that nobody has to read it.
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, ALARM);
        epoll.add(&alarm, event).map_err(|error| error.to_string())?;
        for _ in 0..args.publishers {
            joiner.start(Direction::SendOnly);
        }
        let phase = Phase::Publishing { until: Instant::now() + PATIENCE };
        Ok(Self {
            args,
            joiner,
            epoll,
            alarm,
            reader: Reader::default(),
            members: Vec::new(),
            due: Vec::new(),
            earliest: Instant::now(),
            failures: Vec::new(),
            delays: Delays::default(),
            phase,
        })
    }

    /// Runs to the end; true when every viewer saw media.
    pub fn run(&mut self) -> Result<bool, String> {
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            let timeout = self.timeout().map_err(|error| error.to_string())?;
            let count = self.epoll.wait(&mut events, timeout).map_err(|error| error.to_string())?;
            for event in &events[..count] {
                self.read(event.data() as usize);
            }
            self.take_joined();
            self.handle_time(Instant::now());
            self.advance(Instant::now());
            if let Phase::Done { window } = self.phase {
                return Ok(self.finish(window));
            }
            if self.args.viewing == Viewing::Light && !self.joining() && count < EVENTS {
                let next = self.earliest.saturating_duration_since(Instant::now());
                std::thread::sleep(next.min(GATHERING));
            }
        }
    }

    fn timeout(&mut self) -> nix::Result<EpollTimeout> {
        let next = self.earliest.saturating_duration_since(Instant::now());
        if next.is_zero() {
            return Ok(EpollTimeout::ZERO);
        }
        if next < TICK {
            let expiration = Expiration::OneShot(TimeSpec::from_duration(next));
            self.alarm.set(expiration, TimerSetTimeFlags::empty())?;
        }
        let limit = if self.joining() { TICK } else { Duration::from_millis(20) };
        Ok(EpollTimeout::try_from(next.clamp(TICK, limit)).unwrap_or(EpollTimeout::ZERO))
    }

    fn joining(&self) -> bool {
        !matches!(self.phase, Phase::Settling { .. } | Phase::Measuring { .. })
    }

    fn read(&mut self, at: usize) {
        let Some(saw) = self.members.get(at).map(|member| member.role.saw()) else { return };
        let silent = saw && self.args.viewing == Viewing::Silent;
        let discard_every = if silent { 1 } else { self.args.discard_every };
        loop {
            let Member { endpoint, role, .. } = &mut self.members[at];
            let read = match self.reader.read(&endpoint.socket) {
                Ok(Some(read)) => read,
                Ok(None) => break,
                Err(error) => return self.fail(at, &error.to_string()),
            };
            match endpoint.receive(read, discard_every, role) {
                Ok(next) => self.schedule(at, next),
                Err(error) => return self.fail(at, &error.to_string()),
            }
            // The others are told again by epoll; before the next look at a light one much gathers.
            if !saw || self.args.viewing != Viewing::Light {
                break;
            }
        }
        if !saw {
            self.lighten(at);
        }
        self.take_delays(at);
    }

    /// A viewer that has just seen its first key frame goes on as it was told.
    fn lighten(&mut self, at: usize) {
        let Member { endpoint, role: Role::Viewer(viewer), .. } = &mut self.members[at] else { return };
        if self.args.viewing != Viewing::Light || viewer.first_frame.is_none() {
            return;
        }
        let lightened = viewer.video_mid.ok_or("a light viewer has no video".to_owned());
        if let Err(why) = lightened.and_then(|video| endpoint.lighten(video)) {
            self.fail(at, &why);
        }
    }

    fn take_delays(&mut self, at: usize) {
        let Role::Viewer(viewer) = &mut self.members[at].role else { return };
        if matches!(self.phase, Phase::Measuring { .. }) {
            viewer.delays.iter().for_each(|delay| self.delays.add(*delay));
        }
        viewer.delays.clear();
    }

    fn fail(&mut self, at: usize, why: &str) {
        let member = &mut self.members[at];
        let closed = match &mut member.role {
            Role::Viewer(viewer) => &mut viewer.closed,
            Role::Publisher(publisher) => &mut publisher.closed,
        };
        if !std::mem::replace(closed, true) {
            member.endpoint.rtc.disconnect();
            self.failures.push(format!("endpoint {at}: {why}"));
        }
        self.due[at] = Instant::now() + PATIENCE;
    }

    fn take_joined(&mut self) {
        while let Some(outcome) = self.joiner.finished() {
            let added = outcome.and_then(|joined| self.add(joined));
            if let Err(why) = added {
                self.failures.push(why);
            }
        }
    }

    fn add(&mut self, joined: Joined) -> Result<(), String> {
        let Joined { endpoint, direction, posted, session } = joined;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, self.members.len() as u64);
        self.epoll.add(&endpoint.socket, event).map_err(|error| error.to_string())?;
        let role = if direction == Direction::SendOnly {
            let shape = VideoShape::new(self.args.rate_kbps, self.args.fps);
            let source = Source { shape, fps: self.args.fps, key_interval: self.args.key_interval };
            let media = endpoint.offered.ok_or("a publisher offered no media")?;
            Role::Publisher(Publisher::new(source, media))
        } else {
            Role::Viewer(Box::new(Viewer::new(posted, endpoint.offered.map(|(video, _)| video))))
        };
        self.members.push(Member { endpoint, role, session, direction });
        self.due.push(Instant::now());
        self.earliest = Instant::now();
        Ok(())
    }

    /// A member's time is to be handled at `next`, and no later than a publisher's next frame.
    fn schedule(&mut self, at: usize, next: Instant) {
        let frame = match &self.members[at].role {
            Role::Publisher(publisher) => publisher.next_frame(),
            Role::Viewer(_) => None,
        };
        self.due[at] = frame.map_or(next, |frame| frame.min(next));
        self.earliest = self.earliest.min(self.due[at]);
    }

    fn handle_time(&mut self, now: Instant) {
        if now < self.earliest {
            return;
        }
        self.earliest = now + PATIENCE;
        for at in 0..self.members.len() {
            if self.due[at] > now {
                self.earliest = self.earliest.min(self.due[at]);
                continue;
            }
            let Member { endpoint, role, .. } = &mut self.members[at];
            if let Role::Publisher(publisher) = role {
                publisher.produce(&mut endpoint.rtc, now);
            }
            match endpoint.handle_timeout(now, role) {
                Ok(next) => self.schedule(at, next),
                Err(error) => self.fail(at, &error.to_string()),
            }
        }
    }

    /// Moves on to the next phase when its time has come.
    fn advance(&mut self, now: Instant) {
        match self.phase {
            Phase::Publishing { until } => {
                let up = self.publishers().filter(|publisher| publisher.connected).count();
                if up == self.args.publishers {
                    self.phase = Phase::Leading { until: now + LEAD };
                } else if now >= until || !self.failures.is_empty() {
                    self.failures.push(format!("{up} of {} publishers are up", self.args.publishers));
                    self.phase = Phase::Done { window: Window::default() };
                }
            }
            Phase::Leading { until } if now >= until => {
                self.phase = Phase::Joining { next: now, started: 0, until: now };
            }
            Phase::Joining { next, started, until } => self.join_more(now, next, started, until),
            Phase::Settling { until } if now >= until => self.start_window(now),
            Phase::Measuring { since, until, before } if now >= until => self.end_window(now, since, before),
            _ => {}
        }
    }

    fn join_more(&mut self, now: Instant, next: Instant, started: usize, until: Instant) {
        if started < self.args.viewers {
            if now >= next {
                self.joiner.start(Direction::RecvOnly);
                let next = next + Duration::from_secs_f64(1.0 / self.args.join_rate);
                self.phase = Phase::Joining { next, started: started + 1, until: now + PATIENCE };
            }
            return;
        }
        let seeing = self.viewers().filter(|viewer| viewer.first_frame.is_some()).count();
        if seeing + self.failures.len() >= self.args.viewers || now >= until {
            emit(
                self.args.json,
                &json!({"event": "joined", "viewers": seeing, "failures": self.failures.len()}),
            );
            self.phase = Phase::Settling { until: now + self.args.settle };
        }
    }

    fn start_window(&mut self, now: Instant) {
        let before = self.totals();
        emit(self.args.json, &json!({"event": "start", "packets": before.received}));
        self.delays.clear();
        self.phase = Phase::Measuring { since: now, until: now + self.args.duration, before };
    }

    fn end_window(&mut self, now: Instant, since: Instant, before: Totals) {
        let after = self.totals();
        emit(self.args.json, &json!({"event": "end", "packets": after.received}));
        // A viewer that names no source gets one publisher's packets; publishers send alike.
        let published = (after.published - before.published) / self.args.publishers.max(1) as u64;
        let window = Window {
            seconds: now.duration_since(since).as_secs_f64(),
            packets: after.received - before.received,
            expected: published * self.viewers().count() as u64,
            cpu: after.cpu - before.cpu,
        };
        self.phase = Phase::Done { window };
    }

    fn finish(&mut self, window: Window) -> bool {
        let findings = Findings {
            wanted: self.args.viewers,
            viewers: self.viewers().collect(),
            publishers: self.publishers().collect(),
            failures: &self.failures,
            delays: &self.delays,
            window,
            discarded: self.members.iter().map(|member| member.endpoint.traffic.discarded).sum(),
            send_failed: self.members.iter().map(|member| member.endpoint.traffic.send_failed).sum(),
        };
        let (saw, report, text) = (findings.all_saw_media(), findings.to_json(), findings.to_text());
        if self.args.json {
            emit(true, &report);
        } else {
            print!("{text}");
        }
        for member in &self.members {
            let Some(session) = &member.session else { continue };
            if let Err(why) = self.joiner.leave(session, member.direction) {
                eprintln!("loupe-loadtest: {why}");
            }
        }
        saw
    }

    fn viewers(&self) -> impl Iterator<Item = &Viewer> {
        self.members.iter().filter_map(|member| match &member.role {
            Role::Viewer(viewer) => Some(&**viewer),
            Role::Publisher(_) => None,
        })
    }

    fn publishers(&self) -> impl Iterator<Item = &Publisher> {
        self.members.iter().filter_map(|member| match &member.role {
            Role::Publisher(publisher) => Some(publisher),
            Role::Viewer(_) => None,
        })
    }

    fn totals(&self) -> Totals {
        let viewers = self.members.iter().filter(|member| matches!(member.role, Role::Viewer(_)));
        Totals {
            received: viewers.map(|member| member.endpoint.traffic.rtp_received).sum(),
            published: self.publishers().map(|publisher| publisher.packets).sum(),
            cpu: cpu_seconds(),
        }
    }
}

fn emit(json: bool, line: &Value) {
    if json {
        println!("{line}");
        // Whoever measures the server waits for this line; if they are gone nobody minds.
        let _ = std::io::stdout().flush();
    }
}
