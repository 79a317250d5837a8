//! A worker's loop: commands, datagrams and timeouts in; datagrams, events and snapshots out; then sleep.

use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use loupe_core::io::{Input, Output};
use loupe_core::plane::{Plane, PlaneConfig};
use loupe_core::stats::{Drop, WorkerStats};
use loupe_core::units::Time;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::set_current_timer_slack;

use crate::clock::{Clock, thread_busy_seconds};
use crate::events::{EventSender, Pushed};
use crate::inbox::Inbox;
use crate::send::Sender;
use crate::socket::{MediaSocket, RECEIVE_BATCH, ReceiveBatch, Received};

/// Commands done in one turn: media must not wait for a burst of joins.
const COMMANDS_PER_TURN: usize = 64;

/// How old a snapshot may become.
const SNAPSHOT_PERIOD: Duration = Duration::from_secs(1);

/// How soon events that found the queue full are tried again.
const BACKLOG_PERIOD: Duration = Duration::from_millis(10);

/// How late the kernel may wake the worker. Its default of 50,000 is a third of the time for which the core gathers
/// a picture's packets into one send. Sleeping for that time costs 8 us of processor, spinning would cost all of it.
const TIMER_SLACK_NANOS: NonZeroU64 = NonZeroU64::new(1_000).unwrap();

/// What one worker owns.
pub(crate) struct Context {
    /// Bound before the thread starts, so that a taken port is an error of the start.
    pub(crate) sockets: Vec<MediaSocket>,
    pub(crate) inbox: Inbox,
    pub(crate) events: EventSender,
    pub(crate) snapshot: Arc<ArcSwap<WorkerStats>>,
    pub(crate) seed: u64,
}

/// Runs until the inbox says stop.
pub(crate) fn run(context: &mut Context) {
    let Context { sockets, inbox, events, snapshot, seed } = context;
    // Without it the worker only wakes a little later.
    let _ = set_current_timer_slack(Some(TIMER_SLACK_NANOS));
    let mut worker = Worker::new(sockets, inbox, events, snapshot, *seed);
    worker.publish_snapshot();
    let mut awake = Awake::everything();
    while !inbox.stopping() {
        let more = worker.take_inputs(awake);
        let deadline = worker.drain();
        awake = if more { Awake::everything() } else { worker.sleep(deadline) };
    }
    worker.publish_snapshot();
}

/// What woke the worker: bit *n* for socket *n*, the bit above them all for the inbox.
#[derive(Clone, Copy)]
struct Awake(u32);

impl Awake {
    const INBOX: u32 = 31;

    /// Not known: look everywhere, which costs a system call each.
    fn everything() -> Awake {
        Awake(u32::MAX)
    }

    fn has(self, bit: u32) -> bool {
        self.0 & (1 << bit) != 0
    }
}

struct Worker<'a> {
    sockets: &'a [MediaSocket],
    inbox: &'a Inbox,
    events: &'a mut EventSender,
    snapshot: &'a ArcSwap<WorkerStats>,
    clock: Clock,
    plane: Plane,
    receive: ReceiveBatch,
    sender: Sender,
    /// The sockets, then the inbox.
    descriptors: Vec<PollFd<'a>>,
    /// Per socket, how many datagrams its queue had dropped when last told.
    overflowed: Vec<u32>,
    deadline: Time,
    next_snapshot: Time,
}

