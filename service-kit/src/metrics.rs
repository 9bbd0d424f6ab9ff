//! Prometheus metrics: the names the kit uses, and the process's one recorder.
//!
//! | Metric | Labels | |
//! |---|---|---|
//! | `pipeline_<counter>_total` | `service` | each [`crate::Counter`] |
//! | `pipeline_<gauge>` | `service` | each [`crate::Gauge`] |
//! | `pipeline_batch_seconds` | `service`, `group` | from the first record of a batch to its commit |
//! | `pipeline_lag_records` | `service`, `group`, `topic`, `partition` | records not yet processed |
//! | `pipeline_ready` | `service` | 1 when `/health/ready` says so |

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds from the first record of a batch to its commit.
pub const BATCH_SECONDS: &str = "pipeline_batch_seconds";
/// Records of a partition not yet processed.
pub const LAG_RECORDS: &str = "pipeline_lag_records";
/// 1 when the service is ready.
pub const READY: &str = "pipeline_ready";

const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Makes the process's recorder the first time it is called; all services of a process share it and tell their
/// metrics apart by the label `service`. Call it before the first [`crate::Handle`] is made.
pub fn install() {
    recorder();
}

/// The text that Prometheus reads.
#[must_use]
pub fn render() -> String {
    let Some(recorder) = recorder() else { return String::new() };
    recorder.run_upkeep();
    recorder.render()
}

fn recorder() -> Option<&'static PrometheusHandle> {
    let make = || {
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS).ok()?;
        // Fails when the program that embeds us has a recorder of its own: then that one has our metrics.
        builder.install_recorder().ok()
    };
    RECORDER.get_or_init(make).as_ref()
}
