//! What clients are told: the codes and words of Apache Kafka 4.3.1, noted from a run of it.

use wire::ErrorCode;

use crate::metadata::{
    ApiError, ConfigAlteration, ConfigChange, ConfigReplacement, Controller, FeatureUpdate, NewPartitions, NewTopic,
    QuotaAlteration, QuotaOperation, ResourceName, ScramCredential, ScramDeletion, ScramUpsertion, TopicSelector,
};

use super::node::{block_on, create, start, topic};

fn running() -> (tempfile::TempDir, Controller) {
    let directory = tempfile::tempdir().unwrap();
    let controller = start(directory.path());
    create(&controller, vec![topic("alpha", 3), topic("beta.b", 1), topic("m.n_o", 1)]);
    (directory, controller)
}

fn error(code: ErrorCode, message: &str) -> Result<(), ApiError> {
    Err(ApiError::new(code, message))
}

fn created(controller: &Controller, topics: Vec<NewTopic>) -> Vec<(String, Result<(), ApiError>)> {
    let results = block_on(controller.create_topics(topics, true)).unwrap();
    results.into_iter().map(|result| (result.name, result.outcome.map(drop))).collect()
}

#[test]
fn names_of_topics() {
    let (_directory, controller) = running();
    let long = "a".repeat(250);
    let too_long = format!("Topic name is invalid: the length of '{long}' is longer than the max allowed length 249");
    let illegal = |name| {
        format!(
            "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' \
             and '-'"
        )
    };
    let cases = [
        ("", 17, "Topic name is invalid: the empty string is not allowed".to_owned()),
        (".", 17, "Topic name is invalid: '.' is not allowed".to_owned()),
        ("..", 17, "Topic name is invalid: '..' is not allowed".to_owned()),
        (&long, 17, too_long),
        ("a b", 17, illegal("a b")),
        ("é", 17, illegal("é")),
        ("beta_b", 17, "Topic 'beta_b' collides with existing topic: beta.b".to_owned()),
        ("m_n.o", 17, "Topic 'm_n.o' collides with existing topic: m.n_o".to_owned()),
        ("m_n_o", 17, "Topic 'm_n_o' collides with existing topic: m.n_o".to_owned()),
        ("alpha", 36, "Topic 'alpha' already exists.".to_owned()),
        ("beta.b", 36, "Topic 'beta.b' already exists.".to_owned()),
        ("__cluster_metadata", 42, "Creation of internal topic __cluster_metadata is prohibited.".to_owned()),
    ];
    for (name, code, message) in cases {
        let results = created(&controller, vec![topic(name, 1)]);
        let (_, outcome) = &results[0];
        let found = outcome.clone().unwrap_err();
        assert_eq!((found.code as i16, found.message), (code, Some(message)), "{name}");
    }
}

