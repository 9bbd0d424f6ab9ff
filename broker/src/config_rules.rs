//! The rules of settings, as the controller asks for them.

use wire::ErrorCode;

use crate::config::alter::{self, BrokerLayer, Change, Operation};
use crate::config::definition::{Definitions, Scope, definitions};
use crate::config::{BrokerConfig, ConfigError, Kind};
use crate::metadata::{ApiError, ConfigChange, ConfigResource, ConfigResourceKind, ConfigRules, Configs, Image};
use crate::metadata_follower::dynamic_configs;

/// Rules as they are with the settings the broker started with, and those that were changed since.
#[derive(Debug)]
pub struct BrokerConfigRules {
    config: BrokerConfig,
}

impl BrokerConfigRules {
    /// Rules of a broker.
    pub fn new(config: BrokerConfig) -> Self {
        Self { config }
    }
}

fn definitions_of(resource: &ConfigResource) -> &'static Definitions {
    definitions(match resource.kind {
        ConfigResourceKind::Topic => Scope::Topic,
        ConfigResourceKind::Broker => Scope::Broker,
        ConfigResourceKind::ClientMetrics => Scope::ClientMetrics,
        ConfigResourceKind::Group => Scope::Group,
    })
}

fn known_change(change: &ConfigChange) -> Result<Change<'_>, ApiError> {
    let operation =
        Operation::from_code(change.operation).ok_or_else(|| ApiError::bare(ErrorCode::UnknownServerError))?;
    Ok(Change { name: &change.name, operation, value: change.value.as_deref() })
}

impl From<ConfigError> for ApiError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::InvalidConfig(message) => Self::new(ErrorCode::InvalidConfig, message),
            ConfigError::InvalidRequest(message) => Self::new(ErrorCode::InvalidRequest, message),
        }
    }
}

impl ConfigRules for BrokerConfigRules {
    fn check(&self, resource: &ConfigResource, _: &Configs, after: &Configs, image: &Image) -> Result<(), ApiError> {
        // What the resource does not say itself it has from the broker, as that is set at this moment.
        let config = || self.config.with_dynamic(&dynamic_configs(image, self.config.node_id));
        match resource.kind {
            ConfigResourceKind::Topic => alter::topic(&config(), after, &[]).map(drop)?,
            ConfigResourceKind::Group => alter::group(&config(), after, &[]).map(drop)?,
            ConfigResourceKind::ClientMetrics => alter::client_metrics(after, &[]).map(drop)?,
            // See `check_broker`: their rules are about single changes.
            ConfigResourceKind::Broker => {}
        }
        Ok(())
    }

    fn check_broker(
        &self,
        resource: &ConfigResource,
        changes: &[ConfigChange],
        replace: bool,
        image: &Image,
    ) -> Result<(), ApiError> {
        let current = dynamic_configs(image, self.config.node_id);
        let layer = if resource.name.is_empty() { BrokerLayer::AllBrokers } else { BrokerLayer::ThisBroker };
        let elr = image.elr_enabled();
        if replace {
            let wanted: Vec<_> = changes.iter().map(|change| (change.name.as_str(), change.value.as_deref())).collect();
            alter::replace_broker(&self.config, &current, layer, &wanted, elr)?;
        } else {
            let changes = changes.iter().map(known_change).collect::<Result<Vec<_>, _>>()?;
            alter::broker(&self.config, &current, layer, &changes, elr)?;
        }
        Ok(())
    }

    fn is_list(&self, resource: &ConfigResource, name: &str) -> bool {
        // Kafka's controller knows the lists of topics and brokers alone.
        let splittable = matches!(resource.kind, ConfigResourceKind::Topic | ConfigResourceKind::Broker);
        splittable && definitions_of(resource).get(name).is_some_and(|definition| definition.kind == Kind::List)
    }

    fn default_value(&self, resource: &ConfigResource, name: &str) -> Option<String> {
        // Kafka's own default, also where the broker's configuration has another.
        definitions_of(resource).get(name)?.default.map(str::to_owned)
    }
}
