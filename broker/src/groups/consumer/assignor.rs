//! The server-side assignors: who should have which partition.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::groups::Assignor;
use crate::groups::record::{Name, Partitions};

/// A member as an assignor sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Instance id of a static member.
    pub instance_id: Option<Name>,
    /// Topics it subscribes to, all of which exist.
    pub topics: BTreeSet<Uuid>,
    /// The target it has.
    pub current: Partitions,
}

/// A target for every member.
pub(crate) type Targets = BTreeMap<Name, Partitions>;

/// Assigns every partition of every topic that somebody subscribes to. `sizes` has the number of partitions of each.
pub(crate) fn assign(assignor: Assignor, members: &BTreeMap<Name, Candidate>, sizes: &BTreeMap<Uuid, i32>) -> Targets {
    match assignor {
        Assignor::Uniform => uniform(members, sizes),
        Assignor::Range => range(members, sizes),
    }
}

/// Contiguous ranges for each topic, in the order of the members, static ones by instance id: partitions of the same
/// number of topics with the same size and subscribers go to the same member, and a static member keeps its place.
fn range(members: &BTreeMap<Name, Candidate>, sizes: &BTreeMap<Uuid, i32>) -> Targets {
    let mut order: Vec<(&Name, &Candidate)> = members.iter().collect();
    order.sort_by_key(|(id, member)| {
        (member.instance_id.is_none(), member.instance_id.clone().unwrap_or_else(|| (*id).clone()))
    });
    let mut targets: Targets = members.keys().map(|id| (id.clone(), Partitions::new())).collect();
    for (topic, size) in sizes {
        let subscribers: Vec<&Name> =
            order.iter().filter(|(_, member)| member.topics.contains(topic)).map(|(id, _)| *id).collect();
        let Ok(count) = i32::try_from(subscribers.len()) else { continue };
        if count == 0 {
            continue;
        }
        let (least, more) = (size / count, size % count);
        let mut next = 0;
        for (index, id) in (0..count).zip(subscribers) {
            let end = next + least + i32::from(index < more);
            if let Some(target) = targets.get_mut(id).filter(|_| end > next) {
                target.insert(*topic, (next..end).collect());
            }
            next = end;
        }
    }
    targets
}

/// As even as the subscriptions allow, and as much as possible as before.
fn uniform(members: &BTreeMap<Name, Candidate>, sizes: &BTreeMap<Uuid, i32>) -> Targets {
    let mut board = Board::keeping(members, sizes);
    let mut subscriptions = members.values().map(|member| &member.topics);
    let first = subscriptions.next();
    if subscriptions.all(|topics| Some(topics) == first) {
        board.cut_to_quota();
        board.deal();
    } else {
        board.deal();
        board.level();
    }
    board.into_targets()
}

/// Who has what while the uniform assignor works.
struct Board<'a> {
    names: Vec<&'a Name>,
    /// What each member has, in order.
    has: Vec<BTreeSet<(Uuid, i32)>>,
    /// Members that may have each topic.
    subscribers: BTreeMap<Uuid, Vec<usize>>,
    /// Partitions that nobody has.
    free: BTreeSet<(Uuid, i32)>,
}

impl<'a> Board<'a> {
    /// Every member keeps what it had, where it still may and nobody before it has it.
    fn keeping(members: &'a BTreeMap<Name, Candidate>, sizes: &BTreeMap<Uuid, i32>) -> Self {
        let mut subscribers: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (index, member) in members.values().enumerate() {
            for topic in &member.topics {
                subscribers.entry(*topic).or_default().push(index);
            }
        }
        let all = sizes.iter().filter(|(topic, _)| subscribers.contains_key(topic));
        let mut free: BTreeSet<(Uuid, i32)> =
            all.flat_map(|(topic, size)| (0..*size).map(|number| (*topic, number))).collect();
        let mut has = Vec::with_capacity(members.len());
        for member in members.values() {
            let had = member.current.iter().flat_map(|(topic, numbers)| numbers.iter().map(|number| (*topic, *number)));
            let keeps = had.filter(|partition| member.topics.contains(&partition.0) && free.remove(partition));
            has.push(keeps.collect());
        }
        Self { names: members.keys().collect(), has, subscribers, free }
    }

