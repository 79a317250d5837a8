//! RTP on the wire: the fixed header, header extensions and the payload descriptors that forwarding needs.
//!
//! Parsers borrow nothing and allocate nothing: they return small `Copy` values with offsets into the packet, so that
//! a caller may parse the clear header, decrypt in place, and go on with the same value.

pub mod av1;
pub mod dependency_descriptor;
pub mod extensions;
pub mod flexfec;
pub mod h264;
pub mod h265;
pub mod header;
pub mod red;
pub mod vp8;
pub mod vp9;

pub use extensions::{Elements, ExtensionWriter, ReceivedExtensions};
pub use header::{FixedHeader, Malformed, RtpHeader, Span};

/// What of its picture a packet of H.264 or H.265 holds, the less telling first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PicturePart {
    /// Delimiters, messages and picture parameters.
    Prefix,
    /// A slice, or more of one.
    Slice,
    /// The beginning of a slice that refers to nothing before it.
    RandomAccess,
    /// Parameter sets that all of a sequence needs.
    Parameters,
}
