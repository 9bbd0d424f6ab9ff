//! Settings changed while the broker runs.

use super::reader::Properties;
use super::settings;

/// What `IncrementalAlterConfigs` has stored for brokers, as text. The metadata log holds it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DynamicConfigs {
    /// Of this broker (resource name: its id). Wins.
    pub broker: Properties,
    /// Of all brokers (resource name: empty).
    pub cluster: Properties,
}

impl DynamicConfigs {
    /// Without values that their own definitions refuse.
    pub(super) fn without_invalid(&self) -> Self {
        let valid = |layer: &Properties| {
            layer
                .iter()
                .filter(|(name, text)| settings::known(name).is_none_or(|definition| definition.parse(text).is_ok()))
                .map(|(name, text)| (name.clone(), text.clone()))
                .collect()
        };
        Self { broker: valid(&self.broker), cluster: valid(&self.cluster) }
    }
}
