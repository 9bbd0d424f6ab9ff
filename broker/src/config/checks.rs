//! What must hold between settings (`KafkaConfig.validateValues` and the coordinators' own checks).

use super::broker::{BrokerConfig, GroupSettings};
use super::reader::Reader;

type Problems = Vec<(&'static str, String)>;

pub(super) fn check(config: &BrokerConfig, reader: &Reader<'_>, problems: &mut Problems, warnings: &mut Vec<String>) {
    check_network(config, problems);
    check_logs(config, reader, problems);
    check_groups(&config.groups, problems);
    check_roles(config, reader, problems, warnings);
    check_authorizer(reader, problems, warnings);
}

fn check_network(config: &BrokerConfig, problems: &mut Problems) {
    let network = &config.network;
    let overrides = &network.max_connections_per_ip_overrides;
    if network.max_connections_per_ip == 0 && overrides.is_empty() {
        let text = "requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.";
        problems.push(("max.connections.per.ip", text.to_owned()));
    }
    for entry in overrides.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let count = entry.rsplit_once(':').and_then(|(_, count)| count.trim().parse::<u32>().ok());
        if count.is_none() {
            let text = format!(
                "max.connections.per.ip.overrides: {entry} is no entry; write address:count, separated by commas"
            );
            problems.push(("max.connections.per.ip.overrides", text));
        }
    }
    let bytes = network.queued_max_request_bytes;
    if bytes > 0 && bytes < i64::from(network.socket_request_max_bytes) {
        let text = "requirement failed: queued.max.request.bytes must be larger or equal to socket.request.max.bytes";
        problems.push(("queued.max.request.bytes", text.to_owned()));
    }
}

fn check_logs(config: &BrokerConfig, reader: &Reader<'_>, problems: &mut Problems) {
    let log = &config.topic_defaults.log;
    if log.retention_ms == 0 {
        let name = ["log.retention.ms", "log.retention.minutes", "log.retention.hours"]
            .into_iter()
            .find(|name| reader.set(name).is_some());
        let text = "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1";
        problems.push((name.unwrap_or("log.retention.ms"), text.to_owned()));
    }
    if log.segment_ms < 1 {
        problems.push(("log.roll.ms", "requirement failed: log.roll.ms must be greater than or equal to 1".to_owned()));
    }
    if log.segment_jitter_ms < 0 {
        problems.push((
            "log.roll.jitter.ms",
            "requirement failed: log.roll.jitter.ms must be greater than or equal to 0".to_owned(),
        ));
    }
    let cleaner = &config.cleaner;
    let threads = i64::from(cleaner.log_cleaner_threads.max(1));
    if cleaner.log_cleaner_enable && cleaner.log_cleaner_dedupe_buffer_size / threads <= 1024 * 1024 {
        let text = "requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.";
        problems.push(("log.cleaner.dedupe.buffer.size", text.to_owned()));
    }
    let cordoned = reader.set("cordoned.log.dirs").unwrap_or("").split(',').map(str::trim);
    let strangers: Vec<_> = cordoned
        .filter(|dir| !dir.is_empty() && *dir != "*" && !config.log_dirs.iter().any(|known| known.as_os_str() == *dir))
        .collect();
    if !strangers.is_empty() {
        let text = format!(
            "requirement failed: All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing \
             entries : {}",
            strangers.join(", ")
        );
        problems.push(("cordoned.log.dirs", text));
    }
    let codec = config.offsets.offsets_topic_compression_codec;
    if !(0..=4).contains(&codec) {
        problems.push(("offsets.topic.compression.codec", format!("Unknown compression type id: {codec}")));
    }
}

fn check_groups(groups: &GroupSettings, problems: &mut Problems) {
    for (name, value, (min_name, min), (max_name, max)) in [
        (
            "group.consumer.session.timeout.ms",
            groups.group_consumer_session_timeout_ms,
            ("group.consumer.min.session.timeout.ms", groups.group_consumer_min_session_timeout_ms),
            ("group.consumer.max.session.timeout.ms", groups.group_consumer_max_session_timeout_ms),
        ),
        (
            "group.consumer.heartbeat.interval.ms",
            groups.group_consumer_heartbeat_interval_ms,
            ("group.consumer.min.heartbeat.interval.ms", groups.group_consumer_min_heartbeat_interval_ms),
            ("group.consumer.max.heartbeat.interval.ms", groups.group_consumer_max_heartbeat_interval_ms),
        ),
        (
            "group.consumer.assignment.interval.ms",
            groups.group_consumer_assignment_interval_ms,
            ("group.consumer.min.assignment.interval.ms", groups.group_consumer_min_assignment_interval_ms),
            ("group.consumer.max.assignment.interval.ms", groups.group_consumer_max_assignment_interval_ms),
        ),
    ] {
        if max < min {
            problems.push((max_name, format!("{max_name} must be greater than or equal to {min_name}")));
        } else if value < min {
            problems.push((name, format!("{name} must be greater than or equal to {min_name}")));
        } else if value > max {
            problems.push((name, format!("{name} must be less than or equal to {max_name}")));
        }
    }
    if !groups.group_coordinator_rebalance_protocols.iter().any(|protocol| protocol == "classic") {
        let text = "Disabling the 'classic' protocol is not supported.";
        problems.push(("group.coordinator.rebalance.protocols", text.to_owned()));
    }
    for assignor in &groups.group_consumer_assignors {
        if !matches!(assignor.as_str(), "uniform" | "range") {
            let text = format!(
                "group.consumer.assignors: {assignor} is none that is built in, and Java classes cannot be loaded; \
                 use uniform, range or both"
            );
            problems.push(("group.consumer.assignors", text));
        }
    }
}

fn check_roles(config: &BrokerConfig, reader: &Reader<'_>, problems: &mut Problems, warnings: &mut Vec<String>) {
    let roles = reader.set("process.roles").unwrap_or("");
    if !roles.is_empty() && !roles.contains("broker") {
        let text = "process.roles: this program cannot be only a controller; write broker,controller".to_owned();
        problems.push(("process.roles", text));
    }
    let voters = reader.set("controller.quorum.voters").unwrap_or("");
    let others = voters
        .split(',')
        .filter_map(|voter| voter.trim().split_once('@'))
        .filter(|(id, _)| id.parse() != Ok(config.node_id))
        .count();
    if others > 0 {
        warnings.push(format!(
            "controller.quorum.voters names {others} other nodes: this broker is a cluster of its own and will not join them"
        ));
    }
}

/// A broker that somebody believes protected must not start open.
fn check_authorizer(reader: &Reader<'_>, problems: &mut Problems, warnings: &mut Vec<String>) {
    if reader.set("authorizer.class.name").is_none_or(|class| class.trim().is_empty()) {
        return;
    }
    let open =
        reader.set("allow.everyone.if.no.acl.found").is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
    if open {
        warnings.push(
            "authorizer.class.name: access control lists are not enforced; every client may do everything".to_owned(),
        );
    } else {
        let text =
            "authorizer.class.name: this broker does not enforce access control lists yet; remove the setting to \
                    serve every client, or run Apache Kafka"
                .to_owned();
        problems.push(("authorizer.class.name", text));
    }
}
