//! Which worker a handle lives on, and what hangs on it: all that the control plane's side has to remember.

use std::collections::{HashMap, HashSet};

use loupe_core::io::Handle;

/// The living handles, as a tree: transports own publications and subscriptions, publications own subscriptions.
#[derive(Debug, Default)]
pub struct Routes {
    places: HashMap<Handle, Place>,
}

#[derive(Debug)]
struct Place {
    worker: usize,
    owners: Vec<Handle>,
    owned: HashSet<Handle>,
}

impl Routes {
    /// The worker of a living handle.
    pub fn worker(&self, handle: Handle) -> Option<usize> {
        self.places.get(&handle).map(|place| place.worker)
    }

    /// Adds a handle that ends with each of `owners`. They must live, and `handle` must not.
    pub fn add(&mut self, handle: Handle, worker: usize, owners: &[Handle]) {
        for owner in owners {
            if let Some(place) = self.places.get_mut(owner) {
                place.owned.insert(handle);
            }
        }
        self.places.insert(handle, Place { worker, owners: owners.to_vec(), owned: HashSet::new() });
    }

    /// Removes a handle and all that hangs on it; nothing when it is gone already.
    pub fn remove(&mut self, handle: Handle) {
        let mut waiting = vec![handle];
        while let Some(next) = waiting.pop() {
            let Some(place) = self.places.remove(&next) else { continue };
            for owner in &place.owners {
                if let Some(owner) = self.places.get_mut(owner) {
                    owner.owned.remove(&next);
                }
            }
            waiting.extend(place.owned);
        }
    }

    /// Removes all that lived on a worker.
    pub fn remove_worker(&mut self, worker: usize) {
        self.places.retain(|_, place| place.worker != worker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHER: Handle = Handle(1);
    const VIEWER: Handle = Handle(2);
    const PUBLICATION: Handle = Handle(3);
    const SUBSCRIPTION: Handle = Handle(4);
    const ELSEWHERE: Handle = Handle(5);

    fn room() -> Routes {
        let mut routes = Routes::default();
        routes.add(PUBLISHER, 0, &[]);
        routes.add(VIEWER, 0, &[]);
        routes.add(PUBLICATION, 0, &[PUBLISHER]);
        routes.add(SUBSCRIPTION, 0, &[PUBLICATION, VIEWER]);
        routes.add(ELSEWHERE, 1, &[]);
        routes
    }

    fn living(routes: &Routes) -> Vec<Handle> {
        let mut handles: Vec<Handle> = routes.places.keys().copied().collect();
        handles.sort();
        handles
    }

    #[test]
    fn every_closing_order_leaves_nothing() {
        let all = [PUBLISHER, VIEWER, PUBLICATION, SUBSCRIPTION];
        for first in all {
            for second in all {
                let mut routes = room();
                routes.remove(first);
                routes.remove(second);
                assert_eq!((routes.worker(first), routes.worker(second)), (None, None));
                for handle in all {
                    routes.remove(handle);
                }
                assert_eq!(routes.places.len(), 1);
                assert!(routes.places.values().all(|place| place.owned.is_empty()));
            }
        }
    }

    #[test]
    fn closing_takes_what_hangs_below_and_nothing_else() {
        let left = |handle| {
            let mut routes = room();
            routes.remove(handle);
            living(&routes)
        };
        assert_eq!(left(PUBLISHER), [VIEWER, ELSEWHERE]);
        assert_eq!(left(VIEWER), [PUBLISHER, PUBLICATION, ELSEWHERE]);
        assert_eq!(left(SUBSCRIPTION), [PUBLISHER, VIEWER, PUBLICATION, ELSEWHERE]);
        assert_eq!(left(Handle(99)).len(), 5);
    }

    #[test]
    fn a_number_used_again_is_not_closed_by_its_former_owner() {
        let mut routes = room();
        routes.remove(SUBSCRIPTION);
        routes.add(SUBSCRIPTION, 1, &[]);
        routes.remove(PUBLISHER);
        assert_eq!(routes.worker(SUBSCRIPTION), Some(1));
    }

    #[test]
    fn a_failed_worker_takes_its_own() {
        let mut routes = room();
        routes.remove_worker(0);
        assert_eq!(living(&routes), [ELSEWHERE]);
        assert_eq!(routes.worker(ELSEWHERE), Some(1));
    }
}
