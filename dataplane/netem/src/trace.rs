//! Reading capacity traces: mahimahi lists, `t_ms,kbps` tables, lists of durations and capacities in JSON.

use std::error::Error;
use std::fmt;

use serde_json::Value;

use crate::opportunities::Opportunities;
use crate::rate::RateSteps;
use crate::server::Capacity;

/// Why a trace or a schedule is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TraceError {
    /// It has no entry.
    Empty,
    /// An entry (from 1) is no number, or not as many as there should be.
    Malformed {
        /// The line or list entry, from 1.
        entry: usize,
    },
    /// An entry (from 1) is earlier than the one before.
    NotRising {
        /// The line or list entry, from 1.
        entry: usize,
    },
    /// It would begin again before its last entry.
    PeriodTooShort,
    /// Not JSON, or neither a list nor with one named `trace_pattern`, by itself or under `uplink` or `downlink`.
    NoPattern,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceError::Empty => write!(f, "the trace has no entry"),
            TraceError::Malformed { entry } => write!(
                f,
                "entry {entry} is malformed (.csv: t_ms,kbps or t_ms,extra_ms; .json: duration, capacity; \
                 else a whole millisecond)"
            ),
            TraceError::NotRising { entry } => {
                write!(f, "entry {entry} of the trace is earlier than the one before")
            }
            TraceError::PeriodTooShort => write!(f, "the trace would begin again before its last entry"),
            TraceError::NoPattern => {
                write!(f, "no JSON with a list, or one named `trace_pattern`, of durations and capacities")
            }
        }
    }
}

impl Error for TraceError {}

/// Reads a trace whose kind the end of its file name tells: `.csv`, `.json`, and mahimahi for any other.
pub fn parse(file_name: &str, text: &str) -> Result<Capacity, TraceError> {
    let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "csv" => parse_csv(text).map(Capacity::Steps),
        "json" => parse_json(text).map(Capacity::Steps),
        _ => parse_mahimahi(text).map(Capacity::Opportunities),
    }
}

/// One millisecond per line, each a chance to send 1,500 bytes; begins again after the last.
pub fn parse_mahimahi(text: &str) -> Result<Opportunities, TraceError> {
    let mut instants = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            instants.push(line.trim().parse().map_err(|_| TraceError::Malformed { entry: index + 1 })?);
        }
    }
    Opportunities::new(&instants)
}

/// Lines of `t_ms,kbps`, with or without that heading; the last rate stays.
pub fn parse_csv(text: &str) -> Result<RateSteps, TraceError> {
    RateSteps::new(&parse_table(text, "t_ms,kbps")?)
}

/// Two columns, each a thousandfold: microseconds, and bits per second or microseconds.
fn parse_table(text: &str, heading: &str) -> Result<Vec<(u64, u64)>, TraceError> {
    let mut steps = Vec::new();
    // Spreadsheets begin files with this mark.
    let text = text.trim_start_matches('\u{feff}');
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || (index == 0 && line == heading) {
            continue;
        }
        let step = line.split_once(',').and_then(|(t, value)| Some((thousandfold(t)?, thousandfold(value)?)));
        steps.push(step.ok_or(TraceError::Malformed { entry: index + 1 })?);
    }
    Ok(steps)
}

/// Lines of `t_ms,extra_ms`, with or without that heading, as microseconds by rising time.
pub fn parse_delays(text: &str) -> Result<Vec<(u64, u64)>, TraceError> {
    let steps = parse_table(text, "t_ms,extra_ms")?;
    if let Some(fall) = steps.windows(2).position(|pair| pair[1].0 < pair[0].0) {
        return Err(TraceError::NotRising { entry: fall + 2 });
    }
    if steps.is_empty() { Err(TraceError::Empty) } else { Ok(steps) }
}

/// `{"uplink": {"trace_pattern": [{"duration": ms, "capacity": kbit/s}, ...]}}` (or `downlink`, when the uplink has
/// none; or `trace_pattern` by itself, or the list alone); begins again after the last. Other fields of an entry are not
/// read.
pub fn parse_json(text: &str) -> Result<RateSteps, TraceError> {
    let json: Value = serde_json::from_str(text).map_err(|_| TraceError::NoPattern)?;
    let sides = ["uplink", "downlink"].iter().filter_map(|side| json.get(side));
    let pattern = sides
        .chain([&json])
        .find_map(|part| part.get("trace_pattern")?.as_array())
        .or_else(|| json.as_array())
        .ok_or(TraceError::NoPattern)?;
    let mut steps = Vec::with_capacity(pattern.len());
    let mut t_us = 0_u64;
    for (index, entry) in pattern.iter().enumerate() {
        let field = |name| entry.get(name).and_then(Value::as_f64).and_then(scale);
        let (Some(duration_us), Some(bps)) = (field("duration"), field("capacity")) else {
            return Err(TraceError::Malformed { entry: index + 1 });
        };
        // An entry without length has no part in the schedule.
        if duration_us > 0 {
            steps.push((t_us, bps));
            t_us = t_us.saturating_add(duration_us);
        }
    }
    RateSteps::new(&steps)?.looped(t_us)
}