#[test]
fn counts_and_assignments_of_topics() {
    use ErrorCode::{InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor, InvalidRequest};
    let (_directory, controller) = running();
    let by_count = |num_partitions, replication_factor| NewTopic { replication_factor, ..topic("z", num_partitions) };
    let by_hand = |num_partitions, replication_factor, assignments: &[(i32, &[i32])]| NewTopic {
        assignments: assignments.iter().map(|(partition, brokers)| (*partition, brokers.to_vec())).collect(),
        ..by_count(num_partitions, replication_factor)
    };
    let positive = "Number of partitions was set to an invalid non-positive value.";
    let factor = "Replication factor must be larger than 0, or -1 to use the default value.";
    let unreachable = "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be \
                       reached because only 1 broker(s) are registered or some brokers have all their log directories \
                       cordoned.";
    let manual = |what| format!("A manual partition assignment was specified, but {what} was not set to -1.");
    let includes = |what| format!("The manual partition assignment includes {what}");
    let consecutive = "partitions should be a consecutive 0-based integer sequence";
    let cases = [
        (by_count(0, 1), error(InvalidPartitions, positive)),
        (by_count(-2, 1), error(InvalidPartitions, positive)),
        (by_count(0, 0), error(InvalidReplicationFactor, factor)),
        (by_count(1, -2), error(InvalidReplicationFactor, factor)),
        (by_count(1, 2), error(InvalidReplicationFactor, unreachable)),
        (by_count(-1, -1), Ok(())),
        (by_hand(-1, -1, &[(0, &[1]), (1, &[1])]), Ok(())),
        (by_hand(2, -1, &[(0, &[1])]), error(InvalidRequest, &manual("numPartitions"))),
        (by_hand(1, 1, &[(0, &[1])]), error(InvalidRequest, &manual("replication factor"))),
        (
            by_hand(-1, -1, &[(0, &[3, 2, 1])]),
            error(InvalidReplicaAssignment, &includes("broker 2, but no such broker is registered.")),
        ),
        (by_hand(-1, -1, &[(0, &[1, 1])]), error(InvalidReplicaAssignment, &includes("the broker 1 more than once."))),
        (by_hand(-1, -1, &[(0, &[])]), error(InvalidReplicaAssignment, &includes("an empty replica list."))),
        (by_hand(-1, -1, &[(1, &[1])]), error(InvalidReplicaAssignment, consecutive)),
        (by_hand(-1, -1, &[(-1, &[1])]), error(InvalidReplicaAssignment, consecutive)),
        (
            by_hand(-1, -1, &[(0, &[1]), (0, &[1])]),
            error(InvalidReplicaAssignment, "Found multiple manual partition assignments for partition 0"),
        ),
    ];
    for (asked, expected) in cases {
        assert_eq!(created(&controller, vec![asked.clone()])[0].1, expected, "{asked:?}");
    }
}

#[test]
fn requests_for_too_much_and_for_a_topic_twice() {
    let (_directory, controller) = running();
    let policy = |message| error(ErrorCode::PolicyViolation, message);
    let all = created(&controller, vec![topic("big", 10_000), topic("small", 1), topic(".", 1)]);
    assert!(all.iter().all(|(_, outcome)| *outcome == policy("Excessively large number of partitions per request.")));
    assert_eq!(all.len(), 3);
    let one = created(&controller, vec![topic("big", 10_000)]);
    assert_eq!(one[0].1, policy("Unable to perform excessively large batch operation."));
    let twice = created(&controller, vec![topic("d", 1), topic("ok", 1), topic("d", 1)]);
    let expected =
        [("ok".to_owned(), Ok(())), ("d".to_owned(), error(ErrorCode::InvalidRequest, "Duplicate topic name."))];
    assert_eq!(twice, expected);
}

#[test]
fn configs_of_new_topics_are_checked_before_their_partitions() {
    let (_directory, controller) = running();
    let with = |configs: &[(&str, Option<&str>)]| NewTopic {
        configs: configs.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect(),
        ..topic("z", 0)
    };
    let invalid = |message| error(ErrorCode::InvalidConfig, message);
    let cases = [
        (with(&[("foo", Some("x"))]), invalid("Unknown topic config name: foo")),
        (
            with(&[("retention.ms", None), ("foo", None), ("cleanup.policy", Some("x"))]),
            invalid("Null value not supported for topic configs: retention.ms,foo"),
        ),
    ];
    for (asked, expected) in cases {
        assert_eq!(created(&controller, vec![asked])[0].1, expected);
    }
}

#[test]
fn deletions() {
    let (_directory, controller) = running();
    let id = controller.image().topic("alpha").unwrap().id;
    let other = crate::metadata::random_id();
    let named = |name: &str| TopicSelector { name: Some(name.to_owned()), ..TopicSelector::default() };
    let by_id = |id| TopicSelector { name: None, id };
    let delete = |topics: Vec<TopicSelector>| {
        let results = block_on(controller.delete_topics(topics)).unwrap();
        results.into_iter().map(|result| result.outcome).collect::<Vec<_>>()
    };
    let unknown = error(ErrorCode::UnknownTopicOrPartition, "This server does not host this topic-partition.");
    let invalid = |message| error(ErrorCode::InvalidRequest, message);
    assert_eq!(delete(vec![named("nope"), named("")]), [unknown.clone(), unknown]);
    assert_eq!(
        delete(vec![by_id(other)]),
        [error(ErrorCode::UnknownTopicId, "This server does not host this topic ID.")]
    );
    let both = TopicSelector { name: Some("alpha".to_owned()), id };
    assert_eq!(delete(vec![both]), [invalid("You may not specify both topic name and topic id.")]);
    assert_eq!(delete(vec![by_id(uuid::Uuid::nil())]), [invalid("Neither topic name nor id were specified.")]);
    assert_eq!(delete(vec![named("alpha"), named("alpha")]), [invalid("Duplicate topic name.")]);
    assert_eq!(delete(vec![by_id(id), by_id(id)]), [invalid("Duplicate topic id.")]);
    let maps = "The provided topic name maps to an ID that was already supplied.";
    assert_eq!(delete(vec![named("alpha"), by_id(id)]), [invalid(maps)]);
    assert_eq!(delete(vec![named("alpha")]), [Ok(())]);
    create(&controller, vec![topic("alpha", 1)]);
}

