//! What requests may take together: their number and their bytes (`queued.max.requests`, `queued.max.request.bytes`).
//! Source: `RequestChannel`, `SimpleMemoryPool`.

use tokio::sync::{Semaphore, SemaphorePermit};
use wire::ApiKey;

use crate::config::NetworkSettings;

/// Room for requests. Connections that find none wait, and read no further.
#[derive(Debug)]
pub struct RequestQueue {
    requests: Semaphore,
    bytes: Option<Semaphore>,
}

impl RequestQueue {
    /// Room as the settings say.
    pub fn new(settings: &NetworkSettings) -> Self {
        let requests = usize::try_from(settings.queued_max_requests).unwrap_or(1).max(1);
        let bytes = usize::try_from(settings.queued_max_request_bytes).ok().filter(|bytes| *bytes > 0);
        Self {
            requests: Semaphore::new(requests.min(Semaphore::MAX_PERMITS)),
            bytes: bytes.map(|bytes| Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Waits for room to work on a request. Those that wait for other clients take none: they would keep it from them.
    pub(super) async fn room_to_work(&self, api_key: i16) -> Option<SemaphorePermit<'_>> {
        if waits_for_others(api_key) {
            return None;
        }
        self.requests.acquire().await.ok()
    }

    /// Waits for room for a frame. No frame is larger than all the room: `socket.request.max.bytes` is not.
    pub(super) async fn room_for(&self, frame: usize) -> Option<SemaphorePermit<'_>> {
        let bytes = self.bytes.as_ref()?;
        bytes.acquire_many(u32::try_from(frame).unwrap_or(u32::MAX)).await.ok()
    }
}

/// Whether the reply may depend on what other clients do: then the frame's memory is given back once it is read.
pub(super) fn waits_for_others(api_key: i16) -> bool {
    [ApiKey::Fetch, ApiKey::JoinGroup, ApiKey::SyncGroup].iter().any(|api| api.key() == api_key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BrokerConfig, Sources};

    fn queue(requests: &str, bytes: &str) -> RequestQueue {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let overrides = vec![
            set("queued.max.requests", requests),
            set("queued.max.request.bytes", bytes),
            set("socket.request.max.bytes", "1000"),
        ];
        let config = BrokerConfig::load(&Sources { overrides, ..Sources::default() }).unwrap().config;
        RequestQueue::new(&config.network)
    }

    fn has_no_room(work: impl Future) -> bool {
        let mut work = std::pin::pin!(work);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        work.as_mut().poll(&mut context).is_pending()
    }

    #[tokio::test]
    async fn work_waits_for_work_to_end_but_not_for_clients_that_wait() {
        let queue = queue("1", "-1");
        let first = queue.room_to_work(ApiKey::Produce.key()).await;
        assert!(first.is_some() && has_no_room(queue.room_to_work(ApiKey::Metadata.key())));
        assert!(queue.room_to_work(ApiKey::Fetch.key()).await.is_none(), "a Fetch waits for producers");
        drop(first);
        assert!(queue.room_to_work(ApiKey::Metadata.key()).await.is_some());
        assert!(queue.room_for(usize::MAX).await.is_none(), "-1 is no limit");
    }

    #[tokio::test]
    async fn frames_wait_for_the_bytes_of_others() {
        let queue = queue("500", "1500");
        let first = queue.room_for(1000).await;
        let second = queue.room_for(500).await;
        assert!(first.is_some() && second.is_some() && has_no_room(queue.room_for(1)));
        drop(first);
        assert!(queue.room_for(1000).await.is_some());
    }
}
