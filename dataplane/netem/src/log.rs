//! What a link did: one record per packet, one sample every 10 ms, and the figures computed from them alone.

use std::fmt::Write as _;
use std::io;

/// Time between two samples, microseconds.
pub const SAMPLE_US: u64 = 10_000;
/// Samples over which capacity is held against what is useful: 200 ms (RFC 8868). Links that carry in bursts have much of
/// their capacity in few samples of 10 ms.
const USEFUL_SAMPLES: usize = 20;

/// Why a packet went no further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum DropReason {
    /// Lost at entry.
    Loss,
    /// The queue was full.
    QueueFull,
    /// It had waited too long when it reached the head of the queue.
    HeadDrop,
    /// Active queue management.
    CoDel,
}

impl DropReason {
    /// All names, in the order of the numbers.
    pub const NAMES: [&'static str; 4] = ["loss", "queue_full", "head_drop", "codel"];

    /// The name in the log.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// One packet. Times in microseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PacketRecord {
    /// The number that [`Link::push`](crate::Link::push) gave; a duplicate has that of its original.
    pub id: u64,
    /// The flow it was pushed for.
    pub flow: u32,
    /// Whether the link made it.
    pub duplicate: bool,
    /// Bytes on the wire: payload, IPv4 and UDP headers, link layer.
    pub bytes: u64,
    /// Bytes that waited when it came.
    pub queue_bytes: u64,
    /// Pushed.
    pub t_in: u64,
    /// Entered the queue.
    pub t_enq: Option<u64>,
    /// Its first bit left.
    pub t_start: Option<u64>,
    /// Its last bit left.
    pub t_done: Option<u64>,
    /// Reaches the far end.
    pub t_out: Option<u64>,
    /// Why it will not.
    pub dropped: Option<DropReason>,
}

impl PacketRecord {
    /// Time from the queue's entry to the first bit on the wire, microseconds.
    pub fn queue_delay(&self) -> Option<u64> {
        Some(self.t_start?.saturating_sub(self.t_enq?))
    }
}

/// The state at the end of 10 ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// When, microseconds; a multiple of [`SAMPLE_US`].
    pub t: u64,
    /// Bits that could have been carried in the 10 ms before; `None` is without bound.
    pub capacity_bits: Option<u64>,
    /// Bytes that wait.
    pub queue_bytes: u64,
}

/// The log of one link.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Log {
    /// In the order in which packets came.
    pub packets: Vec<PacketRecord>,
    /// By time.
    pub samples: Vec<Sample>,
}

impl Log {
    /// Bytes whose last bit left from `from_us` up to `to_us`, headers counted; of one flow or of all.
    pub fn carried_bytes(&self, from_us: u64, to_us: u64, flow: Option<u32>) -> u64 {
        let within = |record: &&PacketRecord| record.t_done.is_some_and(|t| t >= from_us && t < to_us);
        let wanted = |record: &&PacketRecord| flow.is_none_or(|flow| flow == record.flow);
        self.packets.iter().filter(within).filter(wanted).map(|record| record.bytes).sum()
    }

    /// Bits that could have been carried, when at most `useful_bps` is counted of each 200 ms. Both times are taken down
    /// to multiples of [`SAMPLE_US`]; `None` when there is no sample or no bound.
    pub fn capacity_bits(&self, from_us: u64, to_us: u64, useful_bps: Option<u64>) -> Option<u64> {
        let most = |samples: &[Sample]| {
            useful_bps.map_or(u64::MAX, |bps| bps * samples.len() as u64 / (1_000_000 / SAMPLE_US))
        };
        let from = self.samples.partition_point(|sample| sample.t <= from_us / SAMPLE_US * SAMPLE_US);
        let to = self.samples.partition_point(|sample| sample.t <= to_us);
        let samples = self.samples.get(from..to).filter(|samples| !samples.is_empty())?;
        samples.chunks(USEFUL_SAMPLES).try_fold(0_u64, |sum, samples| {
            let capacity = samples.iter().map(|sample| sample.capacity_bits).sum::<Option<u64>>()?;
            Some(sum + capacity.min(most(samples)))
        })
    }

    /// Bits carried over bits that could have been (RFC 8868): 1.0 is a link that never stood still.
    pub fn utilisation(&self, from_us: u64, to_us: u64, useful_bps: Option<u64>) -> Option<f64> {
        let (from_us, to_us) = (from_us / SAMPLE_US * SAMPLE_US, to_us / SAMPLE_US * SAMPLE_US);
        let capacity = self.capacity_bits(from_us, to_us, useful_bps)?;
        let carried = self.carried_bytes(from_us, to_us, None) * 8;
        (capacity > 0).then(|| carried as f64 / capacity as f64)
    }

    /// Queue delays, microseconds and rising, of packets that entered the queue from `from_us` up to `to_us`.
    pub fn queue_delays(&self, from_us: u64, to_us: u64) -> Vec<u64> {
        let within = |record: &&PacketRecord| record.t_enq.is_some_and(|t| t >= from_us && t < to_us);
        let mut delays: Vec<u64> =
            self.packets.iter().filter(within).filter_map(PacketRecord::queue_delay).collect();
        delays.sort_unstable();
        delays
    }

