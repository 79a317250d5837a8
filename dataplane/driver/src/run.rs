//! A worker's loop: commands, datagrams and timeouts in; datagrams, events and snapshots out; then sleep.

use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use loupe_core::ice::Path;
use loupe_core::io::{Command, Input, Output};
use loupe_core::plane::{EXPECTED, Plane, PlaneConfig};
use loupe_core::stats::{Drop, WorkerStats};
use loupe_core::units::Time;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::set_current_timer_slack;

use crate::clock::{Clock, system_clocks, thread_busy_seconds};
use crate::events::{EventSender, Pushed};
use crate::inbox::{Inbox, Order};
use crate::publishers::{MAX_PUBLISHERS, Publishers};
use crate::schedule::take_short_slices;
use crate::send::Sender;
use crate::socket::{MediaSocket, RECEIVE_BATCH, ReceiveBatch, Received};
use crate::taps::Taps;

/// Commands done in one turn: media must not wait for a burst of joins.
const COMMANDS_PER_TURN: usize = 64;

/// How old a snapshot may become.
const SNAPSHOT_PERIOD: Duration = Duration::from_secs(1);

/// How long viewers' feedback gathers at most, while every publisher has a socket of its own and nobody connects. Usually a
/// publisher's packet wakes the worker sooner, and what gathered is read along.
const FEEDBACK_WAIT: Duration = Duration::from_millis(16);

/// What is read of a publisher's socket that closes.
const LAST_BATCHES: usize = 4;

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
    // Without these the worker only wakes a little later.
    let _ = set_current_timer_slack(Some(TIMER_SLACK_NANOS));
    let _ = take_short_slices();
    let mut worker = Worker::new(sockets, inbox, events, snapshot, *seed);
    worker.publish_snapshot();
    let mut awake = Awake::EVERYTHING;
    while !inbox.stopping() {
        let more = worker.take_inputs(awake);
        let deadline = worker.drain();
        awake = if more { Awake::EVERYTHING } else { worker.sleep(deadline) };
    }
    worker.publish_snapshot();
}

/// What there is to look at after a sleep: bit *n* for socket *n*.
#[derive(Clone, Copy)]
struct Awake {
    shared: u32,
    publishers: u32,
    inbox: bool,
}

