//! Tells of the sources on `crawl_sources`, for the live page, and in metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use recipes::{SourceFailure, SourceReport, topics};
use service_kit::kafka::{Output, Producer};
use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::status::{SourceStatus, Sources};

/// How often it is looked for changes.
const LOOK: Duration = Duration::from_secs(2);
/// How often a source is told of without one: readers know a producer that is gone by its silence.
const RENEW: Duration = Duration::from_secs(60);
/// Longest wait for the last word.
const LAST: Duration = Duration::from_secs(2);

/// What was last told of each source, and when.
type Told = BTreeMap<String, (SourceReport, Instant)>;

/// Tells until the token is cancelled, and then how it ended.
pub(crate) async fn report(sources: Sources, producer: Producer, instance: String, until: CancellationToken) {
    let mut told = Told::new();
    loop {
        let news = news(&sources.all(), &instance, &mut told, Instant::now());
        tokio::select! {
            () = send(&producer, news) => {}
            () = until.cancelled() => break,
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = until.cancelled() => break,
        }
    }
    told.clear();
    let last = send(&producer, news(&sources.all(), &instance, &mut told, Instant::now()));
    if tokio::time::timeout(LAST, last).await.is_err() {
        warn!("the broker does not answer: the live page does not know how the crawl ended");
    }
}

async fn send(producer: &Producer, news: Vec<Output>) {
    for output in news {
        if let Err(error) = producer.send(output).await {
            warn!(%error, "the live page is not told of a source");
        }
    }
}

/// Records for the sources that changed or were not told of for long, and for those that are no more.
fn news(sources: &[SourceStatus], instance: &str, told: &mut Told, now: Instant) -> Vec<Output> {
    let mut news = Vec::new();
    told.retain(|name, _| {
        let stays = sources.iter().any(|status| status.name == *name);
        if !stays {
            news.push(Output::to(topics::CRAWL_SOURCES).key(SourceReport::key_of(instance, name)));
        }
        stays
    });
    for status in sources {
        let report = report_of(status, instance);
        if told.get(&status.name).is_some_and(|(last, at)| *last == report && now - *at < RENEW) {
            continue;
        }
        measure(&report);
        let stamped = SourceReport { reported_at: Some(OffsetDateTime::now_utc()), ..report.clone() };
        // Times of today have a form.
        news.extend(
            stamped.to_json().ok().map(|json| Output::to(topics::CRAWL_SOURCES).key(stamped.key()).value(json)),
        );
        told.insert(status.name.clone(), (report, now));
    }
    news
}

fn report_of(status: &SourceStatus, instance: &str) -> SourceReport {
    let last = status.last_failures.last();
    SourceReport {
        source: status.name.clone(),
        instance: instance.to_owned(),
        kind: status.kind.to_owned(),
        address: status.address.clone(),
        pages: status.pages,
        published: status.published,
        unchanged: status.unchanged,
        dead_letters: status.dead_letters,
        failures: status.failures.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect(),
        last_failure: last.map(|last| SourceFailure { url: last.url.clone(), reason: last.reason.clone() }),
        last_success: status.last_success,
        next_visit: status.next_visit,
        reported_at: None,
    }
}

/// `pipeline_source_last_success_timestamp_seconds{source}` and `pipeline_source_next_visit_timestamp_seconds{source}`.
fn measure(report: &SourceReport) {
    let times = [
        ("pipeline_source_last_success_timestamp_seconds", report.last_success),
        ("pipeline_source_next_visit_timestamp_seconds", report.next_visit),
    ];
    for (name, at) in times.into_iter().filter_map(|(name, at)| Some((name, at?))) {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        metrics::gauge!(name, "source" => report.source.clone()).set(at.unix_timestamp() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_and_the_rest_once_a_minute() {
        let status = |name: &str| SourceStatus { name: name.to_owned(), kind: "list", ..SourceStatus::default() };
        let (mut a, b) = (status("a"), status("b"));
        let (mut told, start) = (Told::new(), Instant::now());
        let mut of = |sources: &[SourceStatus], seconds| {
            news(sources, "me", &mut told, start + Duration::from_secs(seconds)).len()
        };
        assert_eq!([of(&[a.clone(), b.clone()], 0), of(&[a.clone(), b.clone()], 2)], [2, 0]);
        a.pages = 3;
        assert_eq!(of(&[a.clone(), b.clone()], 4), 1);
        assert_eq!([of(&[a.clone(), b.clone()], 60), of(&[a.clone(), b], 64)], [1, 1]);
        // A source that is no more is told of by a record without a value.
        let gone = news(&[a], "me", &mut told, start + Duration::from_secs(65));
        assert_eq!(gone, [Output::to(topics::CRAWL_SOURCES).key("me b")]);
    }
}
