//! Any sequence of operations, against a simple model.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;

use crate::metadata::{
    ConfigAlteration, ConfigChange, Controller, Delta, Image, Listener, NewPartitions, ResourceName, TopicChange,
    TopicSelector,
};

use super::node::{block_on, contents, restart, start, topic};

#[derive(Debug, Clone)]
enum Step {
    Create(u8, i32),
    Delete(u8),
    Grow(u8, i32),
    SetRetention(u8, i64),
    ProducerIds,
    Stop,
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..5_u8;
    prop::collection::vec(
        prop_oneof![
            3 => (name.clone(), 1..4_i32).prop_map(|(name, count)| Step::Create(name, count)),
            2 => name.clone().prop_map(Step::Delete),
            2 => (name.clone(), 1..6_i32).prop_map(|(name, count)| Step::Grow(name, count)),
            2 => (name, 0..100_i64).prop_map(|(name, value)| Step::SetRetention(name, value)),
            1 => Just(Step::ProducerIds),
            1 => Just(Step::Stop),
            1 => Just(Step::Kill),
        ],
        1..25,
    )
}

/// What the metadata should say: partitions and retention of each topic.
#[derive(Debug, Default, PartialEq, Clone)]
struct Model {
    topics: BTreeMap<String, (usize, Option<i64>)>,
    next_producer_id: i64,
}

impl Model {
    fn of(image: &Image) -> Self {
        let topics = image.topics.iter().map(|topic| {
            let retention = image.topic_config(&topic.name).get("retention.ms").map(|value| value.parse().unwrap());
            (topic.name.to_string(), (topic.partitions.len(), retention))
        });
        Self { topics: topics.collect(), next_producer_id: image.next_producer_id.unwrap_or(0) }
    }
}

/// Keeps the names of topics by following deltas alone.
#[derive(Default)]
struct Follower(Mutex<BTreeMap<String, usize>>);

impl Listener for Follower {
    fn changed(&self, delta: &Delta, image: &Arc<Image>) {
        let mut known = self.0.lock();
        for topic in delta.deleted() {
            known.remove(&*topic.name).unwrap();
        }
        for topic in delta.created(image).chain(delta.changed(image).map(|(topic, _)| topic)) {
            known.insert(topic.name.to_string(), topic.partitions.len());
        }
        assert!(
            delta
                .topics
                .values()
                .all(|change| !matches!(change, TopicChange::Deleted(topic) if image.topic_by_id(topic.id).is_some()))
        );
    }
}

fn step(controller: &Controller, model: &mut Model, step: &Step) {
    let name = |number: &u8| format!("t{number}");
    match step {
        Step::Create(number, count) => {
            let result = block_on(controller.create_topics(vec![topic(&name(number), *count)], false)).unwrap();
            let fresh = !model.topics.contains_key(&name(number));
            assert_eq!(result[0].outcome.is_ok(), fresh);
            model.topics.entry(name(number)).or_insert((*count as usize, None));
        }
        Step::Delete(number) => {
            let selector = TopicSelector { name: Some(name(number)), ..TopicSelector::default() };
            let result = block_on(controller.delete_topics(vec![selector])).unwrap();
            assert_eq!(result[0].outcome.is_ok(), model.topics.remove(&name(number)).is_some());
        }
        Step::Grow(number, count) => {
            let asked = NewPartitions { name: name(number), count: *count, assignments: None };
            let result = block_on(controller.create_partitions(vec![asked], false)).unwrap();
            let grown = model.topics.get_mut(&name(number)).filter(|(had, _)| *had < *count as usize);
            assert_eq!(result[0].outcome.is_ok(), grown.is_some());
            if let Some((had, _)) = grown {
                *had = *count as usize;
            }
        }
        Step::SetRetention(number, value) => {
            let change = ConfigChange { name: "retention.ms".into(), operation: 0, value: Some(value.to_string()) };
            let resource = ResourceName { kind: 2, name: name(number) };
            let alteration = ConfigAlteration { resource, changes: vec![change] };
            let result = block_on(controller.incremental_alter_configs(vec![alteration], false)).unwrap();
            let entry = model.topics.get_mut(&name(number));
            assert_eq!(result[0].outcome.is_ok(), entry.is_some());
            if let Some((_, retention)) = entry {
                *retention = Some(*value);
            }
        }
        Step::ProducerIds => {
            let block = block_on(controller.allocate_producer_ids()).unwrap();
            assert_eq!((block.first, block.len), (model.next_producer_id, 1000));
            model.next_producer_id += 1000;
        }
        Step::Stop | Step::Kill => {}
    }
}

fn follow(controller: &Controller) -> Arc<Follower> {
    let follower = Arc::new(Follower::default());
    let known =
        controller.image().topics.iter().map(|topic| (topic.name.to_string(), topic.partitions.len())).collect();
    *follower.0.lock() = known;
    controller.subscribe(Arc::clone(&follower) as Arc<dyn Listener>);
    follower
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_was_answered_is_there_whatever_happens_in_between(steps in steps()) {
        let directory = tempfile::tempdir().unwrap();
        let mut controller = start(directory.path());
        let mut follower = follow(&controller);
        let mut model = Model::default();
        for one in &steps {
            step(&controller, &mut model, one);
            let before = contents(&controller.image());
            match one {
                Step::Stop => {
                    block_on(controller.close()).unwrap();
                    controller = restart(directory.path(), controller.broker_epoch());
                    follower = follow(&controller);
                }
                Step::Kill => {
                    drop(controller);
                    controller = start(directory.path());
                    follower = follow(&controller);
                }
                _ => {}
            }
            let image = controller.image();
            prop_assert_eq!(contents(&image), before);
            prop_assert_eq!(&Model::of(&image), &model);
            prop_assert!(image.topics.iter().flat_map(|topic| &topic.partitions).all(|p| p.leader == 1));
            let sizes = model.topics.iter().map(|(name, (count, _))| (name.clone(), *count)).collect();
            prop_assert_eq!(&*follower.0.lock(), &sizes);
        }
    }

    #[test]
    fn a_snapshot_says_what_the_image_says(steps in steps()) {
        let directory = tempfile::tempdir().unwrap();
        let controller = start(directory.path());
        let mut model = Model::default();
        for one in &steps {
            step(&controller, &mut model, one);
        }
        let image = controller.image();
        let file = directory.path().join("snapshot");
        let bytes = crate::metadata::snapshot::of_image(&image, 1, 2, &[]).unwrap();
        crate::metadata::snapshot::save(&file, &bytes).unwrap();
        let mut read = Image::default();
        let mut delta = Delta::default();
        let rest = crate::metadata::snapshot::read(&file, |record| read.apply(record, &mut delta)).unwrap();
        prop_assert_eq!(rest.last_timestamp, 2);
        (read.offset, read.epoch) = (image.offset, image.epoch);
        prop_assert_eq!(read, (*image).clone());
    }
}
