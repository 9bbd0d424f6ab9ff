//! `docs/compatibility.md` is what the code serves. `UPDATE_DOCS=1 cargo test -p broker --test compatibility` writes it.

use std::path::Path;

use broker::api::served;
use wire::ApiKey;

const HEAD: &str = "\
# Compatibility

The broker serves the versions of Apache Kafka 4.3 and, besides them, the older ones that 3.9 still served, so that clients
of the 0.10 era work too. Records of formats v0 and v1 are converted at the door, in and out; on the disk there is only v2.

This page is written from the code: `UPDATE_DOCS=1 cargo test -p broker --test compatibility`. The last column is more than
words: `cargo test -p e2e --test differential` sends the same requests to this broker and to Apache Kafka 4.3.1 and 3.9.1, in
every version of every API, and lets no other difference pass.

| Key | API | Versions | What differs from Apache Kafka on one node |
|---:|---|---|---|
";

const TAIL: &str = "
## Not served

- Share groups (76 to 79, 83 to 87, 90 to 92) and streams groups (88, 89).
- Client telemetry (71, 72): Apache Kafka does not offer it either without a metrics reporter that receives it.
- What only brokers and controllers send to each other.
- Listeners with SSL or SASL: settings that ask for them are refused at the start.
- Quotas of bytes and of request time: they are kept and described, and hold nobody up. `connection_creation_rate` does.

## Deliberate differences

- One node: a replication factor above 1 is refused as Kafka refuses it with one broker, but internal topics are made with
  one replica whatever `offsets.topic.replication.factor` and `transaction.state.log.replication.factor` say.
- `broker.acks.fsync=true` has `acks=all` wait for an fsync; Kafka has no such setting.
- A disk that is full or fails takes its log directory offline until a restart, as in Kafka: producers are told
  `KAFKA_STORAGE_ERROR`, Metadata `LEADER_NOT_AVAILABLE`, DescribeLogDirs the error of the directory. In the directory that
  metadata is in, which as a rule is the only one, Kafka's process ends; here that log alone is offline, and the others are
  served.
- A new data directory carries `kraft.version` 1, as `kafka-storage format --standalone` makes it.
- Settings that Kafka knows and this broker does not act on are named in a warning at the start; a name that Kafka does not
  know is an error.
";

/// What a client may notice, by API: the table that the differential tester lets pass too.
fn difference(api: ApiKey) -> String {
    let rows = include_str!("../differences.tsv").lines().filter(|line| !line.starts_with('#'));
    let columns = rows.map(|line| line.split('\t').collect::<Vec<_>>());
    let texts = columns.filter(|columns| columns[0] == api.name()).map(|columns| columns[5]);
    let mut told: Vec<&str> = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !told.contains(&text) {
            told.push(text);
        }
    }
    told.join(" ")
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
