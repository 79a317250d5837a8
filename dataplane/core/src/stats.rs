//! Counters and snapshots: everything the plane did or refused, by name.

use std::time::Duration;

use crate::io::Handle;

macro_rules! named_counters {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(usize)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All names, in the order of the numbers.
            pub const NAMES: &'static [&'static str] = &[$($text,)*];
        }
    };
}

named_counters! {
    /// Why a datagram or packet went no further.
    Drop {
        /// A datagram without a byte, or too short for any protocol.
        Short = "short",
        /// The first byte belongs to no protocol (RFC 7983).
        UnknownProtocol = "unknown_protocol",
        /// Not STUN, from an address that no transport has validated.
        UnvalidatedSource = "unvalidated_source",
        /// STUN that does not parse.
        StunMalformed = "stun_malformed",
        /// STUN for a fragment that no transport has.
        StunUnknownUser = "stun_unknown_user",
        /// STUN whose integrity is missing or wrong.
        StunIntegrity = "stun_integrity",
        /// STUN that is no Binding request.
        StunUnexpected = "stun_unexpected",
        /// A STUN answer withheld by the per-source limit.
        StunRateLimited = "stun_rate_limited",
        /// A DTLS datagram too long to be one.
        DtlsOversized = "dtls_oversized",
        /// DTLS beyond the bound of its transport.
        DtlsOverflow = "dtls_overflow",
        /// Events beyond the bound of the queue.
        EventOverflow = "event_overflow",
        /// RTP or RTCP before the keys came, or keys of a length that is none.
        NoKeys = "no_keys",
        /// RTP that does not parse.
        RtpMalformed = "rtp_malformed",
        /// RTCP that does not parse.
        RtcpMalformed = "rtcp_malformed",
        /// A tag that does not verify.
        SrtpAuthentication = "srtp_authentication",
        /// A packet seen before, or older than the window.
        SrtpReplay = "srtp_replay",
        /// A source that was not signalled, or one beyond the cap.
        UnknownSource = "unknown_source",
        /// A payload type that was not negotiated.
        UnknownPayloadType = "unknown_payload_type",
        /// A packet that the publication already has.
        Duplicate = "duplicate",
        /// Older than what is kept, or than what a viewer began with; or given up.
        TooOld = "too_old",
        /// Padding without payload.
        Padding = "padding",
        /// A retransmission that names no packet of a known source.
        RtxMalformed = "rtx_malformed",
        /// A packet of a transport over its rate.
        RateLimited = "rate_limited",
        /// A packet of a publication that was muted when it came, or is.
        Muted = "muted",
        /// For a viewer whose path has no consent.
        NoConsent = "no_consent",
        /// A packet of a layer before its key frame.
        AwaitingKeyframe = "awaiting_keyframe",
        /// A packet that waited too long for its turn at a viewer's pacer, or could not go without one that did.
        Stale = "stale",
        /// A packet of a temporal or spatial layer that a viewer does not get.
        UnwantedLayer = "unwanted_layer",
        /// A retransmission over the viewer's budget.
        RtxBudget = "rtx_budget",
        /// A retransmission of a packet no longer kept, or of a source that is not sent.
        RtxGone = "rtx_gone",
        /// Datagrams that the socket refused.
        SendFailed = "send_failed",
        /// A datagram beyond the bound of a queue.
        QueueFull = "queue_full",
        /// A record for a recorder that does not keep up.
        TapFull = "tap_full",
    }
}

named_counters! {
    /// What a worker did.
    Counter {
        /// Datagrams received.
        DatagramsIn = "datagrams_in",
        /// Bytes received in UDP payloads.
        BytesIn = "bytes_in",
        /// Datagrams sent.
        DatagramsOut = "datagrams_out",
        /// Bytes sent in UDP payloads.
        BytesOut = "bytes_out",
        /// RTP packets accepted from publishers.
        RtpIn = "rtp_in",
        /// RTP packets forwarded to viewers, retransmissions not counted.
        RtpOut = "rtp_out",
        /// Packets asked again from publishers.
        NacksSent = "nacks_sent",
        /// Packets asked again by viewers.
        NacksReceived = "nacks_received",
        /// Retransmissions sent to viewers.
        RtxOut = "rtx_out",
        /// Packets sent to viewers to probe their paths.
        ProbesOut = "probes_out",
        /// Packets repaired by publishers' retransmissions.
        RtxIn = "rtx_in",
        /// Key-frame requests sent to publishers.
        PlisSent = "plis_sent",
        /// Key-frame requests of viewers.
        PlisReceived = "plis_received",
        /// Authenticated checks answered.
        ChecksAnswered = "checks_answered",
        /// Paths moved by an authenticated check.
        PathChanges = "path_changes",
        /// Packets found missing from publishers, before repair.
        LostIn = "lost_in",
        /// Packets of publishers that stayed missing.
        UnrepairedIn = "unrepaired_in",
        /// Packets of publishers that the transport-wide feedback has no room for.
        UnreportedIn = "unreported_in",
        /// Subscriptions under a source in use, or on a transport that has sent more sources than it may.
        SubscriptionsRefused = "subscriptions_refused",
    }
}

