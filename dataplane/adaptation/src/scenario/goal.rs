//! What a scenario aims at: bounds on metrics.

use serde::{Deserialize, Serialize};

use super::SubscriberSpec;
use crate::metrics::Metrics;

/// One bound.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// Whose metric: a subscriber, publisher or source of cross traffic; `subscribers` for the worst of all of them;
    /// `all` for what concerns several together.
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
    /// The value that is held against it, of figures by whose and which.
    pub fn value(&self, metrics: &Metrics, subscribers: &[SubscriberSpec]) -> Option<f64> {
        let of = |name: &str| metrics.get(name).and_then(|figures| figures.get(&self.metric)).copied();
        if self.of != "subscribers" {
            return of(&self.of);
        }
        let values: Option<Vec<f64>> = subscribers.iter().map(|spec| of(&spec.name)).collect();
        values?.into_iter().max_by(|a, b| self.excess(*a).total_cmp(&self.excess(*b)))
    }

    /// How far a value is on the wrong side of the nearer bound; below 0 on the right side.
    fn excess(&self, value: f64) -> f64 {
        let above = self.at_most.map(|most| value - most);
        let below = self.at_least.map(|least| least - value);
        above.into_iter().chain(below).fold(f64::NEG_INFINITY, f64::max)
    }

    /// Whether a value meets it; one that could not be measured does not.
    pub fn is_met(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| {
            self.at_least.is_none_or(|least| value >= least) && self.at_most.is_none_or(|most| value <= most)
        })
    }
}
