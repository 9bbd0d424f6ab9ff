//! Watches the sources file. It is looked at every two seconds rather than through inotify, which sees nothing of a
//! file that is mounted into a container and replaced outside of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::settings::sources_file;
use crate::source::SourceSpec;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// Sends all sources, those from flags included, each time the file has changed to something that can be read. A file
/// that is wrong changes nothing, and each problem is said once.
pub(crate) fn watch(
    file: PathBuf,
    flags: Vec<SourceSpec>,
    shutdown: CancellationToken,
) -> mpsc::Receiver<Vec<SourceSpec>> {
    let (to, from) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut seen = state(&file).await;
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = shutdown.cancelled() => return,
                () = to.closed() => return,
            }
            let now = state(&file).await;
            if now == seen {
                continue;
            }
            seen = now;
            match sources_file(&file) {
                Ok(specs) => {
                    let all = specs.into_iter().chain(flags.iter().cloned()).collect();
                    if to.send(all).await.is_err() {
                        return;
                    }
                }
                Err(error) => warn!(%error, "sources not read again; the crawl goes on with those it has"),
            }
        }
    });
    from
}

/// What changes with the file: its time and size; none while it is missing.
async fn state(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = tokio::fs::metadata(file).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
