//! Joining over WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::media::Direction;

use crate::endpoint::Endpoint;
use crate::http::{self, Request, Url};

/// A server that is full, or that has no publisher yet, is asked again this often at most.
const MAX_ATTEMPTS: u32 = 10;
const DEFAULT_RETRY: Duration = Duration::from_millis(500);

/// Where and as whom to join.
#[derive(Clone, Debug)]
pub struct Door {
    /// The server.
    pub url: Url,
    /// Its address.
    pub address: SocketAddr,
    /// The room.
    pub room: String,
    /// A token for publishing, and one for viewing.
    pub tokens: (Option<String>, Option<String>),
}

/// A WHIP or WHEP session of the server.
#[derive(Clone, Debug)]
pub struct Session {
    /// Path that `DELETE` ends.
    pub path: Option<String>,
    /// When the request that succeeded was sent.
    pub posted: Instant,
}

impl Door {
    /// Publishes (`SendOnly`) or views (`RecvOnly`) by one offer and its answer.
    pub fn join(&self, endpoint: &mut Endpoint, direction: Direction) -> Result<Session, String> {
        let (kind, token) = match direction {
            Direction::SendOnly => ("whip", self.tokens.0.as_deref()),
            _ => ("whep", self.tokens.1.as_deref()),
        };
        let (offer, pending) = endpoint.offer(direction)?;
        let path = format!("{}/{kind}/{}", self.url.path, self.room);
        let request =
            Request { method: "POST", path: &path, token, content_type: "application/sdp", body: &offer };
        for _ in 0..MAX_ATTEMPTS {
            let posted = Instant::now();
            let response = http::send(self.address, &self.url.authority, request)
                .map_err(|error| format!("POST {kind}: {error}"))?;
            match response.status {
                201 => {
                    endpoint.finish(pending, &response.body)?;
                    return Ok(Session {
                        path: response.location.map(|location| path_of(&location)),
                        posted,
                    });
                }
                409 | 503 => {
                    std::thread::sleep(response.retry_after.map_or(DEFAULT_RETRY, Duration::from_secs));
                }
                status => return Err(format!("POST {kind}: status {status}: {}", response.body.trim())),
            }
        }
        Err(format!("POST {kind}: refused {MAX_ATTEMPTS} times, busy or nothing published"))
    }

    /// Ends a session.
    pub fn leave(&self, session: &Session, direction: Direction) -> Result<(), String> {
        let Some(path) = session.path.as_deref() else { return Ok(()) };
        let token = if direction == Direction::SendOnly { &self.tokens.0 } else { &self.tokens.1 };
        let request = Request { method: "DELETE", path, token: token.as_deref(), content_type: "", body: "" };
        let response = http::send(self.address, &self.url.authority, request)
            .map_err(|error| format!("DELETE: {error}"))?;
        if response.status == 200 { Ok(()) } else { Err(format!("DELETE: status {}", response.status)) }
    }
}

/// The path of a `Location`, which may be absolute or a path (RFC 9725 section 4.2).
fn path_of(location: &str) -> String {
    let after_scheme = location.find("://").map_or(location, |at| &location[at + 3..]);
    after_scheme.find('/').map_or_else(|| "/".to_owned(), |at| after_scheme[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn locations() {
        assert_eq!(path_of("/whep/room/1"), "/whep/room/1");
        assert_eq!(path_of("http://host:80/whep/room/1"), "/whep/room/1");
        assert_eq!(path_of("http://host"), "/");
    }
}
