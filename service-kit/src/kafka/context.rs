//! What librdkafka tells us: logs, errors, statistics, rebalances, acknowledgements.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, ProducerContext};
use rdkafka::{Message, Offset, Statistics, TopicPartitionList};
use tokio::sync::oneshot;
use tracing::{debug, error, info, warn};

use crate::health::Check;
use crate::kafka::record::Place;

/// Whether the brokers can be reached, shared by the clients of one service so that it is said once.
pub(crate) struct Link {
    service: &'static str,
    check: Check,
    state: Mutex<LinkState>,
}

#[derive(Default)]
struct LinkState {
    /// Clients that lost every broker.
    lost: HashSet<&'static str>,
    /// Last reason a connection failed.
    reason: String,
    /// The broker refused us for good.
    refused: Option<String>,
    /// A broker was reached at least once; until then whoever connects says that it waits.
    reached: bool,
    /// The service has a producer or a consumer: from here on their checks say how ready it is.
    begun: bool,
}

impl Link {
    pub(crate) fn new(service: &'static str, check: Check) -> Self {
        Self { service, check, state: Mutex::default() }
    }

    /// The last reason a connection failed.
    pub(crate) fn reason(&self) -> String {
        self.state.lock().reason.clone()
    }

    /// Why the broker refused us for good, if it did.
    pub(crate) fn refused(&self) -> Option<String> {
        self.state.lock().refused.clone()
    }

    /// The service makes its first client that does more than ask.
    pub(crate) fn begin(&self) {
        let mut state = self.state.lock();
        state.begun = true;
        if state.reached && state.lost.is_empty() {
            self.check.pass("connected");
        }
    }

    pub(crate) fn up(&self, client: &'static str) {
        let mut state = self.state.lock();
        let was_lost = state.lost.remove(client) && state.lost.is_empty();
        state.reached = true;
        if state.lost.is_empty() {
            if state.begun { self.check.pass("connected") } else { self.check.fail("connected, starting") }
        }
        if was_lost {
            info!(service = self.service, "broker is back");
        }
    }

    fn failed(&self, client: &'static str, code: RDKafkaErrorCode, reason: &str) {
        let mut state = self.state.lock();
        match code {
            RDKafkaErrorCode::AllBrokersDown => {
                let first = state.lost.is_empty();
                if state.reached {
                    state.lost.insert(client);
                }
                if first && state.reached {
                    self.check.fail("the broker is down");
                    warn!(service = self.service, reason = state.reason, "broker lost; trying to reach it again");
                }
            }
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
                state.refused = Some(reason.to_owned());
                state.reason = reason.to_owned();
            }
            _ => state.reason = reason.to_owned(),
        }
    }
}

/// Partitions that came or went, in the order in which they did.
pub(crate) enum Event {
    Assigned(Vec<Place>),
    Revoked(Vec<Place>),
}

/// End of a partition, as statistics tell it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) committed: i64,
    pub(crate) low: i64,
    pub(crate) high: i64,
    /// Whether all below the end was fetched and given out.
    pub(crate) drained: bool,
}

/// Callbacks of one client.
pub(crate) struct Context {
    client: &'static str,
    link: Arc<Link>,
    events: Mutex<Vec<Event>>,
    ends: Mutex<BTreeMap<Place, Ends>>,
    ends_changed: Mutex<bool>,
    producer_check: Option<Check>,
}

impl Context {
    pub(crate) fn new(client: &'static str, link: Arc<Link>) -> Self {
        Self {
            client,
            link,
            events: Mutex::default(),
            ends: Mutex::default(),
            ends_changed: Mutex::default(),
            producer_check: None,
        }
    }

    /// The check passes while the broker has given the producer an id, without which nothing can be written.
    pub(crate) fn with_producer_check(mut self, check: Check) -> Self {
        self.producer_check = Some(check);
        self
    }

    pub(crate) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock())
    }

    /// The ends of all partitions, if statistics came since the last call.
    pub(crate) fn new_ends(&self) -> Option<BTreeMap<Place, Ends>> {
        std::mem::take(&mut *self.ends_changed.lock()).then(|| self.ends.lock().clone())
    }

    fn note_ends(&self, statistics: &Statistics) {
        let mut ends = self.ends.lock();
        for (topic, of_topic) in &statistics.topics {
            for (&partition, of_partition) in of_topic.partitions.iter().filter(|(partition, _)| **partition >= 0) {
                // Readers of committed records see nothing past the last stable offset.
                let high = if of_partition.ls_offset >= 0 { of_partition.ls_offset } else { of_partition.hi_offset };
                let committed = of_partition.committed_offset;
                let drained = of_partition.next_offset >= high && of_partition.fetchq_cnt == 0;
                let low = of_partition.lo_offset;
                ends.insert(Place::new(topic, partition), Ends { committed, low, high, drained });
            }
        }
        *self.ends_changed.lock() = true;
    }
}

impl ClientContext for Context {
    /// librdkafka's own lines: what matters comes as an error or a result too, and is said there in our words.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", facility, message);
            }
            _ => debug!(target: "librdkafka", facility, message),
        }
    }

    fn stats(&self, statistics: Statistics) {
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            self.link.up(self.client);
        }
        if let (Some(check), Some(eos)) = (&self.producer_check, &statistics.eos) {
            match &*eos.idemp_state {
                "Assigned" => check.pass("has its producer id"),
                state => check.fail(&format!("no producer id ({state})")),
            }
        }
        self.note_ends(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "librdkafka", client = self.client, %error, reason);
        if let Some(code) = error.rdkafka_error_code() {
            self.link.failed(self.client, code, reason);
        }
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(partitions) = rebalance else { return };
        // Nothing is in flight here: batches are worked through between two polls. What is stored is done.
        if !consumer.assignment_lost()
            && let Err(error) = consumer.commit_consumer_state(CommitMode::Sync)
            && error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset)
        {
            warn!(%error, "offsets not committed before partitions left; their last records will be read again");
        }
        self.events.lock().push(Event::Revoked(places(partitions)));
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => self.events.lock().push(Event::Assigned(places(partitions))),
            Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => warn!(%error, "rebalance failed; the group will try again"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
            Err(error) => warn!(%error, "offsets not committed; the next commit covers them"),
        }
    }
}

fn places(partitions: &TopicPartitionList) -> Vec<Place> {
    partitions.elements().iter().map(|element| Place::new(element.topic(), element.partition())).collect()
}

/// Where an acknowledgement goes: the offset, or why there is none.
pub(crate) type Ack = oneshot::Sender<Result<Offset, KafkaError>>;

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = Box<Ack>;

    fn delivery(&self, result: &DeliveryResult<'_>, ack: Box<Ack>) {
        let result = match result {
            Ok(message) => Ok(Offset::Offset(message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        // The sender may have stopped waiting.
        let _ = ack.send(result);
    }
}
