//! Traffic of others on a scenario's links.

use std::collections::BTreeMap;
use std::ops::Range;

use loupe_core::units::Time;
use loupe_netem::{Congestion, ConstantRate, Demand, LinkId, TcpId, TcpSource, Topology};

use crate::run::at;
use crate::scenario::{Cross, Scenario, Tcp};

/// Payload bytes of constant-rate datagrams: 1,200 with headers.
const CONSTANT_PAYLOAD: usize = 1_172;

/// One source of TCP traffic.
#[derive(Clone, Debug)]
pub struct TcpCross {
    /// Its name in the scenario; those of a group share it.
    pub name: String,
    /// Its link.
    pub link: LinkId,
    /// Its flow in that link's log.
    pub flow: u32,
    /// It.
    pub id: TcpId,
    /// When it sends, microseconds.
    pub during: Range<u64>,
    /// Whether it always has something to send then.
    pub bulk: bool,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Crossing {
    constant: Vec<(LinkId, ConstantRate)>,
    /// TCP sources.
    pub tcp: Vec<TcpCross>,
}

impl Crossing {
    /// Puts a scenario's cross traffic on the links. The error is one line for the user.
    pub fn add(
        scenario: &Scenario,
        net: &mut Topology<Vec<u8>>,
        links: &BTreeMap<String, LinkId>,
    ) -> Result<Crossing, String> {
        let mut crossing = Crossing::default();
        let find = |name: &String| {
            links.get(name).copied().ok_or_else(|| format!("{}: no link {name}", scenario.name))
        };
        let during =
            |from_s: f64, until_s: Option<f64>| at(from_s).0..at(until_s.unwrap_or(scenario.duration_s)).0;
        for cross in &scenario.cross {
            match cross {
                Cross::Udp { link, kbps, from_s, until_s, .. } => {
                    let Range { start: start_us, end: end_us } = during(*from_s, *until_s);
                    let payload_bytes = CONSTANT_PAYLOAD;
                    let source = ConstantRate { bps: kbps * 1_000, payload_bytes, start_us, end_us };
                    net.add_cross_traffic(find(link)?, source);
                    crossing.constant.push((find(link)?, source));
                }
                Cross::Tcp { name, congestion, link, back, from_s, until_s } => {
                    let during = during(*from_s, *until_s);
                    let demand = Demand::Bulk(during.clone());
                    crossing.add_tcp(net, name, (find(link)?, find(back)?), *congestion, (demand, during));
                }
                Cross::TcpBursts { name, congestion, link, back, sources, begin_busy, .. } => {
                    for n in 0..*sources {
                        let during = during(0.0, None);
                        let Some(demand) = bursts(cross, during.clone(), n < *begin_busy) else { continue };
                        let ends = (find(link)?, find(back)?);
                        crossing.add_tcp(net, name, ends, *congestion, (demand, during));
                    }
                }
            }
        }
        Ok(crossing)
    }

    fn add_tcp(
        &mut self,
        net: &mut Topology<Vec<u8>>,
        name: &str,
        (link, back): (LinkId, LinkId),
        congestion: Tcp,
        (demand, during): (Demand, Range<u64>),
    ) {
        let bulk = matches!(demand, Demand::Bulk(_));
        let congestion = match congestion {
            Tcp::Reno => Congestion::NewReno,
            Tcp::Cubic => Congestion::Cubic,
            Tcp::Bbr => Congestion::Bbr,
        };
        let (id, flow) = net.add_tcp(&[link], &[back], TcpSource { congestion, demand });
        self.tcp.push(TcpCross { name: name.to_owned(), link, flow, id, during, bulk });
    }

    /// What traffic of constant rate takes of a link at a moment, bits per second.
    pub fn constant_bps(&self, link: LinkId, now: Time) -> u64 {
        let present = |source: &ConstantRate| (source.start_us..source.end_us).contains(&now.0);
        self.constant.iter().filter(|(on, source)| *on == link && present(source)).map(|(_, it)| it.bps).sum()
    }

    /// Sources that take whatever they get of a link at a moment.
    pub fn elastic(&self, link: LinkId, now: Time) -> usize {
        self.tcp.iter().filter(|it| it.bulk && it.link == link && it.during.contains(&now.0)).count()
    }
}

/// What a source of a group of bursty ones has to send.
fn bursts(cross: &Cross, during: Range<u64>, begins_busy: bool) -> Option<Demand> {
    let Cross::TcpBursts { connections, kilobytes: [least, most], mean_idle_s, .. } = cross else {
        return None;
    };
    Some(Demand::Bursts {
        during,
        connections: *connections,
        bytes: least * 1_000..most * 1_000,
        mean_idle_us: at(*mean_idle_s).0,
        begins_busy,
    })
}
