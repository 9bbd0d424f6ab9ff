//! What scenarios are written with: every request goes to both brokers, and the replies are compared.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::compare::{Difference, differences};
use super::fields::{count_assigned, normalise};
use super::report::Report;
use super::side::Side;

/// Longest wait for a state that both brokers are to reach: many times what it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait for both to say the same of what was changed: many times what it takes on a busy machine.
const SETTLED: Duration = Duration::from_secs(20);
/// The connection of requests that name none.
const MAIN: &str = "main";

/// APIs that are asked again while the transaction before is not over, as clients do.
const IN_TRANSACTION: &[ApiKey] = &[
    ApiKey::InitProducerId,
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::EndTxn,
    ApiKey::TxnOffsetCommit,
    ApiKey::Produce,
];

/// Whether there is `CONCURRENT_TRANSACTIONS` in a reply.
fn is_concurrent(reply: &Json) -> bool {
    match reply {
        Json::Array(elements) => elements.iter().any(is_concurrent),
        Json::Object(fields) => fields.iter().any(|(name, value)| match value {
            Json::Number(code) => name.to_lowercase().ends_with("errorcode") && code.as_i64() == Some(51),
            other => is_concurrent(other),
        }),
        _ => false,
    }
}

/// Both brokers, and what is compared.
pub struct Session {
    ours: Side,
    theirs: Side,
    /// Versions that both serve.
    common: HashMap<ApiKey, RangeInclusive<i16>>,
    /// Versions whose replies count.
    judged: HashMap<ApiKey, RangeInclusive<i16>>,
    /// The API that the scenario is about, and the version in which it is asked.
    about: (ApiKey, i16),
    scenario: String,
    suffix: String,
    connection: String,
    waiting: HashMap<String, Vec<(ApiKey, i16, Json)>>,
    last: (Json, Json),
    unexplained: usize,
    /// Whether members may have other partitions, if only as many.
    counts_partitions: bool,
    /// What was compared.
    pub report: Report,
}

impl Session {
    /// Begins. `judged` are the versions of each API whose replies are compared; all others are only for preparation.
    #[must_use]
    pub fn new(mut ours: Side, mut theirs: Side, judged: HashMap<ApiKey, RangeInclusive<i16>>, report: Report) -> Self {
        let (our_versions, their_versions) = (ours.versions(), theirs.versions());
        let common = our_versions.into_iter().filter_map(|(api, mine)| {
            let other = their_versions.get(&api)?;
            let range = *mine.start().max(other.start())..=*mine.end().min(other.end());
            (!range.is_empty()).then_some((api, range))
        });
        Self {
            common: common.collect(),
            ours,
            theirs,
            judged,
            about: (ApiKey::ApiVersions, 0),
            scenario: String::new(),
            suffix: String::new(),
            connection: MAIN.to_owned(),
            waiting: HashMap::new(),
            last: (Json::Null, Json::Null),
            unexplained: 0,
            counts_partitions: false,
            report,
        }
    }

    /// The versions of an API whose replies are compared.
    #[must_use]
    pub fn judged(&self, api: ApiKey) -> Option<RangeInclusive<i16>> {
        let (common, judged) = (self.common.get(&api)?, self.judged.get(&api)?);
        let range = *common.start().max(judged.start())..=*common.end().min(judged.end());
        (!range.is_empty()).then_some(range)
    }

    /// Begins a scenario about one version of an API. Names get an end of their own.
    pub fn begin(&mut self, scenario: &str, about: ApiKey, version: i16, suffix: &str) {
        self.ours.reset();
        self.theirs.reset();
        self.waiting.clear();
        self.about = (about, version);
        self.scenario = scenario.to_owned();
        self.suffix = suffix.to_owned();
        self.connection = MAIN.to_owned();
        self.unexplained = 0;
        self.counts_partitions = false;
    }

    /// Forgets what ids were called, so that a difference before does not show in what follows.
    pub fn forget_ids(&mut self) {
        self.ours.names.forget();
        self.theirs.names.forget();
    }

    /// From now on members may be assigned other partitions, if only as many: brokers choose.
    pub const fn count_partitions(&mut self) {
        self.counts_partitions = true;
    }

    /// How many differences nothing explains since [`Session::begin`].
    #[must_use]
    pub const fn unexplained(&self) -> usize {
        self.unexplained
    }

