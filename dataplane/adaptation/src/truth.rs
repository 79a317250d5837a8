//! What a payload says of itself in its last bytes, behind everything that the plane may rewrite: which frame of which
//! layer it is, and when that was captured. Metrics read this; the models of receivers only what a decoder sees.

/// Bytes of the statement at the end of every payload.
pub const LENGTH: usize = 20;
const MARK: u8 = 0x4c;

/// One packet's own statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Truth {
    /// When its frame was captured, microseconds of virtual time.
    pub capture_us: u64,
    /// Counts captures of its source, whatever layers they were encoded in.
    pub frame: u32,
    /// Simulcast encoding or spatial layer.
    pub layer: u8,
    /// Temporal layer.
    pub temporal: u8,
    /// Whether its frame is a key frame.
    pub keyframe: bool,
    /// Its place in its frame, from 0.
    pub index: u16,
    /// Packets of its frame.
    pub count: u16,
}

impl Truth {
    /// Fills `payload` with zeros up to `length` bytes, the last of which are the statement.
    pub fn complete(&self, payload: &mut Vec<u8>, length: usize) {
        payload.resize(length.max(payload.len() + LENGTH) - LENGTH, 0);
        payload.extend_from_slice(&self.capture_us.to_be_bytes());
        payload.extend_from_slice(&self.frame.to_be_bytes());
        payload.extend_from_slice(&[self.layer, self.temporal, u8::from(self.keyframe), MARK]);
        payload.extend_from_slice(&self.index.to_be_bytes());
        payload.extend_from_slice(&self.count.to_be_bytes());
    }

    /// Reads the statement of a payload; `None` for one that no publisher of ours made.
    pub fn read(payload: &[u8]) -> Option<Truth> {
        let said = payload.last_chunk::<LENGTH>()?;
        let half = |at: usize| u16::from_be_bytes([said[at], said[at + 1]]);
        (said[15] == MARK).then(|| Truth {
            capture_us: u64::from_be_bytes(*said.first_chunk().expect("20 bytes")),
            frame: u32::from_be_bytes([said[8], said[9], said[10], said[11]]),
            layer: said[12],
            temporal: said[13],
            keyframe: said[14] != 0,
            index: half(16),
            count: half(18),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_was_told_and_nothing_else() {
        let truth = Truth {
            capture_us: 1 << 40,
            frame: 70_000,
            layer: 2,
            temporal: 1,
            keyframe: true,
            index: 3,
            count: 9,
        };
        let mut payload = vec![1, 2, 3];
        truth.complete(&mut payload, 500);
        assert_eq!((payload.len(), &payload[..3]), (500, &[1, 2, 3][..]));
        assert_eq!(Truth::read(&payload), Some(truth));
        assert_eq!(Truth::read(&payload[..499]), None);
        let mut short = vec![0; 60];
        truth.complete(&mut short, 10);
        assert_eq!((short.len(), Truth::read(&short)), (80, Some(truth)));
    }
}
