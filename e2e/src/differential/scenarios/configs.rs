//! Settings: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::scenario;
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("describe-configs", ApiKey::DescribeConfigs, describe),
    scenario("describe-broker-configs", ApiKey::DescribeConfigs, describe_broker),
    scenario("alter-configs", ApiKey::AlterConfigs, alter),
    scenario("incremental-alter-configs", ApiKey::IncrementalAlterConfigs, incremental),
    scenario("incremental-alter-others", ApiKey::IncrementalAlterConfigs, incremental_others),
    scenario("list-config-resources", ApiKey::ListConfigResources, list),
];

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;
const METRICS: i8 = 16;
const GROUP: i8 = 32;

fn resource(kind: i8, name: &str, keys: Json) -> Json {
    json!({ "resourceType": kind, "resourceName": name, "configurationKeys": keys })
}

fn ask(s: &mut Session, resources: &[Json]) {
    for full in [false, true] {
        let request = json!({ "resources": resources, "includeSynonyms": full, "includeDocumentation": full });
        s.ask(ApiKey::DescribeConfigs, &request);
    }
}

fn describe(s: &mut Session) {
    let topic = s.topic("t", 1, &[("retention.ms", "1000"), ("cleanup.policy", "compact,delete")]);
    ask(s, &[resource(TOPIC, &topic, Json::Null)]);
    ask(s, &[resource(TOPIC, &topic, json!(["retention.ms", "retention.ms", "no.such.thing", "segment.bytes"]))]);
    ask(s, &[resource(TOPIC, &topic, json!([]))]);
    let missing = s.name("missing");
    ask(s, &[resource(TOPIC, &missing, Json::Null)]);
    ask(s, &[resource(TOPIC, "", Json::Null)]);
    ask(s, &[resource(TOPIC, "not a name", Json::Null)]);
    ask(s, &[resource(TOPIC, &topic, json!(["retention.ms"])), resource(TOPIC, &topic, json!(["segment.bytes"]))]);
    for name in ["2", "x", "", "-1"] {
        ask(s, &[resource(BROKER, name, json!(["log.retention.ms"]))]);
        ask(s, &[resource(LOGGER, name, json!(["root"]))]);
    }
    for kind in [0, 1, 3, 64] {
        ask(s, &[resource(kind, "x", Json::Null)]);
    }
    ask(s, &[resource(METRICS, &missing, Json::Null)]);
    ask(s, &[resource(METRICS, "", Json::Null)]);
    ask(s, &[resource(GROUP, "", Json::Null)]);
    ask(s, &[]);
}

fn describe_broker(s: &mut Session) {
    ask(s, &[resource(BROKER, "1", Json::Null)]);
    ask(s, &[resource(BROKER, "", Json::Null)]);
    let group = s.name("group");
    ask(s, &[resource(GROUP, &group, Json::Null)]);
}

fn describe_topic(s: &mut Session, topic: &str) {
    let keys = json!(["retention.ms", "cleanup.policy", "segment.bytes", "max.message.bytes"]);
    let request = json!({ "resources": [resource(TOPIC, topic, keys)], "includeSynonyms": true });
    s.agree(ApiKey::DescribeConfigs, &request);
}

fn alter(s: &mut Session) {
    let topic = s.topic("t", 1, &[("retention.ms", "1000")]);
    let missing = s.name("missing");
    let ask = |s: &mut Session, kind: i8, name: &str, configs: &[(&str, Option<&str>)]| {
        let configs: Vec<Json> = configs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        for validate in [true, false] {
            let resource = json!({ "resourceType": kind, "resourceName": name, "configs": configs });
            s.ask(ApiKey::AlterConfigs, &json!({ "resources": [resource], "validateOnly": validate }));
        }
    };
    for configs in [
        &[("segment.bytes", Some("2000000"))][..],
        &[("retention.ms", Some("x"))],
        &[("retention.ms", None)],
        &[("no.such.thing", Some("1"))],
        &[("cleanup.policy", Some("compact")), ("cleanup.policy", Some("delete"))],
        &[],
    ] {
        ask(s, TOPIC, &topic, configs);
        describe_topic(s, &topic);
    }
    ask(s, TOPIC, &missing, &[("retention.ms", Some("1"))]);
    ask(s, TOPIC, "", &[("retention.ms", Some("1"))]);
    ask(s, BROKER, "9", &[("log.retention.ms", Some("1"))]);
    ask(s, BROKER, "x", &[("log.retention.ms", Some("1"))]);
    ask(s, BROKER, "1", &[("log.dirs", Some("/x"))]);
    ask(s, LOGGER, "1", &[("root", Some("INFO"))]);
    ask(s, 64, "1", &[("root", Some("INFO"))]);
    ask(s, 0, "1", &[]);
}

