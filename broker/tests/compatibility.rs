//! `docs/compatibility.md` is what the code serves. `UPDATE_DOCS=1 cargo test -p broker --test compatibility` writes it.

use std::path::Path;

use broker::api::served;
use wire::ApiKey;

const HEAD: &str = "\
# Compatibility

The broker serves the versions of Apache Kafka 4.3 and, besides them, the older ones that 3.9 still served, so that clients
of the 0.10 era work too. Records of formats v0 and v1 are converted at the door, in and out; on the disk there is only v2.

This page is written from the code: `UPDATE_DOCS=1 cargo test -p broker --test compatibility`.

| Key | API | Versions | What differs from Apache Kafka on one node |
|---:|---|---|---|
";

const TAIL: &str = "
## Not served

- Share groups (76 to 79, 83 to 87, 90 to 92) and streams groups (88, 89).
- Client telemetry (71, 72): Apache Kafka does not offer it either without a metrics reporter that receives it.
- What only brokers and controllers send to each other.
- Listeners with SSL or SASL: settings that ask for them are refused at the start.

## Deliberate differences

- One node: a replication factor above 1 is refused as Kafka refuses it with one broker, but internal topics are made with
  one replica whatever `offsets.topic.replication.factor` and `transaction.state.log.replication.factor` say.
- Compressed batches are decompressed only where a setting of the topic needs to see single records; Kafka always does.
- `broker.acks.fsync=true` has `acks=all` wait for an fsync; Kafka has no such setting.
- A new data directory carries `kraft.version` 1, as `kafka-storage format --standalone` makes it.
- Settings that Kafka knows and this broker does not act on are named in a warning at the start; a name that Kafka does not
  know is an error.
";

/// What a client may notice, by API.
fn difference(api: ApiKey) -> &'static str {
    match api {
        ApiKey::Produce | ApiKey::Fetch => "Versions of 3.9 with their formats.",
        ApiKey::CreatePartitions => "A request for more than 10,000 partitions makes none, instead of some.",
        ApiKey::DeleteTopics => "Replies are in the order of the request.",
        _ => "",
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for &api in ApiKey::ALL {
        if let Some(versions) = served(api) {
            let (key, name, min, max) = (api.key(), api.name(), versions.start(), versions.end());
            page += &format!("| {key} | {name} | {min} to {max} | {} |\n", difference(api));
        }
    }
    page + TAIL
}

#[test]
fn the_page_says_what_the_code_serves() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "docs/compatibility.md is not up to date: run with UPDATE_DOCS=1");
}