/// Cumulative counts of a worker.
#[derive(Clone, Debug)]
pub struct Counters {
    counts: [u64; Counter::NAMES.len()],
    drops: [u64; Drop::NAMES.len()],
}

impl Default for Counters {
    fn default() -> Counters {
        Counters { counts: [0; Counter::NAMES.len()], drops: [0; Drop::NAMES.len()] }
    }
}

impl Counters {
    /// Adds to a count.
    pub fn add(&mut self, counter: Counter, amount: u64) {
        self.counts[counter as usize] += amount;
    }

    /// Counts one refusal.
    pub fn drop(&mut self, reason: Drop) {
        self.drops[reason as usize] += 1;
    }

    /// Counts several refusals.
    pub fn drop_many(&mut self, reason: Drop, amount: u64) {
        self.drops[reason as usize] += amount;
    }

    /// One count.
    pub fn count(&self, counter: Counter) -> u64 {
        self.counts[counter as usize]
    }

    /// One refusal's count.
    pub fn dropped(&self, reason: Drop) -> u64 {
        self.drops[reason as usize]
    }

    /// All counts with their names.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Counter::NAMES.iter().copied().zip(self.counts.iter().copied())
    }

    /// All refusals with their names.
    pub fn named_drops(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Drop::NAMES.iter().copied().zip(self.drops.iter().copied())
    }
}

/// Time from socket to socket of packets that are forwarded as soon as they come, in fixed buckets; what waits for the link of
/// its viewer is not among them.
#[derive(Clone, Debug)]
pub struct DelayHistogram {
    counts: [u64; DelayHistogram::BOUNDS_MICROS.len() + 1],
    sum_micros: u64,
}

impl Default for DelayHistogram {
    fn default() -> DelayHistogram {
        DelayHistogram { counts: [0; DelayHistogram::BOUNDS_MICROS.len() + 1], sum_micros: 0 }
    }
}

impl DelayHistogram {
    /// Upper bounds of the buckets, in microseconds; one more bucket has none. From 0.1 to 10 ms each is at most a quarter
    /// above the one before, so that a quantile which moves by a tenth shows.
    #[rustfmt::skip]
    pub const BOUNDS_MICROS: [u64; 35] = [
        25, 50, 75,
        100, 125, 150, 175, 200, 250, 300, 350, 400, 500, 600, 700, 800,
        1_000, 1_250, 1_500, 1_750, 2_000, 2_500, 3_000, 3_500, 4_000, 5_000, 6_000, 7_000, 8_000,
        10_000, 20_000, 30_000, 50_000, 100_000, 500_000,
    ];

    /// Adds `packets` that all took `delay`.
    pub fn record(&mut self, delay: Duration, packets: u64) {
        let micros = delay.as_micros() as u64;
        let bucket = Self::BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.counts[bucket] += packets;
        self.sum_micros += micros * packets;
    }

    /// Counts per bucket (not cumulative), the last without bound.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Sum of all delays in microseconds.
    pub fn sum_micros(&self) -> u64 {
        self.sum_micros
    }
}

/// A figure of a snapshot.
#[derive(Clone, PartialEq, Debug)]
pub enum Figure {
    /// A count or a code.
    Count(u64),
    /// A measure in the unit its name ends in.
    Measure(f64),
    /// Not known (yet).
    Unknown,
    /// A word.
    Word(&'static str),
    /// Small numbers, such as indices of layers.
    List(Vec<u64>),
}

/// Named figures of one transport, publication or subscription.
pub type Figures = Vec<(&'static str, Figure)>;

/// One worker at one moment.
#[derive(Clone, Debug, Default)]
pub struct WorkerStats {
    /// Counts since the start.
    pub counters: Counters,
    /// Socket-to-socket delay of packets that did not wait for their viewer's link.
    pub forward_delay: DelayHistogram,
    /// Seconds of processor time the worker's thread used (the driver fills it in).
    pub busy_seconds: f64,
    /// Per transport.
    pub transports: Vec<(Handle, Figures)>,
    /// Per publication.
    pub publications: Vec<(Handle, Figures)>,
    /// Per subscription.
    pub subscriptions: Vec<(Handle, Figures)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delay_is_counted_in_the_bucket_that_it_does_not_exceed() {
        let mut histogram = DelayHistogram::default();
        for bound in DelayHistogram::BOUNDS_MICROS {
            histogram.record(Duration::from_micros(bound), 1);
        }
        histogram.record(Duration::from_secs(1), 7);
        let (last, bounded) = histogram.counts().split_last().expect("buckets");
        assert!(bounded.iter().all(|count| *count == 1), "{bounded:?}");
        assert_eq!(*last, 7);
        assert_eq!(histogram.sum_micros(), DelayHistogram::BOUNDS_MICROS.iter().sum::<u64>() + 7_000_000);
    }

    #[test]
    fn from_a_tenth_to_ten_milliseconds_no_bucket_is_wide() {
        let bounds = DelayHistogram::BOUNDS_MICROS;
        assert!([100, 10_000].iter().all(|end| bounds.contains(end)));
        for pair in bounds.windows(2).filter(|pair| pair[0] >= 100 && pair[1] <= 10_000) {
            assert!(pair[1] > pair[0] && pair[1] * 4 <= pair[0] * 5, "{pair:?}");
        }
    }
}
