//! Starting, addressing and stopping the workers of one process.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use arc_swap::ArcSwap;
use loupe_core::io::{Command, Handle};
use loupe_core::stats::WorkerStats;
use loupe_core::tap::TapReader;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::events::{EventQueue, WorkerEvent};
use crate::inbox::{CommandSender, Order, SendError, inbox};
use crate::isolate::isolate;
use crate::run::{Context, run};
use crate::socket::MediaSocket;

/// Addresses that one worker can listen on.
pub const MAX_ADDRESSES: usize = 16;

/// What to listen on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkersConfig {
    /// One socket each, per worker; at most [`MAX_ADDRESSES`].
    pub addresses: Vec<IpAddr>,
    /// Worker *i* listens on `port + i`; with port 0 the kernel chooses one for every socket.
    pub port: u16,
    /// How many threads; at least one.
    pub workers: usize,
}

/// Why the workers did not start.
#[derive(Debug)]
pub enum StartError {
    /// The configuration cannot be meant; says why.
    Config(&'static str),
    /// A socket could not be opened.
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The system has no descriptor, thread or randomness left.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Config(reason) => f.write_str(reason),
            StartError::Bind { address, source } => {
                let (ip, port) = (address.ip(), address.port());
                write!(f, "cannot open UDP port {port} on {ip}: {}", plain_text(source))
            }
            StartError::System(source) => write!(f, "cannot start a media worker: {}", plain_text(source)),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Config(_) => None,
            StartError::Bind { source, .. } | StartError::System(source) => Some(source),
        }
    }
}

/// The system's text without the "(os error N)" that Rust appends.
fn plain_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// `N` random bytes of the operating system.
pub fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

#[derive(Debug)]
struct Worker {
    commands: CommandSender,
    local: Vec<SocketAddr>,
    snapshot: Arc<ArcSwap<WorkerStats>>,
    thread: Option<JoinHandle<()>>,
}

/// The running workers. Dropping stops them.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    events: EventQueue,
}

impl Workers {
    /// Binds all sockets, then starts all threads; on an error nothing is left open.
    pub fn start(config: &WorkersConfig) -> Result<Workers, StartError> {
        Workers::start_with(config, |_, context| run(context))
    }

    /// As [`Workers::start`] with another body for the threads: how tests make a worker panic.
    fn start_with(
        config: &WorkersConfig,
        body: impl Fn(usize, &mut Context) + Clone + Send + 'static,
    ) -> Result<Workers, StartError> {
        let sockets = bind_all(config)?;
        let events = EventQueue::new().map_err(StartError::System)?;
        let mut workers = Workers { workers: Vec::with_capacity(sockets.len()), events };
        for (index, sockets) in sockets.into_iter().enumerate() {
            let body = body.clone();
            let worker = spawn(index, sockets, &workers.events, move |context| body(index, context))
                .map_err(StartError::System)?;
            workers.workers.push(worker);
        }
        Ok(workers)
    }

    /// Where a worker listens, in the order of the configuration. `None` for a worker that is none.
    pub fn local_addresses(&self, worker: usize) -> Option<&[SocketAddr]> {
        self.workers.get(worker).map(|worker| worker.local.as_slice())
    }

    /// Queues a command. Never blocks.
    pub fn send(&self, worker: usize, command: Command) -> Result<(), SendError> {
        self.workers.get(worker).ok_or(SendError::Gone)?.commands.send(Order::Plane(command))
    }

    /// Copies a publication to `descriptor`, a socket that keeps messages apart and of which every message is a
    /// batch of whole records; it is closed after the last. Never blocks.
    pub fn tap(
        &self,
        worker: usize,
        publication: Handle,
        reader: TapReader,
        descriptor: OwnedFd,
    ) -> Result<(), SendError> {
        let worker = self.workers.get(worker).ok_or(SendError::Gone)?;
        worker.commands.send(Order::Tap { publication, reader, descriptor })
    }

    /// Takes all events that wait, oldest first.
    pub fn take_events(&self) -> Vec<WorkerEvent> {
        self.events.take()
    }

    /// Readable while events wait.
    pub fn event_descriptor(&self) -> BorrowedFd<'_> {
        self.events.descriptor()
    }

    /// The newest snapshot of every worker, at most about a second old. Never waits for a worker.
    pub fn snapshots(&self) -> Vec<Arc<WorkerStats>> {
        self.workers.iter().map(|worker| worker.snapshot.load_full()).collect()
    }

    /// Ends all workers and waits for their threads; their sockets are closed then. Idempotent.
    pub fn stop(&mut self) {
        for worker in &self.workers {
            worker.commands.stop();
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                // A worker's panic was caught and told inside.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop();
    }
}

fn bind_all(config: &WorkersConfig) -> Result<Vec<Vec<MediaSocket>>, StartError> {
    if config.workers == 0 {
        return Err(StartError::Config("workers: at least one is needed"));
    }
    if config.addresses.is_empty() || config.addresses.len() > MAX_ADDRESSES {
        return Err(StartError::Config("addresses: at least one and at most 16 are needed"));
    }
    let last = usize::from(config.port) + config.workers - 1;
    if config.port > 0 && last > usize::from(u16::MAX) {
        return Err(StartError::Config(
            "port: there are not so many above it, one is needed for each worker",
        ));
    }
    let bind_worker = |index: usize| {
        let port = if config.port == 0 { 0 } else { config.port + index as u16 };
        let bind = |ip: &IpAddr| {
            let address = SocketAddr::new(*ip, port);
            MediaSocket::bind(address).map_err(|source| StartError::Bind { address, source })
        };
        config.addresses.iter().map(bind).collect()
    };
    (0..config.workers).map(bind_worker).collect()
}

fn spawn(
    index: usize,
    sockets: Vec<MediaSocket>,
    events: &EventQueue,
    body: impl FnOnce(&mut Context) + Send + 'static,
) -> io::Result<Worker> {
    let local = sockets.iter().map(MediaSocket::local).collect();
    let (commands, inbox) = inbox()?;
    let snapshot = Arc::new(ArcSwap::from_pointee(WorkerStats::default()));
    let seed = u64::from_ne_bytes(random_bytes()?);
    let mut context =
        Context { sockets, inbox, events: events.sender(), snapshot: Arc::clone(&snapshot), seed };
    let mut failures = events.sender();
    let last = Arc::clone(&snapshot);
    let thread = Builder::new().name(format!("loupe-media-{index}")).spawn(move || {
        let outcome = isolate(|| body(&mut context));
        // Sockets close before anyone hears of the end: whoever reacts may bind the port again.
        drop(context);
        if let Err(reason) = outcome {
            let counts = last.load_full();
            last.store(Arc::new(WorkerStats {
                transports: Vec::new(),
                publications: Vec::new(),
                subscriptions: Vec::new(),
                ..WorkerStats::clone(&counts)
            }));
            failures.fail(index, reason);
        }
    })?;
    Ok(Worker { commands, local, snapshot, thread: Some(thread) })
}

#[cfg(test)]
#[path = "workers_tests.rs"]
mod tests;
