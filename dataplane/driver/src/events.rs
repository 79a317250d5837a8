//! The bounded queue on which workers tell the control plane what happened, and the descriptor that asyncio watches.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use loupe_core::io::Event;

use crate::signal::Signal;

/// Events that wait in the queue before workers keep theirs back.
pub(crate) const QUEUE_LIMIT: usize = 65_536;

/// Events that one worker keeps back before it drops even those that the control plane should see.
pub(crate) const BACKLOG_LIMIT: usize = 65_536;

/// What a worker, or its end, tells the control plane.
#[derive(Clone, PartialEq, Debug)]
pub enum WorkerEvent {
    /// Of the plane.
    Plane(Event),
    /// A worker's thread ended by a panic; all its transports are gone.
    WorkerFailed {
        /// Its index.
        worker: usize,
        /// Where and, when the message is a constant of the program, why; never a value from a packet.
        reason: String,
    },
}

/// What became of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pushed {
    /// It waits, in the queue or behind it.
    Kept,
    /// It is gone and has to be counted.
    Dropped,
}

/// The reading end.
#[derive(Debug)]
pub(crate) struct EventQueue {
    receiver: Receiver<WorkerEvent>,
    sender: Sender<WorkerEvent>,
    signal: Arc<Signal>,
}

impl EventQueue {
    /// An empty queue. Fails when the process has no descriptor left.
    pub(crate) fn new() -> io::Result<EventQueue> {
        // Unbounded, because a bounded channel reserves its whole length; `EventSender` keeps the bound.
        let (sender, receiver) = unbounded();
        Ok(EventQueue { receiver, sender, signal: Arc::new(Signal::new()?) })
    }

    /// A writing end for one worker.
    pub(crate) fn sender(&self) -> EventSender {
        EventSender {
            sender: self.sender.clone(),
            signal: Arc::clone(&self.signal),
            backlog: VecDeque::new(),
            unannounced: false,
        }
    }

    /// All events that wait now, oldest first.
    pub(crate) fn take(&self) -> Vec<WorkerEvent> {
        self.signal.lower();
        // What comes after this count raises the signal again; without the bound a fast worker could hold us here.
        let waiting = self.receiver.len();
        self.receiver.try_iter().take(waiting).collect()
    }

    /// Readable while events wait.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

/// A worker's writing end.
#[derive(Debug)]
pub(crate) struct EventSender {
    sender: Sender<WorkerEvent>,
    signal: Arc<Signal>,
    backlog: VecDeque<Event>,
    unannounced: bool,
}

impl EventSender {
    /// Adds an event; [`EventSender::announce`] makes it seen.
    pub(crate) fn push(&mut self, event: Event) -> Pushed {
        if self.backlog.is_empty() && self.has_room() {
            self.put(WorkerEvent::Plane(event));
            return Pushed::Kept;
        }
        let kept = match event {
            // DTLS repeats what is lost, and a later estimate replaces this one.
            Event::DtlsDatagram { .. } | Event::Bandwidth { .. } => false,
            // At most one per transport ever opened, and losing it would leak the transport's Python half.
            Event::Closed { .. } => true,
            _ => self.backlog.len() < BACKLOG_LIMIT,
        };
        if !kept {
            return Pushed::Dropped;
        }
        self.backlog.push_back(event);
        Pushed::Kept
    }

    /// Moves kept-back events into the queue and wakes the reader: once per batch. True while some are still kept.
    pub(crate) fn announce(&mut self) -> bool {
        while self.has_room() {
            let Some(event) = self.backlog.pop_front() else { break };
            self.put(WorkerEvent::Plane(event));
        }
        if std::mem::take(&mut self.unannounced) {
            self.signal.raise();
        }
        !self.backlog.is_empty()
    }

    /// Tells of this worker's end. Has no bound: it happens once per worker.
    pub(crate) fn fail(&mut self, worker: usize, reason: String) {
        self.put(WorkerEvent::WorkerFailed { worker, reason });
        self.announce();
    }

