//! A data directory and the controllers that live in it one after the other.

use std::path::Path;
use std::sync::Arc;

use commitlog::Env;

use crate::metadata::{
    ApiError, ConfigChange, ConfigResource, ConfigResourceKind, ConfigRules, Configs, Controller, Directory, Endpoint,
    Image, MetadataLogSettings, NewTopic, Options, TopicDefaults,
};

/// Three configs, checked as Kafka would.
pub(super) struct FewConfigs;

impl ConfigRules for FewConfigs {
    fn check(&self, resource: &ConfigResource, _: &Configs, after: &Configs, _: &Image) -> Result<(), ApiError> {
        if resource.kind != ConfigResourceKind::Topic {
            return Ok(());
        }
        let invalid = |message| Err(ApiError::new(wire::ErrorCode::InvalidConfig, message));
        for (name, value) in after {
            match name.as_str() {
                "retention.ms" if value.parse::<i64>().is_err() => {
                    return invalid(format!(
                        "Invalid value {value} for configuration {name}: Not a number of type LONG"
                    ));
                }
                "retention.ms" | "cleanup.policy" | "min.insync.replicas" => {}
                _ => return invalid(format!("Unknown topic config name: {name}")),
            }
        }
        Ok(())
    }

    fn check_broker(&self, _: &ConfigResource, _: &[ConfigChange], _: bool, _: &Image) -> Result<(), ApiError> {
        Ok(())
    }

    fn is_list(&self, resource: &ConfigResource, name: &str) -> bool {
        resource.kind == ConfigResourceKind::Topic && name == "cleanup.policy"
    }

    fn default_value(&self, _: &ConfigResource, name: &str) -> Option<String> {
        (name == "cleanup.policy").then(|| "delete".to_owned())
    }
}

pub(super) fn options(path: &Path, previous_broker_epoch: Option<i64>) -> Options {
    let directory = Directory::open(path, 1, None).unwrap();
    let endpoint = |listener: &str, port| Endpoint {
        listener: listener.to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        security_protocol: 0,
    };
    Options {
        log_dirs: vec![directory.directory_id],
        directory,
        env: Env::new(64),
        endpoints: vec![endpoint("PLAINTEXT", 9092)],
        controller_endpoints: vec![endpoint("CONTROLLER", 9093)],
        rack: None,
        previous_broker_epoch,
        defaults: TopicDefaults::default(),
        min_insync_replicas: 1,
        log: MetadataLogSettings::default(),
        rules: Arc::new(FewConfigs),
    }
}

/// Starts as after a kill, or for the first time.
pub(super) fn start(path: &Path) -> Controller {
    Controller::start(options(path, None)).unwrap()
}

/// Starts as after a clean stop at that broker epoch.
pub(super) fn restart(path: &Path, epoch: i64) -> Controller {
    Controller::start(options(path, Some(epoch))).unwrap()
}

pub(super) fn topic(name: &str, num_partitions: i32) -> NewTopic {
    NewTopic { name: name.to_owned(), num_partitions, replication_factor: -1, ..NewTopic::default() }
}

pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(super) fn create(controller: &Controller, topics: Vec<NewTopic>) {
    for result in block_on(controller.create_topics(topics, false)).unwrap() {
        result.outcome.unwrap();
    }
}

/// An image without what differs from run to run: offset, epochs, incarnations.
pub(super) fn contents(image: &Image) -> Vec<String> {
    let mut lines = Vec::new();
    image
        .write_records(|record| {
            use crate::metadata::MetadataRecord as Record;
            match record {
                Record::RegisterBroker(_) | Record::RegisterController(_) => {}
                Record::Partition(mut record) => {
                    (record.leader_epoch, record.partition_epoch, record.leader_recovery_state) = (0, 0, 0);
                    lines.push(format!("{record:?}"));
                }
                record => lines.push(format!("{record:?}")),
            }
            Ok::<_, std::convert::Infallible>(())
        })
        .unwrap();
    lines.sort();
    lines
}
