//! Who waits for a partition to grow.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Requests that wait for the next append to a partition. Woken ones look again and, where that is not enough for
/// them, register again.
///
/// [`Notify::notify_one`] keeps a permit, so an append between a request's look and its wait is not lost, provided the
/// request registers before it looks.
#[derive(Debug, Default)]
pub struct Waiters {
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    waiting: Vec<Weak<Notify>>,
    prune_at: usize,
}

impl Waiters {
    /// Has `waiter` woken by the next [`Self::wake`]. A waiter that is dropped needs no removal.
    pub fn register(&self, waiter: &Arc<Notify>) {
        let mut list = self.list.lock();
        if list.waiting.len() >= list.prune_at {
            list.waiting.retain(|waiting| waiting.strong_count() > 0);
            // At least half of the places are free of dead entries until the next time: constant cost a registration.
            list.prune_at = (list.waiting.len() * 2).max(8);
        }
        list.waiting.push(Arc::downgrade(waiter));
    }

    /// Wakes all that registered since the last call.
    pub fn wake(&self) {
        let woken = {
            let mut list = self.list.lock();
            if list.waiting.is_empty() {
                return;
            }
            std::mem::take(&mut list.waiting)
        };
        for waiter in woken.iter().filter_map(Weak::upgrade) {
            waiter.notify_one();
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.list.lock().waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wake_between_registering_and_waiting_is_not_lost() {
        let waiters = Waiters::default();
        let waiter = Arc::new(Notify::new());
        waiters.register(&waiter);
        waiters.wake();
        waiter.notified().await;
    }

    #[test]
    fn waiters_that_gave_up_do_not_pile_up() {
        let waiters = Waiters::default();
        let patient = Arc::new(Notify::new());
        waiters.register(&patient);
        for _ in 0..10_000 {
            waiters.register(&Arc::new(Notify::new()));
        }
        assert!(waiters.len() <= 16, "{} entries for one waiter", waiters.len());
    }
}
