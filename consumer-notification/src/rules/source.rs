//! Where the rules come from: a file that may change while the notifier runs, or the one rule that needs none.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use service_kit::settings::Source;
use service_kit::{Counter, Failure, Handle};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::channels::ChannelSpec;
use crate::rules::file::Config;
use crate::rules::{Rule, RuleSet, file};

/// How often the file is looked at. (Looking works where change notices do not: bind mounts, network file systems.)
const LOOK: Duration = Duration::from_secs(1);

/// The settings that name the rules.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSource {
    /// The rules' file.
    pub file: Option<PathBuf>,
    /// Calories above which a recipe raises an alert where there is no file, in kcal a serving, 0 to 100,000.
    pub calories_threshold: f64,
}

impl RuleSource {
    /// Reads the settings.
    pub fn read(from: &mut Source) -> Self {
        Self {
            file: from.get::<PathBuf>("rules", "TOML file with the rules, read again when it changes").maybe(),
            calories_threshold: from
                .get::<f64>("calories_threshold", "Calories above which a recipe raises an alert; without --rules")
                .flag("threshold")
                .unit("kcal a serving")
                .within(0.0..=recipes::MAX_KCAL)
                .or(200.0),
        }
    }

    /// Reads and checks the rules and channels.
    ///
    /// # Errors
    /// What is wrong, with file and line, exit code 64.
    pub fn load(&self) -> Result<Config, Failure> {
        let config = match &self.file {
            Some(path) => file::read(path),
            None => Rule::calories_above(self.calories_threshold)
                .map(|rule| Config { rules: RuleSet::new(vec![rule]), channels: Vec::new() }),
        };
        config.map_err(Failure::usage)
    }

    /// Reads the file again whenever it changes, until the token is cancelled. Rules that are wrong change nothing;
    /// other `channels` than there are take a restart.
    pub async fn watch(
        self,
        channels: Vec<ChannelSpec>,
        rules: watch::Sender<Arc<RuleSet>>,
        handle: Handle,
        shutdown: CancellationToken,
    ) {
        let Some(path) = self.file else { return shutdown.cancelled().await };
        let counters = [handle.counter("rule_reloads"), handle.counter("rule_reloads_refused")];
        let mut seen = content(&path).await;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => return,
            }
            let now = content(&path).await;
            // A file that is being replaced is missing for a moment.
            if now != seen && now.is_some() {
                seen = now;
                reload(&path, &channels, &rules, &counters);
            }
        }
    }
}

async fn content(path: &Path) -> Option<Vec<u8>> {
    tokio::fs::read(path).await.ok()
}

fn reload(path: &Path, channels: &[ChannelSpec], rules: &watch::Sender<Arc<RuleSet>>, [done, refused]: &[Counter; 2]) {
    match file::read(path) {
        Ok(new) => {
            if new.channels != channels {
                warn!(file = %path.display(), "the channels changed too: start the notifier again to use them");
            }
            info!(rules = new.rules.iter().count(), file = %path.display(), "rules read again");
            rules.send_replace(Arc::new(new.rules));
            done.add(1);
        }
        Err(error) => {
            warn!(error, "the changed rules are wrong; the old ones stay in force");
            refused.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_changed_file_is_read_again_and_a_wrong_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        let write = |when: &str| std::fs::write(&path, format!("[[rule]]\nname = \"a\"\nwhen = \"{when}\"\n")).unwrap();
        write("calories > 200");
        let source = RuleSource { file: Some(path.clone()), calories_threshold: 200.0 };
        let (sender, mut receiver) = watch::channel(Arc::new(source.load().unwrap().rules));
        let (handle, shutdown) = (Handle::new("test"), CancellationToken::new());
        let watching = tokio::spawn(source.watch(Vec::new(), sender, handle.clone(), shutdown.clone()));
        let when = |rules: &RuleSet| rules.get("a").unwrap().when.source().to_owned();

        // Until the watcher has had its first look, a change may be taken for what was there before.
        for round in 0.. {
            write(&format!("calories > 30{round}"));
            let changed = tokio::time::timeout(LOOK * 3, receiver.changed()).await;
            if changed.is_ok_and(|changed| changed.is_ok()) {
                break;
            }
        }
        assert!(when(&receiver.borrow_and_update()).starts_with("calories > 30"));
        write("calories >");
        handle.wait_until(|handle| handle.count("rule_reloads_refused") == 1).await;
        assert!(when(&receiver.borrow()).starts_with("calories > 30"));
        shutdown.cancel();
        watching.await.unwrap();
    }
}
