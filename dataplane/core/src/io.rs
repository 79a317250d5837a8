//! What goes into a [`Plane`](crate::plane::Plane) and what comes out: plain values, no callbacks.

use std::net::SocketAddr;
use std::time::Duration;

pub use crate::outbox::{Outbox, Run};
use crate::tap::{SystemClocks, TapBatch, TapReader};
use crate::units::{Bitrate, Label, Ssrc, Time};

/// A transport, publication or subscription, numbered by the control plane; one number space for all three.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Handle(pub u64);

/// One thing that happens to the plane.
#[derive(Debug)]
pub enum Input<'a> {
    /// A UDP payload, changed in place while it is decrypted.
    Datagram {
        /// Which of the worker's sockets it came in on.
        local: u8,
        /// Its sender.
        source: SocketAddr,
        /// The payload; any length, zero included.
        payload: &'a mut [u8],
    },
    /// A wish of the control plane.
    Command(Command),
    /// The moment named by the last [`Output::Wait`] has come.
    Timeout,
}

/// One thing that the plane wants done. Drain until [`Output::Wait`].
#[derive(Debug)]
pub enum Output<'a> {
    /// Datagrams to send, now and in this order.
    Transmit(&'a Outbox),
    /// Something for the control plane.
    Event(Event),
    /// Records of a tap, for its reader.
    Tapped(TapBatch),
    /// Nothing more until this moment ([`Time::NEVER`]: until the next input).
    Wait(Time),
}

/// What the control plane may ask.
#[derive(Clone, Debug)]
pub enum Command {
    /// A new transport that waits for authenticated checks.
    OpenTransport {
        /// Its number.
        transport: Handle,
        /// What its checks must carry.
        ice: IceCredentials,
    },
    /// New credentials; the old ones serve until the first check with the new.
    RestartIce {
        /// Its number.
        transport: Handle,
        /// What its checks must carry from now on.
        ice: IceCredentials,
    },
    /// The peer's user-name fragment became known (an answer came).
    SetRemoteUfrag {
        /// Its number.
        transport: Handle,
        /// The peer's fragment.
        ufrag: String,
    },
    /// A DTLS datagram for the nominated address.
    SendDtls {
        /// Its number.
        transport: Handle,
        /// The datagram.
        payload: Vec<u8>,
    },
    /// Keys from a verified handshake.
    SetSrtp {
        /// Its number.
        transport: Handle,
        /// The negotiated profile.
        profile: SrtpProfile,
        /// The peer's master key and salt, end to end.
        inbound: Vec<u8>,
        /// Ours.
        outbound: Vec<u8>,
    },
    /// A source that the transport may send from now on.
    Publish {
        /// The transport it comes by.
        transport: Handle,
        /// Its number.
        publication: Handle,
        /// What was negotiated.
        media: InboundMedia,
    },
    /// A publication to be sent to a transport.
    Subscribe {
        /// The publication.
        publication: Handle,
        /// Its number.
        subscription: Handle,
        /// The transport it leaves by.
        transport: Handle,
        /// What was negotiated.
        media: OutboundMedia,
    },
    /// What the viewer wants of a subscription.
    Prefer {
        /// The subscription.
        subscription: Handle,
        /// The wish.
        wish: Wish,
    },
    /// Up to which rate more would be useful to a transport, everything counted as on the wire; probing ends there.
    Want {
        /// The transport.
        transport: Handle,
        /// The rate; `None`: what the highest layers that flow would take together.
        rate: Option<Bitrate>,
    },
    /// Forward nothing of a publication (true) or forward it again (false).
    Mute {
        /// The publication.
        publication: Handle,
        /// Whether it is muted.
        muted: bool,
    },
    /// Ask the publisher for a key frame on all layers that are watched, or where nobody watches on all that flow;
    /// within the throttle. Sound has none.
    RequestKeyframe {
        /// The publication.
        publication: Handle,
    },
    /// Copy what comes in of a publication to a tap, in place of any that this reader has of it. For a recorder its lost
    /// packets are asked for after they are of no use to live viewers too.
    Tap {
        /// The publication.
        publication: Handle,
        /// The tap's number, which its batches carry.
        tap: u64,
        /// Whose it is.
        reader: TapReader,
        /// What the system's clocks show now.
        clocks: SystemClocks,
    },
    /// End a reader's tap of a publication. Idempotent.
    Untap {
        /// The publication.
        publication: Handle,
        /// Whose it is.
        reader: TapReader,
    },
    /// End a transport, publication or subscription and all below it. Idempotent.
    Close {
        /// Any handle.
        handle: Handle,
    },
}