    /// A name that no other scenario uses.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        format!("{name}-{}", self.suffix)
    }

    /// The version in which an API is asked: the scenario's own, or the highest that both serve.
    #[must_use]
    pub fn version(&self, api: ApiKey) -> i16 {
        if self.about.0 == api { self.about.1 } else { self.common.get(&api).map_or(0, |range| *range.end()) }
    }

    /// The version of the API that the scenario is about.
    #[must_use]
    pub const fn v(&self) -> i16 {
        self.about.1
    }

    /// One of the versions of an API that are compared, whatever the number; else one that only prepares.
    #[must_use]
    pub fn pick(&self, api: ApiKey, number: u8) -> i16 {
        let newest = self.common.get(&api).map_or(0, |range| *range.end());
        let range = self.judged(api).unwrap_or(newest..=newest);
        let count = range.end() - range.start() + 1;
        if number == u8::MAX { *range.end() } else { range.start() + i16::from(number) % count }
    }

    /// Requests go over that connection from now on.
    pub fn on(&mut self, connection: &str) -> &mut Self {
        connection.clone_into(&mut self.connection);
        self
    }

    /// Requests go over the first connection again.
    pub fn on_main(&mut self) -> &mut Self {
        self.on(MAIN)
    }

    /// Closes the connection of that name on both sides.
    pub fn close(&mut self, connection: &str) {
        self.ours.close(connection);
        self.theirs.close(connection);
        self.waiting.remove(connection);
    }

    /// Asks both, and compares. Gives the reference's reply as the comparison saw it.
    pub fn ask(&mut self, api: ApiKey, request: &Json) -> Json {
        self.ask_version(api, self.version(api), request)
    }

    /// Asks both in that version.
    pub fn ask_version(&mut self, api: ApiKey, version: i16, request: &Json) -> Json {
        if IN_TRANSACTION.contains(&api) {
            return self.until_version(api, version, request, |reply| !is_concurrent(reply));
        }
        self.send_version(api, version, request);
        self.receive()
    }

    /// Asks the newest version of an API that the scenario is not about, and does not compare: preparation whose answer
    /// other scenarios look at.
    pub fn prepare(&mut self, api: ApiKey, request: &Json) -> &Json {
        let version = self.common.get(&api).map_or(0, |range| *range.end());
        self.send_version(api, version, request);
        self.receive_both();
        &self.last.1
    }

    /// Sends to both; the reply is taken by [`Session::receive`].
    pub fn send(&mut self, api: ApiKey, request: &Json) {
        self.send_version(api, self.version(api), request);
    }

    /// Sends to both in that version.
    pub fn send_version(&mut self, api: ApiKey, version: i16, request: &Json) {
        for side in [&mut self.ours, &mut self.theirs] {
            let filled = side.fill(request);
            side.connection(&self.connection).send(api, version, &filled, true);
        }
        self.waiting.entry(self.connection.clone()).or_default().push((api, version, request.clone()));
    }

    /// Sends what gets no reply.
    pub fn send_unanswered(&mut self, api: ApiKey, request: &Json) {
        let version = self.version(api);
        for side in [&mut self.ours, &mut self.theirs] {
            let filled = side.fill(request);
            side.connection(&self.connection).send(api, version, &filled, false);
        }
    }

    /// Sends bytes as they are, whose reply is one of that API and version.
    pub fn send_bytes(&mut self, bytes: &[u8], api: ApiKey, version: i16, correlation_id: i32) {
        for side in [&mut self.ours, &mut self.theirs] {
            let connection = side.connection(&self.connection);
            connection.send_bytes(bytes);
            connection.expect(api, version, correlation_id);
        }
        let request = json!(format!("{bytes:?}"));
        self.waiting.entry(self.connection.clone()).or_default().push((api, version, request));
    }

    /// Takes both replies to the first request on this connection that waits for one, and compares them.
    pub fn receive(&mut self) -> Json {
        let (api, version, request) = self.receive_both();
        self.compare(api, version, &request)
    }

    fn receive_both(&mut self) -> (ApiKey, i16, Json) {
        let waiting = self.waiting.get_mut(&self.connection).filter(|waiting| !waiting.is_empty());
        let request = waiting.unwrap_or_else(|| panic!("nothing waits on {}", self.connection)).remove(0);
        let ours = self.ours.connection(&self.connection).receive();
        let theirs = self.theirs.connection(&self.connection).receive();
        if theirs.get("noReply").is_some() || ours.get("noReply").is_some() {
            let connection = self.connection.clone();
            self.close(&connection);
        }
        self.last = (ours, theirs);
        request
    }

    fn compare(&mut self, api: ApiKey, version: i16, request: &Json) -> Json {
        let seen = |reply: &Json| if self.counts_partitions { count_assigned(reply) } else { reply.clone() };
        let ours = normalise(api.name(), &seen(&self.last.0), &mut self.ours.names);
        let theirs = normalise(api.name(), &seen(&self.last.1), &mut self.theirs.names);
        if self.judged(api).is_some_and(|range| range.contains(&version)) {
            let found = differences(&ours, &theirs);
            self.unexplained += self.report.compared(&self.scenario, api, version, &request.to_string(), &found);
        }
        theirs
    }

    /// Asks again and again until both replies satisfy `reached`, and compares those.
    pub fn until(&mut self, api: ApiKey, request: &Json, reached: impl Fn(&Json) -> bool) -> Json {
        self.until_version(api, self.version(api), request, reached)
    }

    /// The same in that version.
    pub fn until_version(
        &mut self,
        api: ApiKey,
        version: i16,
        request: &Json,
        reached: impl Fn(&Json) -> bool,
    ) -> Json {
        self.poll(api, version, request, reached);
        self.compare(api, version, request)
    }

    /// Asks each of them until its own reply satisfies `reached`, so that neither is asked more often than it takes.
    fn poll(&mut self, api: ApiKey, version: i16, request: &Json, reached: impl Fn(&Json) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let replies = [&mut self.ours, &mut self.theirs].map(|side| {
            loop {
                let filled = side.fill(request);
                let connection = side.connection(&self.connection);
                connection.send(api, version, &filled, true);
                let reply = connection.receive();
                if reached(&reply) || Instant::now() > deadline {
                    return reply;
                }
            }
        });
        if replies.iter().any(|reply| reply.get("noReply").is_some()) {
            let connection = self.connection.clone();
            self.close(&connection);
        }
        self.last = replies.into();
    }

    /// Asks until both say the same, for what a broker learns of a moment after its controller; and compares.
    pub fn agree(&mut self, api: ApiKey, request: &Json) -> Json {
        self.agree_version(api, self.version(api), request)
    }

    /// The same in that version.
    pub fn agree_version(&mut self, api: ApiKey, version: i16, request: &Json) -> Json {
        let deadline = Instant::now() + SETTLED;
        loop {
            self.send_version(api, version, request);
            let (api, version, request) = self.receive_both();
            let ours = normalise(api.name(), &self.last.0, &mut self.ours.names.clone());
            let theirs = normalise(api.name(), &self.last.1, &mut self.theirs.names.clone());
            let found = differences(&ours, &theirs);
            if self.report.explains(api, version, &found) || Instant::now() > deadline {
                return self.compare(api, version, &request);
            }
        }
    }

    /// Asks in the newest version until both replies satisfy `reached`, and compares nothing.
    pub fn prepare_until(&mut self, api: ApiKey, request: &Json, reached: impl Fn(&Json) -> bool) {
        let version = self.common.get(&api).map_or(0, |range| *range.end());
        self.poll(api, version, request, &reached);
        let (ours, theirs) = &self.last;
        assert!(reached(ours) && reached(theirs), "not reached: {ours} {theirs}");
    }

    /// Remembers a value of the last replies, each broker's own, that requests name by `$name`. The path is a JSON
    /// pointer.
    pub fn keep(&mut self, name: &str, path: &str) {
        let missing = |reply: &Json| reply.pointer(path).cloned();
        match (missing(&self.last.0), missing(&self.last.1)) {
            (Some(ours), Some(theirs)) => {
                self.ours.keep(name, ours);
                self.theirs.keep(name, theirs);
            }
            (ours, theirs) => {
                let difference = Difference {
                    field: path.to_owned(),
                    place: path.to_owned(),
                    ours: format!("{ours:?}"),
                    theirs: format!("{theirs:?}"),
                };
                let (api, version) = self.about;
                self.unexplained += self.report.compared(&self.scenario, api, version, "keep", &[difference]);
            }
        }
    }

    /// Deletes topics that nothing asks for any more, so that a broker has few to close when it stops: not compared.
    pub fn forget_topics(&mut self, names: &[&str]) {
        let topics: Vec<Json> = names.iter().map(|name| json!({ "name": name })).collect();
        self.prepare(ApiKey::DeleteTopics, &json!({ "topics": topics, "timeoutMs": 30000 }));
    }

    /// Makes a topic and remembers its id as `$name`: preparation, not compared.
    pub fn topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> String {
        let full = self.name(name);
        let configs: Vec<Json> = configs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let topic = json!({
            "name": full, "numPartitions": partitions, "replicationFactor": 1, "configs": configs,
        });
        self.prepare(ApiKey::CreateTopics, &json!({ "topics": [topic], "timeoutMs": 30000 }));
        for reply in [&self.last.0, &self.last.1] {
            let error = reply.pointer("/topics/0/errorCode");
            assert_eq!(error, Some(&json!(0)), "{full} cannot be made: {reply}");
        }
        self.keep(name, "/topics/0/topicId");
        // A broker has a new topic's logs a moment after the controller has its name.
        let request = json!({ "topics": [{ "name": full }], "allowAutoTopicCreation": false });
        let there = |reply: &Json| {
            let list = reply.pointer("/topics/0/partitions").and_then(Json::as_array);
            list.is_some_and(|list| list.len() == partitions as usize && list.iter().all(|one| one["leaderId"] == 1))
        };
        self.prepare_until(ApiKey::Metadata, &request, there);
        let list: Vec<Json> =
            (0..partitions).map(|index| json!({ "partitionIndex": index, "timestamp": -1 })).collect();
        let request = json!({ "replicaId": -1, "topics": [{ "name": full, "partitions": list }] });
        self.prepare_until(ApiKey::ListOffsets, &request, |reply| {
            let list = reply.pointer("/topics/0/partitions").and_then(Json::as_array);
            list.is_some_and(|list| list.iter().all(|one| one["errorCode"] == 0))
        });
        full
    }
}
