//! The relay binary between real sockets on loopback: what it carries, in which order, and never too early.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends the process it started, also when an assertion fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a port");
    // Far beyond any delay below; reached only when a datagram is missing.
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("not zero");
    socket
}

/// Starts a relay to `far`, and returns it with a socket connected to it.
fn relay(far: &UdpSocket, options: &[&str]) -> (Running, UdpSocket) {
    let forward = far.local_addr().expect("bound").to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_relay"))
        .args(["--listen", "127.0.0.1:0", "--duration-s", "60", "--forward", &forward])
        .args(options)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the relay starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line of text");
    let near = socket();
    let address = line.trim().strip_prefix("ready ").expect("says where it listens").to_owned();
    near.connect(address).expect("an address of loopback");
    (Running(child), near)
}

#[test]
fn datagrams_go_there_and_back_in_order_and_not_early() {
    let far = socket();
    let (_relay, near) = relay(&far, &["--delay-ms", "30", "--rate", "4000"]);
    let mut buffer = [0; 2_048];
    let start = Instant::now();
    for n in 0..20_u8 {
        near.send(&[n; 1_000]).expect("sent");
    }
    for n in 0..20_u8 {
        let (length, from) = far.recv_from(&mut buffer).expect("arrives");
        assert_eq!((length, buffer[0]), (1_000, n));
        // 1,028 bytes take 2.056 ms each at 4 Mbit/s.
        assert!(start.elapsed() >= Duration::from_micros(30_000 + 2_056 * (u64::from(n) + 1)));
        far.send_to(&buffer[..length], from).expect("sent");
    }
    for n in 0..20_u8 {
        assert_eq!(near.recv(&mut buffer).expect("returns"), 1_000);
        assert_eq!(buffer[0], n);
    }
    // There and back, and twenty serialisations; the way back adds one more.
    assert!(start.elapsed() >= Duration::from_micros(60_000 + 21 * 2_056));
}

#[test]
fn each_sender_gets_its_own_answers() {
    let far = socket();
    let (_relay, first) = relay(&far, &["--down-delay-ms", "5"]);
    let second = socket();
    second.connect(first.peer_addr().expect("connected")).expect("an address of loopback");
    let mut buffer = [0; 64];
    for (socket, word) in [(&first, b"one"), (&second, b"two")] {
        socket.send(word).expect("sent");
        let (length, from) = far.recv_from(&mut buffer).expect("arrives");
        far.send_to(&buffer[..length], from).expect("sent");
        assert_eq!(socket.recv(&mut buffer).expect("returns"), 3);
        assert_eq!(&buffer[..3], word);
    }
}

#[test]
fn a_wrong_option_is_one_line_and_a_failure() {
    let output = Command::new(env!("CARGO_BIN_EXE_relay")).args(["--speed", "9"]).output().expect("runs");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("speed"), "{text}");
}
