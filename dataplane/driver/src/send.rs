//! What to send in one system call, and what a refusal of the kernel means.

use std::io;
use std::time::Duration;

use loupe_core::io::{Outbox, Run};

use crate::socket::{MediaSocket, SEND_BATCH, SendBatch};

/// Datagrams that one buffer may be cut into (`UDP_MAX_SEGMENTS` of older kernels).
const MAX_SEGMENTS: u32 = 64;

/// Bytes that one buffer may have: an IP packet's 65,535 less the longest headers, rounded down.
const MAX_GROUP_BYTES: u32 = 65_000;

/// How long a full socket buffer may hold up one batch. Pacing keeps it from being full; a link slower than what is
/// sent would otherwise stop the worker's other work.
const FULL_BUFFER_PATIENCE: Duration = Duration::from_millis(2);

/// Refusals of grouped sends, without one success between them, after which a socket sends singly for good. More than
/// one, because a single destination with a small path MTU or an impossible port is refused as well, and must not
/// make everyone's media dearer.
const GROUP_REFUSAL_LIMIT: u32 = 16;

/// Sends outboxes over the sockets of one worker. Allocates nothing once its lists have grown.
pub(crate) struct Sender {
    batch: SendBatch,
    pieces: Vec<Run>,
    grouping: Vec<Grouping>,
}

/// Whether a socket may send several datagrams as one buffer (UDP GSO).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Grouping {
    Works { refusals: u32 },
    Refused,
}

/// Why the kernel did not take a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    /// The socket's buffer or the device's queue is full: all later runs would fare the same.
    Full,
    /// A signal came first.
    Interrupted,
    /// Grouped sending is not possible there: by this kernel, by this device, or to this destination.
    Group,
    /// This destination cannot be reached or is not allowed.
    Destination,
}

impl Refusal {
    fn of(error: &io::Error) -> Refusal {
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => Refusal::Full,
            Some(libc::EINTR) => Refusal::Interrupted,
            Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP) => Refusal::Group,
            // ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EPERM of a packet filter, and whatever else one address earns.
            _ => Refusal::Destination,
        }
    }
}

impl Sender {
    /// For a worker with this many sockets.
    pub(crate) fn new(sockets: usize) -> Sender {
        Sender {
            batch: SendBatch::new(),
            pieces: Vec::with_capacity(SEND_BATCH),
            grouping: vec![Grouping::Works { refusals: 0 }; sockets],
        }
    }

    /// Sends everything, in order per socket. Answers how many datagrams were refused.
    pub(crate) fn send(&mut self, sockets: &[MediaSocket], outbox: &Outbox) -> u64 {
        let mut failed = 0;
        for (local, socket) in sockets.iter().enumerate() {
            let grouped = self.grouping.get(local).is_some_and(|state| *state != Grouping::Refused);
            self.pieces.clear();
            for run in outbox.runs.iter().filter(|run| usize::from(run.local) == local) {
                cut(*run, grouped, &mut self.pieces);
            }
            failed += self.send_pieces(local, socket, &outbox.bytes);
        }
        // No socket has such a number: a fault of ours, but one to be seen.
        let homeless = outbox.runs.iter().filter(|run| usize::from(run.local) >= sockets.len());
        failed + homeless.map(Run::datagrams).sum::<u64>()
    }

    fn send_pieces(&mut self, local: usize, socket: &MediaSocket, bytes: &[u8]) -> u64 {
        let mut failed = 0;
        let mut patient = true;
        let mut next = 0;
        while let Some(rest) = self.pieces.get(next..).filter(|rest| !rest.is_empty()) {
            let error = match self.batch.send(socket, bytes, rest) {
                Ok(sent) => {
                    let grouped = rest.iter().take(sent).any(|piece| piece.datagrams() > 1);
                    self.note_success(local, grouped);
                    next += sent;
                    continue;
                }
                Err(error) => error,
            };
            let piece = rest[0]; // `rest` was checked to be not empty.
            match Refusal::of(&error) {
                Refusal::Interrupted => {}
                Refusal::Full if patient => {
                    patient = false;
                    socket.wait_writable(FULL_BUFFER_PATIENCE);
                }
                Refusal::Full => {
                    return failed + rest.iter().map(Run::datagrams).sum::<u64>();
                }
                Refusal::Group if piece.datagrams() > 1 => {
                    self.note_refusal(local);
                    let mut singles = Vec::new();
                    cut(piece, false, &mut singles);
                    self.pieces.splice(next..=next, singles);
                }
                Refusal::Group | Refusal::Destination => {
                    failed += piece.datagrams();
                    next += 1;
                }
            }
        }
        failed
    }

