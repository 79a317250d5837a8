//! Named endpoints, and links that one or several routes pass.

use std::collections::VecDeque;

use crate::cross::ConstantRate;
use crate::link::{Link, LinkConfig, Tag};
use crate::random::{Direction, Random, Stage, derive};
use crate::tcp::{TcpFigures, TcpFlow, TcpPacket, TcpSource};

/// An endpoint of one topology.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EndpointId(usize);

/// A link of one topology.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(usize);

/// A source of TCP traffic of one topology.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TcpId(usize);

/// A payload at its destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival<T> {
    /// When, microseconds.
    pub t_us: u64,
    /// Who sent it.
    pub from: EndpointId,
    /// Whom it reached.
    pub to: EndpointId,
    /// Marked by active queue management on its way.
    pub marked: bool,
    /// What was sent.
    pub payload: T,
}

/// What a link of a topology carries.
#[derive(Clone, Debug)]
enum Transit<T> {
    Routed {
        route: usize,
        hop: usize,
        bytes: usize,
        marked: bool,
        payload: T,
    },
    /// Leaves the topology at the end of its link.
    Cross,
    /// A segment or an acknowledgement, on the way to the other end of its source.
    Tcp {
        source: usize,
        hop: usize,
        packet: TcpPacket,
    },
}

#[derive(Clone, Debug)]
struct Route {
    from: EndpointId,
    to: EndpointId,
    links: Vec<LinkId>,
}

#[derive(Clone, Debug)]
struct CrossSource {
    link: LinkId,
    source: ConstantRate,
    sent: u64,
    flow: u32,
}

impl CrossSource {
    fn next(&self) -> Option<u64> {
        self.source.departure(self.sent)
    }
}

/// A TCP source, with the links of its segments and of its acknowledgements.
#[derive(Clone, Debug)]
struct TcpRoute {
    flow: TcpFlow,
    there: Vec<LinkId>,
    back: Vec<LinkId>,
    number: u32,
}

/// Endpoints, links and routes in virtual time. Times are microseconds and do not run backwards.
#[derive(Clone, Debug)]
pub struct Topology<T> {
    seed: u64,
    names: Vec<String>,
    links: Vec<Link<Transit<T>>>,
    routes: Vec<Route>,
    cross: Vec<CrossSource>,
    tcp: Vec<TcpRoute>,
    arrivals: VecDeque<Arrival<T>>,
}

impl<T: Clone> Topology<T> {
    /// An empty one; each of its links derives its own seed.
    pub fn new(seed: u64) -> Topology<T> {
        Topology {
            seed,
            names: Vec::new(),
            links: Vec::new(),
            routes: Vec::new(),
            cross: Vec::new(),
            tcp: Vec::new(),
            arrivals: VecDeque::new(),
        }
    }

    /// A new endpoint; names serve the reader only and may repeat.
    pub fn add_endpoint(&mut self, name: &str) -> EndpointId {
        self.names.push(name.to_owned());
        EndpointId(self.names.len() - 1)
    }

    /// The name of an endpoint.
    pub fn name(&self, endpoint: EndpointId) -> &str {
        self.names.get(endpoint.0).map_or("", String::as_str)
    }

    /// A new link of one direction; routes say who uses it.
    pub fn add_link(&mut self, config: LinkConfig, direction: Direction) -> LinkId {
        let index = self.links.len();
        let seed = derive(self.seed, direction, Stage::Link(index as u32));
        self.links.push(Link::new(config, seed, direction));
        LinkId(index)
    }

    /// Two links that only these endpoints use, there and back.
    pub fn connect(
        &mut self,
        a: EndpointId,
        b: EndpointId,
        there: LinkConfig,
        back: LinkConfig,
    ) -> [LinkId; 2] {
        let there = self.add_link(there, Direction::Forward);
        let back = self.add_link(back, Direction::Backward);
        self.set_route(a, b, &[there]);
        self.set_route(b, a, &[back]);
        [there, back]
    }

    /// What `from` sends to `to` passes these links, in this order; links may be shared with other routes. Replaces an
    /// earlier route for what is sent from now on. Returns the number of the flow in the links' logs.
    pub fn set_route(&mut self, from: EndpointId, to: EndpointId, links: &[LinkId]) -> u32 {
        self.routes.push(Route { from, to, links: links.to_vec() });
        (self.routes.len() - 1) as u32
    }

    /// Datagrams of a constant rate that take room on a link and reach nobody; returns the number of the flow in the
    /// link's log. Add it before time passes its start.
    pub fn add_cross_traffic(&mut self, link: LinkId, source: ConstantRate) -> u32 {
        let flow = self.cross_flow();
        self.cross.push(CrossSource { link, source, sent: 0, flow });
        flow
    }