fn change(s: &mut Session, kind: i8, name: &str, configs: &[(&str, i8, Option<&str>)]) {
    let configs: Vec<Json> = configs
        .iter()
        .map(|(name, operation, value)| json!({ "name": name, "configOperation": operation, "value": value }))
        .collect();
    for validate in [true, false] {
        let resource = json!({ "resourceType": kind, "resourceName": name, "configs": configs });
        s.ask(ApiKey::IncrementalAlterConfigs, &json!({ "resources": [resource], "validateOnly": validate }));
    }
}

fn incremental(s: &mut Session) {
    let topic = s.topic("t", 1, &[("retention.ms", "1000")]);
    let missing = s.name("missing");
    let (set, delete, append, subtract) = (0, 1, 2, 3);
    for configs in [
        &[("segment.bytes", set, Some("2000000"))][..],
        &[("retention.ms", delete, None)],
        &[("retention.ms", delete, Some("ignored"))],
        &[("retention.ms", delete, None)],
        &[("retention.ms", set, None)],
        &[("retention.ms", set, Some("abc"))],
        &[("retention.ms", append, Some("5"))],
        &[("cleanup.policy", append, Some("compact"))],
        &[("cleanup.policy", append, Some("compact"))],
        &[("cleanup.policy", append, Some("nonsense"))],
        &[("cleanup.policy", append, None)],
        &[("cleanup.policy", subtract, Some("delete"))],
        &[("cleanup.policy", subtract, Some("compact"))],
        &[("cleanup.policy", subtract, None)],
        &[("cleanup.policy", set, Some("compact,compact"))],
        &[("cleanup.policy", 4, Some("compact"))],
        &[("cleanup.policy", -1, Some("compact"))],
        &[("no.such.thing", set, Some("1"))],
        &[("no.such.thing", delete, None)],
        &[("", set, Some("1"))],
        &[("retention.ms", set, Some("1")), ("retention.ms", set, Some("2"))],
        &[("retention.ms", set, Some("1")), ("retention.ms", delete, None)],
        &[("max.message.bytes", set, Some("5000")), ("segment.bytes", set, Some("-7"))],
        &[("min.insync.replicas", set, Some("2"))],
        &[("leader.replication.throttled.replicas", append, Some("0:1"))],
        &[("leader.replication.throttled.replicas", append, Some("x"))],
        &[],
    ] {
        change(s, TOPIC, &topic, configs);
        describe_topic(s, &topic);
    }
    change(s, TOPIC, &missing, &[("retention.ms", set, Some("1"))]);
    change(s, TOPIC, "", &[("retention.ms", set, Some("1"))]);
    change(s, TOPIC, "not a name", &[("retention.ms", set, Some("1"))]);
    let one = json!({ "resourceType": TOPIC, "resourceName": topic, "configs": [
        { "name": "retention.ms", "configOperation": 0, "value": "5" } ]});
    s.ask(ApiKey::IncrementalAlterConfigs, &json!({ "resources": [one, one] }));
    s.ask(ApiKey::IncrementalAlterConfigs, &json!({ "resources": [] }));
}