#[test]
fn more_partitions() {
    type Asked<'a> = (&'a str, i32, Option<&'a [&'a [i32]]>);
    use ErrorCode::{InvalidPartitions, InvalidReplicaAssignment, InvalidRequest, UnknownTopicOrPartition};
    let (_directory, controller) = running();
    let ask = |topics: &[Asked<'_>]| {
        let topics = topics.iter().map(|(name, count, assignments)| NewPartitions {
            name: (*name).to_owned(),
            count: *count,
            assignments: assignments.map(|all| all.iter().map(|brokers| brokers.to_vec()).collect()),
        });
        let results = block_on(controller.create_partitions(topics.collect(), false)).unwrap();
        results.into_iter().map(|result| (result.name, result.outcome)).collect::<Vec<_>>()
    };
    let cases: [(Asked<'_>, Result<(), ApiError>); 7] = [
        (("nope", 3, None), Err(ApiError::bare(UnknownTopicOrPartition))),
        (("alpha", 3, None), error(InvalidPartitions, "Topic already has 3 partition(s).")),
        (
            ("alpha", -1, None),
            error(InvalidPartitions, "The topic alpha currently has 3 partition(s); -1 would not be an increase."),
        ),
        (
            ("alpha", 5, Some(&[&[1]])),
            error(
                InvalidReplicaAssignment,
                "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.",
            ),
        ),
        (
            ("alpha", 4, Some(&[&[1, 2]])),
            error(
                InvalidReplicaAssignment,
                "The manual partition assignment includes broker 2, but no such broker is registered.",
            ),
        ),
        (("alpha", 20_000, None), Err(ApiError::bare(ErrorCode::UnknownServerError))),
        (("alpha", 5, None), Ok(())),
    ];
    for (asked, expected) in cases {
        assert_eq!(ask(&[asked])[0].1, expected, "{asked:?}");
    }
    assert_eq!(controller.image().topic("alpha").unwrap().partitions.len(), 5);
    let twice = ask(&[("beta.b", 2, None), ("alpha", 9, None), ("alpha", 8, None)]);
    assert_eq!(twice[0], ("alpha".to_owned(), error(InvalidRequest, "Duplicate topic name.")));
    assert_eq!(twice[1], ("beta.b".to_owned(), Ok(())));
}

fn resource(kind: i8, name: &str) -> ResourceName {
    ResourceName { kind, name: name.to_owned() }
}

