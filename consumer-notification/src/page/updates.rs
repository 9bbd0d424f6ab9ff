//! Updates to everyone who looks at the page.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::page::Inner;

/// Least time between two updates: an alert is on the page well within the blink of an eye, and a flood of recipes
/// reaches browsers in a few pieces a second.
const PAUSE: Duration = Duration::from_millis(200);
/// New entries of a list in one update; of more, the newest are shown.
const MOST: usize = 50;
/// Updates a slow reader may be behind before it gets a fresh snapshot instead.
const BACKLOG: usize = 16;

/// Sends each update, rendered once, to all readers.
pub(crate) struct Updates {
    changed: Notify,
    readers: broadcast::Sender<Arc<str>>,
    /// Cancelled when no more will come.
    pub(crate) over: CancellationToken,
}

impl Updates {
    pub(crate) fn new(over: CancellationToken) -> Self {
        Self { changed: Notify::new(), readers: broadcast::Sender::new(BACKLOG), over }
    }

    /// Something is new.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<str>> {
        self.readers.subscribe()
    }
}

/// Publishes updates until the token is cancelled.
pub(crate) async fn publish(page: Arc<Inner>, shutdown: CancellationToken) {
    let mut seq = 0;
    loop {
        tokio::select! {
            () = page.updates.changed.notified() => {}
            // Rates sink with time alone.
            () = tokio::time::sleep(Duration::from_secs(10)) => {}
            () = shutdown.cancelled() => return,
        }
        let news = page.feed.since(seq, MOST);
        seq = news.seq;
        if page.updates.readers.receiver_count() > 0 {
            let json: Arc<str> = page.views.update(&news, &page.handle.lags()).into();
            // Fails only when the last reader has just left.
            let _ = page.updates.readers.send(json);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