    /// A source of TCP traffic whose segments pass the links `there`, and whose acknowledgements pass `back`; returns it
    /// and the number that both have as a flow in the links' logs. Add it before time passes its start.
    pub fn add_tcp(&mut self, there: &[LinkId], back: &[LinkId], source: TcpSource) -> (TcpId, u32) {
        let number = self.cross_flow();
        let index = self.tcp.len();
        let seed = derive(self.seed, Direction::Forward, Stage::Source(index as u32));
        let flow = TcpFlow::new(source, Random::new(seed));
        self.tcp.push(TcpRoute { flow, there: there.to_vec(), back: back.to_vec(), number });
        (TcpId(index), number)
    }

    /// A number for a flow, counted down from above, that no route has the same.
    fn cross_flow(&self) -> u32 {
        u32::MAX - (self.cross.len() + self.tcp.len()) as u32
    }

    /// Figures of a TCP source.
    pub fn tcp(&self, source: TcpId) -> Option<TcpFigures> {
        Some(self.tcp.get(source.0)?.flow.figures())
    }

    /// Whether a TCP source has a connection now.
    pub fn tcp_is_busy(&self, source: TcpId) -> bool {
        self.tcp.get(source.0).is_some_and(|route| route.flow.is_busy())
    }

    /// Sends a payload of `bytes`. False when no route leads there.
    #[must_use]
    pub fn send(&mut self, t_us: u64, from: EndpointId, to: EndpointId, bytes: usize, payload: T) -> bool {
        self.advance(t_us);
        let found = self.routes.iter().rposition(|route| route.from == from && route.to == to);
        let Some(route) = found else { return false };
        self.enter(t_us, Transit::Routed { route, hop: 0, bytes, marked: false, payload });
        true
    }

    /// The next payload that reached any endpoint by `t_us`, by time.
    pub fn receive(&mut self, t_us: u64) -> Option<Arrival<T>> {
        self.advance(t_us);
        self.arrivals.pop_front()
    }

    /// When to call [`Topology::receive`] again; `None` until the next send.
    pub fn next_event(&self) -> Option<u64> {
        if let Some(arrival) = self.arrivals.front() {
            return Some(arrival.t_us);
        }
        self.next_inner().map(|(t, _)| t)
    }

    /// The log and state of a link.
    pub fn link(&self, link: LinkId) -> Option<LinkView<'_>> {
        let link = self.links.get(link.0)?;
        Some(LinkView { log: link.log(), counts: link.counts(), queue_bytes: link.queue_bytes() })
    }

    /// The earliest thing to happen. At one moment, cross traffic goes before TCP, that before links, and each in the order added: a
    /// fixed order, so that runs repeat.
    fn next_inner(&self) -> Option<(u64, Actor)> {
        let cross =
            self.cross.iter().enumerate().filter_map(|(n, cross)| Some((cross.next()?, Actor::Cross(n))));
        let tcp =
            self.tcp.iter().enumerate().filter_map(|(n, it)| Some((it.flow.next_timeout()?, Actor::Tcp(n))));
        let links =
            self.links.iter().enumerate().filter_map(|(n, link)| Some((link.next_event()?, Actor::Link(n))));
        cross.chain(tcp).chain(links).min_by_key(|(t, _)| *t)
    }

    fn advance(&mut self, t_us: u64) {
        while let Some((t, actor)) = self.next_inner().filter(|(t, _)| *t <= t_us) {
            match actor {
                Actor::Cross(n) => self.send_cross(t, n),
                Actor::Tcp(n) => {
                    let packets = self.tcp.get_mut(n).map(|route| route.flow.handle_timeout(t));
                    self.send_tcp(t, n, packets.unwrap_or_default());
                }
                Actor::Link(n) => self.take_from(t, n),
            }
        }
    }

    fn send_cross(&mut self, t: u64, n: usize) {
        let Some(cross) = self.cross.get_mut(n) else { return };
        cross.sent += 1;
        let tag = Tag { flow: cross.flow, urgent: false };
        if let Some(link) = self.links.get_mut(cross.link.0) {
            link.push_tagged(t, cross.source.payload_bytes, Transit::Cross, tag);
        }
    }

    fn take_from(&mut self, t: u64, n: usize) {
        while let Some(delivery) = self.links.get_mut(n).and_then(|link| link.pop_delivery(t)) {
            match delivery.payload {
                Transit::Routed { route, hop, bytes, marked, payload } => {
                    let marked = marked || delivery.marked;
                    let transit = Transit::Routed { route, hop: hop + 1, bytes, marked, payload };
                    self.enter(delivery.t_out, transit);
                }
                Transit::Tcp { source, hop, packet } => {
                    self.pass_tcp(delivery.t_out, source, hop + 1, packet);
                }
                Transit::Cross => {}
            }
        }
    }

    fn send_tcp(&mut self, t_us: u64, source: usize, packets: Vec<TcpPacket>) {
        packets.into_iter().for_each(|packet| self.pass_tcp(t_us, source, 0, packet));
    }

    /// Puts a packet of a TCP source on the link of its hop, or hands it to its end when there is no further.
    fn pass_tcp(&mut self, t_us: u64, source: usize, hop: usize, packet: TcpPacket) {
        let Some(route) = self.tcp.get_mut(source) else { return };
        let links = if packet.goes_there() { &route.there } else { &route.back };
        if let Some(link) = links.get(hop).and_then(|link| self.links.get_mut(link.0)) {
            let tag = Tag { flow: route.number, urgent: false };
            let bytes = packet.payload_bytes();
            link.push_tagged(t_us, bytes, Transit::Tcp { source, hop, packet }, tag);
        } else {
            let answers = route.flow.receive(t_us, packet);
            self.send_tcp(t_us, source, answers);
        }
    }

    /// Puts a payload on the link of its hop, or hands it to its destination when there is no further.
    fn enter(&mut self, t_us: u64, transit: Transit<T>) {
        let Transit::Routed { route: number, hop, bytes, marked, payload } = transit else { return };
        let Some(route) = self.routes.get(number) else { return };
        let (from, to) = (route.from, route.to);
        match route.links.get(hop).and_then(|link| self.links.get_mut(link.0)) {
            Some(link) => {
                let tag = Tag { flow: number as u32, urgent: false };
                let transit = Transit::Routed { route: number, hop, bytes, marked, payload };
                link.push_tagged(t_us, bytes, transit, tag);
            }
            None => self.arrivals.push_back(Arrival { t_us, from, to, marked, payload }),
        }
    }
}

