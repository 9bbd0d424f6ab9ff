//! Settings: what Kafka's properties are, what this broker reads from them, and how they change.
//!
//! - [`definition`]: the table of all properties, generated from Kafka.
//! - [`BrokerConfig::load`]: `server.properties`, then `KAFKA_*` variables, then `--override`, the later ones winning.
//! - [`TopicConfig`]: a topic's overrides over the broker's settings.
//! - [`alter`]: whether a change is valid, and what it results in.
//! - [`describe`]: what `DescribeConfigs` says of them.
//!
//! Nothing here knows requests or replies: the API layer maps these types to messages.

pub mod alter;
#[cfg(test)]
mod answers;
mod broker;
mod checks;
pub mod definition;
pub mod describe;
mod dynamic;
mod environment;
mod error;
mod group;
pub mod listener;
mod listener_limits;
#[cfg(test)]
mod load_tests;
mod nearest;
mod properties;
mod reader;
mod retired;
mod rule;
mod settings;
mod startup_topic;
mod topic;
mod value;

pub use broker::{
    BrokerConfig, CleanerSettings, GroupSettings, Loaded, MetadataSettings, NetworkSettings, OffsetsSettings,
    RequestSettings, StorageSettings, TopicSettings, TransactionSettings,
};
pub use dynamic::DynamicConfigs;
pub use error::ConfigError;
pub use listener::{AdvertisedListener, Listener, Listeners, SecurityProtocol};
pub use listener_limits::ListenerLimits;
pub use reader::Properties;
pub use rule::Rule;
pub use settings::{Origin, SettingsError, Sources, known};
pub use startup_topic::StartupTopic;
pub use topic::TopicConfig;
pub use value::{Kind, Value};
