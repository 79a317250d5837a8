//! The least HTTP/1.1 that WHIP, WHEP and Janus need: one blocking request on a connection of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A server that says nothing for this long has failed.
const TIMEOUT: Duration = Duration::from_secs(20);
/// SDP of a few streams has a few kilobytes; more than this is no answer to take into memory.
const MAX_BODY: usize = 1 << 20;
const MAX_LINE: u64 = 16 << 10;

/// An `http://` address, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Host and port, as the `Host` header has them.
    pub authority: String,
    /// The path, without a slash at its end.
    pub path: String,
}

impl Url {
    /// Reads `http://HOST[:PORT][/PATH]`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").ok_or_else(|| {
            format!("{text}: only http:// is spoken here; measure a server behind TLS at its inner listener")
        })?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if host.is_empty() {
            return Err(format!("{text}: names no host"));
        }
        let bare = host.rfind(']').map_or(host, |end| &host[end..]);
        let authority = if bare.contains(':') { host.to_owned() } else { format!("{host}:80") };
        Ok(Self { authority, path: path.trim_end_matches('/').to_owned() })
    }

    /// The first address the host has.
    pub fn resolve(&self) -> Result<SocketAddr, String> {
        let mut found =
            self.authority.to_socket_addrs().map_err(|error| format!("{}: {error}", self.authority))?;
        found.next().ok_or_else(|| format!("{}: has no address", self.authority))
    }
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, `DELETE`.
    pub method: &'a str,
    /// Absolute path.
    pub path: &'a str,
    /// Bearer token, if one is needed.
    pub token: Option<&'a str>,
    /// Type of the body.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a str,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// The body, as text.
    pub body: String,
    /// `Location`, if sent.
    pub location: Option<String>,
    /// Seconds of `Retry-After`, if sent.
    pub retry_after: Option<u64>,
}

/// Sends a request and reads the whole response.
pub fn send(server: SocketAddr, authority: &str, request: Request<'_>) -> io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    let Request { method, path, token, content_type, body } = request;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n");
    if let Some(token) = token {
        head.extend(["Authorization: Bearer ", token, "\r\n"]);
    }
    if !body.is_empty() {
        head.extend(["Content-Type: ", content_type, "\r\n"]);
    }
    head.extend(["Content-Length: ", &body.len().to_string(), "\r\n\r\n", body]);
    stream.write_all(head.as_bytes())?;
    read_response(&mut BufReader::new(stream))
}

fn read_response(from: &mut impl BufRead) -> io::Result<Response> {
    let status_line = read_line(from)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(malformed)?;
    let mut response = Response { status, body: String::new(), location: None, retry_after: None };
    let (mut length, mut chunked) = (None, false);
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse::<usize>().ok(),
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            "location" => response.location = Some(value.to_owned()),
            "retry-after" => response.retry_after = value.parse().ok(),
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        read_chunks(from, &mut body)?;
    } else {
        from.take(length.unwrap_or(MAX_BODY).min(MAX_BODY) as u64).read_to_end(&mut body)?;
        if length.is_some_and(|length| body.len() < length) {
            return Err(malformed());
        }
    }
    response.body = String::from_utf8(body).map_err(|_| malformed())?;
    Ok(response)
}

fn read_chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(from)?;
        let size = line.split(';').next().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let size = size.filter(|size| body.len() + size <= MAX_BODY).ok_or_else(malformed)?;
        from.take(size as u64).read_to_end(body)?;
        read_line(from)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.take(MAX_LINE).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(malformed());
    }
    Ok(line.trim_end().to_owned())
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the response is not whole HTTP")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let url = |authority: &str, path: &str| Ok(Url { authority: authority.into(), path: path.into() });
        assert_eq!(Url::parse("http://10.99.0.1:8080"), url("10.99.0.1:8080", ""));
        assert_eq!(Url::parse("http://[::1]:8080/base/"), url("[::1]:8080", "/base"));
        assert_eq!(Url::parse("http://host/x"), url("host:80", "/x"));
        assert_eq!(Url::parse("http://[::1]/x"), url("[::1]:80", "/x"));
        assert!(Url::parse("https://host").is_err() && Url::parse("http:///x").is_err());
    }

    #[test]
    fn a_response_with_a_length() {
        let mut text: &[u8] =
            b"HTTP/1.1 201 Created\r\nLocation: /whep/r/1\r\nContent-Length: 3\r\n\r\nv=0rest";
        let response = read_response(&mut text).expect("it is whole");
        assert_eq!((response.status, response.body.as_str()), (201, "v=0"));
        assert_eq!(response.location.as_deref(), Some("/whep/r/1"));
    }

    #[test]
    fn a_response_in_chunks() {
        let mut text: &[u8] = b"HTTP/1.1 409 Conflict\r\nRetry-After: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        let response = read_response(&mut text).expect("it is whole");
        assert_eq!((response.status, response.body.as_str(), response.retry_after), (409, "abcd", Some(2)));
    }

    #[test]
    fn cut_or_foreign_responses_are_errors() {
        for text in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            b"SSH-2.0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
        ] {
            assert!(read_response(&mut { text }).is_err());
        }
    }
}
