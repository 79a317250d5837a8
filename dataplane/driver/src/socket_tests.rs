//! Tests of `socket.rs` on real sockets of the loopback interface.

use super::*;

/// A bound IPv4 socket.
pub(crate) fn loopback() -> MediaSocket {
    MediaSocket::bind("127.0.0.1:0".parse().expect("an address")).expect("a free port")
}

/// Makes the kernel refuse `UDP_SEGMENT`: it cannot cut datagrams whose checksum it may not compute.
pub(crate) fn refuse_grouping(socket: &MediaSocket) {
    set_option(socket, libc::SOL_SOCKET, libc::SO_NO_CHECK, 1).expect("an option of every UDP socket");
}

fn run(destination: SocketAddr, length: usize, segment: u16) -> Run {
    Run { local: 0, destination, offset: 0, length: length as u32, segment }
}

fn wait_readable(socket: &MediaSocket) {
    let limit = Timespec::try_from(Duration::from_secs(5)).expect("five seconds fit");
    let mut descriptors = [PollFd::new(socket, PollFlags::IN)];
    assert_eq!(poll(&mut descriptors, Some(&limit)).expect("an open socket"), 1, "nothing came");
}

fn received_one<'a>(batch: &'a mut ReceiveBatch, socket: &MediaSocket) -> Received<'a> {
    assert_eq!(batch.receive(socket).expect("one waits"), 1);
    batch.received(0).expect("one slot")
}

#[test]
fn a_group_sent_as_one_is_received_with_its_segment_size_and_sender() {
    let (sending, receiving) = (loopback(), loopback());
    let bytes: Vec<u8> = (0..6 * 1_000 + 10).map(|index| (index / 1_000) as u8).collect();
    let runs = [run(receiving.local(), bytes.len(), 1_000)];
    assert_eq!(SendBatch::new().send(&sending, &bytes, &runs).expect("loopback takes it"), 1);
    wait_readable(&receiving);
    let mut batch = ReceiveBatch::new();
    assert_eq!(batch.receive(&receiving).expect("something waits"), 1, "slots instead of one joined by GRO");
    let slot = batch.received(0).expect("one slot");
    assert_eq!((slot.source, slot.segment, slot.overflowed), (sending.local(), 1_000, None));
    assert_eq!(slot.payload, bytes);
}

#[test]
fn empty_and_largest_datagrams_arrive_whole() {
    let (sending, receiving) = (loopback(), loopback());
    let bytes = vec![7; 65_507];
    let runs = [run(receiving.local(), 0, 1), run(receiving.local(), bytes.len(), 65_507)];
    assert_eq!(SendBatch::new().send(&sending, &bytes, &runs).expect("loopback takes them"), 2);
    wait_readable(&receiving);
    let mut batch = ReceiveBatch::new();
    let filled = batch.receive(&receiving).expect("two wait");
    let lengths: Vec<_> =
        (0..=filled).map(|slot| batch.received(slot).map(|slot| slot.payload.len())).collect();
    assert_eq!(lengths, [Some(0), Some(65_507), None]);
}

#[test]
fn ipv6_has_a_socket_of_its_own_on_the_same_port() {
    let v4 = loopback();
    let port = v4.local().port();
    let v6 = MediaSocket::bind(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port)).expect("IPv6 on loopback");
    let sending = MediaSocket::bind("[::1]:0".parse().expect("an address")).expect("a free port");
    SendBatch::new().send(&sending, b"six", &[run(v6.local(), 3, 3)]).expect("loopback takes it");
    wait_readable(&v6);
    let mut batch = ReceiveBatch::new();
    let slot = received_one(&mut batch, &v6);
    assert_eq!((slot.source, &*slot.payload), (sending.local(), &b"six"[..]));
}

#[test]
fn an_empty_socket_would_block() {
    let socket = loopback();
    let error = ReceiveBatch::new().receive(&socket).expect_err("nothing was sent");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn what_the_queue_drops_is_told() {
    let (sending, receiving) = (loopback(), loopback());
    sockopt::set_socket_recv_buffer_size(&receiving, 4_096).expect("an open socket");
    let runs = vec![run(receiving.local(), 1_000, 1_000); 64];
    let mut send = SendBatch::new();
    assert_eq!(send.send(&sending, &[0; 1_000], &runs).expect("loopback takes them"), 64);
    let mut batch = ReceiveBatch::new();
    let kept = batch.receive(&receiving).expect("some fitted");
    assert!(kept < 64, "all fitted");
    // The count travels with the first datagram that is queued after the loss.
    send.send(&sending, &[0; 1_000], &runs[..1]).expect("loopback takes it");
    wait_readable(&receiving);
    let slot = received_one(&mut batch, &receiving);
    assert_eq!(slot.overflowed, Some(64 - kept as u32));
}

#[test]
fn a_taken_port_is_an_error() {
    let socket = loopback();
    let error = MediaSocket::bind(socket.local()).expect_err("the port is taken");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn addresses_survive_the_way_to_the_kernel_and_back() {
    for text in ["192.0.2.1:1", "255.255.255.255:65535", "[2001:db8::1]:443"] {
        let address: SocketAddr = text.parse().expect("an address");
        let (raw, length) = RawAddress::new(address);
        assert_eq!(raw.address(length), Some(address));
    }
    let scoped = SocketAddr::from(SocketAddrV6::new("fe80::1".parse().expect("an address"), 5, 0, 3));
    let (raw, length) = RawAddress::new(scoped);
    assert_eq!(raw.address(length), Some(scoped));
    assert_eq!(RawAddress::NONE.address(28), None);
}

/// Everything that waits at a socket: (sender, first byte).
fn waiting(socket: &MediaSocket) -> Vec<(SocketAddr, u8)> {
    let mut batch = ReceiveBatch::new();
    let filled = batch.receive(socket).unwrap_or(0);
    let slots = (0..filled).filter_map(|slot| {
        let slot = batch.received(slot)?;
        Some((slot.source, slot.payload.first().copied().unwrap_or_default()))
    });
    slots.collect()
}

#[test]
fn a_socket_beside_takes_one_senders_datagrams_and_no_others() {
    let shared = loopback();
    let (publisher, viewers) = (loopback(), [loopback(), loopback(), loopback()]);
    let own = shared.beside(publisher.local()).expect("the port is ours");
    assert_eq!(own.local(), shared.local());
    for round in 0..20 {
        for sender in viewers.iter().chain([&publisher]) {
            let runs = [run(shared.local(), 1, 1)];
            assert_eq!(SendBatch::new().send(sender, &[round], &runs).expect("loopback takes it"), 1);
        }
    }
    let (at_own, at_shared) = (waiting(&own), waiting(&shared));
    assert_eq!(at_own.len(), 20);
    assert!(at_own.iter().all(|(source, _)| *source == publisher.local()));
    assert_eq!(at_shared.len(), 60);
    assert!(at_shared.iter().all(|(source, _)| *source != publisher.local()));
}

#[test]
fn a_port_stays_taken_for_others_while_a_socket_stands_beside() {
    let shared = loopback();
    let own = shared.beside(loopback().local()).expect("the port is ours");
    let refused = MediaSocket::bind(shared.local()).map(drop).expect_err("the port is taken");
    assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    drop(own);
    assert!(MediaSocket::bind(shared.local()).is_err());
}