impl<'a> Worker<'a> {
    fn new(
        sockets: &'a [MediaSocket],
        inbox: &'a Inbox,
        events: &'a mut EventSender,
        snapshot: &'a ArcSwap<WorkerStats>,
        seed: u64,
    ) -> Worker<'a> {
        let clock = Clock::start();
        let watch = |descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN);
        Worker {
            sockets,
            inbox,
            events,
            snapshot,
            plane: Plane::new(PlaneConfig { seed }),
            clock,
            receive: ReceiveBatch::new(),
            sender: Sender::new(sockets.len()),
            descriptors: sockets.iter().map(AsFd::as_fd).chain([inbox.as_fd()]).map(watch).collect(),
            overflowed: vec![0; sockets.len()],
            deadline: Time::ZERO,
            next_snapshot: Time::ZERO,
        }
    }

    /// Commands first, then datagrams, then the clock. True when more than one turn's portion waited somewhere.
    fn take_inputs(&mut self, awake: Awake) -> bool {
        if awake.has(Awake::INBOX) {
            self.inbox.lower();
        }
        let mut commands = 0;
        for command in self.inbox.take(COMMANDS_PER_TURN) {
            self.plane.handle_input(self.clock.now(), Input::Command(command));
            commands += 1;
        }
        let mut more = commands == COMMANDS_PER_TURN;
        for local in 0..self.sockets.len() {
            if awake.has(local as u32) {
                more |= self.receive(local) == RECEIVE_BATCH;
            }
        }
        let now = self.clock.now();
        if now >= self.deadline {
            self.plane.handle_input(now, Input::Timeout);
        }
        more
    }

    /// One batch of one socket. Answers how many slots were filled.
    fn receive(&mut self, local: usize) -> usize {
        let Some(socket) = self.sockets.get(local) else { return 0 };
        // `WouldBlock`, or a pending error of the socket, which this call has cleared: nothing to read either way.
        let Ok(slots) = self.receive.receive(socket) else { return 0 };
        let now = self.clock.now();
        let mut filled = 0;
        for slot in slots {
            filled += 1;
            let Received { source, payload, segment, overflowed } = slot;
            if let Some((total, seen)) = overflowed.zip(self.overflowed.get_mut(local)) {
                let lost = total.wrapping_sub(*seen); // The kernel's counter wraps at 2^32.
                *seen = total;
                self.plane.count_drop(Drop::QueueFull, u64::from(lost));
            }
            let local = local as u8;
            if payload.is_empty() {
                self.plane.handle_input(now, Input::Datagram { local, source, payload });
                continue;
            }
            for payload in payload.chunks_mut(segment.max(1)) {
                self.plane.handle_input(now, Input::Datagram { local, source, payload });
            }
        }
        filled
    }

    /// Does everything that the plane wants done. Answers when to look at it again.
    fn drain(&mut self) -> Time {
        self.deadline = loop {
            let (reason, refused) = match self.plane.poll_output(self.clock.now()) {
                Output::Transmit(outbox) => (Drop::SendFailed, self.sender.send(self.sockets, outbox)),
                Output::Event(event) => {
                    (Drop::EventOverflow, u64::from(self.events.push(event) == Pushed::Dropped))
                }
                Output::Wait(until) => break until,
            };
            if refused > 0 {
                self.plane.count_drop(reason, refused);
            }
        };
        let kept_back = self.events.announce();
        let now = self.clock.now();
        if now >= self.next_snapshot {
            self.publish_snapshot();
        }
        let retry = if kept_back { now + BACKLOG_PERIOD } else { Time::NEVER };
        self.deadline.min(self.next_snapshot).min(retry)
    }

    fn publish_snapshot(&mut self) {
        let now = self.clock.now();
        let mut stats = self.plane.stats(now);
        stats.busy_seconds = thread_busy_seconds();
        self.snapshot.store(Arc::new(stats));
        self.next_snapshot = now + SNAPSHOT_PERIOD;
    }

    /// Sleeps until a descriptor is readable or `until` has come.
    fn sleep(&mut self, until: Time) -> Awake {
        let remaining = until.since(self.clock.now());
        // A span beyond the type's range would be centuries; the snapshot bounds it to a second.
        let timeout = Timespec::try_from(remaining).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut self.descriptors, Some(&timeout)) {
            Ok(0) => return Awake(0),
            Ok(_) => {}
            // A signal, or no memory in the kernel: look at everything and come back.
            Err(_) => return Awake::everything(),
        }
        let mut awake = 0;
        for (index, descriptor) in self.descriptors.iter().enumerate() {
            if !descriptor.revents().is_empty() {
                awake |= 1 << if index < self.sockets.len() { index as u32 } else { Awake::INBOX };
            }
        }
        Awake(awake)
    }
}
