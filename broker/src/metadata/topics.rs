//! Making and deleting topics, and adding partitions (`ReplicationControlManager` and `ControllerApis` in Kafka).
//!
//! Pure: each takes the image as it is and gives the records that change it, and the answers.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;
use wire::ErrorCode;
use wire::metadata::{ConfigRecord, MetadataRecord, PartitionRecord, RemoveTopicRecord, TopicRecord};

use super::Context;
use super::ids::random_id;
use super::image::{ConfigResource, ConfigResourceKind, Configs, Image};
use super::request::{
    ApiError, CreatePartitionsResult, CreateTopicResult, CreatedTopic, DeleteTopicResult, NewPartitions, NewTopic,
    TopicSelector,
};
use super::topic_name::{check_topic_name, collision};

/// The most partitions, and the most records, that one request may make (`QuorumController.MAX_RECORDS_PER_USER_OP`).
pub(super) const MAX_RECORDS_PER_REQUEST: usize = 10_000;
/// The one topic that nobody may make.
const CLUSTER_METADATA: &str = "__cluster_metadata";

type Records = Vec<MetadataRecord<'static>>;

/// Topics to make. The answers come as Kafka orders them: topics in request order, then names that stand twice, then
/// the metadata topic.
pub(super) fn create(context: &Context, image: &Image, topics: &[NewTopic]) -> (Records, Vec<CreateTopicResult>) {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for topic in topics {
        *times.entry(&topic.name).or_default() += 1;
    }
    let single = |topic: &&NewTopic| times[topic.name.as_str()] == 1 && topic.name != CLUSTER_METADATA;
    let wanted: Vec<&NewTopic> = topics.iter().filter(single).collect();
    let refuse_all = |message: &str| {
        let error = ApiError::new(ErrorCode::PolicyViolation, message);
        let refused = |topic: &NewTopic| CreateTopicResult { name: topic.name.clone(), outcome: Err(error.clone()) };
        (Records::new(), topics.iter().map(refused).collect())
    };
    if wanted.iter().map(|topic| asked_partitions(context, topic)).sum::<usize>() > MAX_RECORDS_PER_REQUEST {
        return refuse_all("Excessively large number of partitions per request.");
    }
    let (mut records, mut results) = (Records::new(), Vec::new());
    for topic in wanted {
        let outcome = create_one(context, image, topic).map(|(created, more)| {
            records.extend(more);
            created
        });
        results.push(CreateTopicResult { name: topic.name.clone(), outcome });
    }
    if records.len() > MAX_RECORDS_PER_REQUEST {
        return refuse_all("Unable to perform excessively large batch operation.");
    }
    let invalid = |name: &str, message: &str| CreateTopicResult {
        name: name.to_owned(),
        outcome: Err(ApiError::new(ErrorCode::InvalidRequest, message)),
    };
    let twice: BTreeSet<&str> = times.iter().filter(|(_, times)| **times > 1).map(|(name, _)| *name).collect();
    results.extend(twice.iter().map(|name| invalid(name, "Duplicate topic name.")));
    if times.get(CLUSTER_METADATA) == Some(&1) {
        let message = format!("Creation of internal topic {CLUSTER_METADATA} is prohibited.");
        results.push(invalid(CLUSTER_METADATA, &message));
    }
    (records, results)
}

/// How many partitions a topic asks for; what is not valid asks for none.
fn asked_partitions(context: &Context, topic: &NewTopic) -> usize {
    match topic.num_partitions {
        _ if !topic.assignments.is_empty() => topic.assignments.len(),
        -1 => usize::try_from(context.defaults.num_partitions).unwrap_or(0),
        count => usize::try_from(count).unwrap_or(0),
    }
}