/// Milliseconds as microseconds, kbit/s as bit/s.
fn thousandfold(text: &str) -> Option<u64> {
    text.trim().parse().ok().and_then(scale)
}

/// A thousandfold as a whole number; `None` for what is negative, not a number, or beyond 10^15.
fn scale(value: f64) -> Option<u64> {
    (0.0..=1e12).contains(&value).then(|| (value * 1_000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mahimahi_lines_are_opportunities() {
        let trace = parse_mahimahi("0\n5\n5\n10\n").expect("well formed");
        assert_eq!(trace, Opportunities::new(&[0, 5, 5, 10]).expect("rising"));
        assert_eq!(parse_mahimahi("0\nx\n"), Err(TraceError::Malformed { entry: 2 }));
        assert_eq!(parse_mahimahi("-1\n"), Err(TraceError::Malformed { entry: 1 }));
        assert_eq!(parse_mahimahi(""), Err(TraceError::Empty));
    }

    #[test]
    fn csv_lines_are_steps() {
        let steps = parse_csv("t_ms,kbps\n0,1554\n30000,131.5\n").expect("well formed");
        assert_eq!([0, 29_999_999, 30_000_000].map(|t| steps.at(t)), [1_554_000, 1_554_000, 131_500]);
        assert_eq!(parse_csv("\u{feff}t_ms,kbps\r\n0,1\r\n"), parse_csv("0,1\n"));
        assert_eq!(parse_csv("0;1\n"), Err(TraceError::Malformed { entry: 1 }));
        assert_eq!(parse_csv("0,-1\n"), Err(TraceError::Malformed { entry: 1 }));
        assert_eq!(parse_csv("9,1\n3,1\n"), Err(TraceError::NotRising { entry: 2 }));
    }

    #[test]
    fn delays_are_a_table_by_time() {
        assert_eq!(parse_delays("t_ms,extra_ms\n0,5\n20,0.25\n"), Ok(vec![(0, 5_000), (20_000, 250)]));
        assert_eq!(parse_delays("9,1\n3,1\n"), Err(TraceError::NotRising { entry: 2 }));
        assert_eq!(parse_delays(""), Err(TraceError::Empty));
    }

    #[test]
    fn json_durations_add_up_and_loop() {
        let text = r#"{"downlink":{},"uplink":{"trace_pattern":[
            {"duration":500,"loss":0.0,"capacity":1000},{"duration":200.0,"capacity":2.4}]}}"#;
        let steps = parse_json(text).expect("well formed");
        assert_eq!(
            [0, 499_999, 500_000, 700_000].map(|t| steps.at(t)),
            [1_000_000, 1_000_000, 2_400, 1_000_000]
        );
        let list = r#"[{"duration":500,"capacity":1000},{"duration":200,"capacity":2.4}]"#;
        assert_eq!(parse_json(list), parse_json(text));
        assert_eq!(parse_json(&format!(r#"{{"trace_pattern":{list}}}"#)), parse_json(text));
        assert_eq!(parse_json("{}"), Err(TraceError::NoPattern));
        assert_eq!(parse_json("nonsense"), Err(TraceError::NoPattern));
        let wrong = r#"{"uplink":{"trace_pattern":[{"duration":1}]}}"#;
        assert_eq!(parse_json(wrong), Err(TraceError::Malformed { entry: 1 }));
    }

    #[test]
    fn the_file_name_tells_the_kind() {
        assert!(matches!(parse("a.csv", "0,1"), Ok(Capacity::Steps(_))));
        assert!(matches!(parse("A.CSV", "0,1"), Ok(Capacity::Steps(_))));
        assert!(matches!(parse("driving.down", "1"), Ok(Capacity::Opportunities(_))));
        assert_eq!(parse("a.json", "1"), Err(TraceError::NoPattern));
    }
}
