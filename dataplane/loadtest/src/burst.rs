//! Outgoing datagrams of one size to one address, sent together: what one system call takes.

use std::net::SocketAddr;

/// The kernel refuses more segments than this in one send (`UDP_MAX_SEGMENTS` of older kernels).
const MAX_SEGMENTS: usize = 64;
/// It also refuses more bytes than one IP packet has: 65,535 less the longest headers, rounded down. A key frame of a
/// fast camera has more.
const MAX_BYTES: usize = 65_000;

/// Datagrams that wait to leave together.
#[derive(Debug, Default)]
pub struct Burst {
    /// All of them, end to end.
    pub bytes: Vec<u8>,
    /// Bytes of each but the last.
    pub segment: usize,
    /// Where they go; none while nothing waits.
    pub to: Option<SocketAddr>,
    complete: bool,
}

impl Burst {
    /// Whether a datagram of `len` bytes to `to` can leave with what waits.
    pub fn takes(&self, to: SocketAddr, len: usize) -> bool {
        self.to == Some(to)
            && !self.complete
            && len <= self.segment
            && self.bytes.len() < MAX_SEGMENTS * self.segment
            && self.bytes.len() + len <= MAX_BYTES
    }

    /// Adds one that [`Self::takes`] said yes to, or the first after [`Self::clear`].
    pub fn add(&mut self, to: SocketAddr, datagram: &[u8]) {
        if self.to.is_none() {
            (self.to, self.segment) = (Some(to), datagram.len());
        }
        self.bytes.extend_from_slice(datagram);
        // Only the last datagram may be shorter.
        self.complete = datagram.len() < self.segment;
    }

    /// Nothing waits any more.
    pub fn clear(&mut self) {
        self.bytes.clear();
        (self.to, self.complete) = (None, false);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

    use super::*;
    use crate::wire;

    fn filled(to: SocketAddr, len: usize) -> (Burst, usize) {
        let (mut burst, mut count) = (Burst::default(), 0);
        while count == 0 || burst.takes(to, len) {
            burst.add(to, &vec![0; len]);
            count += 1;
        }
        (burst, count)
    }

    #[test]
    fn the_kernel_takes_the_fullest_burst_of_every_size() {
        let socket = wire::open(Ipv4Addr::LOCALHOST.into()).expect("a socket");
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a receiver");
        let to = receiver.local_addr().expect("its address");
        for (len, most) in [(100, 64), (1_000, 64), (1_110, 58), (1_400, 46)] {
            let (burst, count) = filled(to, len);
            assert_eq!(count, most, "datagrams of {len} bytes");
            wire::send_run(&socket, to, &burst.bytes, burst.segment).expect("the kernel takes it");
        }
    }

    #[test]
    fn a_shorter_one_is_the_last_and_another_address_waits() {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let mut burst = Burst::default();
        burst.add(to, &[0; 100]);
        assert!(burst.takes(to, 40) && !burst.takes(to, 101));
        assert!(!burst.takes(SocketAddr::from((Ipv4Addr::LOCALHOST, 10)), 100));
        burst.add(to, &[0; 40]);
        assert!(!burst.takes(to, 40));
        burst.clear();
        assert!(!burst.takes(to, 40), "the next begins a burst of its own");
        burst.add(to, &[0; 40]);
        assert!(burst.takes(to, 40));
    }
}