fn create_one(context: &Context, image: &Image, topic: &NewTopic) -> Result<(CreatedTopic, Records), ApiError> {
    check_topic_name(&topic.name)?;
    if image.topic(&topic.name).is_some() {
        let message = format!("Topic '{}' already exists.", topic.name);
        return Err(ApiError::new(ErrorCode::TopicAlreadyExists, message));
    }
    if let Some(other) = collision(&topic.name, image) {
        let message = format!("Topic '{}' collides with existing topic: {other}", topic.name);
        return Err(ApiError::new(ErrorCode::InvalidTopicException, message));
    }
    let configs = initial_configs(context, image, topic)?;
    let partitions = if topic.assignments.is_empty() {
        partitions_by_default(context, topic)?
    } else {
        partitions_by_hand(context, topic)?
    };
    let id = random_id();
    let mut records: Records =
        vec![TopicRecord { name: topic.name.clone().into(), topic_id: id, ..Default::default() }.into()];
    records.extend(configs.into_iter().map(|(name, value)| {
        let resource_name = topic.name.clone().into();
        let resource_type = ConfigResourceKind::Topic as i8;
        let (name, value) = (name.into(), Some(value.into()));
        ConfigRecord { resource_type, resource_name, name, value, ..Default::default() }.into()
    }));
    let mut directories = DirectoryChoice::new(context, image);
    records.extend((0..partitions).map(|index| new_partition(context, id, index, directories.next())));
    let created = CreatedTopic { id, num_partitions: partitions, replication_factor: 1 };
    Ok((created, records))
}

fn initial_configs(context: &Context, image: &Image, topic: &NewTopic) -> Result<Configs, ApiError> {
    let nulls: Vec<&str> =
        topic.configs.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(ApiError::new(ErrorCode::InvalidConfig, message));
    }
    // Of a config that stands twice the last one counts.
    let configs: Configs =
        topic.configs.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    let resource = ConfigResource::topic(&topic.name);
    context.rules.check(&resource, &Configs::new(), &configs, image)?;
    Ok(configs)
}

fn partitions_by_default(context: &Context, topic: &NewTopic) -> Result<i32, ApiError> {
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        let message = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, message));
    }
    if topic.num_partitions < -1 || topic.num_partitions == 0 {
        let message = "Number of partitions was set to an invalid non-positive value.";
        return Err(ApiError::new(ErrorCode::InvalidPartitions, message));
    }
    let or_default = |asked: i32, default: i32| if asked == -1 { default } else { asked };
    let factor = or_default(topic.replication_factor.into(), context.defaults.replication_factor.into());
    if factor > 1 {
        let message = format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be \
             reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned."
        );
        return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, message));
    }
    Ok(or_default(topic.num_partitions, context.defaults.num_partitions))
}

fn partitions_by_hand(context: &Context, topic: &NewTopic) -> Result<i32, ApiError> {
    let invalid = |what: &str| {
        let message = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err(ApiError::new(ErrorCode::InvalidRequest, message))
    };
    if topic.replication_factor != -1 {
        return invalid("replication factor");
    }
    if topic.num_partitions != -1 {
        return invalid("numPartitions");
    }
    let mut seen = HashSet::new();
    for (partition, brokers) in &topic.assignments {
        if !seen.insert(*partition) {
            let message = format!("Found multiple manual partition assignments for partition {partition}");
            return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message));
        }
        check_assignment(context, brokers)?;
    }
    let count = i32::try_from(seen.len()).unwrap_or(i32::MAX);
    if !(0..count).all(|partition| seen.contains(&partition)) {
        let message = "partitions should be a consecutive 0-based integer sequence";
        return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message));
    }
    Ok(count)
}

/// Here the only valid assignment is this broker, once.
pub(super) fn check_assignment(context: &Context, brokers: &[i32]) -> Result<(), ApiError> {
    let refuse = |what: String| {
        let message = format!("The manual partition assignment includes {what}");
        Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message))
    };
    if brokers.is_empty() {
        return refuse("an empty replica list.".to_owned());
    }
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    let mut previous = None;
    for broker in sorted {
        if broker != context.node_id {
            return refuse(format!("broker {broker}, but no such broker is registered."));
        }
        if previous == Some(broker) {
            return refuse(format!("the broker {broker} more than once."));
        }
        previous = Some(broker);
    }
    Ok(())
}

