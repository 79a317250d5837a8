//! What a publisher learns from transport-wide feedback, and the rate that it derives.

use std::collections::BTreeMap;

use loupe_core::rtcp::TransportFeedback;
use loupe_core::rtcp::transport_feedback::REFERENCE_MICROS;
use loupe_core::seq::{SeqUnwrapper, Unwrapper};
use loupe_core::units::{Bitrate, SeqNo, Time};

use crate::control::RateControl;

/// Numbers begin one turn above zero, as unwrappers have it.
const FIRST: u64 = 1 << 16;
/// Sent packets remembered.
const MAX_SENT: usize = 4_096;

/// Transport-wide numbers and their fates.
#[derive(Debug)]
pub(super) struct SendControl {
    next: u64,
    sent: BTreeMap<u64, (Time, usize)>,
    numbers: SeqUnwrapper,
    reference: Unwrapper<24>,
    control: RateControl,
}

impl SendControl {
    /// Begins at this rate.
    pub(super) fn new(start: Bitrate) -> SendControl {
        SendControl {
            next: FIRST,
            sent: BTreeMap::new(),
            numbers: SeqUnwrapper::new(),
            reference: Unwrapper::new(),
            control: RateControl::new(start),
        }
    }

    /// What may be sent.
    pub(super) fn target(&self) -> Bitrate {
        self.control.rate()
    }

    /// The number of a packet of `bytes` (headers of IP and UDP counted) that leaves now.
    pub(super) fn send(&mut self, now: Time, bytes: usize) -> u16 {
        let seq = self.next;
        self.next += 1;
        self.numbers.commit(SeqNo(seq));
        self.sent.insert(seq, (now, bytes));
        if self.sent.len() > MAX_SENT {
            self.sent.pop_first();
        }
        SeqNo(seq).wire()
    }

    /// One feedback.
    pub(super) fn receive(&mut self, now: Time, feedback: &TransportFeedback<'_>) {
        let reference = self.reference.unwrap(feedback.reference_time) as i64 * REFERENCE_MICROS;
        let (mut lost, mut all) = (0_u32, 0_u32);
        for status in feedback.statuses() {
            let seq = self.numbers.peek(status.sequence).0;
            let Some((sent, bytes)) = self.sent.get(&seq).copied() else { continue };
            all += 1;
            match status.arrival_micros {
                Some(arrival) => {
                    self.sent.remove(&seq);
                    let arrival = reference + arrival;
                    self.control.receive(Time(arrival.max(0) as u64), arrival - sent.0 as i64, bytes);
                }
                None => lost += 1,
            }
        }
        self.control.update(now, lost, all);
    }
}