#[test]
fn alterations_of_configs() {
    use ErrorCode::{InvalidConfig, InvalidRequest, InvalidTopicException, UnknownTopicOrPartition};
    let (_directory, controller) = running();
    let alter = |kind, name: &str, changes: &[(&str, i8, Option<&str>)]| {
        let alteration = ConfigAlteration {
            resource: resource(kind, name),
            changes: changes
                .iter()
                .map(|(name, operation, value)| ConfigChange {
                    name: (*name).to_owned(),
                    operation: *operation,
                    value: value.map(str::to_owned),
                })
                .collect(),
        };
        block_on(controller.incremental_alter_configs(vec![alteration], false)).unwrap().remove(0).outcome
    };
    let refused = |outcome, code, message: &str| assert_eq!(outcome, error(code, message));
    let set: &[(&str, i8, Option<&str>)] = &[("retention.ms", 0, Some("1"))];
    refused(alter(2, "nope", set), UnknownTopicOrPartition, "The topic 'nope' does not exist.");
    refused(alter(2, "nope", &[("foo", 0, Some("1"))]), InvalidConfig, "Unknown topic config name: foo");
    refused(alter(2, "", set), InvalidRequest, "Default topic resources are not allowed.");
    refused(alter(32, "", set), InvalidRequest, "Default group resources are not allowed.");
    refused(alter(16, "", set), InvalidRequest, "Subscription name can't be empty");
    refused(alter(7, "x", set), InvalidRequest, "Unknown resource type 7");
    refused(alter(4, "2", set), InvalidRequest, "Unexpected broker id, expected 1, but received 2");
    refused(alter(4, "x", set), InvalidRequest, "Node id must be an integer, but it is: x");
    let bad_name = "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', \
                    '_' and '-'";
    refused(alter(2, "a b", set), InvalidTopicException, bad_name);
    let nulls: &[(&str, i8, Option<&str>)] = &[("a", 0, None), ("b", 2, None), ("c", 1, None)];
    refused(alter(2, "alpha", nulls), InvalidRequest, "Null value not supported for : a, b");
    let keys = "Error due to duplicate config keys";
    refused(alter(2, "alpha", &[("retention.ms", 0, None), ("retention.ms", 1, None)]), InvalidRequest, keys);
    let not_list = "Can't SUBTRACT to key retention.ms because its type is not LIST.";
    refused(alter(2, "alpha", &[("retention.ms", 3, Some("1"))]), InvalidConfig, not_list);
    let not_split = "Can't APPEND to key cleanup.policy because its type is not LIST.";
    refused(alter(16, "x", &[("cleanup.policy", 2, Some("1"))]), InvalidConfig, not_split);
    let unknown_operation = alter(2, "alpha", &[("retention.ms", 9, Some("1"))]);
    assert_eq!(unknown_operation, Err(ApiError::bare(ErrorCode::UnknownServerError)));
    let elr = |level: &str, what| format!("{level}-level min.insync.replicas cannot be {what} while ELR is enabled.");
    let min = "min.insync.replicas";
    refused(alter(4, "1", &[(min, 0, Some("1"))]), InvalidConfig, &elr("Broker", "altered"));
    refused(alter(4, "", &[(min, 1, None)]), InvalidConfig, &elr("Cluster", "removed"));
    alter(4, "", &[(min, 0, Some("2"))]).unwrap();

    alter(2, "alpha", &[("cleanup.policy", 2, Some("compact,delete"))]).unwrap();
    assert_eq!(controller.image().topic_config("alpha")["cleanup.policy"], "delete,compact");
    alter(2, "alpha", &[("cleanup.policy", 3, Some("delete")), ("foo", 1, None)]).unwrap();
    assert_eq!(controller.image().topic_config("alpha")["cleanup.policy"], "compact");
    let before = controller.image().offset;
    alter(2, "alpha", &[("cleanup.policy", 0, Some("compact"))]).unwrap();
    assert_eq!(controller.image().offset, before, "nothing changed, so nothing is written");
    let same = ConfigAlteration { resource: resource(2, "alpha"), changes: Vec::new() };
    for result in block_on(controller.incremental_alter_configs(vec![same.clone(), same], false)).unwrap() {
        refused(result.outcome, InvalidRequest, "Each resource must appear at most once.");
    }
}

#[test]
fn replacements_of_configs() {
    let (_directory, controller) = running();
    let replace = |kind, name: &str, configs: &[(&str, Option<&str>)]| {
        let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect();
        let replacement = ConfigReplacement { resource: resource(kind, name), configs };
        block_on(controller.alter_configs(vec![replacement], false)).unwrap().remove(0).outcome
    };
    replace(2, "alpha", &[("retention.ms", Some("7")), ("cleanup.policy", Some("compact"))]).unwrap();
    replace(2, "alpha", &[("retention.ms", Some("8"))]).unwrap();
    let image = controller.image();
    assert_eq!(image.topic_config("alpha").iter().collect::<Vec<_>>(), [(&"retention.ms".to_owned(), &"8".to_owned())]);
    let removed = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.";
    assert_eq!(replace(4, "", &[]), error(ErrorCode::InvalidConfig, removed));
    let null = "Null value not supported for : retention.ms";
    assert_eq!(replace(2, "alpha", &[("retention.ms", None)]), error(ErrorCode::InvalidRequest, null));
    let missing = error(ErrorCode::UnknownTopicOrPartition, "The topic 'nope' does not exist.");
    assert_eq!(replace(2, "nope", &[]), missing);
    replace(2, "alpha", &[]).unwrap();
    assert!(controller.image().topic_config("alpha").is_empty());
}