fn new_partition(context: &Context, topic: Uuid, index: i32, directory: Uuid) -> MetadataRecord<'static> {
    let record = PartitionRecord {
        partition_id: index,
        topic_id: topic,
        replicas: vec![context.node_id],
        isr: vec![context.node_id],
        leader: context.node_id,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: if context.names_directories() { vec![directory] } else { Vec::new() },
        ..Default::default()
    };
    record.into()
}

/// Spreads new partitions over the log directories: each goes where the fewest are.
struct DirectoryChoice {
    counts: Vec<(usize, Uuid)>,
}

impl DirectoryChoice {
    fn new(context: &Context, image: &Image) -> Self {
        let usable = image.broker(context.node_id).map(|broker| &broker.log_dirs).filter(|dirs| !dirs.is_empty());
        let is_usable = |id: &&Uuid| usable.is_none_or(|dirs| dirs.contains(id));
        let mut counts: Vec<(usize, Uuid)> = context.log_dirs.iter().filter(is_usable).map(|id| (0, *id)).collect();
        // With one directory, the rule, there is nothing to count.
        if counts.len() > 1 {
            for partition in image.topics.iter().flat_map(|topic| &topic.partitions) {
                for (count, id) in &mut counts {
                    *count += partition.directories.iter().filter(|directory| *directory == id).count();
                }
            }
        }
        Self { counts }
    }

    fn next(&mut self) -> Uuid {
        let Some(fewest) = self.counts.iter_mut().min_by_key(|(count, _)| *count) else { return Uuid::nil() };
        fewest.0 += 1;
        fewest.1
    }
}

/// Topics to delete. Kafka shuffles its answers; here they come in request order.
pub(super) fn delete(image: &Image, topics: &[TopicSelector]) -> (Records, Vec<DeleteTopicResult>) {
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut ids: HashMap<Uuid, usize> = HashMap::new();
    for topic in topics {
        match (&topic.name, topic.id) {
            (Some(name), id) if id.is_nil() => *names.entry(name).or_default() += 1,
            (None, id) if !id.is_nil() => *ids.entry(id).or_default() += 1,
            _ => {}
        }
    }
    // A name that maps to an id that stands there too is refused, and the id neither deleted nor answered.
    let mapped: HashSet<Uuid> = names.keys().filter_map(|name| Some(image.topic(name)?.id)).collect();
    let (mut records, mut results, mut answered) = (Records::new(), Vec::new(), HashSet::new());
    for topic in topics {
        if topic.name.is_none() && mapped.contains(&topic.id) {
            continue;
        }
        // What stands twice is answered once; what names nothing, or too much, each time.
        let names_one = topic.name.is_some() == topic.id.is_nil();
        if names_one && !answered.insert((&topic.name, topic.id)) {
            continue;
        }
        let result = delete_one(image, topic, &names, &ids);
        if result.outcome.is_ok() {
            records.push(RemoveTopicRecord { topic_id: result.id, ..Default::default() }.into());
        }
        results.push(result);
    }
    (records, results)
}