    /// Takes away what is over an even share: the first members that have one more than the rest may keep it.
    fn cut_to_quota(&mut self) {
        let count = self.has.len().max(1);
        let total = self.free.len() + self.has.iter().map(BTreeSet::len).sum::<usize>();
        let (least, mut more) = (total / count, total % count);
        for has in &mut self.has {
            let keeps_one_more = has.len() > least && more > 0;
            more -= usize::from(keeps_one_more);
            while has.len() > least + usize::from(keeps_one_more) {
                if let Some(last) = has.pop_last() {
                    self.free.insert(last);
                }
            }
        }
    }

    /// Gives every free partition to the subscriber that has the least, topics with the fewest subscribers first.
    fn deal(&mut self) {
        let mut free: Vec<(Uuid, i32)> = std::mem::take(&mut self.free).into_iter().collect();
        free.sort_by_key(|(topic, number)| (self.subscribers.get(topic).map_or(0, Vec::len), *topic, *number));
        // Members by how much they have; each topic looks only at its own subscribers.
        let mut at = 0;
        while at < free.len() {
            let topic = free[at].0;
            let end = at + free[at..].iter().take_while(|(other, _)| *other == topic).count();
            let subscribers = self.subscribers.get(&topic).cloned().unwrap_or_default();
            let mut queue: BTreeSet<(usize, usize)> =
                subscribers.iter().map(|index| (self.has[*index].len(), *index)).collect();
            for partition in &free[at..end] {
                let Some((held, index)) = queue.pop_first() else { break };
                self.has[index].insert(*partition);
                queue.insert((held + 1, index));
            }
            at = end;
        }
    }