/// Who acts next.
#[derive(Clone, Copy, Debug)]
enum Actor {
    Cross(usize),
    Tcp(usize),
    Link(usize),
}

/// What can be read of a link inside a topology.
#[derive(Clone, Copy, Debug)]
pub struct LinkView<'a> {
    /// Its log, unless it keeps none.
    pub log: Option<&'a crate::log::Log>,
    /// What became of its packets.
    pub counts: crate::link::Counts,
    /// Bytes that wait.
    pub queue_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delay::DelayConfig;
    use crate::server::Capacity;

    fn config(bps: u64, delay_us: u64) -> LinkConfig {
        let delay = DelayConfig { delay_us, ..DelayConfig::default() };
        LinkConfig { capacity: Capacity::constant(bps), delay, ..LinkConfig::default() }
    }

    fn receive_all(net: &mut Topology<u32>) -> Vec<(u64, u32)> {
        let mut seen = Vec::new();
        while let Some(t) = net.next_event() {
            while let Some(arrival) = net.receive(t) {
                seen.push((arrival.t_us, arrival.payload));
            }
        }
        seen
    }

    #[test]
    fn flows_share_a_bottleneck() {
        let mut net = Topology::new(1);
        let [a, b, c] = ["a", "b", "c"].map(|name| net.add_endpoint(name));
        let shared = net.add_link(config(8_000_000, 1_000), Direction::Forward);
        let first = net.set_route(a, c, &[shared]);
        net.set_route(b, c, &[shared]);
        assert!(net.send(0, a, c, 972, 1) && net.send(0, b, c, 972, 2));
        assert_eq!(receive_all(&mut net), [(2_000, 1), (3_000, 2)]);
        let log = net.link(shared).and_then(|view| view.log).expect("logged");
        assert_eq!(log.carried_bytes(0, 10_000, Some(first)), 1_000);
        assert_eq!(net.name(c), "c");
    }

    #[test]
    fn a_route_passes_its_links_in_order() {
        let mut net = Topology::new(1);
        let [a, b] = ["a", "b"].map(|name| net.add_endpoint(name));
        let links = [8_000_000, 4_000_000].map(|bps| net.add_link(config(bps, 10_000), Direction::Forward));
        net.set_route(a, b, &links);
        assert!(net.send(0, a, b, 972, 1) && net.send(0, a, b, 972, 2));
        assert!(!net.send(0, b, a, 972, 3));
        // 1 + 10 + 2 + 10 ms; the second follows at the slower link's pace.
        assert_eq!(receive_all(&mut net), [(23_000, 1), (25_000, 2)]);
    }

    #[test]
    fn cross_traffic_takes_its_share() {
        let mut net = Topology::new(1);
        let [a, b] = ["a", "b"].map(|name| net.add_endpoint(name));
        let [there, _back] = net.connect(a, b, config(4_000_000, 0), config(4_000_000, 0));
        let source = ConstantRate { bps: 3_000_000, payload_bytes: 972, start_us: 0, end_us: 10_000_000 };
        let flow = net.add_cross_traffic(there, source);
        for n in 0..625 {
            // 500 kbit/s.
            assert!(net.send(u64::from(n) * 16_000, a, b, 972, n));
        }
        assert_eq!(receive_all(&mut net).len(), 625);
        let log = net.link(there).and_then(|view| view.log).expect("logged");
        assert_eq!(log.carried_bytes(0, 11_000_000, Some(flow)), 3_750_000);
        let used = log.utilisation(0, 9_900_000, None).expect("sampled");
        assert!((used - 0.875).abs() < 0.002, "{used}");
    }
}
