//! Datagrams to send: one arena of bytes, and the runs cut from it.

use std::net::SocketAddr;

use crate::ice::Path;
use crate::units::Time;

/// Datagrams of one run at most (Linux: `UDP_MAX_SEGMENTS`).
const MAX_RUN_SEGMENTS: u32 = 64;
/// Bytes of one run at most, below the largest UDP payload.
const MAX_RUN_BYTES: u32 = 60_000;
/// With this much queued the driver should send before more is made.
const FULL_BYTES: usize = 1 << 20;
/// All of it leaves when the last of it is ready: the first viewer's packets wait for those of all others.
const FULL_RUNS: usize = 8;
/// Of what waited for its viewer's link already so much leaves together.
const CROWDED_RUNS: usize = 32;

/// Datagrams to send, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The payloads, end to end.
    pub bytes: Vec<u8>,
    /// Runs of datagrams in `bytes`, in sending order.
    pub runs: Vec<Run>,
    /// When packets that are forwarded at once came in and how many at a time: the plane's own measure of its delay.
    departures: Vec<(Time, u64)>,
}

/// Consecutive datagrams to one address; all but the last have `segment` bytes (what UDP GSO asks for).
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Which of the worker's sockets sends.
    pub local: u8,
    /// The receiver.
    pub destination: SocketAddr,
    /// Where in the arena the run begins.
    pub offset: u32,
    /// Bytes in all.
    pub length: u32,
    /// Bytes of each datagram but the last, which may be shorter.
    pub segment: u16,
}

impl Run {
    /// Datagrams in the run.
    pub fn datagrams(&self) -> u64 {
        u64::from(self.length.div_ceil(u32::from(self.segment.max(1))))
    }
}

impl Outbox {
    /// Queues the datagram `bytes[start..]`, joined to the last run where receiver and size allow it.
    pub fn push(&mut self, path: Path, start: usize) {
        let length = (self.bytes.len() - start) as u32;
        if let Some(last) = self.runs.last_mut()
            && last.destination == path.remote
            && last.local == path.local
            && last.offset + last.length == start as u32
            && last.length.is_multiple_of(u32::from(last.segment))
            && length <= u32::from(last.segment)
            && last.length / u32::from(last.segment) < MAX_RUN_SEGMENTS
            && last.length + length <= MAX_RUN_BYTES
        {
            last.length += length;
            return;
        }
        let (local, destination) = (path.local, path.remote);
        self.runs.push(Run { local, destination, offset: start as u32, length, segment: length as u16 });
    }

    /// Whether it is time to send.
    pub fn is_full(&self) -> bool {
        self.holds(FULL_RUNS)
    }

    /// The same for what the pacers let go, of many viewers one packet each.
    pub fn is_crowded(&self) -> bool {
        self.holds(CROWDED_RUNS)
    }

    fn holds(&self, runs: usize) -> bool {
        self.bytes.len() >= FULL_BYTES || self.runs.len() >= runs
    }

    /// Notes that a packet which came in at `arrival` is forwarded with this outbox without having waited for its viewer's
    /// link: how long that takes is the link's doing.
    pub(crate) fn depart(&mut self, arrival: Time) {
        match self.departures.last_mut() {
            Some((last, count)) if *last == arrival => *count += 1,
            _ => self.departures.push((arrival, 1)),
        }
    }

    /// Empties it after sending; gives what was noted by [`Outbox::depart`].
    pub(crate) fn clear(&mut self) -> std::vec::Drain<'_, (Time, u64)> {
        self.bytes.clear();
        self.runs.clear();
        self.departures.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path { local: 0, remote: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    fn push(outbox: &mut Outbox, port: u16, length: usize) {
        let start = outbox.bytes.len();
        outbox.bytes.resize(start + length, 0);
        outbox.push(path(port), start);
    }

    #[test]
    fn joins_what_one_segmented_send_can_carry() {
        let mut outbox = Outbox::default();
        for (port, length) in [(1, 1_100), (1, 1_100), (1, 300), (1, 1_100), (2, 1_100), (2, 1_101)] {
            push(&mut outbox, port, length);
        }
        let shape: Vec<_> =
            outbox.runs.iter().map(|run| (run.length, run.segment, run.datagrams())).collect();
        assert_eq!(shape, [(2_500, 1_100, 3), (1_100, 1_100, 1), (1_100, 1_100, 1), (1_101, 1_101, 1)]);
    }

    #[test]
    fn a_run_stays_within_the_kernel_limits() {
        let mut outbox = Outbox::default();
        (0..200).for_each(|_| push(&mut outbox, 1, 1_200));
        assert!(outbox.runs.iter().all(|run| run.datagrams() <= 64 && run.length <= MAX_RUN_BYTES));
        assert_eq!(outbox.runs.iter().map(Run::datagrams).sum::<u64>(), 200);
    }
}