    /// Moves partitions from members with more to members with less, as long as that makes two members more even.
    /// Ends, because every move makes the sum of the squares of the shares smaller.
    fn level(&mut self) {
        loop {
            let mut moved = false;
            for (topic, subscribers) in &self.subscribers {
                while move_one(&mut self.has, *topic, subscribers) {
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn into_targets(self) -> Targets {
        let mut targets = Targets::new();
        for (name, has) in self.names.into_iter().zip(self.has) {
            let target = targets.entry(name.clone()).or_default();
            for (topic, number) in has {
                target.entry(topic).or_default().insert(number);
            }
        }
        targets
    }
}

/// Moves one partition of the topic from its fullest holder to its emptiest subscriber, if they are two or more apart.
fn move_one(has: &mut [BTreeSet<(Uuid, i32)>], topic: Uuid, subscribers: &[usize]) -> bool {
    let last_of = |has: &BTreeSet<(Uuid, i32)>| has.range((topic, i32::MIN)..=(topic, i32::MAX)).next_back().copied();
    let holders = subscribers.iter().filter(|index| last_of(&has[**index]).is_some());
    let Some(from) = holders.copied().max_by_key(|index| has[*index].len()) else { return false };
    let Some(to) = subscribers.iter().copied().min_by_key(|index| has[*index].len()) else { return false };
    if has[from].len() < has[to].len() + 2 {
        return false;
    }
    let Some(partition) = last_of(&has[from]) else { return false };
    has[from].remove(&partition);
    has[to].insert(partition);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn topic(number: u128) -> Uuid {
        Uuid::from_u128(number + 1)
    }

    fn scenario() -> impl Strategy<Value = (BTreeMap<Name, Candidate>, BTreeMap<Uuid, i32>)> {
        let sizes = prop::collection::vec(1i32..12, 1..5);
        let members = prop::collection::vec((prop::collection::vec(any::<bool>(), 5), prop::option::of(0u8..9)), 1..7);
        (sizes, members, any::<bool>()).prop_map(|(sizes, members, same)| {
            let sizes: BTreeMap<Uuid, i32> = (0u128..).zip(sizes).map(|(number, size)| (topic(number), size)).collect();
            let candidate = |(index, (wants, instance)): (usize, (Vec<bool>, Option<u8>))| {
                let topics = sizes
                    .keys()
                    .copied()
                    .zip(wants)
                    .filter(|(_, wants)| same || *wants)
                    .map(|(topic, _)| topic)
                    .collect();
                let instance_id = instance.map(|number| Name::from(format!("i{number}-{index}")));
                (Name::from(format!("m{index}")), Candidate { instance_id, topics, current: Partitions::new() })
            };
            (members.into_iter().enumerate().map(candidate).collect(), sizes)
        })
    }

    fn check_complete(members: &BTreeMap<Name, Candidate>, sizes: &BTreeMap<Uuid, i32>, targets: &Targets) {
        let mut seen = BTreeSet::new();
        for (id, target) in targets {
            for (topic, numbers) in target {
                assert!(members[id].topics.contains(topic), "{id} does not subscribe");
                for number in numbers {
                    assert!((0..sizes[topic]).contains(number));
                    assert!(seen.insert((*topic, *number)), "two owners");
                }
            }
        }
        let wanted = sizes.iter().filter(|(topic, _)| members.values().any(|member| member.topics.contains(topic)));
        assert_eq!(seen.len(), usize::try_from(wanted.map(|(_, size)| *size).sum::<i32>()).unwrap());
        assert_eq!(targets.len(), members.len());
    }

    fn share(target: &Partitions) -> usize {
        target.values().map(BTreeSet::len).sum()
    }

    proptest! {
        #[test]
        fn every_partition_has_one_owner_that_subscribes((members, sizes) in scenario()) {
            for assignor in [Assignor::Uniform, Assignor::Range] {
                check_complete(&members, &sizes, &assign(assignor, &members, &sizes));
            }
        }

        #[test]
        fn uniform_is_even_and_assigning_again_changes_nothing((mut members, sizes) in scenario()) {
            let targets = assign(Assignor::Uniform, &members, &sizes);
            // No partition could move to a subscriber that has two less than its owner.
            for (owner, target) in &targets {
                for topic in target.keys() {
                    for (other, candidate) in &members {
                        let even = !candidate.topics.contains(topic) || share(target) < share(&targets[other]) + 2;
                        prop_assert!(even, "{owner} has {target:?}, {other} has {:?}", targets[other]);
                    }
                }
            }
            for (id, member) in &mut members {
                member.current = targets[id].clone();
            }
            prop_assert_eq!(&assign(Assignor::Uniform, &members, &sizes), &targets);
        }

        #[test]
        fn uniform_moves_no_more_than_a_leaver_leaves((mut members, sizes) in scenario()) {
            // With one subscription for all, what the others had stays theirs.
            let all: BTreeSet<Uuid> = sizes.keys().copied().collect();
            for member in members.values_mut() {
                member.topics = all.clone();
            }
            let targets = assign(Assignor::Uniform, &members, &sizes);
            for (id, member) in &mut members {
                member.current = targets[id].clone();
            }
            members.pop_first();
            let after = assign(Assignor::Uniform, &members, &sizes);
            for (id, target) in &after {
                for (topic, numbers) in &members[id].current {
                    prop_assert!(target.get(topic).is_some_and(|kept| kept.is_superset(numbers)));
                }
            }
        }
    }

    #[test]
    fn range_puts_partitions_of_one_number_together() {
        let both: BTreeSet<Uuid> = [topic(0), topic(1)].into();
        let candidate = || Candidate { topics: both.clone(), ..Candidate::default() };
        let members = BTreeMap::from([(Name::from("a"), candidate()), (Name::from("b"), candidate())]);
        let targets = assign(Assignor::Range, &members, &BTreeMap::from([(topic(0), 3), (topic(1), 3)]));
        for topic in both {
            assert_eq!(targets["a"][&topic], BTreeSet::from([0, 1]));
            assert_eq!(targets["b"][&topic], BTreeSet::from([2]));
        }
    }

    #[test]
    fn uniform_takes_from_the_end_of_the_one_that_has_all() {
        let current = Partitions::from([(topic(0), BTreeSet::from([0, 1, 2, 3]))]);
        let topics: BTreeSet<Uuid> = [topic(0)].into();
        let first = Candidate { topics: topics.clone(), current, instance_id: None };
        let second = Candidate { topics, ..Candidate::default() };
        let members = BTreeMap::from([(Name::from("m1"), first), (Name::from("m2"), second)]);
        let targets = assign(Assignor::Uniform, &members, &BTreeMap::from([(topic(0), 4)]));
        assert_eq!(targets["m1"][&topic(0)], BTreeSet::from([0, 1]));
        assert_eq!(targets["m2"][&topic(0)], BTreeSet::from([2, 3]));
    }
}
