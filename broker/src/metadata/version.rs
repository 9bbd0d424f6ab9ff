//! Which version of a record the finalized `metadata.version` allows (`MetadataVersion` in Kafka).

use wire::metadata::{BrokerRegistrationChangeRecord, MetadataRecord};

/// The level of `metadata.version` that Apache Kafka 4.3 formats a new directory with: 4.3-IV0.
pub const LATEST_METADATA_VERSION: i16 = 30;
/// The oldest level Kafka 4 can work with: 3.3-IV3.
pub const OLDEST_METADATA_VERSION: i16 = 7;
/// 3.6-IV1: metadata transactions (KIP-866).
pub(super) const METADATA_TRANSACTIONS: i16 = 13;
/// 3.7-IV0: controllers register (KIP-919).
pub(super) const CONTROLLER_REGISTRATION: i16 = 15;
/// 3.7-IV2: partitions name their log directories (KIP-858).
pub(super) const DIRECTORY_ASSIGNMENT: i16 = 17;
/// 4.0-IV1: eligible leader replicas (KIP-966).
const ELIGIBLE_LEADER_REPLICAS: i16 = 23;
/// 4.3-IV0: log directories can be cordoned (KIP-1066).
pub(super) const CORDONED_LOG_DIRS: i16 = 30;

/// The version to write `record` in.
pub(super) fn record_version(record: &MetadataRecord<'_>, metadata_version: i16) -> i16 {
    match record {
        MetadataRecord::RegisterBroker(_) => match metadata_version {
            CORDONED_LOG_DIRS.. => 4,
            DIRECTORY_ASSIGNMENT.. => 3,
            8.. => 2,
            _ => 1,
        },
        MetadataRecord::Partition(_) | MetadataRecord::PartitionChange(_) => match metadata_version {
            ELIGIBLE_LEADER_REPLICAS.. => 2,
            DIRECTORY_ASSIGNMENT.. => 1,
            _ => 0,
        },
        // Kafka takes the lowest that has the field.
        MetadataRecord::BrokerRegistrationChange(change) => registration_change(change),
        _ => 0,
    }
}

fn registration_change(change: &BrokerRegistrationChangeRecord) -> i16 {
    match change {
        change if change.cordoned_log_dirs.is_some() => 3,
        change if !change.log_dirs.is_empty() => 2,
        change if change.in_controlled_shutdown != 0 => 1,
        _ => 0,
    }
}

/// Levels 3.3-IV3 to 4.3-IV0, from level 7 on.
const NAMES: [&str; 24] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1",
    "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0",
    "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
];

/// What Kafka calls a level of `metadata.version`, such as `4.3-IV0` for 30; `None` for levels it has no name for.
pub fn metadata_version_name(level: i16) -> Option<&'static str> {
    usize::try_from(level - OLDEST_METADATA_VERSION).ok().and_then(|index| NAMES.get(index)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_last_level_have_the_names_kafka_gives_them() {
        assert_eq!(metadata_version_name(OLDEST_METADATA_VERSION), Some("3.3-IV3"));
        assert_eq!(metadata_version_name(17), Some("3.7-IV2"));
        assert_eq!(metadata_version_name(LATEST_METADATA_VERSION), Some("4.3-IV0"));
        assert_eq!(metadata_version_name(LATEST_METADATA_VERSION + 1), None);
    }
}