/// ICE-lite credentials of one generation (RFC 8445 section 5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// Ours.
    pub local_ufrag: String,
    /// Ours; keys the integrity of checks and answers.
    pub local_pwd: String,
    /// The peer's, once known; then checks must name it.
    pub remote_ufrag: Option<String>,
}

impl std::fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceCredentials").field("local_ufrag", &self.local_ufrag).finish_non_exhaustive()
    }
}

/// SRTP protection profiles (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SrtpProfile {
    /// `SRTP_AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`.
    Aes128CmSha1_80,
}

/// Sound or picture.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

/// Codecs the plane can forward; for `Opaque` it knows no key frames.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Codec {
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// RFC 7798.
    H265,
    /// AOM "RTP Payload Format for AV1".
    Av1,
    /// RFC 7587.
    Opus,
    /// Any other audio codec, forwarded as it is.
    Opaque,
}

/// Identifiers of the header extensions negotiated for one media section; 0 means not negotiated.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ExtensionIds {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`.
    pub mid: u8,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id`.
    pub rid: u8,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id`.
    pub repaired_rid: u8,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`.
    pub abs_send_time: u8,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`.
    pub transport_cc: u8,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464).
    pub audio_level: u8,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time`.
    pub abs_capture_time: u8,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`.
    pub playout_delay: u8,
    /// AV1 dependency descriptor.
    pub dependency_descriptor: u8,
    /// `urn:3gpp:video-orientation`.
    pub video_orientation: u8,
}

/// One signalled encoding of a publication, lowest layer first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encoding {
    /// Its source, when the description names it; else bound by `rid` (RFC 8852) or `mid`.
    pub ssrc: Option<Ssrc>,
    /// Its repair source, when named.
    pub rtx_ssrc: Option<Ssrc>,
    /// Its restriction identifier, for simulcast.
    pub rid: Option<Label>,
}

/// A publication as negotiated.
// Each flag is one line of the description, independent of the others.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, PartialEq, Debug)]
pub struct InboundMedia {
    /// Sound or picture.
    pub kind: Kind,
    /// The one codec that was answered.
    pub codec: Codec,
    /// Ticks of the RTP clock a second.
    pub clock_rate: u32,
    /// Payload type of the codec.
    pub payload_type: u8,
    /// Payload type of its retransmissions, when negotiated.
    pub rtx_payload_type: Option<u8>,
    /// The media section's identification.
    pub mid: Option<Label>,
    /// One per layer, lowest first; never empty.
    pub encodings: Vec<Encoding>,
    /// Extension identifiers as the publisher sends them.
    pub extensions: ExtensionIds,
    /// Whether generic NACK was negotiated.
    pub nack: bool,
    /// Whether PLI was negotiated.
    pub pli: bool,
    /// Whether FIR was negotiated, which is sent where PLI was not.
    pub fir: bool,
    /// Whether transport-wide feedback was negotiated.
    pub transport_cc: bool,
    /// Whether REMB was negotiated.
    pub remb: bool,
    /// Whether reduced-size RTCP was negotiated (RFC 5506 section 5).
    pub reduced_size: bool,
}

/// A subscription as negotiated.
#[derive(Clone, PartialEq, Debug)]
pub struct OutboundMedia {
    /// The source that the viewer was told.
    pub ssrc: Ssrc,
    /// The repair source that the viewer was told.
    pub rtx_ssrc: Option<Ssrc>,
    /// Payload type of the codec at the viewer.
    pub payload_type: u8,
    /// Payload type of retransmissions at the viewer.
    pub rtx_payload_type: Option<u8>,
    /// Payload type of redundant sound at the viewer (RFC 2198), whose blocks are of `payload_type`.
    pub red_payload_type: Option<u8>,
    /// Source and payload type of the pictures' parity at the viewer (`flexfec-03`).
    pub parity: Option<(Ssrc, u8)>,
    /// The media section's identification, for the `mid` extension.
    pub mid: Option<Label>,
    /// Extension identifiers as the viewer expects them.
    pub extensions: ExtensionIds,
    /// Text of the SDES CNAME item; one per publishing participant so that receivers lip-sync its sources.
    pub cname: String,
}

