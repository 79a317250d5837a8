//! Datagrams with how long ago the kernel had them: a process that wakes late does not make them late.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use nix::sys::time::TimeSpec;

/// A datagram that was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// Its bytes in the buffer.
    pub(crate) length: usize,
    /// Who sent it.
    pub(crate) source: Option<SocketAddr>,
    /// How long it waited for the process; nothing where the kernel does not tell.
    pub(crate) waited: Duration,
}

/// Has the kernel stamp what the socket receives, where it can.
pub(crate) fn ask_for_stamps(socket: &UdpSocket) {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::ReceiveTimestampns, &true);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// The next datagram that the socket holds.
pub(crate) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::empty();
    let received = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let came = received.cmsgs()?.find_map(|message| match message {
        #[cfg(target_os = "linux")]
        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
        _ => None,
    });
    let since = |came| SystemTime::now().duration_since(UNIX_EPOCH + came).ok();
    Ok(Received {
        length: received.bytes,
        source: received.address.as_ref().and_then(address),
        waited: came.and_then(since).unwrap_or_default(),
    })
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|it| SocketAddr::V4(SocketAddrV4::from(*it)));
    v4.or_else(|| storage.as_sockaddr_in6().map(|it| SocketAddr::V6(SocketAddrV6::from(*it))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// A datagram that waits for 3 ms, and how long it did at most.
    fn after_a_while(from: &UdpSocket, to: &UdpSocket) -> (Received, Duration) {
        let sent = Instant::now();
        from.send_to(b"frame", to.local_addr().unwrap()).unwrap();
        while sent.elapsed() < WAITS {
            std::hint::spin_loop();
        }
        let mut buffer = [0; 16];
        let received = receive(to, &mut buffer).unwrap();
        assert_eq!((&buffer[..received.length], received.source), (&b"frame"[..], from.local_addr().ok()));
        (received, sent.elapsed())
    }

    const WAITS: Duration = Duration::from_millis(3);

    #[test]
    fn a_datagram_is_as_old_as_it_waited_and_names_its_sender() {
        let [to, from] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        ask_for_stamps(&to);
        // A kernel that had nobody to stamp for begins a moment after it was asked.
        let told = (0..200).any(|_| {
            let (received, most) = after_a_while(&from, &to);
            assert!(received.waited <= most);
            received.waited + Duration::from_millis(1) >= WAITS
        });
        assert!(told || cfg!(not(target_os = "linux")));
    }
}
