//! The RTCP that the plane itself makes: receiver reports, requests and transport-wide feedback to publishers, sender
//! reports to viewers.

use std::time::Duration;

use crate::loss::LossLog;
use crate::publication::{Layer, Publication};
use crate::rtcp::report::{ReportBlock, SenderFigures};
use crate::subscription::Subscription;
use crate::units::{Bitrate, NtpTime, SeqNo, Ssrc, Time};

/// Reports go out this often (RFC 3550 section 6.2 allows less than 5 s where bandwidth allows it).
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// What was received of one source since its first packet.
#[derive(Clone, Copy, Debug)]
pub struct Reception {
    /// The source.
    pub ssrc: Ssrc,
    /// Its highest number.
    pub highest: SeqNo,
    /// Packets from the first to that.
    pub expected: u64,
    /// Packets that came.
    pub received: u64,
    /// In units of its clock.
    pub jitter: u32,
    /// The time in its newest sender report, and when that came.
    pub clock: Option<(NtpTime, Time)>,
}

impl Reception {
    /// What a report says of it now (RFC 3550 appendix A.3); `reported`: expected and received packets as of the last one.
    pub fn block(self, now: Time, reported: &mut (u64, u64)) -> ReportBlock {
        let Reception { ssrc, highest, expected, received, jitter, clock } = self;
        let (expected_before, received_before) = std::mem::replace(reported, (expected, received));
        let expected_now = expected.saturating_sub(expected_before);
        let lost_now = expected_now.saturating_sub(received.saturating_sub(received_before));
        let fraction = (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255);
        let (last, delay) = clock.map_or((0, 0), |(ntp, at)| {
            let waited = now.since(at).as_micros() as u64;
            (ntp.middle(), (waited * 65_536 / 1_000_000) as u32)
        });
        ReportBlock {
            ssrc,
            fraction_lost: fraction as u8,
            cumulative_lost: (expected as i64 - received as i64) as i32,
            // Our numbers begin one turn above zero; the report counts turns from zero.
            highest_sequence: highest.0.saturating_sub(1 << 16) as u32,
            jitter,
            last_sender_report: last,
            delay_since_last_sender_report: delay,
        }
    }
}

/// What we say about one received layer.
pub fn report_block(now: Time, layer: &mut Layer) -> Option<ReportBlock> {
    let (ssrc, first, highest) = (layer.ssrc?, layer.first?, layer.loss.highest()?);
    let reception = Reception {
        ssrc,
        highest,
        expected: highest.0.saturating_sub(first.0) + 1,
        received: layer.packets - layer.packets_before,
        jitter: layer.jitter.ticks(),
        clock: layer.sender_info.map(|info| (info.ntp, info.arrival)),
    };
    Some(reception.block(now, &mut layer.reported))
}

/// A viewer's sender report: the publisher's wall clock against the viewer's line of timestamps, so that all sources
/// of one publisher keep their lip-sync. `None` before the publisher told its clock or anything was sent.
pub fn sender_figures(
    now: Time,
    publication: &Publication,
    subscription: &Subscription,
) -> Option<SenderFigures> {
    let (_, layer, _) = subscription.last_sent?;
    let info = publication.layers.get(usize::from(layer))?.sender_info?;
    let elapsed = now.since(info.arrival).as_micros() as i64;
    let ticks = (i128::from(elapsed) * i128::from(publication.media.clock_rate) / 1_000_000) as u64;
    Some(SenderFigures {
        ssrc: subscription.media.ssrc,
        ntp: info.ntp.offset_micros(elapsed),
        rtp_timestamp: crate::units::MediaTime(subscription.times.peek(info.time.0 + ticks)).wire(),
        packets: (subscription.packets & 0xffff_ffff) as u32,
        octets: (subscription.octets & 0xffff_ffff) as u32,
    })
}

/// The numbers to ask for again now, as on the wire.
pub fn missing(now: Time, loss: &mut LossLog, round_trip: Duration) -> Vec<u16> {
    let mut numbers = Vec::new();
    loss.requests(now, round_trip, &mut numbers);
    numbers.into_iter().map(SeqNo::wire).collect()
}

/// A receiver's estimate for publishers without transport-wide feedback: loss-based, as RFC 3448's spirit and the
/// thresholds that receivers of this field use (below 2 % up by 8 %, above 10 % down by half the loss).
pub fn next_remb(last: Bitrate, fraction_lost: f64, received: Bitrate) -> Bitrate {
    const FLOOR: u64 = 100_000;
    const CEILING: u64 = 20_000_000;
    let last = if last.0 == 0 { 1_000_000.max(received.0) } else { last.0 };
    let next = if fraction_lost > 0.1 {
        last as f64 * (1.0 - 0.5 * fraction_lost)
    } else if fraction_lost < 0.02 {
        // Not beyond what the sender could show within a few steps.
        (last as f64 * 1.08 + 1_000.0).min(received.0.max(500_000) as f64 * 3.0)
    } else {
        last as f64
    };
    Bitrate((next as u64).clamp(FLOOR, CEILING))
}

/// The source that our reports about a publication's transport carry must differ from every source we receive.
pub fn own_ssrc(random: u64) -> Ssrc {
    Ssrc(((random >> 32) as u32) | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_the_loss_since_the_last_report() {
        let mut layer = Layer { ssrc: Some(Ssrc(7)), first: Some(SeqNo(65_536)), ..Layer::default() };
        for seq in (65_536..65_636).filter(|seq| seq % 4 != 1) {
            layer.loss.receive(Time::ZERO, SeqNo(seq));
            layer.packets += 1;
        }
        let block = report_block(Time::from_millis(5), &mut layer).unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost, block.highest_sequence), (64, 25, 99));
        assert_eq!(report_block(Time::from_millis(9), &mut layer).unwrap().fraction_lost, 0);
    }

    #[test]
    fn an_estimate_follows_loss_down_and_up() {
        let high = next_remb(Bitrate(2_000_000), 0.0, Bitrate(2_000_000));
        assert!(high.0 > 2_000_000);
        assert_eq!(next_remb(Bitrate(2_000_000), 0.05, Bitrate(2_000_000)), Bitrate(2_000_000));
        assert_eq!(next_remb(Bitrate(2_000_000), 0.5, Bitrate(2_000_000)), Bitrate(1_500_000));
    }
}