#[cfg(test)]
impl OutboundMedia {
    /// One source without repair.
    pub fn plain(extensions: ExtensionIds) -> OutboundMedia {
        OutboundMedia {
            ssrc: Ssrc(1),
            rtx_ssrc: None,
            payload_type: 96,
            rtx_payload_type: None,
            red_payload_type: None,
            parity: None,
            mid: None,
            extensions,
            cname: String::new(),
        }
    }
}

/// What a viewer wants of one subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wish {
    /// Index of the wanted encoding, lowest first; `None` takes the highest that flows.
    pub layer: Option<u8>,
    /// Highest spatial layer within an encoding that has several (VP9, AV1); `None`: all.
    pub spatial: Option<u8>,
    /// Highest temporal layer; `None`: all.
    pub temporal: Option<u8>,
    /// Send nothing.
    pub paused: bool,
    /// Send nothing but key frames of the encoding, one in so long at most.
    pub still: Option<Duration>,
}

/// What is done about the path to a viewer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Phase {
    /// Nothing is known yet; probes follow each other.
    #[default]
    Start,
    /// The estimate holds and grows where it is used.
    Steady,
    /// The path carries less than before: only sound and the lowest temporal layer, until its queue is gone.
    Drain,
    /// The viewer's reports stay away: only sound.
    Silent,
}

impl Phase {
    /// The name for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Start => "start",
            Phase::Steady => "steady",
            Phase::Drain => "drain",
            Phase::Silent => "silent",
        }
    }
}

/// The path to a viewer, for whoever chooses layers.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct LinkState {
    /// What is done about it.
    pub phase: Phase,
    /// How long packets wait in its queue.
    pub queue_delay: Duration,
    /// Share of packets lost whatever we send, before repair, 0 to 1.
    pub inherent_loss: f64,
    /// Share lost beyond that.
    pub congestion_loss: f64,
    /// The round trip, once known.
    pub round_trip: Option<Duration>,
    /// Half the widest swing to and fro of the natural logarithm of the estimate over some 15 s.
    pub volatility: f64,
}

/// Why something ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CloseReason {
    /// No authenticated check came in time (RFC 7675).
    ConsentExpired,
    /// No first check came in time.
    NeverConnected,
}

/// What the plane tells the control plane.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// An authenticated path stands, for the first time or again; DTLS may use it.
    TransportReady {
        /// Which transport.
        transport: Handle,
    },
    /// The path moved to another address by an authenticated check.
    PathChanged {
        /// Which transport.
        transport: Handle,
    },
    /// A DTLS datagram from the transport's peer.
    DtlsDatagram {
        /// Which transport.
        transport: Handle,
        /// The datagram.
        payload: Vec<u8>,
    },
    /// No authenticated check for 6 s: nothing is sent until `TransportReady`.
    ConsentLost {
        /// Which transport.
        transport: Handle,
    },
    /// What the link to a viewer carries: told at once when it changes by a tenth or the phase does, at most five times a
    /// second when something else does that layer choice reads, and not at all while nothing changes.
    Bandwidth {
        /// Which transport.
        transport: Handle,
        /// The estimate, everything counted as on the wire, IP and UDP headers included.
        estimate: Bitrate,
        /// What layer choice needs beside it.
        link: LinkState,
    },
    /// Which layers of a publication flow now (bit n: encoding n).
    LayersChanged {
        /// Which publication.
        publication: Handle,
        /// Bit n is set when encoding n flows.
        active: u32,
    },
    /// A subscription now forwards this layer (`None`: nothing).
    LayerForwarded {
        /// Which subscription.
        subscription: Handle,
        /// Index of the encoding.
        layer: Option<u8>,
    },
    /// How long a picture's source has been silent, told at 500 ms, at 1 s, and with zero when it flows again.
    Stalled {
        /// Which publication.
        publication: Handle,
        /// Silence in milliseconds, 0 when it flows.
        silent_ms: u32,
    },
    /// The plane ended something by itself.
    Closed {
        /// Which transport.
        transport: Handle,
        /// Why.
        reason: CloseReason,
    },
}
