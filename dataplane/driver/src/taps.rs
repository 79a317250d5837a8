//! The readers' ends of taps: sockets that keep messages apart, and what waits for them.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use loupe_core::io::Handle;
use loupe_core::tap::{RecordKind, TapBatch, count_records, write_record};
use loupe_core::units::Time;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

/// What waits for a reader that does not read: 5 s of 6 Mbit/s, in which a recorder that ended is started again.
const MAX_WAITING: usize = 4_194_304;
/// How soon what waits is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// All taps of one worker.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    all: Vec<Tap>,
    opened: u64,
    /// Whose turn it is.
    turn: usize,
}

#[derive(Debug)]
struct Tap {
    number: u64,
    descriptor: OwnedFd,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    lost: u64,
    ended: bool,
    /// A reader that does not read is not asked again before.
    next_try: Time,
}

impl Taps {
    /// A new tap's number.
    pub(crate) fn open(&mut self, descriptor: OwnedFd) -> u64 {
        self.opened += 1;
        self.all.push(Tap {
            number: self.opened,
            descriptor,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            lost: 0,
            ended: false,
            next_try: Time::ZERO,
        });
        self.opened
    }

    /// Queues a batch. Answers how many records found no room.
    pub(crate) fn push(&mut self, now: Time, batch: TapBatch) -> u64 {
        let Some(tap) = self.all.iter_mut().find(|tap| tap.number == batch.tap) else { return 0 };
        tap.ended |= batch.ended;
        tap.queue(now, batch.records)
    }

    /// Sends one batch of what waits, since whatever is forwarded waits meanwhile, and closes what ended. Answers when to
    /// come back.
    pub(crate) fn flush(&mut self, now: Time) -> Time {
        let count = self.all.len();
        let ready = (0..count).map(|index| (self.turn + index) % count);
        if let Some(index) = ready.into_iter().find(|index| self.all[*index].due() <= now) {
            self.all[index].send(now);
            self.turn = index + 1;
        }
        self.all.retain(|tap| !(tap.ended && tap.waiting.is_empty()));
        self.all.iter().map(Tap::due).min().unwrap_or(Time::NEVER)
    }
}

impl Tap {
    fn queue(&mut self, now: Time, mut records: Vec<u8>) -> u64 {
        // The last batch tells the end: it always finds room.
        if self.waiting_bytes + records.len() > MAX_WAITING && !self.ended {
            let lost = count_records(&records);
            self.lost += lost;
            return lost;
        }
        if self.lost > 0 {
            let lost = std::mem::take(&mut self.lost).to_be_bytes();
            let mut told = Vec::new();
            write_record(&mut told, now, Handle(0), (RecordKind::Dropped, 0, 0), &[&lost]);
            told.append(&mut records);
            records = told;
        }
        if !records.is_empty() {
            self.waiting_bytes += records.len();
            self.waiting.push_back(records);
        }
        0
    }

    /// When there is something to do.
    fn due(&self) -> Time {
        if self.waiting.is_empty() { Time::NEVER } else { self.next_try }
    }

    /// Sends the next batch, unless the socket is full.
    fn send(&mut self, now: Time) {
        let Some(records) = self.waiting.front() else { return };
        match send(self.descriptor.as_fd(), records, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_) => {
                self.waiting_bytes -= records.len();
                self.waiting.pop_front();
            }
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS | Errno::NOMEM) => self.next_try = now + RETRY,
            Err(_) => {
                // Nobody can ever read it.
                self.waiting.clear();
                self.waiting_bytes = 0;
                self.ended = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::NONBLOCK, None).expect("a pair")
    }

    fn batch(tap: u64, bytes: usize) -> TapBatch {
        let mut records = Vec::new();
        let body = vec![7; bytes];
        write_record(&mut records, Time::ZERO, Handle(1), (RecordKind::Packet, 0, 0), &[&body]);
        TapBatch { tap, records, ended: false }
    }

    fn read(descriptor: &OwnedFd) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65_536];
        let (length, _) = recv(descriptor, buffer.as_mut_slice(), RecvFlags::empty()).ok()?;
        buffer.truncate(length);
        (length > 0).then_some(buffer)
    }

    #[test]
    fn a_reader_that_sleeps_loses_nothing_until_the_bound_and_is_told_what_it_lost() {
        let (ours, theirs) = pair();
        let mut taps = Taps::default();
        let tap = taps.open(ours);
        let sent = MAX_WAITING / 30_000 + 40;
        let lost: u64 = (0..sent).map(|_| taps.push(Time::ZERO, batch(tap, 30_000))).sum();
        assert!(lost > 0, "the bound was not reached");
        let (mut got, mut now) = (0, Time::ZERO);
        loop {
            let next = taps.flush(now);
            if next == Time::NEVER {
                break;
            }
            if next > now {
                now = next;
                while read(&theirs).is_some() {
                    got += 1;
                }
            }
        }
        while read(&theirs).is_some() {
            got += 1;
        }
        assert_eq!(got + lost, sent as u64);
        assert_eq!(taps.push(now, batch(tap, 10)), 0);
        taps.flush(now);
        let told = read(&theirs).expect("a batch");
        assert_eq!(told[4], RecordKind::Dropped as u8);
        assert_eq!(count_records(&told), 2);
    }

    #[test]
    fn taps_take_turns_and_one_that_is_full_holds_up_none() {
        let ((ours, full), (others, theirs)) = (pair(), pair());
        let mut taps = Taps::default();
        let (first, second) = (taps.open(ours), taps.open(others));
        for _ in 0..40 {
            taps.push(Time::ZERO, batch(first, 30_000));
        }
        for sent in 1..=3 {
            taps.push(Time::ZERO, batch(second, 10));
            while read(&theirs).is_none() {
                assert_eq!(taps.flush(Time::ZERO), Time::ZERO, "{sent}: more is to be sent at once");
            }
        }
        while taps.flush(Time::ZERO) == Time::ZERO {}
        assert_eq!(taps.flush(Time::ZERO), Time::ZERO + RETRY);
        assert!(read(&full).is_some());
    }

    #[test]
    fn the_socket_closes_after_the_last_batch() {
        let (ours, theirs) = pair();
        let mut taps = Taps::default();
        let tap = taps.open(ours);
        taps.push(Time::ZERO, TapBatch { ended: true, ..batch(tap, 10) });
        assert_eq!(taps.flush(Time::ZERO), Time::NEVER);
        assert!(read(&theirs).is_some());
        assert!(taps.all.is_empty());
        assert_eq!(taps.push(Time::ZERO, batch(tap, 10)), 0, "an ended tap has no effect");
    }
}
