//! Making topics that are missing.

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use recipes::topics::TopicSpec;
use tracing::info;

use crate::failure::{Exit, Failure};
use crate::kafka::config::REQUEST_TIMEOUT;
use crate::kafka::connection::Kafka;
use crate::kafka::context::Context;

impl Kafka {
    /// Makes those of the topics that are missing, with the settings `recipes::topics` has for them.
    ///
    /// # Errors
    /// The broker refuses: no right to (exit code 77), or settings it does not take.
    pub async fn ensure_topics(&self, names: &[&str]) -> Result<(), Failure> {
        let partitions = i32::try_from(self.settings().topic_partitions).unwrap_or(i32::MAX);
        let specs: Vec<(TopicSpec, i32)> = names.iter().map(|name| (TopicSpec::of(name), partitions)).collect();
        self.make_missing(&specs).await
    }

    /// Makes a topic that is partitioned as another (which must exist), or adds the partitions it lacks.
    ///
    /// # Errors
    /// As [`Kafka::ensure_topics`].
    pub async fn ensure_partitioned_as(&self, name: &str, other: &str) -> Result<(), Failure> {
        let counts = self.partition_counts().await?;
        let wanted = counts.get(other).copied().unwrap_or(1);
        match counts.get(name) {
            None => self.make_missing(&[(TopicSpec::of(name), wanted)]).await,
            Some(there) if *there < wanted => self.add_partitions(name, wanted).await,
            Some(_) => Ok(()),
        }
    }

    async fn make_missing(&self, specs: &[(TopicSpec, i32)]) -> Result<(), Failure> {
        let there = self.partition_counts().await?;
        let missing: Vec<&(TopicSpec, i32)> =
            specs.iter().filter(|(spec, _)| !there.contains_key(&spec.name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let topics: Vec<NewTopic<'_>> = missing
            .iter()
            // -1: as many replicas as the broker's own default.
            .map(|(spec, partitions)| {
                let topic = NewTopic::new(&spec.name, *partitions, TopicReplication::Fixed(-1));
                spec.config.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
            })
            .collect();
        let results = self.admin()?.create_topics(&topics, &options()).await;
        let results = results.map_err(|error| Failure::unavailable(format!("topics cannot be made: {error}")))?;
        for result in results {
            match result {
                Ok(topic) => info!(service = self.service(), topic, "topic made"),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => return Err(refused(&topic, code)),
            }
        }
        Ok(())
    }

    async fn add_partitions(&self, topic: &str, count: i32) -> Result<(), Failure> {
        let wanted = NewPartitions::new(topic, usize::try_from(count).unwrap_or(1));
        let results = self.admin()?.create_partitions([&wanted], &options()).await;
        let results = results.map_err(|error| Failure::unavailable(format!("partitions cannot be added: {error}")))?;
        for result in results {
            match result {
                Ok(_) => info!(service = self.service(), topic, count, "partitions added"),
                // Another instance was quicker.
                Err((_, RDKafkaErrorCode::InvalidPartitions)) => {}
                Err((topic, code)) => return Err(refused(&topic, code)),
            }
        }
        Ok(())
    }

    fn admin(&self) -> Result<AdminClient<Context>, Failure> {
        let config = self.settings().admin(self.service());
        config.create_with_context(self.context("admin")).map_err(|error| Kafka::wrong_settings(&error))
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT))
}

fn refused(topic: &str, code: RDKafkaErrorCode) -> Failure {
    let exit = match code {
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => Exit::NoPermission,
        _ => Exit::Unavailable,
    };
    Failure::new(
        exit,
        format!("the broker refuses to make topic {topic}: {code}; make it by hand, or allow this user to"),
    )
}