#[test]
fn updates_of_features() {
    let (_directory, controller) = running();
    let update = |name: &str, level, upgrade_type| {
        let update = FeatureUpdate { name: name.to_owned(), level, upgrade_type };
        block_on(controller.update_features(vec![update], false)).unwrap()
    };
    let refused = |outcome, reason: &str| {
        let message = format!("The update failed for all features since the following feature had an error: {reason}");
        assert_eq!(outcome, error(ErrorCode::InvalidUpdateVersion, &message));
    };
    let invalid =
        |level: i16, name: &str, reason: &str| format!("Invalid update version {level} for feature {name}. {reason}");
    let versions = invalid(31, "metadata.version", "Local controller 1 only supports versions 7-30");
    refused(update("metadata.version", 31, 1), &versions);
    let lossy = "Unsupported metadata.version downgrade from 30 to 29. Refusing to perform the requested downgrade \
                 because it might delete metadata information.";
    refused(update("metadata.version", 29, 2), lossy);
    refused(update("nope", 1, 1), &invalid(1, "nope", "Local controller 1 does not support this feature."));
    let kind = "The controller does not support the given upgrade type.";
    refused(update("group.version", 1, 9), &invalid(1, "group.version", kind));
    refused(update("group.version", -1, 1), &invalid(-1, "group.version", "A feature version cannot be less than 0."));
    let down = "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
                downgrade.";
    refused(update("group.version", 0, 1), &invalid(0, "group.version", down));
    let kept = "Can't downgrade the version of this feature.";
    refused(update("kraft.version", 0, 2), &invalid(0, "kraft.version", kept));
    update("kraft.version", 1, 1).unwrap();
    update("group.version", 0, 2).unwrap();
    assert_eq!(controller.image().feature("group.version"), 0);
    update("group.version", 1, 1).unwrap();
    assert_eq!(controller.image().feature("group.version"), 1);
}

#[test]
fn quotas() {
    let (_directory, controller) = running();
    let ask = |entity: &[(&str, Option<&str>)], key: &str, value: Option<f64>| QuotaAlteration {
        entity: entity.iter().map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned))).collect(),
        operations: vec![QuotaOperation { key: key.to_owned(), value }],
    };
    let alter = |alterations| block_on(controller.alter_client_quotas(alterations, false)).unwrap();
    let user: &[(&str, Option<&str>)] = &[("user", Some("u"))];
    let ip: &[(&str, Option<&str>)] = &[("ip", Some("1.2.3.4"))];
    let cases = [
        (ask(user, "nope", Some(5.0)), "Invalid configuration key nope"),
        (ask(ip, "producer_byte_rate", Some(5.0)), "Invalid configuration key producer_byte_rate"),
        (ask(&[("nope", None)], "producer_byte_rate", Some(5.0)), "Unhandled client quota entity type: nope"),
        (
            ask(&[("ip", Some("bad ip"))], "connection_creation_rate", Some(5.0)),
            "bad ip is not a valid IP or resolvable host.",
        ),
        (
            ask(&[("user", None), ("ip", None)], "connection_creation_rate", Some(5.0)),
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
        ),
        (ask(user, "consumer_byte_rate", Some(5.5)), "consumer_byte_rate cannot be a fractional value."),
        (ask(user, "producer_byte_rate", Some(-5.0)), "Quota producer_byte_rate must be greater than 0"),
        (ask(&[], "producer_byte_rate", Some(1.0)), "Invalid empty client quota entity"),
        (ask(&[("user", Some(""))], "producer_byte_rate", Some(1.0)), "Empty user not supported"),
    ];
    for (asked, message) in cases {
        assert_eq!(alter(vec![asked])[0].outcome, error(ErrorCode::InvalidRequest, message));
    }
    let set = ask(user, "producer_byte_rate", Some(7.0));
    let twice = alter(vec![set.clone(), set.clone()]);
    let message = "Ignoring duplicate entity ClientQuotaEntity(entries={user=u})";
    assert_eq!((twice.len(), &twice[0].outcome), (1, &error(ErrorCode::InvalidRequest, message)));
    assert!(controller.image().quotas.is_empty());
    alter(vec![set]).remove(0).outcome.unwrap();
    let image = controller.image();
    let (entity, quotas) = image.quotas.iter().next().unwrap();
    assert_eq!(entity.0, [("user".into(), Some("u".into()))]);
    assert_eq!(quotas["producer_byte_rate"], 7.0);
    alter(vec![ask(user, "producer_byte_rate", None), ask(ip, "nope", None)]);
    assert!(controller.image().quotas.is_empty());
}

