//! Source descriptions and goodbyes (RFC 3550 sections 6.5 and 6.6).

use super::{BYE, SOURCE_DESCRIPTION, Writer};
use crate::units::Ssrc;

const CNAME: u8 = 1;

/// Checks the chunks of a source description; what they say is not kept.
pub(super) fn check_description(count: u8, content: &[u8]) -> Option<()> {
    let mut at = 0;
    for _ in 0..count {
        content.get(at..at + 4)?;
        at += 4;
        // Items: type, length, text; a zero ends the list and fills up to four bytes.
        while *content.get(at)? != 0 {
            at += 2 + usize::from(*content.get(at + 1)?);
        }
        at = (at + 4) & !3;
        if at > content.len() {
            return None;
        }
    }
    Some(())
}

/// Sources that end.
#[derive(Clone, Copy, Debug)]
pub struct Bye<'a> {
    sources: &'a [u8],
}

impl<'a> Bye<'a> {
    /// A reason may follow the sources and is passed over.
    pub(super) fn parse(count: u8, content: &'a [u8]) -> Option<Bye<'a>> {
        content.get(..4 * usize::from(count)).map(|sources| Bye { sources })
    }

    /// The sources, at most 31.
    pub fn sources(&self) -> impl Iterator<Item = Ssrc> + 'a {
        super::sources(self.sources)
    }
}

/// Appends a source description with one CNAME; text beyond 255 bytes is cut off.
pub fn write_cname(out: &mut Vec<u8>, ssrc: Ssrc, cname: &str) {
    let text = &cname.as_bytes()[..cname.len().min(255)];
    let mut writer = Writer::begin(out, SOURCE_DESCRIPTION, 1);
    writer.word(ssrc.0);
    writer.bytes(&[CNAME, text.len() as u8]);
    writer.bytes(text);
    // At least one zero ends the list.
    writer.zeros();
    writer.finish();
}

/// Appends a goodbye; sources beyond 31 are left out.
pub fn write_bye(out: &mut Vec<u8>, sources: &[Ssrc]) {
    let sources = &sources[..sources.len().min(31)];
    let mut writer = Writer::begin(out, BYE, sources.len() as u8);
    for source in sources {
        writer.word(source.0);
    }
    writer.finish();
}

#[cfg(test)]
mod tests {
    use super::super::{Rtcp, compound};
    use super::*;

    #[test]
    fn cname_is_padded_for_every_length() {
        for length in 0..=12 {
            let mut bytes = Vec::new();
            write_cname(&mut bytes, Ssrc(5), &"x".repeat(length));
            assert_eq!(bytes.len() % 4, 0);
            assert_eq!(bytes.last(), Some(&0));
            assert_eq!(usize::from(bytes[9]), length);
            let packets: Vec<_> = compound(&bytes).collect();
            assert!(matches!(packets[..], [Ok(Rtcp::SourceDescription)]), "length {length}: {packets:?}");
        }
    }

    #[test]
    fn long_cname_is_cut_off() {
        let mut bytes = Vec::new();
        write_cname(&mut bytes, Ssrc(5), &"x".repeat(300));
        assert_eq!(bytes[9], 255);
        assert!(compound(&bytes).all(|packet| packet.is_ok()));
    }

    #[test]
    fn chunks_stay_within_the_packet() {
        assert_eq!(check_description(0, &[]), Some(()));
        assert_eq!(check_description(1, &[0, 0, 0, 1, 0, 0, 0, 0]), Some(()));
        assert_eq!(check_description(1, &[0, 0, 0, 1]), None);
        assert_eq!(check_description(1, &[0, 0, 0, 1, 1, 200, 0, 0]), None);
        assert_eq!(check_description(1, &[0, 0, 0, 1, 1, 2, 65, 66]), None);
        assert_eq!(check_description(2, &[0, 0, 0, 1, 0, 0, 0, 0]), None);
    }

    #[test]
    fn goodbye_round_trip() {
        let sources = [Ssrc(1), Ssrc(u32::MAX)];
        let mut bytes = Vec::new();
        write_bye(&mut bytes, &sources);
        let Some(Ok(Rtcp::Bye(bye))) = compound(&bytes).next() else { panic!("no BYE") };
        assert!(bye.sources().eq(sources));
        bytes[0] = 0x83;
        assert!(compound(&bytes).next().is_some_and(|packet| packet.is_err()));
    }
}
