//! Joining Janus, as the yardstick: its video room plug-in over its HTTP API with long polls.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use str0m::media::Direction;

use crate::endpoint::Endpoint;
use crate::http::{self, Request, Url};

/// An answer of the plug-in is awaited for this long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Janus' rooms have numbers.
const ROOM: u64 = 1234;
/// High enough that Janus never asks a publisher to send less (bit/s).
const BITRATE: u64 = 20_000_000;

/// A Janus server with the room in it.
#[derive(Debug)]
pub struct Janus {
    url: Url,
    address: SocketAddr,
    feed: AtomicU64,
    transactions: AtomicU64,
}

/// One session with its plug-in handle.
struct Handle<'a> {
    janus: &'a Janus,
    session: u64,
    path: String,
}

impl Janus {
    /// Makes the room on the server at `url` (its API's root, such as `http://HOST:8088/janus`).
    pub fn open(url: Url, address: SocketAddr) -> Result<Self, String> {
        let janus = Self { url, address, feed: AtomicU64::new(0), transactions: AtomicU64::new(0) };
        let handle = janus.attach()?;
        let created = handle.request(&json!({
            "request": "create", "room": ROOM, "publishers": 32, "bitrate": BITRATE, "fir_freq": 0,
            "audiocodec": "opus", "videocodec": "vp8", "transport_wide_cc_ext": true, "permanent": false,
        }))?;
        let outcome = &created["plugindata"]["data"];
        // 427: the room is there already.
        if outcome["videoroom"] == "created" || outcome["error_code"] == 427 {
            return Ok(janus);
        }
        Err(format!("Janus made no room: {outcome}"))
    }

    /// Publishes or views; returns when the request that carried or asked for the session description was sent.
    pub fn join(&self, endpoint: &mut Endpoint, direction: Direction) -> Result<Instant, String> {
        if direction == Direction::SendOnly { self.publish(endpoint) } else { self.view(endpoint) }
    }

    fn publish(&self, endpoint: &mut Endpoint) -> Result<Instant, String> {
        let handle = self.attach()?;
        let (offer, pending) = endpoint.offer(Direction::SendOnly)?;
        let posted = Instant::now();
        handle.message(
            &json!({"request": "joinandconfigure", "ptype": "publisher", "room": ROOM, "audio": true, "video": true}),
            Some(&json!({"type": "offer", "sdp": offer})),
        )?;
        handle.end_candidates()?;
        let event = handle.await_description()?;
        let feed = event["plugindata"]["data"]["id"].as_u64().ok_or("Janus named no feed")?;
        endpoint.finish(pending, event["jsep"]["sdp"].as_str().unwrap_or_default())?;
        self.feed.store(feed, Ordering::SeqCst);
        Ok(posted)
    }

    fn view(&self, endpoint: &mut Endpoint) -> Result<Instant, String> {
        let handle = self.attach()?;
        let posted = Instant::now();
        let feed = self.feed.load(Ordering::SeqCst);
        let join =
            json!({"request": "join", "ptype": "subscriber", "room": ROOM, "streams": [{"feed": feed}]});
        handle.message(&join, None)?;
        let event = handle.await_description()?;
        let answer = endpoint.answer(event["jsep"]["sdp"].as_str().unwrap_or_default())?;
        handle.message(&json!({"request": "start"}), Some(&json!({"type": "answer", "sdp": answer})))?;
        handle.end_candidates()?;
        Ok(posted)
    }

    fn attach(&self) -> Result<Handle<'_>, String> {
        let session = id_of(&self.post(&self.url.path, json!({"janus": "create"}))?)?;
        let path = format!("{}/{session}", self.url.path);
        let attach = json!({"janus": "attach", "plugin": "janus.plugin.videoroom"});
        let handle = id_of(&self.post(&path, attach)?)?;
        Ok(Handle { janus: self, session, path: format!("{path}/{handle}") })
    }

    fn post(&self, path: &str, mut message: Value) -> Result<Value, String> {
        message["transaction"] = json!(self.transactions.fetch_add(1, Ordering::Relaxed).to_string());
        let body = message.to_string();
        self.exchange(Request {
            method: "POST",
            path,
            token: None,
            content_type: "application/json",
            body: &body,
        })
    }

    fn exchange(&self, request: Request<'_>) -> Result<Value, String> {
        let response = http::send(self.address, &self.url.authority, request)
            .map_err(|error| format!("Janus: {} failed: {error}", request.method))?;
        let answer: Value =
            serde_json::from_str(&response.body).map_err(|error| format!("Janus: {error}"))?;
        if answer["janus"] == "error" {
            Err(format!("Janus: {}", answer["error"]["reason"]))
        } else {
            Ok(answer)
        }
    }
}

impl Handle<'_> {
    fn request(&self, body: &Value) -> Result<Value, String> {
        self.janus.post(&self.path, json!({"janus": "message", "body": body}))
    }

    fn message(&self, body: &Value, description: Option<&Value>) -> Result<(), String> {
        let mut message = json!({"janus": "message", "body": body});
        if let Some(description) = description {
            message["jsep"] = description.clone();
        }
        self.janus.post(&self.path, message).map(|_| ())
    }

    /// Says that all candidates are in the description already.
    fn end_candidates(&self) -> Result<(), String> {
        let trickle = json!({"janus": "trickle", "candidate": {"completed": true}});
        self.janus.post(&self.path, trickle).map(|_| ())
    }

    /// Polls for the event that carries a session description.
    fn await_description(&self) -> Result<Value, String> {
        let path = format!("{}/{}?maxev=1", self.janus.url.path, self.session);
        let poll = Request { method: "GET", path: &path, token: None, content_type: "", body: "" };
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let event = self.janus.exchange(poll)?;
            let event = if event.is_array() { event[0].clone() } else { event };
            let failure = &event["plugindata"]["data"]["error"];
            if !failure.is_null() {
                return Err(format!("Janus: {failure}"));
            }
            if event["jsep"].is_object() {
                return Ok(event);
            }
        }
        Err("Janus: no session description came".to_owned())
    }
}

fn id_of(answer: &Value) -> Result<u64, String> {
    answer["data"]["id"].as_u64().ok_or_else(|| format!("Janus named no id: {answer}"))
}
