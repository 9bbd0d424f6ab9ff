//! How far the crawl is, in one line for a terminal.

use std::time::Duration;

use service_kit::progress::Progress;
use tokio_util::sync::CancellationToken;

use crate::status::{SourceStatus, Sources};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// Shows the line until the token is cancelled; does nothing where nobody would see it.
pub async fn show(sources: Sources, shutdown: CancellationToken) {
    let Some(progress) = Progress::open() else { return };
    let mut looks = tokio::time::interval(EVERY);
    while shutdown.run_until_cancelled(looks.tick()).await.is_some() {
        progress.say(line(&sources.all()));
    }
}

fn line(sources: &[SourceStatus]) -> String {
    let sum = |count: fn(&SourceStatus) -> u64| sources.iter().map(count).sum::<u64>();
    let counts = [
        (sum(|source| source.published), "published"),
        (sum(|source| source.unchanged), "unchanged"),
        (sum(|source| source.dead_letters), "dead letters"),
        (sum(|source| source.failures.values().sum()), "failed"),
    ];
    let read = sources.iter().filter(|source| source.last_success.is_some()).count();
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let done = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    format!("{} pages known, {read} of {} sources read{done}", sum(|source| source.pages), sources.len())
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn the_line_counts_over_all_sources_and_leaves_out_what_did_not_happen() {
        let source = SourceStatus { pages: 12, ..SourceStatus::default() };
        assert_eq!(line(std::slice::from_ref(&source)), "12 pages known, 0 of 1 sources read");
        let other = SourceStatus {
            pages: 3,
            published: 2,
            failures: [("timeout", 1), ("status", 2)].into(),
            last_success: Some(OffsetDateTime::UNIX_EPOCH),
            ..SourceStatus::default()
        };
        assert_eq!(line(&[source, other]), "15 pages known, 1 of 2 sources read: 2 published, 3 failed");
    }
}