    fn has_room(&self) -> bool {
        self.sender.len() < QUEUE_LIMIT
    }

    fn put(&mut self, event: WorkerEvent) {
        // Fails only when the reader is gone, and with it everyone who would want to know.
        let _ = self.sender.send(event);
        self.unannounced = true;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use loupe_core::io::{CloseReason, Handle};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn readable(queue: &EventQueue) -> bool {
        let mut descriptors = [PollFd::from_borrowed_fd(queue.descriptor(), PollFlags::IN)];
        let now = Timespec::try_from(Duration::ZERO).expect("zero fits");
        poll(&mut descriptors, Some(&now)).expect("one open descriptor") == 1
    }

    fn ready(number: u64) -> Event {
        Event::TransportReady { transport: Handle(number) }
    }

    fn full() -> (EventQueue, EventSender) {
        let queue = EventQueue::new().expect("an eventfd");
        let mut sender = queue.sender();
        for number in 0..QUEUE_LIMIT as u64 {
            assert_eq!(sender.push(ready(number)), Pushed::Kept);
        }
        (queue, sender)
    }

    #[test]
    fn the_descriptor_follows_the_queue() {
        let queue = EventQueue::new().expect("an eventfd");
        let mut sender = queue.sender();
        assert!(!readable(&queue));
        sender.push(ready(1));
        assert!(!readable(&queue), "not before the batch ends");
        sender.push(ready(2));
        sender.announce();
        assert!(readable(&queue));
        assert_eq!(queue.take(), [WorkerEvent::Plane(ready(1)), WorkerEvent::Plane(ready(2))]);
        assert!(!readable(&queue));
        sender.push(ready(3));
        sender.announce();
        assert!(readable(&queue));
    }

    #[test]
    fn an_announcement_without_news_wakes_nobody() {
        let queue = EventQueue::new().expect("an eventfd");
        let mut sender = queue.sender();
        sender.push(ready(1));
        sender.announce();
        queue.take();
        sender.announce();
        assert!(!readable(&queue));
    }

    #[test]
    fn when_full_only_what_can_be_repeated_is_dropped_and_order_is_kept() {
        let (queue, mut sender) = full();
        let datagram = Event::DtlsDatagram { transport: Handle(1), payload: vec![22; 40] };
        assert_eq!(sender.push(datagram), Pushed::Dropped);
        assert_eq!(sender.push(ready(QUEUE_LIMIT as u64)), Pushed::Kept);
        assert!(sender.announce(), "one event is kept back");
        assert_eq!(queue.take().len(), QUEUE_LIMIT);
        assert_eq!(sender.push(ready(QUEUE_LIMIT as u64 + 1)), Pushed::Kept);
        assert!(!sender.announce());
        let late = [ready(QUEUE_LIMIT as u64), ready(QUEUE_LIMIT as u64 + 1)].map(WorkerEvent::Plane);
        assert_eq!(queue.take(), late);
    }

    #[test]
    fn the_backlog_has_a_bound_but_never_loses_an_end() {
        let (_queue, mut sender) = full();
        for number in 0..BACKLOG_LIMIT as u64 {
            assert_eq!(sender.push(ready(number)), Pushed::Kept);
        }
        assert_eq!(sender.push(ready(0)), Pushed::Dropped);
        let closed = Event::Closed { transport: Handle(1), reason: CloseReason::ConsentExpired };
        assert_eq!(sender.push(closed), Pushed::Kept);
    }

    #[test]
    fn a_failure_is_told_even_when_the_queue_is_full() {
        let (queue, mut sender) = full();
        sender.fail(3, "why".to_owned());
        let last = queue.take().pop();
        assert_eq!(last, Some(WorkerEvent::WorkerFailed { worker: 3, reason: "why".to_owned() }));
    }
}
