//! The bounded queue on which the control plane's commands reach a worker.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};
use loupe_core::io::{Command, Handle};
use loupe_core::tap::TapReader;

use crate::signal::Signal;

/// Commands that may wait for one worker; reached only when it has stopped taking them.
pub(crate) const COMMAND_LIMIT: usize = 65_536;

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// For its plane.
    Plane(Command),
    /// Copy a publication to this descriptor, a socket that keeps messages apart.
    Tap { publication: Handle, reader: TapReader, descriptor: OwnedFd },
}

/// Why a command went nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// There is no such worker, or it has ended.
    Gone,
    /// The worker has [`COMMAND_LIMIT`] commands waiting.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::Gone => "the worker has ended",
            SendError::Full => "the worker does not keep up with its commands",
        })
    }
}

impl std::error::Error for SendError {}

#[derive(Debug)]
struct Door {
    signal: Signal,
    stopping: AtomicBool,
}

/// A new pair: the control plane's end and the worker's.
pub(crate) fn inbox() -> io::Result<(CommandSender, Inbox)> {
    let (sender, receiver) = unbounded();
    let door = Arc::new(Door { signal: Signal::new()?, stopping: AtomicBool::new(false) });
    Ok((CommandSender { sender, door: Arc::clone(&door) }, Inbox { receiver, door }))
}

/// The control plane's end.
#[derive(Debug)]
pub(crate) struct CommandSender {
    sender: Sender<Order>,
    door: Arc<Door>,
}

impl CommandSender {
    /// Queues a command and wakes the worker. Never blocks.
    pub(crate) fn send(&self, order: Order) -> Result<(), SendError> {
        if self.sender.len() >= COMMAND_LIMIT {
            return Err(SendError::Full);
        }
        self.sender.send(order).map_err(|_| SendError::Gone)?;
        self.door.signal.raise();
        Ok(())
    }

    /// Asks the worker to end after its current turn.
    pub(crate) fn stop(&self) {
        self.door.stopping.store(true, Ordering::Release);
        self.door.signal.raise();
    }
}

/// The worker's end.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: Receiver<Order>,
    door: Arc<Door>,
}

impl Inbox {
    /// Commands that wait, at most `limit`; call again before sleeping when there were that many.
    pub(crate) fn take(&self, limit: usize) -> impl Iterator<Item = Order> + '_ {
        self.receiver.try_iter().take(limit)
    }

    /// Call when the descriptor was readable, before [`Inbox::take`].
    pub(crate) fn lower(&self) {
        self.door.signal.lower();
    }

    /// Whether the worker was asked to end.
    pub(crate) fn stopping(&self) -> bool {
        self.door.stopping.load(Ordering::Acquire)
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.door.signal.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(number: u64) -> Order {
        Order::Plane(Command::Close { handle: Handle(number) })
    }

    #[test]
    fn commands_come_in_order_and_in_bounded_portions() {
        let (sender, inbox) = inbox().expect("an eventfd");
        for number in 0..5 {
            sender.send(close(number)).expect("there is room");
        }
        let numbers = |limit| {
            inbox
                .take(limit)
                .map(|command| match command {
                    Order::Plane(Command::Close { handle }) => handle.0,
                    other => panic!("{other:?} was not sent"),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(3), [0, 1, 2]);
        assert_eq!(numbers(3), [3, 4]);
    }

    #[test]
    fn a_full_inbox_and_an_ended_worker_are_told_apart() {
        let (sender, inbox) = inbox().expect("an eventfd");
        for number in 0..COMMAND_LIMIT as u64 {
            sender.send(close(number)).expect("there is room");
        }
        assert_eq!(sender.send(close(0)), Err(SendError::Full));
        assert_eq!(inbox.take(COMMAND_LIMIT).count(), COMMAND_LIMIT);
        drop(inbox);
        assert_eq!(sender.send(close(0)), Err(SendError::Gone));
    }
}
