//! UDP with segment offload both ways and the kernel's arrival time. The only file that makes system calls.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use nix::sys::time::TimeValLike;

/// Room for a frame's burst at 400 viewers' pace, so that a slow turn of the loop does not look like loss.
const SOCKET_BUFFER: usize = 1 << 20;
/// A coalesced read is at most one IP datagram's worth.
const READ_BUFFER: usize = 65_536;

/// What one read brought: one datagram, or a run of equal ones (the last may be shorter).
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Bytes in the buffer.
    pub len: usize,
    /// Size of each datagram in it.
    pub segment: usize,
    /// Who sent it.
    pub source: SocketAddr,
    /// Arrival in nanoseconds since the epoch: the kernel's, so it holds none of this process's own waiting.
    pub arrived: u64,
}

/// Buffers that all sockets of a thread share.
#[derive(Debug)]
pub struct Reader {
    bytes: Vec<u8>,
    control: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Self {
        // The macro reserves what an arrival time and a segment size need; the read wants it as length.
        let reserved = cmsg_space!(TimeSpec, i32).capacity();
        Self { bytes: vec![0; READ_BUFFER], control: vec![0; reserved] }
    }
}

impl Reader {
    /// One read; `None` when nothing waits.
    pub fn read(&mut self, socket: &UdpSocket) -> io::Result<Option<(Batch, &[u8])>> {
        let mut slices = [IoSliceMut::new(&mut self.bytes)];
        let got = recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
            &mut slices,
            Some(&mut self.control),
            MsgFlags::MSG_DONTWAIT,
        );
        let message = match got {
            Ok(message) => message,
            // An ICMP answer to an earlier send is reported here; it says nothing about what waits.
            Err(Errno::EAGAIN | Errno::ECONNREFUSED) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let len = message.bytes;
        let Some(source) = message.address.as_ref().and_then(to_socket_addr) else { return Ok(None) };
        let mut batch = Batch { len, segment: len, source, arrived: 0 };
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::UdpGroSegments(size) if size > 0 => batch.segment = size as usize,
                ControlMessageOwned::ScmTimestampns(time) => batch.arrived = time.num_nanoseconds() as u64,
                _ => {}
            }
        }
        if batch.arrived == 0 {
            batch.arrived = unix_nanoseconds();
        }
        Ok(Some((batch, &self.bytes[..len])))
    }
}

/// A non-blocking socket on `address` with receive coalescing and arrival times.
pub fn open(address: IpAddr) -> io::Result<UdpSocket> {
    open_at(SocketAddr::from((address, 0)))
}

/// As [`open`], on a port of one's choice.
pub fn open_at(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, sockopt::RcvBuf, &SOCKET_BUFFER)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    // Older kernels lack it; the client then reads datagrams one by one.
    let _ = setsockopt(&socket, sockopt::UdpGroSegment, &true);
    Ok(socket)
}

/// Sends `bytes` as datagrams of `segment` bytes (the last may be shorter) to one address, in one system call.
pub fn send_run(socket: &UdpSocket, to: SocketAddr, bytes: &[u8], segment: usize) -> io::Result<()> {
    let slices = [IoSlice::new(bytes)];
    let size = segment as u16;
    let control = [ControlMessage::UdpGsoSegments(&size)];
    let control = if bytes.len() > segment { &control[..] } else { &[] };
    sendmsg(socket.as_raw_fd(), &slices, control, MsgFlags::MSG_DONTWAIT, Some(&SockaddrStorage::from(to)))?;
    Ok(())
}

/// Nanoseconds since the epoch by the clock the kernel stamps arrivals with.
pub fn unix_nanoseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_nanos() as u64)
}

/// Processor seconds this process has used, user and system.
pub fn cpu_seconds() -> f64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |usage| {
        (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6
    })
}

/// The local address from which `server` is reached, so that a candidate names the right interface.
pub fn local_address_towards(server: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if server.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let probe = UdpSocket::bind((any, 0))?;
    probe.connect(server)?;
    Ok(probe.local_addr()?.ip())
}

fn to_socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::from((v4.ip(), v4.port())));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::from((v6.ip(), v6.port())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_run_arrives_whole_and_in_order() {
        let sender = open([127, 0, 0, 1].into()).expect("loopback can be bound");
        let receiver = open([127, 0, 0, 1].into()).expect("loopback can be bound");
        let to = receiver.local_addr().expect("a bound socket has an address");
        let sent: Vec<u8> = (0..250).collect();
        send_run(&sender, to, &sent, 100).expect("loopback takes a run");
        let (mut reader, mut received, mut sizes) = (Reader::default(), Vec::new(), Vec::new());
        let end = Instant::now() + Duration::from_secs(5);
        while received.len() < sent.len() && Instant::now() < end {
            if let Some((batch, bytes)) = reader.read(&receiver).expect("a bound socket can be read") {
                assert!(batch.arrived.abs_diff(unix_nanoseconds()) < 5_000_000_000);
                sizes.extend(bytes.chunks(batch.segment).map(<[u8]>::len));
                received.extend_from_slice(bytes);
            }
        }
        assert_eq!(received, sent);
        assert_eq!(sizes, [100, 100, 50]);
    }
}