#[test]
fn scram_credentials() {
    use ErrorCode::{DuplicateResource, ResourceNotFound, UnacceptableCredential, UnsupportedSaslMechanism};
    let (_directory, controller) = running();
    let set = |user: &str, mechanism, iterations| ScramUpsertion {
        user: user.to_owned(),
        mechanism,
        credential: ScramCredential { salt: vec![1], stored_key: vec![2], server_key: vec![3], iterations },
    };
    let remove = |user: &str, mechanism| ScramDeletion { user: user.to_owned(), mechanism };
    let alter = |deletions, upsertions| {
        block_on(controller.alter_scram_credentials(deletions, upsertions)).unwrap().remove(0).outcome
    };
    let missing = error(ResourceNotFound, "Attempt to delete a user credential that does not exist");
    assert_eq!(alter(vec![remove("u", 1)], vec![]), missing);
    assert_eq!(alter(vec![], vec![set("", 1, 4096)]), error(UnacceptableCredential, "Username must not be empty"));
    assert_eq!(alter(vec![], vec![set("u", 9, 4096)]), error(UnsupportedSaslMechanism, "Unknown SCRAM mechanism"));
    assert_eq!(alter(vec![], vec![set("u", 1, 4095)]), error(UnacceptableCredential, "Too few iterations"));
    assert_eq!(alter(vec![], vec![set("u", 1, 16385)]), error(UnacceptableCredential, "Too many iterations"));
    let twice = error(DuplicateResource, "A user credential cannot be altered twice in the same request");
    assert_eq!(alter(vec![], vec![set("u", 1, 4096), set("u", 1, 4097)]), twice);
    assert!(controller.image().scram.is_empty());
    // Neither are two mechanisms of one user to be had at once.
    assert_eq!(alter(vec![], vec![set("u", 1, 4096), set("u", 2, 4096)]), twice);
    alter(vec![], vec![set("u", 1, 4096)]).unwrap();
    alter(vec![], vec![set("u", 2, 4096)]).unwrap();
    assert_eq!(controller.image().scram.size(), 2);
    alter(vec![remove("u", 1)], vec![]).unwrap();
    assert_eq!(controller.image().scram.size(), 1);
}

#[test]
fn acls_are_added_once_and_deleted_by_what_matches() {
    let (_directory, controller) = running();
    let acl = |name: &str| crate::metadata::Acl {
        resource_type: 2,
        resource_name: name.to_owned(),
        pattern_type: 3,
        principal: "User:a".to_owned(),
        host: "*".to_owned(),
        operation: 3,
        permission_type: 3,
    };
    block_on(controller.create_acls(vec![acl("t"), acl("t"), acl("u")])).unwrap();
    block_on(controller.create_acls(vec![acl("t")])).unwrap();
    assert_eq!(controller.image().acls.size(), 2);
    let deleted = block_on(controller.delete_acls(|acl| acl.resource_name == "t")).unwrap();
    assert_eq!(deleted, [acl("t")]);
    assert_eq!(controller.image().acls.size(), 1);
}
