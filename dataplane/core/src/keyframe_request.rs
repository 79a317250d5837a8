//! Key-frame requests of many viewers, merged to what a publisher can bear.

use std::time::Duration;

use crate::units::Time;

/// A publisher is asked at most this often per layer, however many viewers ask.
pub const THROTTLE: Duration = Duration::from_millis(500);

/// The requests for one layer.
#[derive(Clone, Debug, Default)]
pub struct KeyframeRequests {
    wanted: bool,
    last_sent: Option<Time>,
    sent: u64,
}

impl KeyframeRequests {
    /// Somebody needs a key frame.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// One began: whoever asked until now is served.
    pub fn satisfy(&mut self) {
        self.wanted = false;
    }

    /// Whether to send a request now; counts it as sent.
    pub fn take(&mut self, now: Time) -> bool {
        if self.next_timeout() > now {
            return false;
        }
        self.wanted = false;
        self.last_sent = Some(now);
        self.sent += 1;
        true
    }

    /// When [`KeyframeRequests::take`] says yes.
    pub fn next_timeout(&self) -> Time {
        match (self.wanted, self.last_sent) {
            (false, _) => Time::NEVER,
            (true, None) => Time::ZERO,
            (true, Some(last)) => last + THROTTLE,
        }
    }

    /// Requests sent so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_wishes_a_second_cost_two_requests() {
        let mut requests = KeyframeRequests::default();
        let mut sent = 0;
        for ms in 0..2_000 {
            requests.want();
            sent += u32::from(requests.take(Time::from_millis(ms)));
        }
        assert_eq!(sent, 4);
    }

    #[test]
    fn a_key_frame_that_came_meanwhile_serves_who_waited() {
        let mut requests = KeyframeRequests::default();
        requests.want();
        assert!(requests.take(Time::ZERO));
        requests.want();
        requests.satisfy();
        assert_eq!(requests.next_timeout(), Time::NEVER);
    }
}
