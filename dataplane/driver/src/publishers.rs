//! Publishers' own sockets. A worker with a hundred viewers is woken a thousand times a second by their feedback; it need
//! not be, as long as it is woken at once by the pictures and voices of the few who publish.

use std::io;

use loupe_core::ice::Path;
use loupe_core::plane::Plane;

use crate::socket::MediaSocket;

/// Publishers with a socket of their own at most; more than a room has cameras is no theatre.
pub(crate) const MAX_PUBLISHERS: usize = 32;

/// A publisher's socket.
pub(crate) struct Own {
    pub(crate) path: Path,
    pub(crate) socket: MediaSocket,
    /// How many datagrams its queue had dropped when last told.
    pub(crate) overflowed: u32,
}

/// All publishers' sockets of a worker.
#[derive(Default)]
pub(crate) struct Publishers {
    revision: u64,
    own: Vec<Own>,
    left_out: usize,
}

impl Publishers {
    /// Opens and closes sockets so that they are those of the plane's publishers; gives those that closed, which may
    /// still hold datagrams.
    pub(crate) fn follow(&mut self, plane: &Plane, shared: &[MediaSocket]) -> Vec<Own> {
        let (revision, paths) = plane.publisher_paths();
        if revision == self.revision {
            return Vec::new();
        }
        self.revision = revision;
        let wanted: Vec<Path> = paths.collect();
        let closed = self.own.extract_if(.., |own| !wanted.contains(&own.path)).collect();
        self.left_out = 0;
        for path in wanted {
            if self.own.iter().any(|own| own.path == path) {
                continue;
            }
            match self.open(path, shared) {
                Ok(own) => self.own.push(own),
                // Without a descriptor to spare its media come in by the shared socket, as everyone's do.
                Err(_) => self.left_out += 1,
            }
        }
        closed
    }

    fn open(&self, path: Path, shared: &[MediaSocket]) -> io::Result<Own> {
        let socket = shared.get(usize::from(path.local)).filter(|_| self.own.len() < MAX_PUBLISHERS);
        let socket =
            socket.ok_or_else(|| io::Error::from(io::ErrorKind::QuotaExceeded))?.beside(path.remote)?;
        Ok(Own { path, socket, overflowed: 0 })
    }

    /// Whether nothing urgent comes in by the shared sockets.
    pub(crate) fn have_all(&self) -> bool {
        !self.own.is_empty() && self.left_out == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Own> {
        self.own.iter()
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Own> {
        self.own.get_mut(index)
    }
}
