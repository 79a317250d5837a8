//! What a run saw, as JSON and as text.

use std::fmt::Write;
use std::time::Instant;

use serde_json::{Value, json};

use crate::publisher::Publisher;
use crate::viewer::{Delays, Viewer};

/// The measured window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// Its length.
    pub seconds: f64,
    /// RTP packets that reached viewers, retransmissions included.
    pub packets: u64,
    /// RTP packets that would have, had each viewer had all that was published.
    pub expected: u64,
    /// Processor seconds of this process.
    pub cpu: f64,
}

impl Window {
    fn cpu_share(self) -> f64 {
        self.cpu / self.seconds.max(1e-9)
    }
}

/// All that a report is made of.
#[derive(Debug)]
pub struct Findings<'a> {
    /// Viewers asked for.
    pub wanted: usize,
    /// The viewers that joined.
    pub viewers: Vec<&'a Viewer>,
    /// The publishers that joined.
    pub publishers: Vec<&'a Publisher>,
    /// Why joins failed, and why endpoints ended early.
    pub failures: &'a [String],
    /// One-way delays in the window.
    pub delays: &'a Delays,
    /// The measured window.
    pub window: Window,
    /// RTP packets viewers threw away on purpose.
    pub discarded: u64,
    /// Sends of this client that the kernel refused: whatever was in them never left.
    pub send_failed: u64,
}

impl Findings<'_> {
    /// Whether every viewer that was wanted saw a whole key frame.
    pub fn all_saw_media(&self) -> bool {
        self.viewers.iter().filter(|viewer| viewer.first_frame.is_some()).count() == self.wanted
    }

    /// The report as one JSON object. Times in milliseconds unless the name says otherwise.
    pub fn to_json(&self) -> Value {
        let connected = self.viewers.iter().filter_map(|viewer| viewer.connected);
        let first = self.viewers.iter().filter_map(|viewer| viewer.first_frame);
        let sum = |of: fn(&Viewer) -> u64| self.viewers.iter().map(|viewer| of(viewer)).sum::<u64>();
        json!({
            "event": "report",
            "viewers": {"wanted": self.wanted, "joined": self.viewers.len(),
                "with_media": self.viewers.iter().filter(|viewer| viewer.first_frame.is_some()).count(),
                "closed": self.viewers.iter().filter(|viewer| viewer.closed).count()},
            "failures": self.failures,
            "join_connected_ms": quantiles(connected.map(|time| time.as_secs_f64() * 1e3).collect()),
            "joins_per_second": {"asked": rate(self.viewers.iter().map(|viewer| viewer.posted).collect()),
                "connected": rate(self.viewers.iter()
                    .filter_map(|viewer| viewer.connected.map(|after| viewer.posted + after)).collect())},
            "join_first_frame_ms": quantiles(first.map(|time| time.as_secs_f64() * 1e3).collect()),
            "window": {"seconds": self.window.seconds, "packets": self.window.packets, "expected": self.window.expected, "cpu_seconds": self.window.cpu,
                "cpu_share": self.window.cpu_share(),
                "one_way_delay_ms": {"p50": self.delays.quantile_ms(0.5), "p99": self.delays.quantile_ms(0.99)}},
            "per_viewer": {
                "packets": quantiles(self.per_viewer(|viewer| viewer.video.received + viewer.audio.received)),
                "frames": quantiles(self.per_viewer(|viewer| viewer.frames.complete))},
            "lost_after_repair": sum(|viewer| viewer.video.lost() + viewer.audio.lost()),
            "lost_video": sum(|viewer| viewer.video.lost()),
            "late": sum(|viewer| viewer.video.late + viewer.audio.late),
            "duplicates": sum(|viewer| viewer.frames.duplicates),
            "frames_complete": sum(|viewer| viewer.frames.complete),
            "frames_incomplete": sum(|viewer| viewer.frames.incomplete()),
            "discarded": self.discarded,
            "sends_failed": self.send_failed,
            "nacks_sent": sum(|viewer| viewer.nacks),
            "keyframe_requests_sent": sum(|viewer| viewer.keyframe_requests),
            "publishers": self.publishers.iter().map(|publisher| json!({
                "packets": publisher.packets, "keyframe_requests": publisher.keyframe_requests,
                "latest_frame_ms": publisher.latest.as_secs_f64() * 1e3, "closed": publisher.closed,
            })).collect::<Vec<_>>(),
        })
    }

    /// The report for people.
    pub fn to_text(&self) -> String {
        let of = self.to_json();
        let window = &of["window"];
        let times = |name: &str| {
            let of = &of[name];
            format!("p50 {} p95 {} p99 {} ms", short(&of["p50"]), short(&of["p95"]), short(&of["p99"]))
        };
        // Writing to a string cannot fail.
        let mut text = format!(
            "viewers       {} of {} saw media\njoin          connected {}\n              first frame {}\n",
            of["viewers"]["with_media"],
            self.wanted,
            times("join_connected_ms"),
            times("join_first_frame_ms"),
        );
        let _ = writeln!(
            text,
            "window        {:.1} s, {} packets, one-way delay p50 {} p99 {} ms, this client's processor {:.0} %",
            self.window.seconds,
            self.window.packets,
            short(&window["one_way_delay_ms"]["p50"]),
            short(&window["one_way_delay_ms"]["p99"]),
            self.window.cpu_share() * 100.0,
        );
        let _ = writeln!(
            text,
            "frames        {} whole, {} not\npackets       {} lost after repair, {} late, {} twice, {} thrown away",
            of["frames_complete"],
            of["frames_incomplete"],
            of["lost_after_repair"],
            of["late"],
            of["duplicates"],
            self.discarded,
        );
        let _ = writeln!(
            text,
            "requests      {} NACKs, {} key frames",
            of["nacks_sent"], of["keyframe_requests_sent"]
        );
        if self.send_failed > 0 {
            let _ = writeln!(text, "failed        {} of this client's own sends", self.send_failed);
        }
        for failure in self.failures {
            let _ = writeln!(text, "failed        {failure}");
        }
        text
    }

    fn per_viewer(&self, of: fn(&Viewer) -> u64) -> Vec<f64> {
        self.viewers.iter().map(|viewer| of(viewer) as f64).collect()
    }
}

/// Smallest, median, 95th and 99th percentile and largest, by nearest rank.
fn quantiles(mut values: Vec<f64>) -> Value {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (values.len() as f64 * share).ceil() as usize;
        values.get(rank.saturating_sub(1)).copied()
    };
    json!({"min": values.first(), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": values.last()})
}

/// Things per second between the first and the last.
fn rate(mut at: Vec<Instant>) -> Option<f64> {
    at.sort_unstable();
    let (first, last) = (at.first()?, at.last()?);
    (last > first).then(|| (at.len() - 1) as f64 / last.duration_since(*first).as_secs_f64())
}

fn short(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_counts_the_steps_between_first_and_last() {
        let start = Instant::now();
        let step = std::time::Duration::from_millis(25);
        assert_eq!(rate(vec![start + step * 2, start, start + step]).map(f64::round), Some(40.0));
        assert_eq!((rate(vec![start]), rate(Vec::new())), (None, None));
    }

    #[test]
    fn quantiles_by_nearest_rank() {
        let of = quantiles((1..=20).rev().map(f64::from).collect());
        assert_eq!(of, json!({"min": 1.0, "p50": 10.0, "p95": 19.0, "p99": 20.0, "max": 20.0}));
        assert!(quantiles(Vec::new())["p50"].is_null());
    }
}
