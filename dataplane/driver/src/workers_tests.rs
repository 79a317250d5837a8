//! Tests of `workers.rs` with real threads and sockets.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

use loupe_core::io::Handle;
use loupe_core::stats::{Counter, Drop};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

fn config(port: u16, workers: usize) -> WorkersConfig {
    WorkersConfig { addresses: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()], port, workers }
}

fn wait_event(workers: &Workers) -> Vec<WorkerEvent> {
    let limit = Timespec::try_from(Duration::from_secs(5)).expect("five seconds fit");
    let mut descriptors = [PollFd::from_borrowed_fd(workers.event_descriptor(), PollFlags::IN)];
    assert_eq!(poll(&mut descriptors, Some(&limit)).expect("an open descriptor"), 1, "no event came");
    workers.take_events()
}

/// Looks again until it holds; the snapshots come once a second.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(5), "{what} did not come to hold");
        std::thread::yield_now();
    }
}

fn threads_named(prefix: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with(prefix)).count()
}

#[test]
fn a_taken_port_is_named_with_its_address_and_nothing_stays_open() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("a bound socket").port();
    let error = Workers::start(&config(port, 1)).expect_err("the port is taken");
    assert_eq!(
        error.to_string(),
        format!("cannot open UDP port {port} on 127.0.0.1: Address already in use")
    );
    drop(taken);
    Workers::start(&config(port, 1)).expect("the port is free again");
}

#[test]
fn configurations_that_cannot_be_meant_are_refused() {
    for config in [config(0, 0), config(65_535, 2), WorkersConfig { addresses: vec![], ..config(0, 1) }] {
        let error = Workers::start(&config).expect_err("it cannot be meant");
        assert!(matches!(error, StartError::Config(_)), "{error}");
    }
}

#[test]
fn a_panic_ends_one_worker_and_is_told() {
    let workers = Workers::start_with(&config(0, 2), |index, context| {
        assert!(index != 0, "made to fail");
        run(context);
    });
    let workers = workers.expect("free ports");
    let events = wait_event(&workers);
    let [WorkerEvent::WorkerFailed { worker: 0, reason }] = &events[..] else { panic!("{events:?}") };
    assert!(reason.starts_with("made to fail at driver/src/workers_tests.rs:"), "{reason}");
    let close = || Command::Close { handle: Handle(1) };
    assert_eq!(workers.send(0, close()), Err(SendError::Gone));
    assert_eq!(workers.send(1, close()), Ok(()));
    let address = workers.local_addresses(0).expect("it was a worker")[0];
    UdpSocket::bind(address).expect("the failed worker's port is free");
    assert!(!workers.workers[1].thread.as_ref().expect("it was started").is_finished());
}

#[test]
fn stopping_leaves_no_thread_and_no_socket() {
    let mut workers = Workers::start(&config(0, 2)).expect("free ports");
    let addresses: Vec<_> =
        (0..2).flat_map(|worker| workers.local_addresses(worker).expect("a worker").to_vec()).collect();
    assert_eq!(addresses.len(), 4);
    assert!(addresses.iter().all(|address| UdpSocket::bind(address).is_err()), "a port is not held");
    workers.stop();
    workers.stop();
    for address in addresses {
        UdpSocket::bind(address).expect("the port is free");
    }
    assert_eq!(workers.send(0, Command::Close { handle: Handle(1) }), Err(SendError::Gone));
}

#[test]
fn threads_carry_their_worker_in_their_name() {
    let workers = Workers::start(&config(0, 1)).expect("a free port");
    eventually("the name", || threads_named("loupe-media-0") > 0);
    drop(workers);
}

#[test]
fn snapshots_are_there_at_once_and_show_what_came_in() {
    let workers = Workers::start(&config(0, 1)).expect("a free port");
    eventually("the first snapshot", || workers.snapshots()[0].busy_seconds > 0.0);
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = workers.local_addresses(0).expect("a worker")[0];
    // Neither has any effect but being counted: the source is a stranger.
    sender.send_to(&[], address).expect("loopback takes it");
    sender.send_to(&[0x80; 40], address).expect("loopback takes it");
    eventually("both datagrams in the counters", || {
        let counters = workers.snapshots()[0].counters.clone();
        counters.count(Counter::DatagramsIn) == 2
            && counters.dropped(Drop::Short) == 1
            && counters.dropped(Drop::UnvalidatedSource) == 1
    });
    assert_eq!(workers.take_events(), []);
}

#[test]
fn random_bytes_differ() {
    assert_ne!(random_bytes::<16>().expect("randomness"), random_bytes::<16>().expect("randomness"));
}
