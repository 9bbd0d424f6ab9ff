//! Every metric of the broker, with its unit and labels, and handles on those that requests touch.
//!
//! | Metric | Labels | |
//! |---|---|---|
//! | `broker_requests_total` | `api` | requests answered |
//! | `broker_request_errors_total` | `api`, `error` | error codes in answers, one for each part that failed |
//! | `broker_request_seconds` | `api` | from the last byte of a request to the answer handed to the socket |
//! | `broker_request_bytes_total`, `broker_response_bytes_total` | `api` | bytes of frames |
//! | `broker_connections` | `listener` | open connections |
//! | `broker_connections_accepted_total` | `listener` | connections accepted |
//! | `broker_connections_refused_total` | `listener`, `reason` | connections closed for a limit |
//! | `broker_produced_bytes_total`, `broker_produced_records_total` | `topic` | appended |
//! | `broker_fetched_bytes_total` | `topic` | sent to consumers |
//! | `broker_topics`, `broker_partitions` | | as metadata has them |
//! | `broker_log_bytes` | `topic` | size of the logs on disk |
//! | `broker_log_directories_offline` | | directories that failed |
//! | `broker_flush_seconds` | | one fsync of a log |
//! | `broker_groups` | `protocol`, `state` | groups of the coordinator |
//! | `broker_rebalances_total` | `protocol` | generations of classic groups, target assignments of consumer groups |
//! | `broker_offset_commits_total` | | partitions committed |
//! | `broker_transactions_total` | `outcome` | completed |
//! | `broker_start_seconds` | | from the start of the process until it was ready |
//! | `broker_build_info` | `version` | always 1 |
//! | `process_*` | | as Prometheus' client libraries name them |

use std::sync::OnceLock;

use metrics::{Counter, Gauge, Histogram, Unit, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use wire::{ApiKey, ErrorCode};

/// Requests answered; label `api`.
pub const REQUESTS: &str = "broker_requests_total";
/// Answers with an error code at their top; labels `api`, `error`.
pub const REQUEST_ERRORS: &str = "broker_request_errors_total";
/// Seconds from a request's last byte to its answer; label `api`.
pub const REQUEST_SECONDS: &str = "broker_request_seconds";
/// Bytes of requests; label `api`.
pub const REQUEST_BYTES: &str = "broker_request_bytes_total";
/// Bytes of answers; label `api`.
pub const RESPONSE_BYTES: &str = "broker_response_bytes_total";
/// Open connections; label `listener`.
pub const CONNECTIONS: &str = "broker_connections";
/// Connections accepted; label `listener`.
pub const CONNECTIONS_ACCEPTED: &str = "broker_connections_accepted_total";
/// Connections closed for a limit; labels `listener`, `reason`.
pub const CONNECTIONS_REFUSED: &str = "broker_connections_refused_total";
/// Bytes appended; label `topic`.
pub const PRODUCED_BYTES: &str = "broker_produced_bytes_total";
/// Records appended; label `topic`.
pub const PRODUCED_RECORDS: &str = "broker_produced_records_total";
/// Bytes sent to consumers; label `topic`.
pub const FETCHED_BYTES: &str = "broker_fetched_bytes_total";
/// Topics.
pub const TOPICS: &str = "broker_topics";
/// Partitions.
pub const PARTITIONS: &str = "broker_partitions";
/// Bytes on disk; label `topic`.
pub const LOG_BYTES: &str = "broker_log_bytes";
/// Log directories that failed.
pub const LOG_DIRECTORIES_OFFLINE: &str = "broker_log_directories_offline";
/// Seconds of one fsync of a log.
pub const FLUSH_SECONDS: &str = "broker_flush_seconds";
/// Groups; labels `protocol`, `state`.
pub const GROUPS: &str = "broker_groups";
/// Rebalances completed; label `protocol`.
pub const REBALANCES: &str = "broker_rebalances_total";
/// Partitions whose offset was committed.
pub const OFFSET_COMMITS: &str = "broker_offset_commits_total";
/// Transactions completed; label `outcome` (`commit`, `abort`).
pub const TRANSACTIONS: &str = "broker_transactions_total";
/// Seconds from the start of the process until the broker was ready.
pub const START_SECONDS: &str = "broker_start_seconds";
/// Always 1; label `version`.
pub const BUILD_INFO: &str = "broker_build_info";

const SECONDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Makes this process's recorder, the first time it is called.
///
/// `None` where the process has one already: then that one gets the broker's metrics, and serves them.
pub fn install() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let make = || {
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS).ok()?;
        let handle = builder.install_recorder().ok()?;
        describe();
        gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Some(handle)
    };
    RECORDER.get_or_init(make).as_ref()
}

