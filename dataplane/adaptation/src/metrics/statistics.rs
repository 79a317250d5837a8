//! Means, percentiles, and the words of the standards for them.

/// The value below which `percent` of the values lie (nearest rank); `None` when there are none.
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut rising = values.to_vec();
    rising.sort_by(f64::total_cmp);
    let rank = (rising.len() as f64 * percent / 100.0).ceil() as usize;
    rising.get(rank.clamp(1, rising.len().max(1)) - 1).copied()
}

/// The arithmetic mean; `None` when there are no values.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// How fair a division is: 1 when all get the same, 1/n when one gets all (Jain's index).
pub fn jain(shares: &[f64]) -> Option<f64> {
    let square = shares.iter().map(|x| x * x).sum::<f64>();
    let sum = shares.iter().sum::<f64>();
    (square > 0.0).then(|| sum * sum / (shares.len() as f64 * square))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_ranks() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!([0.0, 25.0, 50.0, 95.0].map(|p| percentile(&values, p)), [1.0, 1.0, 2.0, 4.0].map(Some));
        assert_eq!((percentile(&[], 50.0), mean(&[])), (None, None));
    }

    #[test]
    fn jain_is_one_for_equals() {
        assert_eq!(jain(&[2.0, 2.0, 2.0]), Some(1.0));
        assert_eq!(jain(&[3.0, 0.0, 0.0]), Some(1.0 / 3.0));
        assert_eq!(jain(&[]), None);
    }
}
