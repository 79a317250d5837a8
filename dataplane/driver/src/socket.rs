//! UDP sockets and the two system calls that move datagrams in batches: `recvmmsg` with `UDP_GRO` and `sendmmsg` with
//! `UDP_SEGMENT`. The only unsafe code of the server beside a hint to the processor (`dataplane/prefetch`) and two calls of the
//! scheduler (`schedule.rs`); what to send, and what a refusal means, is `send.rs`.
#![allow(unsafe_code)]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use loupe_core::io::Run;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

/// Datagrams (or, with GRO, groups of them) read by one system call.
pub(crate) const RECEIVE_BATCH: usize = 64;

/// Messages handed over by one system call; the kernel takes no more (`UIO_MAXIOV`).
pub(crate) const SEND_BATCH: usize = 1_024;

/// Room for what GRO joins: the kernel builds no packet above 65,535 bytes. Not a power of two: the beginnings of slots,
/// which is all that most datagrams fill, would otherwise share a few sets of every cache.
const SLOT_BYTES: usize = 65_536 + 5 * 64;

/// Asked for in both directions: 8 MB is 40 ms of a full gigabit link.
const SOCKET_BUFFER_BYTES: usize = 8 << 20;

/// A descriptor of our own for what another part of the process has open under a number.
pub fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: takes a number and gives one or an error, whatever the number is.
    let own = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3) };
    if own < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel opened it in the line above, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(own) })
}

/// A non-blocking UDP socket bound to one address.
#[derive(Debug)]
pub(crate) struct MediaSocket {
    descriptor: OwnedFd,
    local: SocketAddr,
}

impl MediaSocket {
    /// Binds exclusively: neither `SO_REUSEADDR` nor `SO_REUSEPORT`, so a port that someone has is an error. An IPv6
    /// socket takes IPv6 only. Port 0 lets the kernel choose.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<MediaSocket> {
        let descriptor = open(address)?;
        rustix::net::bind(&descriptor, &address)?;
        let local = SocketAddr::try_from(rustix::net::getsockname(&descriptor)?)?;
        Ok(MediaSocket { descriptor, local })
    }

    /// A second socket at the same address that takes all datagrams of one sender, so that they can be waited for alone.
    ///
    /// Only now may the port be shared, and by this user's sockets only: the first `bind` stays exclusive. Between `bind`
    /// and `connect` any sender's datagrams may end up in the new socket; they stay there and are read from it.
    pub(crate) fn beside(&self, sender: SocketAddr) -> io::Result<MediaSocket> {
        sockopt::set_socket_reuseport(&self.descriptor, true)?;
        let descriptor = open(self.local)?;
        sockopt::set_socket_reuseport(&descriptor, true)?;
        rustix::net::bind(&descriptor, &self.local)?;
        rustix::net::connect(&descriptor, &sender)?;
        Ok(MediaSocket { descriptor, local: self.local })
    }

    /// Where it is bound.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits until the kernel takes datagrams again; false when `limit` passed first.
    pub(crate) fn wait_writable(&self, limit: Duration) -> bool {
        let mut descriptors = [PollFd::new(&self.descriptor, PollFlags::OUT)];
        let Ok(limit) = Timespec::try_from(limit) else { return false };
        poll(&mut descriptors, Some(&limit)).is_ok_and(|ready| ready > 0)
    }
}

/// A socket of the address's family with all options that media want, not bound yet.
fn open(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let descriptor = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&descriptor, true)?;
    }
    enlarge_buffers(&descriptor);
    // A kernel without either still works: datagrams then come one by one, and losses in the queue stay unseen.
    let _ = set_option(&descriptor, libc::SOL_UDP, libc::UDP_GRO, 1);
    let _ = set_option(&descriptor, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1);
    Ok(descriptor)
}

impl AsFd for MediaSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The forced variants pass the system-wide limit but need a privilege; the others stop at the limit. A small buffer
/// costs losses under load, which are counted, so it is no reason not to start.
fn enlarge_buffers(descriptor: &OwnedFd) {
    if sockopt::set_socket_recv_buffer_size_force(descriptor, SOCKET_BUFFER_BYTES).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(descriptor, SOCKET_BUFFER_BYTES);
    }
    if sockopt::set_socket_send_buffer_size_force(descriptor, SOCKET_BUFFER_BYTES).is_err() {
        let _ = sockopt::set_socket_send_buffer_size(descriptor, SOCKET_BUFFER_BYTES);
    }
}

