//! Log directories that have failed. Source: `ReplicaManager.handleLogDirFailure`, `LogDirFailureChannel` (KIP-112, KIP-858).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{ReplicaManager, Volume};
use crate::metadata::Controller;

impl Volume {
    /// Whether it is in use: nothing of it has failed.
    pub fn is_online(&self) -> bool {
        !self.failed.load(Ordering::Acquire)
    }
}

impl ReplicaManager {
    /// Takes directories out of service in which a log has failed, until `stop`.
    pub async fn watch_for_failures(self: Arc<Self>, controller: Controller, stop: CancellationToken) {
        let (report, mut failed) = mpsc::unbounded_channel::<PathBuf>();
        self.env().on_failure(move |folder| {
            // Nobody listens any more once the broker stops.
            let _ = report.send(folder.to_path_buf());
        });
        loop {
            let folder = tokio::select! {
                Some(folder) = failed.recv() => folder,
                () = stop.cancelled() => return,
            };
            if let Some(directory) = folder.parent() {
                self.directory_failed(&controller, directory).await;
            }
        }
    }

    /// Takes a directory out of service: its logs are offline, and metadata knows. Not so the one that metadata is in, nor
    /// the last: Kafka ends there, and here the log that failed is offline and the others are served.
    async fn directory_failed(&self, controller: &Controller, path: &Path) {
        let online = || self.volumes.iter().filter(|volume| volume.is_online());
        let Some(volume) = online().find(|volume| volume.dir.path() == path) else { return };
        if controller.directory() == path || online().count() == 1 {
            return;
        }
        volume.failed.store(true, Ordering::Release);
        error!(directory = %path.display(), "log directory is offline: its partitions are served again after a restart");
        for partition in self.all() {
            if partition.log().folder().parent() == Some(path) {
                partition.log().go_offline("another log in its directory has failed");
                partition.wake();
            }
        }
        if let Err(error) = controller.directory_failed(volume.id).await {
            error!(directory = %path.display(), %error, "metadata not told that the directory is offline");
        }
    }
}
