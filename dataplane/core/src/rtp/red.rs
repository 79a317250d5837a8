//! Payloads with redundant sound (RFC 2198): earlier packets' payloads again, before a packet's own.

/// How far back a block may lie, in ticks of the RTP clock: 14 bits (RFC 2198 section 3).
pub const MAX_OFFSET: u64 = (1 << 14) - 1;
/// Bytes of a redundant block at most: 10 bits.
pub const MAX_BLOCK: usize = (1 << 10) - 1;
/// Bytes of a redundant block's header, and of the last one's.
pub const HEADER: usize = 4;
const LAST_HEADER: usize = 1;
/// F: another header follows.
const FOLLOWED: u8 = 0x80;
/// Blocks of one payload at most; nobody sends more.
const MAX_BLOCKS: usize = 32;

/// One packet's payload within a redundant one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block<'a> {
    /// Its payload type, which is that of its codec.
    pub payload_type: u8,
    /// By how many ticks its packet is older than the one that carries it.
    pub offset: u16,
    /// The payload.
    pub payload: &'a [u8],
}

/// Appends a redundant payload: `earlier` blocks (oldest first, none beyond [`MAX_OFFSET`] and [`MAX_BLOCK`]), then the
/// packet's own payload, all of one codec.
pub fn write(out: &mut Vec<u8>, payload_type: u8, earlier: &[(u16, &[u8])], payload: &[u8]) {
    for (offset, block) in earlier {
        debug_assert!(u64::from(*offset) <= MAX_OFFSET && block.len() <= MAX_BLOCK);
        let word = u32::from(payload_type & 0x7f) << 24 | u32::from(*offset) << 10 | block.len() as u32;
        out.extend_from_slice(&(word | u32::from(FOLLOWED) << 24).to_be_bytes());
    }
    out.push(payload_type & 0x7f);
    earlier.iter().for_each(|(_, block)| out.extend_from_slice(block));
    out.extend_from_slice(payload);
}

/// The blocks of a redundant payload, the packet's own last; `None` when headers or blocks exceed the payload.
pub fn read(payload: &[u8]) -> Option<Vec<Block<'_>>> {
    let (mut at, mut headers) = (0, Vec::new());
    loop {
        let first = *payload.get(at)?;
        if first & FOLLOWED == 0 {
            headers.push((first, 0, None));
            at += LAST_HEADER;
            break;
        }
        let word = payload.get(at..).and_then(|rest| rest.first_chunk::<HEADER>())?;
        let word = u32::from_be_bytes(*word);
        headers.push((first & 0x7f, (word >> 10 & 0x3fff) as u16, Some(word as usize & MAX_BLOCK)));
        at += HEADER;
        if headers.len() > MAX_BLOCKS {
            return None;
        }
    }
    let mut blocks = Vec::with_capacity(headers.len());
    for (payload_type, offset, length) in headers {
        let rest = payload.get(at..)?;
        let payload = rest.get(..length.unwrap_or(rest.len()))?;
        at += payload.len();
        blocks.push(Block { payload_type, offset, payload });
    }
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_written_as_the_rfc_has_it() {
        let mut out = vec![9];
        write(&mut out, 111, &[(1_920, &[1, 2]), (960, &[3])], &[4, 5]);
        // F, 111, 1,920 = 0b00011110000000, 2; F, 111, 960, 1; 111.
        assert_eq!(out, [9, 0xef, 0x1e, 0x00, 0x02, 0xef, 0x0f, 0x00, 0x01, 0x6f, 1, 2, 3, 4, 5]);
        let blocks = read(&out[1..]).unwrap();
        let told: Vec<_> = blocks.iter().map(|block| (block.offset, block.payload)).collect();
        assert_eq!(told, [(1_920, &[1, 2][..]), (960, &[3][..]), (0, &[4, 5][..])]);
        assert!(blocks.iter().all(|block| block.payload_type == 111));
    }

    #[test]
    fn the_largest_block_fits() {
        let largest = vec![7; MAX_BLOCK];
        let mut out = Vec::new();
        write(&mut out, 96, &[(MAX_OFFSET as u16, &largest)], &[]);
        assert_eq!(read(&out).unwrap()[0], Block { payload_type: 96, offset: 16_383, payload: &largest });
    }

    #[test]
    fn what_exceeds_its_payload_is_malformed() {
        let mut whole = Vec::new();
        write(&mut whole, 111, &[(960, &[1, 2, 3])], &[4]);
        assert!((0..8).all(|length| read(&whole[..length]).is_none()));
        assert_eq!(read(&whole[..8]).unwrap()[1].payload, &[] as &[u8]);
        assert!(read(&[0xef; 400]).is_none());
    }
}
