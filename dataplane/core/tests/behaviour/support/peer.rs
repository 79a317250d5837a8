//! A browser-like endpoint: keeps its consent, sends what it publishes, receives what it subscribed.

use loupe_core::demux::{Protocol, classify};
use loupe_core::io::Handle;
use loupe_core::rtcp::compound;
use loupe_core::units::Time;

use super::publisher::Publisher;
use super::viewer::Viewer;
use super::wire::Wire;

pub struct Peer {
    pub handle: Handle,
    pub wire: Wire,
    pub publisher: Publisher,
    pub viewer: Viewer,
    /// Opens nothing that arrives, for tests that would drown in it.
    pub deaf: bool,
    /// Compound packets as they arrived, plain.
    pub compounds: Vec<(Time, Vec<u8>)>,
    datagrams: Vec<Vec<u8>>,
}

impl Peer {
    pub fn new(number: usize, handle: Handle, now: Time) -> Peer {
        Peer {
            handle,
            wire: Wire::new(number, now),
            publisher: Publisher::new(number),
            viewer: Viewer::new(number),
            deaf: false,
            compounds: Vec::new(),
            datagrams: Vec::new(),
        }
    }

    pub fn next_timeout(&self) -> Time {
        self.wire.next_check.min(self.publisher.next_timeout()).min(self.viewer.next_timeout())
    }

    pub fn handle_timeout(&mut self, now: Time) {
        self.datagrams.extend(self.wire.due_check(now));
        for (packet, index) in self.publisher.packets_due(now) {
            self.datagrams.push(self.wire.protect_rtp(packet, index));
        }
        let reports = [self.publisher.reports_due(now), self.viewer.reports_due(now)];
        for report in reports.into_iter().flatten() {
            self.datagrams.push(self.wire.protect_rtcp(report));
        }
    }

    pub fn receive(&mut self, now: Time, datagram: &[u8]) {
        match classify(datagram) {
            Ok(Protocol::Rtp | Protocol::Rtcp) if self.deaf => {}
            Ok(Protocol::Stun) => self.wire.answers.push((now, datagram.to_vec())),
            Ok(Protocol::Rtcp) => {
                let Some(plain) = self.wire.open_rtcp(datagram) else { return };
                for packet in compound(&plain) {
                    let packet = packet.expect("the plane writes sound RTCP");
                    self.publisher.receive_rtcp(now, &packet);
                    self.viewer.receive_rtcp(now, &packet);
                }
                self.compounds.push((now, plain));
            }
            Ok(Protocol::Rtp) => {
                let Some((header, packet)) = self.wire.open_rtp(datagram) else { return };
                self.viewer.receive_rtp(now, &header, &packet);
            }
            Ok(Protocol::Dtls) | Err(_) => {}
        }
    }

    /// Protects and queues a compound packet.
    pub fn say(&mut self, compound: Vec<u8>) {
        let datagram = self.wire.protect_rtcp(compound);
        self.datagrams.push(datagram);
    }

    pub fn take_datagrams(&mut self) -> Vec<Vec<u8>> {
        for (packet, index) in self.publisher.repairs() {
            self.datagrams.push(self.wire.protect_rtp(packet, index));
        }
        std::mem::take(&mut self.datagrams)
    }
}
