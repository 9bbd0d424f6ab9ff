//! The partition changes of a start and a stop, as Kafka's controller writes them for a cluster of one broker.
//!
//! A stop takes the leader from every partition, a start gives it back: each raises the leader epoch by one, so that it
//! has grown by two from run to run, as in Kafka. After a kill the next start does both.
//!
//! With eligible leader replicas (KIP-966) a stop also empties the ISR and remembers this broker as eligible; a kill
//! takes that away, and the partition is led by its last known leader, who is *recovering* then.

use wire::metadata::{MetadataRecord, PartitionChangeRecord};

use super::image::{Image, NO_LEADER, Partition};
use uuid::Uuid;

type Records = Vec<MetadataRecord<'static>>;

/// Takes the leadership of all partitions from `node`.
pub(super) fn resign(image: &Image, node: i32) -> Records {
    resign_where(image, |partition| partition.leader == node, node)
}

/// Takes the leadership of the partitions in a directory of `node` that has failed.
pub(super) fn lose(image: &Image, node: i32, directory: Uuid) -> Records {
    let is_lost = |partition: &Partition| partition.leader == node && partition.directories == [directory];
    resign_where(image, is_lost, node)
}

fn resign_where(image: &Image, resigns: impl Fn(&Partition) -> bool, node: i32) -> Records {
    let elr = image.elr_enabled();
    changes(image, |partition| {
        resigns(partition).then(|| PartitionChangeRecord {
            leader: NO_LEADER,
            isr: elr.then(Vec::new),
            eligible_leader_replicas: elr.then(|| vec![node]),
            last_known_elr: elr.then(|| vec![node]),
            ..Default::default()
        })
    })
}

/// Makes `node` ineligible wherever it is: it did not stop cleanly, and may have lost records.
pub(super) fn forget_eligible(image: &Image, node: i32) -> Records {
    changes(image, |partition| {
        partition
            .eligible_leader_replicas
            .contains(&node)
            .then(|| PartitionChangeRecord { eligible_leader_replicas: Some(Vec::new()), ..Default::default() })
    })
}

/// Lets `node` lead all partitions that have no leader.
pub(super) fn elect(image: &Image, node: i32) -> Records {
    changes(image, |partition| {
        (partition.leader == NO_LEADER).then(|| {
            let clean = partition.isr.contains(&node) || partition.eligible_leader_replicas.contains(&node);
            let cleared = |list: &Vec<i32>| (!list.is_empty()).then(Vec::new);
            PartitionChangeRecord {
                leader: node,
                isr: (partition.isr != [node]).then(|| vec![node]),
                leader_recovery_state: if clean || partition.leader_recovery_state == 1 { -1 } else { 1 },
                eligible_leader_replicas: cleared(&partition.eligible_leader_replicas),
                last_known_elr: cleared(&partition.last_known_elr),
                ..Default::default()
            }
        })
    })
}

fn changes(image: &Image, change: impl Fn(&Partition) -> Option<PartitionChangeRecord>) -> Records {
    let mut records = Records::new();
    for topic in image.topics.iter() {
        for (partition_id, partition) in (0..).zip(&topic.partitions) {
            if let Some(record) = change(partition) {
                records.push(PartitionChangeRecord { topic_id: topic.id, partition_id, ..record }.into());
            }
        }
    }
    records
}