    fn note_success(&mut self, local: usize, grouped: bool) {
        if let Some(Grouping::Works { refusals }) = self.grouping.get_mut(local).filter(|_| grouped) {
            *refusals = 0;
        }
    }

    fn note_refusal(&mut self, local: usize) {
        let Some(state) = self.grouping.get_mut(local) else { return };
        *state = match *state {
            Grouping::Works { refusals } if refusals + 1 < GROUP_REFUSAL_LIMIT => {
                Grouping::Works { refusals: refusals + 1 }
            }
            _ => Grouping::Refused,
        };
    }
}

/// Cuts a run into pieces that one message can carry: what GSO allows, or single datagrams.
fn cut(run: Run, grouped: bool, pieces: &mut Vec<Run>) {
    let segment = u32::from(run.segment).max(1);
    let step = if grouped { (MAX_GROUP_BYTES / segment).clamp(1, MAX_SEGMENTS) * segment } else { segment };
    if run.length <= step {
        pieces.push(run);
        return;
    }
    let mut done = 0;
    while done < run.length {
        let length = step.min(run.length - done);
        pieces.push(Run { offset: run.offset + done, length, ..run });
        done += length;
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::socket::tests::{loopback, refuse_grouping};

    fn run(destination: std::net::SocketAddr, offset: usize, length: usize, segment: u16) -> Run {
        Run { local: 0, destination, offset: offset as u32, length: length as u32, segment }
    }

    fn outbox(bytes: &[u8], runs: &[Run]) -> Outbox {
        let mut outbox = Outbox::default();
        outbox.bytes.extend_from_slice(bytes);
        outbox.runs.extend_from_slice(runs);
        outbox
    }

    fn receiver() -> (UdpSocket, std::net::SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("an open socket");
        let address = socket.local_addr().expect("a bound socket");
        (socket, address)
    }

    fn receive(socket: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
        let mut buffer = [0; 2_048];
        let one = |_| {
            let length = socket.recv(&mut buffer).expect("a datagram in time");
            buffer[..length].to_vec()
        };
        (0..count).map(one).collect()
    }

    /// Bytes that tell where they come from.
    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|index| (index / 7 % 251) as u8).collect()
    }

    #[test]
    fn six_equal_datagrams_and_a_short_one_arrive_in_order() {
        let (socket, destination) = receiver();
        let bytes = pattern(6 * 1_100 + 300);
        let runs = vec![run(destination, 0, bytes.len(), 1_100)];
        let sockets = [loopback()];
        let mut sender = Sender::new(1);
        assert_eq!(sender.send(&sockets, &outbox(&bytes, &runs)), 0);
        let expected: Vec<_> = bytes.chunks(1_100).map(<[u8]>::to_vec).collect();
        assert_eq!(receive(&socket, 7), expected);
        assert_eq!(sender.grouping, [Grouping::Works { refusals: 0 }]);
    }

    #[test]
    fn a_run_beyond_the_limits_of_one_message_is_cut() {
        let (socket, destination) = receiver();
        let bytes = pattern(70 * 100);
        let sockets = [loopback()];
        let outbox = outbox(&bytes, &[run(destination, 0, bytes.len(), 100)]);
        assert_eq!(Sender::new(1).send(&sockets, &outbox), 0);
        let expected: Vec<_> = bytes.chunks(100).map(<[u8]>::to_vec).collect();
        assert_eq!(receive(&socket, 70), expected);
    }

    #[test]
    fn cuts_keep_every_byte_and_both_limits() {
        let destination = "127.0.0.1:9".parse().expect("an address");
        for (length, segment) in [(0, 1), (1, 0), (65_000, 1_000), (65_001, 1_000), (130_000, 1_200), (9, 4)]
        {
            for grouped in [true, false] {
                let mut pieces = Vec::new();
                cut(run(destination, 5, length, segment), grouped, &mut pieces);
                let mut next = 5;
                for piece in &pieces {
                    assert_eq!(piece.offset, next);
                    assert!(piece.datagrams() <= 64 && piece.length <= MAX_GROUP_BYTES);
                    assert!(grouped || piece.datagrams() <= 1);
                    next += piece.length;
                }
                assert_eq!(next as usize, 5 + length);
            }
        }
    }

    #[test]
    fn more_messages_than_one_call_takes_go_in_several() {
        let receivers: Vec<_> = (0..16).map(|_| receiver()).collect();
        let bytes = pattern(2 * SEND_BATCH);
        // Spread over sockets, since one socket's default buffer would not hold them all.
        let numbered = receivers.iter().cycle().enumerate().take(2 * SEND_BATCH - 32);
        let runs: Vec<_> = numbered.map(|(index, (_, to))| run(*to, index, 2, 2)).collect();
        assert_eq!(Sender::new(1).send(&[loopback()], &outbox(&bytes, &runs)), 0);
        for (first, (socket, _)) in receivers.iter().enumerate() {
            let expected: Vec<_> = (first..runs.len())
                .step_by(receivers.len())
                .map(|index| bytes[index..index + 2].to_vec())
                .collect();
            assert_eq!(receive(socket, expected.len()), expected);
        }
    }

    #[test]
    fn where_the_kernel_refuses_grouping_datagrams_go_singly_and_that_is_remembered() {
        let (socket, destination) = receiver();
        let sockets = [loopback()];
        refuse_grouping(&sockets[0]);
        let bytes = pattern(2 * 500 + 100);
        let expected: Vec<_> = bytes.chunks(500).map(<[u8]>::to_vec).collect();
        let outbox = outbox(&bytes, &[run(destination, 0, bytes.len(), 500)]);
        let mut sender = Sender::new(1);
        for attempt in 1..=GROUP_REFUSAL_LIMIT + 1 {
            assert_eq!(sender.send(&sockets, &outbox), 0);
            assert_eq!(receive(&socket, 3), expected, "attempt {attempt}");
        }
        assert_eq!(sender.grouping, [Grouping::Refused]);
    }

    #[test]
    fn one_impossible_destination_costs_only_its_own_run() {
        let (socket, destination) = receiver();
        let nowhere = "127.0.0.1:0".parse().expect("an address");
        let bytes = pattern(1_200);
        let runs = vec![
            run(destination, 0, 400, 400),
            run(nowhere, 0, 1_200, 400),
            run("[::1]:9".parse().expect("an address"), 0, 100, 100),
            run(destination, 400, 800, 400),
        ];
        let sockets = [loopback()];
        let mut sender = Sender::new(1);
        for _ in 0..3 * GROUP_REFUSAL_LIMIT {
            assert_eq!(sender.send(&sockets, &outbox(&bytes, &runs)), 4);
            let expected: Vec<_> = bytes.chunks(400).map(<[u8]>::to_vec).collect();
            assert_eq!(receive(&socket, 3), expected);
        }
        assert_eq!(sender.grouping, [Grouping::Works { refusals: 0 }]);
    }

    #[test]
    fn a_run_without_bytes_or_socket_is_counted_and_holds_nothing_up() {
        let (socket, destination) = receiver();
        let bytes = pattern(100);
        let runs = vec![
            run(destination, 90, 20, 20),
            Run { local: 7, ..run(destination, 0, 10, 10) },
            run(destination, 0, 10, 10),
        ];
        assert_eq!(Sender::new(1).send(&[loopback()], &outbox(&bytes, &runs)), 2);
        assert_eq!(receive(&socket, 1), [bytes[..10].to_vec()]);
    }

    #[test]
    fn refusals_are_told_apart() {
        let of = |code| Refusal::of(&io::Error::from_raw_os_error(code));
        assert_eq!(of(libc::EAGAIN), Refusal::Full);
        assert_eq!(of(libc::ENOBUFS), Refusal::Full);
        assert_eq!(of(libc::EINTR), Refusal::Interrupted);
        assert_eq!(of(libc::EIO), Refusal::Group);
        assert_eq!(of(libc::EMSGSIZE), Refusal::Group);
        assert_eq!(of(libc::EHOSTUNREACH), Refusal::Destination);
        assert_eq!(of(libc::ECONNREFUSED), Refusal::Destination);
        assert_eq!(of(libc::EPERM), Refusal::Destination);
    }
}