fn describe() {
    for (name, unit, text) in [
        (REQUESTS, Unit::Count, "Requests answered"),
        (REQUEST_ERRORS, Unit::Count, "Answers with an error code at their top"),
        (REQUEST_BYTES, Unit::Bytes, "Bytes of requests"),
        (RESPONSE_BYTES, Unit::Bytes, "Bytes of answers"),
        (CONNECTIONS_ACCEPTED, Unit::Count, "Connections accepted"),
        (CONNECTIONS_REFUSED, Unit::Count, "Connections closed for a limit"),
        (PRODUCED_BYTES, Unit::Bytes, "Bytes appended"),
        (PRODUCED_RECORDS, Unit::Count, "Records appended"),
        (FETCHED_BYTES, Unit::Bytes, "Bytes sent to consumers"),
        (REBALANCES, Unit::Count, "Rebalances completed"),
        (OFFSET_COMMITS, Unit::Count, "Partitions whose offset was committed"),
        (TRANSACTIONS, Unit::Count, "Transactions completed"),
    ] {
        metrics::describe_counter!(name, unit, text);
    }
    for (name, unit, text) in [
        (CONNECTIONS, Unit::Count, "Open connections"),
        (TOPICS, Unit::Count, "Topics"),
        (PARTITIONS, Unit::Count, "Partitions"),
        (LOG_BYTES, Unit::Bytes, "Size of the logs on disk"),
        (LOG_DIRECTORIES_OFFLINE, Unit::Count, "Log directories that failed"),
        (GROUPS, Unit::Count, "Groups of the coordinator"),
        (START_SECONDS, Unit::Seconds, "From the start of the process until the broker was ready"),
        (BUILD_INFO, Unit::Count, "Always 1, with the version"),
    ] {
        metrics::describe_gauge!(name, unit, text);
    }
    metrics::describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "From a request's last byte to its answer");
    metrics::describe_histogram!(FLUSH_SECONDS, Unit::Seconds, "One fsync of a log");
}

/// Handles for one API, made once: looking a metric up by its labels costs more than counting.
#[derive(Clone)]
pub struct ApiMetrics {
    requests: Counter,
    request_bytes: Counter,
    response_bytes: Counter,
    seconds: Histogram,
}

impl ApiMetrics {
    /// Those of `api`, by its name (`Produce`).
    #[must_use]
    pub fn new(api: &'static str) -> Self {
        Self {
            requests: counter!(REQUESTS, "api" => api),
            request_bytes: counter!(REQUEST_BYTES, "api" => api),
            response_bytes: counter!(RESPONSE_BYTES, "api" => api),
            seconds: histogram!(REQUEST_SECONDS, "api" => api),
        }
    }

    /// Counts one answer.
    pub fn answered(&self, seconds: f64, request_bytes: usize, response_bytes: usize) {
        self.requests.increment(1);
        self.request_bytes.increment(request_bytes as u64);
        self.response_bytes.increment(response_bytes as u64);
        self.seconds.record(seconds);
    }
}

/// Handles for all APIs that are served, found by an API's number.
#[derive(Debug)]
pub struct RequestMetrics(Vec<Option<ApiMetrics>>);

impl RequestMetrics {
    /// Those of `apis`.
    #[must_use]
    pub fn new(apis: impl Iterator<Item = ApiKey>) -> Self {
        let mut handles = Vec::new();
        for api in apis {
            let at = usize::try_from(api.key()).unwrap_or(0);
            if handles.len() <= at {
                handles.resize_with(at + 1, || None);
            }
            handles[at] = Some(ApiMetrics::new(api.name()));
        }
        Self(handles)
    }

    /// Counts one answer; a number that is no API's is none.
    pub fn answered(&self, api_key: i16, seconds: f64, request_bytes: usize, response_bytes: usize) {
        let known = usize::try_from(api_key).ok().and_then(|at| self.0.get(at)?.as_ref());
        if let Some(known) = known {
            known.answered(seconds, request_bytes, response_bytes);
        }
    }
}

/// Counts an error code in an answer.
pub fn request_failed(api: ApiKey, code: i16) {
    // Only codes of Kafka's come from here; a client cannot make up labels.
    let error = ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError);
    counter!(REQUEST_ERRORS, "api" => api.name(), "error" => error.name()).increment(1);
}

/// Handles for one topic.
#[derive(Clone)]
pub struct TopicMetrics {
    /// Bytes appended.
    pub produced_bytes: Counter,
    /// Records appended.
    pub produced_records: Counter,
    /// Bytes sent to consumers.
    pub fetched_bytes: Counter,
}

impl TopicMetrics {
    /// Those of `topic`.
    #[must_use]
    pub fn new(topic: &str) -> Self {
        let topic = topic.to_owned();
        Self {
            produced_bytes: counter!(PRODUCED_BYTES, "topic" => topic.clone()),
            produced_records: counter!(PRODUCED_RECORDS, "topic" => topic.clone()),
            fetched_bytes: counter!(FETCHED_BYTES, "topic" => topic),
        }
    }
}

/// Handles for one listener.
#[derive(Clone)]
pub struct ListenerMetrics {
    listener: String,
    open: Gauge,
    accepted: Counter,
}

impl ListenerMetrics {
    /// Those of `listener`.
    #[must_use]
    pub fn new(listener: &str) -> Self {
        let open = gauge!(CONNECTIONS, "listener" => listener.to_owned());
        let accepted = counter!(CONNECTIONS_ACCEPTED, "listener" => listener.to_owned());
        Self { listener: listener.to_owned(), open, accepted }
    }

    /// Counts a connection until what is returned is dropped.
    pub fn opened(&self) -> OpenConnection {
        self.accepted.increment(1);
        self.open.increment(1.0);
        OpenConnection(self.open.clone())
    }

    /// Counts a connection closed for a limit.
    pub fn refused(&self, reason: &'static str) {
        counter!(CONNECTIONS_REFUSED, "listener" => self.listener.clone(), "reason" => reason).increment(1);
    }
}

/// An open connection.
#[must_use]
pub struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

macro_rules! opaque_debug {
    ($($type:ident),*) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type)).finish_non_exhaustive()
            }
        }
    )*};
}
opaque_debug!(ApiMetrics, TopicMetrics, ListenerMetrics, OpenConnection);
