//! Joining, away from the media thread: each join is a blocking exchange, done on a thread of its own.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use str0m::media::Direction;

use crate::args::{Args, Peer};
use crate::endpoint::Endpoint;
use crate::http::Url;
use crate::janus::Janus;
use crate::profile::Profile;
use crate::whip::{Door, Session};
use crate::wire::local_address_towards;

/// The server under load.
#[derive(Debug)]
pub enum Server {
    /// One that speaks WHIP and WHEP.
    Whip(Door),
    /// Janus.
    Janus(Janus),
}

/// An endpoint whose descriptions are exchanged; its transport comes up once the media thread drives it.
#[derive(Debug)]
pub struct Joined {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Whether it sends or receives.
    pub direction: Direction,
    /// When its request was sent.
    pub posted: Instant,
    /// What ends it, where the server has sessions to end.
    pub session: Option<Session>,
}

impl Server {
    fn open(args: &Args) -> Result<(Self, IpAddr), String> {
        let url = Url::parse(&args.server)?;
        let address = url.resolve()?;
        let local = match args.bind {
            Some(local) => local,
            None => local_address_towards(address).map_err(|error| error.to_string())?,
        };
        let server = match args.peer {
            Peer::Janus => Self::Janus(Janus::open(url, address)?),
            Peer::Whip => {
                let tokens = (args.token_publish.clone(), args.token_view.clone());
                Self::Whip(Door { url, address, room: args.room.clone(), tokens })
            }
        };
        Ok((server, local))
    }

    fn join(&self, local: IpAddr, profile: Profile, direction: Direction) -> Result<Joined, String> {
        let mut endpoint = Endpoint::open(local, profile)?;
        let (posted, session) = match self {
            Self::Whip(door) => {
                let session = door.join(&mut endpoint, direction)?;
                (session.posted, Some(session))
            }
            Self::Janus(janus) => (janus.join(&mut endpoint, direction)?, None),
        };
        Ok(Joined { endpoint, direction, posted, session })
    }
}

/// How a join ended: with an endpoint, or with the reason why not.
pub type Outcome = Result<Joined, String>;

/// Starts joins and collects their outcomes.
#[derive(Debug)]
pub struct Joiner {
    server: Arc<Server>,
    local: IpAddr,
    profile: Profile,
    outcomes: (Sender<Outcome>, Receiver<Outcome>),
}

impl Joiner {
    /// A joiner for the server of `args`, which must answer.
    pub fn open(args: &Args) -> Result<Self, String> {
        let (server, local) = Server::open(args)?;
        Ok(Self { server: Arc::new(server), local, profile: args.profile, outcomes: channel() })
    }

    /// Starts one join; [`Self::finished`] has its outcome later.
    pub fn start(&self, direction: Direction) {
        let (server, sender) = (Arc::clone(&self.server), self.outcomes.0.clone());
        let (local, profile) = (self.local, self.profile);
        std::thread::spawn(move || {
            // The receiver is gone only when the run is over, and then nobody wants the outcome.
            let _ = sender.send(server.join(local, profile, direction));
        });
    }

    /// The next outcome, if one is there.
    pub fn finished(&self) -> Option<Outcome> {
        self.outcomes.1.try_recv().ok()
    }

    /// Ends a session at the server.
    pub fn leave(&self, session: &Session, direction: Direction) -> Result<(), String> {
        match &*self.server {
            Server::Whip(door) => door.leave(session, direction),
            Server::Janus(_) => Ok(()),
        }
    }
}