    /// Packets with a text line each, then samples: the byte-identical form of a run.
    pub fn write_csv(&self, out: &mut impl io::Write) -> io::Result<()> {
        writeln!(out, "id,flow,duplicate,bytes,queue_bytes,t_in,t_enq,t_start,t_done,t_out,dropped")?;
        let mut line = String::new();
        for record in &self.packets {
            line.clear();
            let _ = write!(line, "{},{},{},", record.id, record.flow, u8::from(record.duplicate));
            let _ = write!(line, "{},{},{}", record.bytes, record.queue_bytes, record.t_in);
            for time in [record.t_enq, record.t_start, record.t_done, record.t_out] {
                optional(&mut line, time);
            }
            writeln!(out, "{line},{}", record.dropped.map_or("", DropReason::name))?;
        }
        writeln!(out, "t,capacity_bits,queue_bytes")?;
        for sample in &self.samples {
            line.clear();
            let _ = write!(line, "{}", sample.t);
            optional(&mut line, sample.capacity_bits);
            writeln!(out, "{line},{}", sample.queue_bytes)?;
        }
        Ok(())
    }

    /// The same as one text.
    pub fn to_csv(&self) -> String {
        let mut out = Vec::new();
        // A vector takes everything, and everything written is ASCII.
        let _ = self.write_csv(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// A comma, and the number when there is one. Writing to a string cannot fail.
fn optional(line: &mut String, number: Option<u64>) {
    line.push(',');
    if let Some(number) = number {
        let _ = write!(line, "{number}");
    }
}

/// The value below which `percent` of rising values lie (nearest rank); `None` when there is none.
pub fn percentile(rising: &[u64], percent: u32) -> Option<u64> {
    let rank = (rising.len() * percent.min(100) as usize).div_ceil(100);
    rising.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(t_enq: u64, t_start: u64, t_done: u64) -> PacketRecord {
        PacketRecord {
            id: 3,
            flow: 1,
            duplicate: false,
            bytes: 1_000,
            queue_bytes: 0,
            t_in: t_enq,
            t_enq: Some(t_enq),
            t_start: Some(t_start),
            t_done: Some(t_done),
            t_out: None,
            dropped: None,
        }
    }

    fn log() -> Log {
        let sample = |n| Sample { t: n * SAMPLE_US, capacity_bits: Some(16_000), queue_bytes: 0 };
        Log {
            packets: vec![record(0, 0, 5_000), record(0, 5_000, 10_000), record(12_000, 12_000, 17_000)],
            samples: (1..=3).map(sample).collect(),
        }
    }

    #[test]
    fn utilisation_is_carried_over_capacity() {
        // 2,000 bytes leave before 20 ms that had room for 4,000: the one that ends at 10 ms counts to the second 10.
        assert_eq!(log().utilisation(0, 10_000, None), Some(0.5));
        assert_eq!(log().utilisation(0, 30_000, None), Some(0.5));
        assert_eq!(log().utilisation(10_000, 20_000, None), Some(1.0));
        // Only 800 kbit/s of the 1.6 Mbit/s are useful.
        assert_eq!(log().utilisation(0, 30_000, Some(800_000)), Some(1.0));
        assert_eq!(log().utilisation(40_000, 50_000, None), None);
        assert_eq!(log().carried_bytes(0, 30_000, Some(2)), 0);
    }

    #[test]
    fn a_burst_within_200_ms_is_capacity_as_far_as_it_is_useful_in_200_ms() {
        // Every tenth sample carries 40,000 bits, the others nothing: 400 kbit/s in bursts of 4 Mbit/s.
        let sample = |n: u64| Sample {
            t: n * SAMPLE_US,
            capacity_bits: Some(if n.is_multiple_of(10) { 40_000 } else { 0 }),
            queue_bytes: 0,
        };
        let log = Log { packets: Vec::new(), samples: (1..=50).map(sample).collect() };
        assert_eq!(log.capacity_bits(0, 400_000, Some(1_000_000)), Some(160_000));
        // Of 300 kbit/s 60,000 bits are useful in 200 ms; the last 100 ms are half of that.
        assert_eq!(log.capacity_bits(0, 400_000, Some(300_000)), Some(120_000));
        assert_eq!(log.capacity_bits(0, 500_000, Some(300_000)), Some(150_000));
    }

    #[test]
    fn queue_delays_are_from_entry_to_first_bit() {
        assert_eq!(log().queue_delays(0, 30_000), [0, 0, 5_000]);
        assert_eq!(log().queue_delays(10_000, 30_000), [0]);
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let rising: Vec<u64> = (1..=20).collect();
        assert_eq!([0, 5, 50, 95, 100].map(|p| percentile(&rising, p)), [1, 1, 10, 19, 20].map(Some));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn text_leaves_out_what_did_not_happen() {
        let text = log().to_csv();
        assert_eq!(text.lines().nth(1), Some("3,1,0,1000,0,0,0,0,5000,,"));
        assert_eq!(text.lines().nth(5), Some("10000,16000,0"));
    }
}