fn delete_one(
    image: &Image,
    topic: &TopicSelector,
    names: &HashMap<&str, usize>,
    ids: &HashMap<Uuid, usize>,
) -> DeleteTopicResult {
    let refuse = |id: Uuid, message: &str| DeleteTopicResult {
        name: topic.name.clone(),
        id,
        outcome: Err(ApiError::new(ErrorCode::InvalidRequest, message)),
    };
    let unknown = |code: ErrorCode, message: &str| DeleteTopicResult {
        name: topic.name.clone(),
        id: topic.id,
        outcome: Err(ApiError::new(code, message)),
    };
    let found = match (&topic.name, topic.id) {
        (None, id) if id.is_nil() => return refuse(id, "Neither topic name nor id were specified."),
        (Some(_), id) if !id.is_nil() => return refuse(id, "You may not specify both topic name and topic id."),
        (Some(name), _) => {
            if names.get(name.as_str()).is_some_and(|times| *times > 1) {
                return refuse(Uuid::nil(), "Duplicate topic name.");
            }
            match image.topic(name) {
                None => {
                    let message = "This server does not host this topic-partition.";
                    return unknown(ErrorCode::UnknownTopicOrPartition, message);
                }
                Some(found) if ids.contains_key(&found.id) => {
                    let message = "The provided topic name maps to an ID that was already supplied.";
                    return refuse(found.id, message);
                }
                Some(found) => found,
            }
        }
        (None, id) => {
            if ids.get(&id).is_some_and(|times| *times > 1) {
                return refuse(id, "Duplicate topic id.");
            }
            match image.topic_by_id(id) {
                None => return unknown(ErrorCode::UnknownTopicId, "This server does not host this topic ID."),
                Some(found) => found,
            }
        }
    };
    DeleteTopicResult { name: Some(found.name.to_string()), id: found.id, outcome: Ok(()) }
}

/// Partitions to add. As Kafka, names that stand twice come first.
pub(super) fn create_partitions(
    context: &Context,
    image: &Image,
    topics: &[NewPartitions],
) -> (Records, Vec<CreatePartitionsResult>) {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for topic in topics {
        *times.entry(&topic.name).or_default() += 1;
    }
    let twice: BTreeSet<&str> = times.iter().filter(|(_, times)| **times > 1).map(|(name, _)| *name).collect();
    let mut results: Vec<CreatePartitionsResult> = twice
        .iter()
        .map(|name| CreatePartitionsResult {
            name: (*name).to_owned(),
            outcome: Err(ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name.")),
        })
        .collect();
    let mut records = Records::new();
    for topic in topics.iter().filter(|topic| !twice.contains(topic.name.as_str())) {
        let outcome = add_partitions(context, image, topic).map(|more| records.extend(more));
        results.push(CreatePartitionsResult { name: topic.name.clone(), outcome });
    }
    if records.len() > MAX_RECORDS_PER_REQUEST {
        // Kafka answers with this code too, though some of the partitions may then exist.
        let failed = |topic: &NewPartitions| CreatePartitionsResult {
            name: topic.name.clone(),
            outcome: Err(ApiError::bare(ErrorCode::UnknownServerError)),
        };
        return (Records::new(), topics.iter().map(failed).collect());
    }
    (records, results)
}

fn add_partitions(context: &Context, image: &Image, wanted: &NewPartitions) -> Result<Records, ApiError> {
    let topic = image.topic(&wanted.name).ok_or_else(|| ApiError::bare(ErrorCode::UnknownTopicOrPartition))?;
    let existing = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    if wanted.count == existing {
        let message = format!("Topic already has {existing} partition(s).");
        return Err(ApiError::new(ErrorCode::InvalidPartitions, message));
    }
    if wanted.count < existing {
        let message = format!(
            "The topic {} currently has {existing} partition(s); {} would not be an increase.",
            topic.name, wanted.count
        );
        return Err(ApiError::new(ErrorCode::InvalidPartitions, message));
    }
    let additional = wanted.count - existing;
    if let Some(assignments) = &wanted.assignments {
        if usize::try_from(additional) != Ok(assignments.len()) {
            let message = format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            );
            return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message));
        }
        for brokers in assignments {
            check_assignment(context, brokers)?;
        }
    }
    let too_many = usize::try_from(additional).unwrap_or(usize::MAX) > MAX_RECORDS_PER_REQUEST;
    // One more than is allowed says as much as all of them.
    let end = if too_many { existing.saturating_add(MAX_RECORDS_PER_REQUEST as i32 + 1) } else { wanted.count };
    let mut directories = DirectoryChoice::new(context, image);
    Ok((existing..end).map(|index| new_partition(context, topic.id, index, directories.next())).collect())
}