impl Awake {
    const NOTHING: Awake = Awake { shared: 0, publishers: 0, inbox: false };
    /// Not known: look everywhere, which costs a system call each.
    const EVERYTHING: Awake = Awake { shared: u32::MAX, publishers: u32::MAX, inbox: true };
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
    publishers: Publishers,
    taps: Taps,
    /// Per socket, how many datagrams its queue had dropped when last told.
    overflowed: Vec<u32>,
    /// Before this the shared sockets are not waited for: viewers' feedback gathers there.
    shared_due: Time,
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
        Worker {
            sockets,
            inbox,
            events,
            snapshot,
            plane: Plane::new(PlaneConfig { seed }),
            clock,
            receive: ReceiveBatch::new(),
            sender: Sender::new(sockets.len()),
            publishers: Publishers::default(),
            taps: Taps::default(),
            overflowed: vec![0; sockets.len()],
            shared_due: Time::ZERO,
            deadline: Time::ZERO,
            next_snapshot: Time::ZERO,
        }
    }

    /// Commands first, then datagrams, then the clock. True when more than one turn's portion waited somewhere.
    fn take_inputs(&mut self, awake: Awake) -> bool {
        if awake.inbox {
            self.inbox.lower();
        }
        let mut commands = 0;
        for order in self.inbox.take(COMMANDS_PER_TURN) {
            let command = match order {
                Order::Plane(command) => command,
                Order::Tap { publication, reader, descriptor } => {
                    let (tap, clocks) = (self.taps.open(descriptor), system_clocks());
                    Command::Tap { publication, tap, reader, clocks }
                }
            };
            self.plane.handle_input(self.clock.now(), Input::Command(command));
            commands += 1;
        }
        let mut more = commands == COMMANDS_PER_TURN;
        for index in (0..MAX_PUBLISHERS).filter(|index| awake.publishers & (1 << index) != 0) {
            let Some(own) = self.publishers.get_mut(index) else { break };
            let (local, overflowed) = (own.path.local, &mut own.overflowed);
            let (plane, receive) = (&mut self.plane, &mut self.receive);
            more |= take_batch(&self.clock, plane, receive, &own.socket, local, overflowed) == RECEIVE_BATCH;
        }
        let mut shared = 0;
        for (local, (socket, overflowed)) in self.sockets.iter().zip(&mut self.overflowed).enumerate() {
            if awake.shared & (1 << local) != 0 {
                let (plane, receive) = (&mut self.plane, &mut self.receive);
                let filled = take_batch(&self.clock, plane, receive, socket, local as u8, overflowed);
                more |= filled == RECEIVE_BATCH;
                shared += filled;
            }
        }
        let now = self.clock.now();
        let gathers = shared > 0 && !self.plane.connects();
        self.shared_due = if gathers { now + FEEDBACK_WAIT } else { Time::ZERO };
        if now >= self.deadline {
            self.plane.handle_input(now, Input::Timeout);
        }
        more
    }

    /// Does everything that the plane wants done. Answers when to look at it again.
    fn drain(&mut self) -> Time {
        for own in self.publishers.follow(&self.plane, self.sockets) {
            let (mut overflowed, local) = (own.overflowed, own.path.local);
            let (plane, receive) = (&mut self.plane, &mut self.receive);
            // A few batches, not all: whoever floods must not hold the worker.
            for _ in 0..LAST_BATCHES {
                if take_batch(&self.clock, plane, receive, &own.socket, local, &mut overflowed) == 0 {
                    break;
                }
            }
        }
        self.deadline = loop {
            let (reason, refused) = match self.plane.poll_output(self.clock.now()) {
                Output::Transmit(outbox) => (Drop::SendFailed, self.sender.send(self.sockets, outbox)),
                Output::Event(event) => {
                    (Drop::EventOverflow, u64::from(self.events.push(event) == Pushed::Dropped))
                }
                Output::Tapped(batch) => (Drop::TapFull, self.taps.push(self.clock.now(), batch)),
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
        self.deadline.min(self.next_snapshot).min(retry).min(self.taps.flush(now))
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
        let now = self.clock.now();
        let gathers = now < self.shared_due && self.publishers.have_all();
        let until = if gathers { until.min(self.shared_due) } else { until };
        // A span beyond the type's range would be centuries; the snapshot bounds it to a second.
        let timeout = Timespec::try_from(until.since(now)).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let watch = |descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN);
        let mut descriptors = vec![watch(self.inbox.as_fd())];
        descriptors.extend(self.publishers.iter().map(|own| watch(own.socket.as_fd())));
        let first_shared = descriptors.len();
        if !gathers {
            descriptors.extend(self.sockets.iter().map(|socket| watch(socket.as_fd())));
        }
        // An error is a signal, or no memory in the kernel: look at everything and come back.
        let Ok(_) = poll(&mut descriptors, Some(&timeout)) else { return Awake::EVERYTHING };
        let mut awake = Awake::NOTHING;
        for (index, descriptor) in descriptors.iter().enumerate() {
            if descriptor.revents().is_empty() {
                continue;
            }
            match index {
                0 => awake.inbox = true,
                _ if index < first_shared => awake.publishers |= 1 << (index - 1),
                _ => awake.shared |= 1 << (index - first_shared),
            }
        }
        if gathers {
            // Awake anyway: what gathered costs one system call.
            awake.shared = u32::MAX;
        }
        awake
    }
}

/// One batch of one socket. Answers how many slots were filled.
fn take_batch(
    clock: &Clock,
    plane: &mut Plane,
    receive: &mut ReceiveBatch,
    socket: &MediaSocket,
    local: u8,
    overflowed: &mut u32,
) -> usize {
    // `WouldBlock`, or a pending error of the socket, which this call has cleared: nothing to read either way.
    let Ok(filled) = receive.receive(socket) else { return 0 };
    let now = clock.now();
    let path = |remote| Path { local, remote };
    (1..EXPECTED).for_each(|slot| plane.expect(receive.source(slot).map(path)));
    for slot in 0..filled {
        plane.expect(receive.source(slot + EXPECTED).map(path));
        let received = receive.received(slot);
        let Some(Received { source, payload, segment, overflowed: total }) = received else { continue };
        if let Some(total) = total {
            let lost = total.wrapping_sub(*overflowed); // The kernel's counter wraps at 2^32.
            *overflowed = total;
            plane.count_drop(Drop::QueueFull, u64::from(lost));
        }
        if payload.is_empty() {
            plane.handle_input(now, Input::Datagram { local, source, payload });
            continue;
        }
        for payload in payload.chunks_mut(segment.max(1)) {
            plane.handle_input(now, Input::Datagram { local, source, payload });
        }
    }
    filled
}