fn incremental_others(s: &mut Session) {
    let (set, delete, append) = (0, 1, 2);
    for configs in [
        &[("log.retention.ms", set, Some("900000000000000"))][..],
        &[("log.retention.ms", delete, None)],
        &[("log.retention.ms", set, Some("abc"))],
        &[("log.dirs", set, Some("/x"))],
        &[("node.id", set, Some("3"))],
        &[("no.such.thing", set, Some("3"))],
        &[("num.io.threads", set, Some("9"))],
        &[("num.io.threads", set, Some("0"))],
        &[("log.cleaner.threads", set, Some("2"))],
        &[("log.cleanup.policy", append, Some("compact"))],
        &[("log.cleanup.policy", delete, None)],
        &[("message.max.bytes", set, Some("2000000"))],
        &[("message.max.bytes", delete, None)],
        &[("listeners", set, Some("PLAINTEXT://x:1"))],
        &[("advertised.listeners", set, Some("PLAINTEXT://x:1"))],
        &[("max.connections.per.ip", set, Some("1000"))],
        &[("max.connections.per.ip", delete, None)],
    ] {
        for name in ["1", ""] {
            change(s, BROKER, name, configs);
            let keys: Vec<&str> = configs.iter().map(|config| config.0).collect();
            let resources = [resource(BROKER, "1", json!(keys)), resource(BROKER, "", json!(keys))];
            s.agree(ApiKey::DescribeConfigs, &json!({ "resources": resources, "includeSynonyms": true }));
            // Both names are cleared, so that the next change begins as this one did.
            for name in ["1", ""] {
                let cleared: Vec<Json> =
                    keys.iter().map(|key| json!({ "name": key, "configOperation": delete })).collect();
                let resource = json!({ "resourceType": BROKER, "resourceName": name, "configs": cleared });
                s.prepare(ApiKey::IncrementalAlterConfigs, &json!({ "resources": [resource] }));
            }
        }
    }
    for name in ["9", "x"] {
        change(s, BROKER, name, &[("log.retention.ms", set, Some("1"))]);
    }
    let group = s.name("group");
    for configs in [
        &[("consumer.session.timeout.ms", set, Some("50000"))][..],
        &[("consumer.session.timeout.ms", set, Some("1"))],
        &[("consumer.session.timeout.ms", set, Some("x"))],
        &[("consumer.heartbeat.interval.ms", set, Some("6000"))],
        &[("consumer.heartbeat.interval.ms", set, Some("60000"))],
        &[("no.such.thing", set, Some("3"))],
        &[("consumer.session.timeout.ms", delete, None)],
    ] {
        change(s, GROUP, &group, configs);
        let request = json!({ "resources": [resource(GROUP, &group, Json::Null)], "includeSynonyms": true });
        s.agree(ApiKey::DescribeConfigs, &request);
    }
    change(s, GROUP, "", &[("consumer.session.timeout.ms", set, Some("50000"))]);
    let metrics = s.name("metrics");
    for configs in [
        &[("interval.ms", set, Some("1000"))][..],
        &[("interval.ms", set, Some("1"))],
        &[("metrics", set, Some("org.apache"))],
        &[("match", set, Some("client_id=.*"))],
        &[("match", set, Some("nonsense"))],
        &[("no.such.thing", set, Some("3"))],
    ] {
        change(s, METRICS, &metrics, configs);
        let request = json!({ "resources": [resource(METRICS, &metrics, Json::Null)], "includeSynonyms": true });
        s.agree(ApiKey::DescribeConfigs, &request);
    }
    for (kind, name) in [(64, "x"), (0, "x"), (1, "x"), (METRICS, "")] {
        change(s, kind, name, &[("a", set, Some("b"))]);
    }
    for configs in
        [&[("root", 4, Some("INFO"))][..], &[("root", append, Some("INFO"))], &[("no.such", set, Some("INFO"))]]
    {
        change(s, LOGGER, "1", configs);
    }
}

fn list(s: &mut Session) {
    for types in [json!([]), json!([METRICS]), json!([GROUP]), json!([BROKER]), json!([LOGGER]), json!([BROKER, GROUP])]
    {
        s.ask(ApiKey::ListConfigResources, &json!({ "resourceTypes": types }));
    }
    for types in [json!([0]), json!([64]), json!([GROUP, 64])] {
        s.ask(ApiKey::ListConfigResources, &json!({ "resourceTypes": types }));
    }
}
