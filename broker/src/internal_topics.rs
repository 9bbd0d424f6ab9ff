//! The topics that coordinators keep their state in. Source: `GroupCoordinatorService.groupMetadataTopicConfigs`,
//! `TransactionLog.transactionTopicConfigs`, `AutoTopicCreationManager`.

use crate::config::BrokerConfig;
use crate::metadata::NewTopic;

/// A topic of a coordinator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InternalTopic {
    /// `__consumer_offsets`.
    ConsumerOffsets,
    /// `__transaction_state`.
    TransactionState,
}

impl InternalTopic {
    const ALL: [Self; 2] = [Self::ConsumerOffsets, Self::TransactionState];

    /// The topic's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConsumerOffsets => "__consumer_offsets",
            Self::TransactionState => "__transaction_state",
        }
    }

    /// The internal topic of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// How to make it. One replica, whatever the settings say: there is one node.
    pub fn new_topic(self, config: &BrokerConfig) -> NewTopic {
        let (num_partitions, segment_bytes) = match self {
            Self::ConsumerOffsets => {
                (config.offsets.offsets_topic_num_partitions, config.offsets.offsets_topic_segment_bytes)
            }
            Self::TransactionState => (
                config.transactions.transaction_state_log_num_partitions,
                config.transactions.transaction_state_log_segment_bytes,
            ),
        };
        let mut configs = vec![("cleanup.policy", "compact".to_owned()), ("segment.bytes", segment_bytes.to_string())];
        match self {
            Self::ConsumerOffsets => configs.push(("compression.type", "producer".to_owned())),
            Self::TransactionState => configs.extend([
                ("compression.type", "uncompressed".to_owned()),
                ("unclean.leader.election.enable", "false".to_owned()),
                ("min.insync.replicas", "1".to_owned()),
            ]),
        }
        let configs = configs.into_iter().map(|(name, value)| (name.to_owned(), Some(value)));
        NewTopic {
            name: self.name().to_owned(),
            num_partitions,
            replication_factor: 1,
            configs: configs.collect(),
            ..NewTopic::default()
        }
    }
}

/// Whether clients are told that a topic is internal, and kept from writing to it. Source: `Topic.isInternal`.
pub fn is_internal(name: &str) -> bool {
    InternalTopic::named(name).is_some() || name == "__share_group_state"
}
