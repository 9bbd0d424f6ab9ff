//! Whole configurations: what people have in their files and compose files, and what is said when it is wrong.

use std::path::PathBuf;

use super::{BrokerConfig, DynamicConfigs, Loaded, Properties, Sources};

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_environment(of: &[(&str, &str)]) -> Loaded {
    BrokerConfig::load(&Sources { environment: pairs(of), ..Sources::default() }).expect("valid")
}

fn overridden(of: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
    BrokerConfig::load(&Sources { overrides: pairs(of), ..Sources::default() }).map_err(|error| error.problems)
}

fn advertised(config: &BrokerConfig) -> Vec<String> {
    config.listeners.advertised.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_set_is_a_node_of_its_own_on_localhost() {
    let Loaded { config, warnings } = overridden(&[]).expect("defaults");
    assert_eq!(warnings, [""; 0]);
    assert_eq!((config.node_id, config.topics.num_partitions), (1, 1));
    assert_eq!(advertised(&config), ["PLAINTEXT://localhost:9092"]);
    assert_eq!(config.log_dirs, [PathBuf::from("/tmp/kafka-logs")]);
    assert_eq!(config.metadata_log_dir, PathBuf::from("/tmp/kafka-logs"));
}

#[test]
fn later_sources_win() {
    let mut sources = Sources {
        defaults: pairs(&[("num.partitions", "1"), ("broker.rack", "a")]),
        file: Some((PathBuf::from("f"), "num.partitions=2\nfetch.max.bytes=5000".to_owned())),
        environment: pairs(&[("KAFKA_NUM_PARTITIONS", "3"), ("KAFKA_MAX_CONNECTIONS", "7")]),
        overrides: pairs(&[("num.partitions", "4")]),
    };
    let mut partitions = Vec::new();
    let steps: [fn(&mut Sources); 4] = [
        |_| (),
        |sources| sources.overrides.clear(),
        |sources| sources.environment.clear(),
        |sources| sources.file = None,
    ];
    for remove in steps {
        remove(&mut sources);
        let config = BrokerConfig::load(&sources).expect("valid").config;
        assert_eq!(config.rack.as_deref(), Some("a"));
        partitions.push(config.topics.num_partitions);
    }
    assert_eq!(partitions, [4, 3, 2, 1]);
}

#[test]
fn everything_wrong_is_named_at_once_with_its_place() {
    let sources = Sources {
        file: Some((PathBuf::from("server.properties"), "\nlog.dris=/x\nnum.partitions=0".to_owned())),
        environment: pairs(&[("KAFKA_NUM_IO_THREADZ", "3"), ("KAFKA_LOG_RETENTION_MS", "abc")]),
        overrides: pairs(&[("no.such.setting.at.all", "1"), ("listeners", "foo"), ("replica.fetch.min.bytes", "x")]),
        ..Sources::default()
    };
    let problems = BrokerConfig::load(&sources).expect_err("wrong").problems;
    for wanted in [
        "server.properties:2: log.dris is no setting of Kafka's; did you mean log.dirs?",
        "server.properties:3: Invalid value 0 for configuration num.partitions: Value must be at least 1",
        "KAFKA_NUM_IO_THREADZ: num.io.threadz is no setting of Kafka's; did you mean num.io.threads?",
        "KAFKA_LOG_RETENTION_MS: Invalid value abc for configuration log.retention.ms: Not a number of type LONG",
        "--override: no.such.setting.at.all is no setting of Kafka's; remove it, or correct its name",
        "--override: Invalid value x for configuration replica.fetch.min.bytes: Not a number of type INT",
        "--override: listeners: foo is no listener; write name://host:port, for example PLAINTEXT://:9092",
    ] {
        assert!(problems.iter().any(|problem| problem == wanted), "{wanted}\nis missing in\n{problems:#?}");
    }
    assert_eq!(problems.len(), 7, "{problems:#?}");
}

#[test]
fn the_properties_that_kafka_ships_need_no_remark() {
    let text = "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:9093\n\
        listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
        advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\ncontroller.listener.names=CONTROLLER\n\
        listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT\n\
        num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\nsocket.receive.buffer.bytes=102400\n\
        socket.request.max.bytes=104857600\nlog.dirs=/tmp/kraft-combined-logs\nnum.partitions=1\n\
        num.recovery.threads.per.data.dir=2\noffsets.topic.replication.factor=1\n\
        share.coordinator.state.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
        transaction.state.log.min.isr=1\nlog.retention.hours=168\nlog.segment.bytes=1073741824\n\
        log.retention.check.interval.ms=300000\n";
    let file = Some((PathBuf::from("server.properties"), text.to_owned()));
    let Loaded { config, warnings } = BrokerConfig::load(&Sources { file, ..Sources::default() }).expect("valid");
    assert_eq!(warnings, [""; 0]);
    assert_eq!(advertised(&config), ["PLAINTEXT://localhost:9092"]);
    assert_eq!(config.listeners.controllers.len(), 1);
}

#[test]
fn compose_files_of_several_images_are_understood() {
    let kraft = from_environment(&[
        ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
        ("KAFKA_NODE_ID", "3"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        ("KAFKA_LISTENERS", "PLAINTEXT_HOST://:9092,CONTROLLER://:9093,PLAINTEXT://:19092"),
        ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT_HOST://localhost:9092,PLAINTEXT://broker:19092"),
        ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "3@broker:9093"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "PLAINTEXT"),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
        ("KAFKA_LOG_DIRS", "/tmp/kraft-combined-logs"),
        ("KAFKA_HEAP_OPTS", "-Xmx1g"),
        ("KAFKA_JMX_PORT", "9101"),
    ]);
    assert_eq!(kraft.warnings, [""; 0]);
    assert_eq!(kraft.config.cluster_id.as_deref(), Some("4L6g3nShT-eMCtK--X86sw"));
    assert_eq!((kraft.config.node_id, kraft.config.listeners.inter_broker.as_str()), (3, "PLAINTEXT"));

    let zookeeper = from_environment(&[
        ("KAFKA_BROKER_ID", "1"),
        ("KAFKA_ZOOKEEPER_CONNECT", "zookeeper:2181"),
        ("KAFKA_ADVERTISED_HOST_NAME", "127.0.0.1"),
        ("KAFKA_CREATE_TOPICS", "raw_recipes:1:1,parsed_recipes:3:2:compact"),
        ("KAFKA_PORT", "tcp://172.17.0.2:9092"),
    ]);
    assert_eq!(advertised(&zookeeper.config), ["PLAINTEXT://127.0.0.1:9092"]);
    assert_eq!(zookeeper.config.startup_topics.len(), 2);
    assert!(zookeeper.warnings.iter().any(|line| line.contains("needs no ZooKeeper")), "{:?}", zookeeper.warnings);

    let cfg = from_environment(&[("KAFKA_CFG_NODE_ID", "0"), ("KAFKA_CFG_NUM_PARTITIONS", "6")]);
    assert_eq!((cfg.config.node_id, cfg.config.topics.num_partitions), (0, 6));
}

#[test]
fn what_is_known_and_not_implemented_is_named_in_one_warning() {
    let warnings = overridden(&[("quota.window.num", "5"), ("config.providers", "env")]).expect("valid").warnings;
    let line = "not implemented by this broker, so without effect: config.providers, quota.window.num";
    assert_eq!(warnings, [line]);
}

#[test]
fn settings_of_a_plugin_are_let_through_with_a_remark() {
    let plugin = [("metric.reporters", "io.example.Reporter"), ("example.reporter.port", "9")];
    let warnings = overridden(&plugin).expect("let through").warnings;
    assert!(warnings.iter().any(|line| line.contains("example.reporter.port")), "{warnings:?}");
    assert!(overridden(&plugin[1..]).is_err());
    assert!(overridden(&[("listener.name.plaintext.io.example.x", "1")]).is_ok());
}

#[test]
fn a_broker_that_should_be_protected_does_not_start_open() {
    let authorizer = ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
    assert!(overridden(&[authorizer]).is_err_and(|problems| problems[0].contains("access control lists")));
    assert!(overridden(&[authorizer, ("allow.everyone.if.no.acl.found", "true")]).is_ok());
    for listener in ["SSL://:9092", "SASL_SSL://:9092", "SASL_PLAINTEXT://:9092"] {
        assert!(
            overridden(&[("listeners", listener)]).is_err_and(|problems| problems[0].contains("does not serve yet"))
        );
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (settings, words) in [
        (&[("node.id", "1"), ("broker.id", "2")][..], "same value as `broker.id`"),
        (&[("log.retention.minutes", "0")], "log.retention.ms must be unlimited (-1) or"),
        (&[("log.roll.ms", "0")], "log.roll.ms must be greater than or equal to 1"),
        (&[("max.connections.per.ip", "0")], "can be set to zero only if"),
        (&[("max.connections.per.ip.overrides", "foo")], "foo is no entry"),
        (&[("queued.max.request.bytes", "5")], "larger or equal to socket.request.max.bytes"),
        (&[("log.cleaner.dedupe.buffer.size", "1")], "at least 1MB per cleaner thread"),
        (&[("offsets.topic.compression.codec", "9")], "Unknown compression type id: 9"),
        (&[("group.consumer.min.session.timeout.ms", "99999999")], "must be greater than or equal to"),
        (&[("group.consumer.heartbeat.interval.ms", "50000")], "must be less than or equal to"),
        (&[("group.coordinator.rebalance.protocols", "consumer")], "Disabling the 'classic' protocol"),
        (&[("group.consumer.assignors", "x")], "use uniform, range or both"),
        (&[("process.roles", "controller")], "cannot be only a controller"),
        (&[("node.id", "-3")], "Value must be at least 0"),
        (&[("broker.http.listener", "here")], "write host:port, :port or none"),
        (&[("create.topics", "a:b")], "write name:partitions:replicas"),
    ] {
        let problems = overridden(settings).expect_err(words);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(words) && !problems[0].contains("requirement failed"), "{problems:?}");
    }
}

#[test]
fn the_address_of_metrics_takes_three_forms() {
    let address = |text| overridden(&[("broker.http.listener", text)]).expect(text).config.http_listener;
    assert_eq!(address("127.0.0.1:8083").as_deref(), Some("127.0.0.1:8083"));
    assert_eq!(address(":8083").as_deref(), Some("0.0.0.0:8083"));
    assert_eq!(address("8083").as_deref(), Some("0.0.0.0:8083"));
    assert_eq!((address("none"), address("")), (None, None));
}

#[test]
fn dynamic_settings_act_and_hide_what_the_file_says_in_another_unit() {
    let statics = [("log.retention.hours", "1"), ("message.max.bytes", "5000")];
    let config = overridden(&statics).expect("valid").config;
    let layer = |of: &[(&str, &str)]| Properties::from_iter(pairs(of));
    let changed = config.with_dynamic(&DynamicConfigs {
        cluster: layer(&[("message.max.bytes", "6000"), ("log.retention.ms", "9"), ("max.connections", "x")]),
        broker: layer(&[("message.max.bytes", "7000")]),
    });
    assert_eq!(changed.topic_defaults.log.max_message_bytes, 7000);
    assert_eq!(changed.topic_defaults.log.retention_ms, 9);
    assert_eq!(changed.network.max_connections, i32::MAX, "what is not valid counts as absent");
    let back = changed.with_dynamic(&DynamicConfigs::default());
    assert_eq!((back.topic_defaults.log.retention_ms, back.topic_defaults.log.max_message_bytes), (3_600_000, 5000));
}
