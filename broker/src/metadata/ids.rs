//! Kafka's ids.

use uuid::Uuid;

/// A random id as Kafka makes them: none of the reserved ones (nil, the metadata topic, unknown, lost and migrating
/// directories: all below 100), and none whose text begins with `-`, which command lines would take for a flag.
pub fn random_id() -> Uuid {
    loop {
        let id = Uuid::new_v4();
        if id.as_u128() >= 100 && !commitlog::format_id(id).starts_with('-') {
            return id;
        }
    }
}

/// Id of the topic `__cluster_metadata`.
pub const METADATA_TOPIC_ID: Uuid = Uuid::from_u128(1);