fn set_option(socket: &impl AsFd, level: i32, name: i32, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the pointer and length describe one living `c_int`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A socket address as the kernel reads and writes it; the family, first in all variants, says which one it is.
#[derive(Clone, Copy)]
#[repr(C)]
union RawAddress {
    family: libc::sa_family_t,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl RawAddress {
    const NONE: RawAddress = RawAddress { family: libc::AF_UNSPEC as libc::sa_family_t };

    fn new(address: SocketAddr) -> (RawAddress, libc::socklen_t) {
        match address {
            SocketAddr::V4(address) => {
                let v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                    sin_zero: [0; 8],
                };
                (RawAddress { v4 }, size_of::<libc::sockaddr_in>() as libc::socklen_t)
            }
            SocketAddr::V6(address) => {
                let v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
                (RawAddress { v6 }, size_of::<libc::sockaddr_in6>() as libc::socklen_t)
            }
        }
    }

    /// `length` is what the kernel wrote.
    fn address(&self, length: libc::socklen_t) -> Option<SocketAddr> {
        // SAFETY: every variant begins with the family, and the whole union starts out as one (`NONE`).
        match i32::from(unsafe { self.family }) {
            libc::AF_INET if length as usize >= size_of::<libc::sockaddr_in>() => {
                // SAFETY: the family and the length say that the kernel wrote this variant.
                let v4 = unsafe { self.v4 };
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 if length as usize >= size_of::<libc::sockaddr_in6>() => {
                // SAFETY: the family and the length say that the kernel wrote this variant.
                let v6 = unsafe { self.v6 };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                // Without the flow label: it may change within one association and is no part of its identity.
                Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

/// Room for the two control messages that receiving can bring: `UDP_GRO` and `SO_RXQ_OVFL`, a `c_int` each.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct ReceiveControl([u8; 2 * CONTROL_SPACE]);

/// One control message with a number of up to four bytes.
// SAFETY: a pure computation on a constant.
const CONTROL_SPACE: usize = unsafe { libc::CMSG_SPACE(size_of::<libc::c_int>() as u32) } as usize;

/// The control message that makes one buffer several datagrams.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct SegmentControl {
    header: libc::cmsghdr,
    segment: u16,
}

impl SegmentControl {
    // SAFETY: all-zero is a valid value of these integers.
    const EMPTY: SegmentControl = unsafe { MaybeUninit::zeroed().assume_init() };

    fn new(segment: u16) -> SegmentControl {
        let mut control = SegmentControl::EMPTY;
        // SAFETY: a pure computation on a constant.
        control.header.cmsg_len = unsafe { libc::CMSG_LEN(size_of::<u16>() as u32) } as _;
        control.header.cmsg_level = libc::SOL_UDP;
        control.header.cmsg_type = libc::UDP_SEGMENT;
        control.segment = segment;
        control
    }
}

// SAFETY: all-zero (null pointers, zero lengths) is a valid value of this plain C structure.
const EMPTY_MESSAGE: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
const EMPTY_VECTOR: libc::iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };

/// One slot of a [`ReceiveBatch`] after a call, as the kernel left it.
pub(crate) struct Received<'a> {
    /// The sender.
    pub(crate) source: SocketAddr,
    /// One datagram, or several of `segment` bytes joined by GRO.
    pub(crate) payload: &'a mut [u8],
    /// Bytes of each datagram but the last.
    pub(crate) segment: usize,
    /// Datagrams that the socket's queue has dropped so far, when it ever did; wraps at 2^32.
    pub(crate) overflowed: Option<u32>,
}

/// Buffers for one `recvmmsg`, allocated once; pages that no datagram has touched cost no memory.
pub(crate) struct ReceiveBatch {
    buffers: Vec<u8>,
    addresses: Vec<RawAddress>,
    controls: Vec<ReceiveControl>,
    vectors: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
    /// Slots that the last call filled, and with them changed the headers of.
    filled: usize,
}

impl ReceiveBatch {
    pub(crate) fn new() -> ReceiveBatch {
        ReceiveBatch {
            buffers: vec![0; RECEIVE_BATCH * SLOT_BYTES],
            addresses: vec![RawAddress::NONE; RECEIVE_BATCH],
            controls: vec![ReceiveControl([0; 2 * CONTROL_SPACE]); RECEIVE_BATCH],
            vectors: vec![EMPTY_VECTOR; RECEIVE_BATCH],
            messages: vec![EMPTY_MESSAGE; RECEIVE_BATCH],
            filled: RECEIVE_BATCH,
        }
    }

    /// Reads what waits, at most [`RECEIVE_BATCH`] slots; gives how many it filled. `WouldBlock` when nothing waits.
    pub(crate) fn receive(&mut self, socket: &MediaSocket) -> io::Result<usize> {
        self.point();
        // SAFETY: `point` has made every pointer in `messages` refer to memory that `self` owns exclusively for the
        // duration of the call, with its exact length, and nothing moves or shrinks it; the kernel writes nowhere else.
        let count = unsafe {
            libc::recvmmsg(
                socket.descriptor.as_raw_fd(),
                self.messages.as_mut_ptr(),
                RECEIVE_BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        self.filled = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        Ok(self.filled)
    }

    /// Who sent what the last call put into a slot; none where it put nothing.
    pub(crate) fn source(&self, slot: usize) -> Option<SocketAddr> {
        let message = self.messages.get(slot).filter(|_| slot < self.filled)?;
        self.addresses[slot].address(message.msg_hdr.msg_namelen)
    }

    /// What the last call put into a slot.
    pub(crate) fn received(&mut self, slot: usize) -> Option<Received<'_>> {
        let source = self.source(slot)?;
        let message = &self.messages[slot];
        let length = message.msg_len as usize;
        let payload = self.buffers.get_mut(slot * SLOT_BYTES..)?.get_mut(..length)?;
        let (segment, overflowed) = read_controls(&message.msg_hdr);
        Some(Received { source, payload, segment: segment.unwrap_or(length), overflowed })
    }

    /// Makes the headers that the last call changed as they must be before the next.
    fn point(&mut self) {
        let slots = self.buffers.chunks_exact_mut(SLOT_BYTES).zip(&mut self.addresses);
        let slots = slots.zip(&mut self.controls).take(self.filled);
        self.filled = 0;
        for (((slot, address), control), (vector, message)) in
            slots.zip(self.vectors.iter_mut().zip(&mut self.messages))
        {
            *vector = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: SLOT_BYTES };
            let header = &mut message.msg_hdr;
            header.msg_name = (&raw mut *address).cast();
            header.msg_namelen = size_of::<RawAddress>() as libc::socklen_t;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut *control).cast();
            header.msg_controllen = size_of::<ReceiveControl>() as _;
        }
    }
}

/// The GRO segment size and the count of lost datagrams, where the kernel gave them.
fn read_controls(header: &libc::msghdr) -> (Option<usize>, Option<u32>) {
    let (mut segment, mut overflowed) = (None, None);
    // SAFETY: `header` was filled by the kernel, its control pointer and length describe our own `ReceiveControl`, and
    // the CMSG functions stay within that length.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !control.is_null() {
        // SAFETY: not null, so it points to a complete header within the control buffer.
        let (level, kind) = unsafe { ((*control).cmsg_level, (*control).cmsg_type) };
        // SAFETY: both messages that were asked for carry four bytes; there is room for them behind every header,
        // since the buffer is a whole number of `CONTROL_SPACE`.
        let value = unsafe { libc::CMSG_DATA(control).cast::<u32>().read_unaligned() };
        match (level, kind) {
            (libc::SOL_UDP, libc::UDP_GRO) if value > 0 => segment = Some(value as usize),
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => overflowed = Some(value),
            _ => {}
        }
        // SAFETY: as for the first.
        control = unsafe { libc::CMSG_NXTHDR(header, control) };
    }
    (segment, overflowed)
}

/// Headers for one `sendmmsg`, allocated once.
pub(crate) struct SendBatch {
    addresses: Vec<RawAddress>,
    controls: Vec<SegmentControl>,
    vectors: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
}

impl SendBatch {
    pub(crate) fn new() -> SendBatch {
        SendBatch {
            addresses: vec![RawAddress::NONE; SEND_BATCH],
            controls: vec![SegmentControl::EMPTY; SEND_BATCH],
            vectors: vec![EMPTY_VECTOR; SEND_BATCH],
            messages: vec![EMPTY_MESSAGE; SEND_BATCH],
        }
    }

    /// Sends the first runs, at most [`SEND_BATCH`], in order; those of several datagrams with `UDP_SEGMENT`. Answers
    /// how many the kernel took; an error belongs to the first run and says that none was taken.
    pub(crate) fn send(&mut self, socket: &MediaSocket, bytes: &[u8], runs: &[Run]) -> io::Result<usize> {
        let slots = self.addresses.iter_mut().zip(&mut self.controls).zip(&mut self.vectors);
        let mut count = 0;
        for (run, (((address, control), vector), message)) in runs.iter().zip(slots.zip(&mut self.messages)) {
            let payload = bytes.get(run.offset as usize..).and_then(|rest| rest.get(..run.length as usize));
            let Some(payload) = payload else { break };
            let (raw, address_length) = RawAddress::new(run.destination);
            *address = raw;
            *vector = libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
            let header = &mut message.msg_hdr;
            header.msg_name = (&raw mut *address).cast();
            header.msg_namelen = address_length;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            if run.length > u32::from(run.segment) {
                *control = SegmentControl::new(run.segment);
                header.msg_control = (&raw mut *control).cast();
                header.msg_controllen = size_of::<SegmentControl>() as _;
            } else {
                header.msg_control = std::ptr::null_mut();
                header.msg_controllen = 0;
            }
            count += 1;
        }
        if count == 0 {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        // SAFETY: the first `count` messages have just been made to point to addresses, control messages and vectors
        // that `self` owns and to payloads that `bytes` keeps alive for the call; the kernel only reads them, apart
        // from `msg_len`, which `self` owns.
        let sent = unsafe {
            libc::sendmmsg(
                socket.descriptor.as_raw_fd(),
                self.messages.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

#[cfg(test)]
#[path = "socket_tests.rs"]
pub(crate) mod tests;
