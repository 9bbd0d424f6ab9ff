//! What can be measured at any moment rather than counted as it happens, for `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use tokio_util::sync::CancellationToken;

use crate::groups::ListFilter;
use crate::node::Node;
use crate::observability::metrics::{GROUPS, LOG_BYTES, LOG_DIRECTORIES_OFFLINE, PARTITIONS, TOPICS};

/// How often it is measured: as often as Prometheus scrapes at most.
const INTERVAL: Duration = Duration::from_secs(5);

/// Measures until `stop`.
pub async fn run(node: Arc<Node>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => measure(&node),
        }
    }
}

fn measure(node: &Node) {
    measure_groups(node);
    let image = node.controller.image();
    gauge!(TOPICS).set(image.topics.len() as f64);
    gauge!(PARTITIONS).set(image.topics.partition_count() as f64);
    let partitions = node.replicas.all();
    let mut bytes: BTreeMap<&Arc<str>, u64> = BTreeMap::new();
    for partition in &partitions {
        *bytes.entry(partition.topic()).or_default() += partition.log().size();
    }
    for (topic, bytes) in bytes {
        gauge!(LOG_BYTES, "topic" => topic.to_string()).set(bytes as f64);
    }
    let failed = |volume: &&crate::replica::Volume| {
        let here = |folder: std::path::PathBuf| folder.parent() == Some(volume.dir.path());
        partitions.iter().any(|partition| partition.log().is_offline() && here(partition.log().folder()))
    };
    gauge!(LOG_DIRECTORIES_OFFLINE).set(node.replicas.volumes().iter().filter(failed).count() as f64);
}

/// Every protocol with every state that its groups may be in: one that has none left shows 0.
const GROUP_STATES: [(&str, &[&str]); 2] = [
    ("classic", &["Empty", "PreparingRebalance", "CompletingRebalance", "Stable"]),
    ("consumer", &["Empty", "Assigning", "Reconciling", "Stable"]),
];

fn measure_groups(node: &Node) {
    // While a partition is loading nobody knows; the next measurement will.
    let Ok(groups) = node.groups.list_groups(&ListFilter::default()) else { return };
    for (protocol, states) in GROUP_STATES {
        for state in states {
            let count = groups.iter().filter(|group| group.group_type == protocol && group.state == *state).count();
            gauge!(GROUPS, "protocol" => protocol, "state" => *state).set(count as f64);
        }
    }
}
