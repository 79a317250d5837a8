//! What a scenario aims at: bounds on metrics.

use serde::{Deserialize, Serialize};

/// One bound.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// Whose metric: a subscriber, publisher or source of cross traffic; `all` for what concerns several.
    pub of: String,
    /// The metric, with `@window` or `@moment` where it is taken over one.
    pub metric: String,
    /// It must not be below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// It must not be above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// Which of many seeds' values is held against the bounds.
    #[serde(default)]
    pub judge: Judge,
}

/// Which of many seeds' values counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The worst.
    #[default]
    Worst,
    /// The median.
    Median,
}

impl Goal {
    /// Whether a value meets it; one that could not be measured does not.
    pub fn is_met(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| {
            self.at_least.is_none_or(|least| value >= least) && self.at_most.is_none_or(|most| value <= most)
        })
    }
}
