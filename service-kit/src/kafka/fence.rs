//! A consumer's standing in its group, for a writer beside its loop: the partitions that are its own, and what proves to
//! the broker that they still are (KIP-447).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;

use crate::kafka::record::Place;

/// Given to [`crate::kafka::Kafka::transactions`], it makes sure that what is written for a partition is written only
/// while the partition is this consumer's: the offsets that are committed with it are refused otherwise. Cheap to clone.
#[derive(Clone)]
pub struct Fence {
    standing: watch::Sender<Option<Arc<Standing>>>,
    /// Next offset of each partition; it has no bearing on the proof, but it must be one that may be committed.
    positions: Arc<Mutex<BTreeMap<Place, i64>>>,
}

/// The standing after a rebalance.
pub(crate) struct Standing {
    pub(crate) member: ConsumerGroupMetadata,
    places: BTreeSet<Place>,
}

impl Standing {
    pub(crate) fn has(&self, place: &Place) -> bool {
        self.places.contains(place)
    }
}

impl Fence {
    pub(crate) fn new() -> Self {
        Self { standing: watch::Sender::new(None), positions: Arc::default() }
    }

    /// Whether anyone but the loop has it.
    pub(crate) fn is_used(&self) -> bool {
        Arc::strong_count(&self.positions) > 1
    }

    /// A rebalance has ended. `positions` are the committed offsets of partitions that came with it.
    pub(crate) fn rebalanced(
        &self,
        member: Option<ConsumerGroupMetadata>,
        places: &BTreeSet<Place>,
        positions: impl IntoIterator<Item = (Place, i64)>,
    ) {
        {
            let mut known = self.positions.lock();
            known.retain(|place, _| places.contains(place));
            known.extend(positions);
        }
        self.standing.send_replace(member.map(|member| Arc::new(Standing { member, places: places.clone() })));
    }

    /// The loop has got this far.
    pub(crate) fn moved(&self, place: &Place, offset: i64) {
        self.positions.lock().insert(place.clone(), offset);
    }

    pub(crate) fn standing(&self) -> Option<Arc<Standing>> {
        self.standing.borrow().clone()
    }

    /// Tells of rebalances.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Arc<Standing>>> {
        self.standing.subscribe()
    }

    /// What to commit for these partitions.
    pub(crate) fn offsets<'a>(&self, places: impl IntoIterator<Item = &'a Place>) -> TopicPartitionList {
        let positions = self.positions.lock();
        let mut list = TopicPartitionList::new();
        for place in places {
            let offset = positions.get(place).copied().unwrap_or(0);
            // Fails only for an offset below the logical ones, and positions are none.
            let _ = list.add_partition_offset(&place.topic, place.partition, Offset::Offset(offset));
        }
        list
    }
}
