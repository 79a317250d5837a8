//! What the three congestion controls have in common. Windows are in segments, rates in segments a second.

use super::bbr::Bbr;
use super::cubic::Cubic;
use super::newreno::NewReno;

/// Segments that a connection begins with (RFC 6928).
pub const INITIAL_WINDOW: f64 = 10.0;
/// No window is smaller, but after a timeout.
pub(super) const LEAST_WINDOW: f64 = 2.0;

/// Which congestion control a source runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Congestion {
    /// RFC 6582, with selective acknowledgements (RFC 6675).
    NewReno,
    /// RFC 9438, with the delay part of `HyStart` as Linux has it.
    Cubic,
    /// Version 1 (draft-cardwell-iccrg-bbr-congestion-control-00), as Linux has it, without its long-term policer model.
    Bbr,
}

/// What an acknowledgement told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acked {
    pub(super) now_us: u64,
    /// Segments delivered by it for the first time.
    pub(super) newly: u64,
    /// Segments delivered in all.
    pub(super) delivered: u64,
    /// Round trip of the newest segment it tells of, microseconds.
    pub(super) rtt_us: u64,
    /// The smallest round trip of the connection, microseconds.
    pub(super) min_rtt_us: u64,
    /// Rate of delivery over the flight of the newest segment (draft-cheng-iccrg-delivery-rate-estimation).
    pub(super) rate: f64,
    /// Segments delivered when that one was sent: a round ends when what was sent in it is delivered.
    pub(super) delivered_at_send: u64,
    /// Segments in flight before it came.
    pub(super) in_flight: u64,
    /// Whether losses are being repaired.
    pub(super) recovering: bool,
}

/// One congestion control at work.
#[derive(Clone, Debug)]
pub(super) enum Control {
    NewReno(NewReno),
    Cubic(Cubic),
    Bbr(Bbr),
}

impl Control {
    pub(super) fn new(congestion: Congestion, now_us: u64) -> Control {
        match congestion {
            Congestion::NewReno => Control::NewReno(NewReno::new()),
            Congestion::Cubic => Control::Cubic(Cubic::new()),
            Congestion::Bbr => Control::Bbr(Bbr::new(now_us)),
        }
    }

    /// Segments that may be in flight.
    pub(super) fn window(&self) -> f64 {
        match self {
            Control::NewReno(it) => it.window(),
            Control::Cubic(it) => it.window(),
            Control::Bbr(it) => it.window(),
        }
    }

    /// Segments a second at which they leave; `None` as soon as the window allows.
    pub(super) fn pacing(&self) -> Option<f64> {
        match self {
            Control::NewReno(_) | Control::Cubic(_) => None,
            Control::Bbr(it) => it.pacing(),
        }
    }

    pub(super) fn acked(&mut self, acked: &Acked) {
        match self {
            Control::NewReno(it) => it.acked(acked),
            Control::Cubic(it) => it.acked(acked),
            Control::Bbr(it) => it.acked(acked),
        }
    }

    /// A loss was found that belongs to no earlier one.
    pub(super) fn lost(&mut self, now_us: u64) {
        match self {
            Control::NewReno(it) => it.lost(),
            Control::Cubic(it) => it.lost(now_us),
            // Version 1 does not answer loss.
            Control::Bbr(_) => {}
        }
    }

    /// Nothing was acknowledged for a whole timeout.
    pub(super) fn timed_out(&mut self) {
        match self {
            Control::NewReno(it) => it.timed_out(),
            Control::Cubic(it) => it.timed_out(),
            Control::Bbr(it) => it.timed_out(),
        }
    }
}
