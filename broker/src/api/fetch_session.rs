//! Incremental fetch sessions (KIP-227; `FetchManager`, `FetchSessionCacheShard`): the broker remembers which partitions a
//! consumer reads, so that requests and replies name only what changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indexmap::IndexMap;
use parking_lot::Mutex;
use uuid::Uuid;
use wire::ErrorCode;

/// The epoch of a request that opens a session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request that wants no session and closes the one it names.
const FINAL_EPOCH: i32 = -1;
/// Sessions are kept in so many parts, each with its share of the slots and of the ids
/// (`KafkaBroker.NumFetchSessionCacheShards`).
const SHARDS: usize = 8;
const IDS_PER_SHARD: i32 = i32::MAX / SHARDS as i32;

/// A partition as a fetcher names it: by name up to version 12, by id from 13 on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FetchKey {
    /// Empty in requests by id.
    pub topic: Arc<str>,
    /// Nil in requests by name.
    pub topic_id: Uuid,
    /// Partition index.
    pub partition: i32,
}

/// What is asked of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchSpec {
    /// First offset wanted.
    pub offset: i64,
    /// Most bytes wanted.
    pub max_bytes: i32,
    /// The leader epoch the client knows, -1 for none.
    pub leader_epoch: i32,
    /// Epoch of the last record the client has, -1 for none.
    pub last_fetched_epoch: i32,
}

/// What a session's client was told last of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    high_watermark: i64,
    log_start: i64,
}

#[derive(Debug)]
struct Session {
    epoch: i32,
    by_id: bool,
    partitions: IndexMap<FetchKey, (FetchSpec, Option<Told>)>,
    created_ms: i64,
    last_used_ms: i64,
}

/// What a request wants of its session.
#[derive(Debug)]
pub struct SessionRequest {
    /// 0 for none.
    pub id: i32,
    /// 0 opens, -1 closes, others go on.
    pub epoch: i32,
    /// Whether the version names topics by id.
    pub by_id: bool,
    /// Partitions to read, or in an incremental request those that are new or changed.
    pub partitions: Vec<(FetchKey, FetchSpec)>,
    /// Partitions to read no more.
    pub forgotten: Vec<FetchKey>,
}

/// What to read for a request, and what its reply has to name.
#[derive(Debug)]
pub struct FetchPlan {
    /// In the order in which to read.
    pub partitions: Vec<(FetchKey, FetchSpec)>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sessionless,
    Full { by_id: bool },
    Incremental { id: i32, epoch: i32 },
}

/// What the reply would say of a partition, as far as a session cares.
#[derive(Debug, Clone, Copy)]
pub struct ReplySummary {
    /// The partition's error.
    pub error: ErrorCode,
    /// Bytes of records.
    pub bytes: usize,
    /// High watermark in the reply.
    pub high_watermark: i64,
    /// Log start offset in the reply.
    pub log_start: i64,
    /// The reply tells of a diverging epoch.
    pub diverging: bool,
}

impl ReplySummary {
    fn differs(&self, told: Option<Told>) -> bool {
        self.bytes > 0
            || self.error != ErrorCode::None
            || self.diverging
            || told != Some(Told { high_watermark: self.high_watermark, log_start: self.log_start })
    }

    fn told(&self) -> Option<Told> {
        // An error is said again until it is gone.
        (self.error == ErrorCode::None)
            .then_some(Told { high_watermark: self.high_watermark, log_start: self.log_start })
    }
}

/// All sessions of the broker, at most `max.incremental.fetch.session.cache.slots`.
#[derive(Debug)]
pub struct FetchSessions {
    shards: [Mutex<Shard>; SHARDS],
    /// The shard of the next session, modulo their number.
    next: AtomicUsize,
    slots_per_shard: usize,
    evict_after_ms: i64,
}

#[derive(Debug, Default)]
struct Shard {
    sessions: IndexMap<i32, Session>,
}

impl FetchSessions {
    /// Keeps at most `slots` sessions, the same number in each shard. A session that was not used for `evict_after_ms`
    /// gives way to a new one; and one that is older than that to one of more partitions.
    pub fn new(slots: usize, evict_after_ms: i64) -> Self {
        Self { shards: Default::default(), next: AtomicUsize::new(0), slots_per_shard: slots / SHARDS, evict_after_ms }
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().sessions.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Turns a request into what is to be read.
    ///
    /// # Errors
    /// `FETCH_SESSION_ID_NOT_FOUND`, `INVALID_FETCH_SESSION_EPOCH` and `FETCH_SESSION_TOPIC_ID_ERROR`, all of the whole
    /// request.
    pub fn plan(&self, request: SessionRequest, now_ms: i64) -> Result<FetchPlan, ErrorCode> {
        let mut shard = self.shard_of(request.id).lock();
        if request.epoch == INITIAL_EPOCH || request.epoch == FINAL_EPOCH {
            shard.sessions.swap_remove(&request.id);
            let kind =
                if request.epoch == FINAL_EPOCH { Kind::Sessionless } else { Kind::Full { by_id: request.by_id } };
            return Ok(FetchPlan { partitions: request.partitions, kind });
        }
        let session = shard.sessions.get_mut(&request.id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != request.epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.by_id != request.by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        for (key, spec) in &request.partitions {
            session.partitions.entry(key.clone()).and_modify(|known| known.0 = *spec).or_insert((*spec, None));
        }
        for key in &request.forgotten {
            session.partitions.shift_remove(key);
        }
        if session.partitions.is_empty() {
            shard.sessions.swap_remove(&request.id);
            return Ok(FetchPlan { partitions: request.partitions, kind: Kind::Sessionless });
        }
        session.epoch = next_epoch(session.epoch);
        session.last_used_ms = now_ms;
        let partitions = session.partitions.iter().map(|(key, (spec, _))| (key.clone(), *spec)).collect();
        Ok(FetchPlan { partitions, kind: Kind::Incremental { id: request.id, epoch: session.epoch } })
    }

    /// Settles the session after reading: the reply's session id, and for each of `summaries` (in the plan's order)
    /// whether the reply names it.
    ///
    /// # Errors
    /// `INVALID_FETCH_SESSION_EPOCH` if the session moved on while this request waited.
    pub fn settle(
        &self,
        plan: &FetchPlan,
        summaries: &[ReplySummary],
        now_ms: i64,
    ) -> Result<(i32, Vec<bool>), ErrorCode> {
        let all = vec![true; summaries.len()];
        match plan.kind {
            Kind::Sessionless => Ok((0, all)),
            Kind::Full { by_id } => Ok((self.open(by_id, plan, summaries, now_ms), all)),
            Kind::Incremental { id, epoch } => self.settle_incremental(id, epoch, plan, summaries),
        }
    }

    fn settle_incremental(
        &self,
        id: i32,
        epoch: i32,
        plan: &FetchPlan,
        summaries: &[ReplySummary],
    ) -> Result<(i32, Vec<bool>), ErrorCode> {
        let mut shard = self.shard_of(id).lock();
        let session = shard
            .sessions
            .get_mut(&id)
            .filter(|session| session.epoch == epoch)
            .ok_or(ErrorCode::InvalidFetchSessionEpoch)?;
        let mut named = Vec::with_capacity(summaries.len());
        for ((key, _), summary) in plan.partitions.iter().zip(summaries) {
            let Some(index) = session.partitions.get_index_of(key) else {
                named.push(true);
                continue;
            };
            let told = session.partitions[index].1;
            let differs = summary.differs(told);
            if differs {
                session.partitions[index].1 = summary.told();
            }
            if summary.bytes > 0 {
                // Who got records goes to the end of the line, so that a full reply starves nobody.
                session.partitions.move_index(index, session.partitions.len() - 1);
            }
            named.push(differs);
        }
        Ok((id, named))
    }

    /// Opens a session where there is room; 0 where not.
    fn open(&self, by_id: bool, plan: &FetchPlan, summaries: &[ReplySummary], now_ms: i64) -> i32 {
        let number = self.next.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let mut shard = self.shards[number].lock();
        let has_room = shard.sessions.len() < self.slots_per_shard
            || shard.evict(plan.partitions.len(), self.evict_after_ms, now_ms);
        if !has_room {
            return 0;
        }
        let id = shard.free_id(number as i32);
        let partitions = plan
            .partitions
            .iter()
            .zip(summaries)
            .map(|((key, spec), summary)| (key.clone(), (*spec, summary.told())))
            .collect();
        let epoch = next_epoch(INITIAL_EPOCH);
        let session = Session { epoch, by_id, partitions, created_ms: now_ms, last_used_ms: now_ms };
        shard.sessions.insert(id, session);
        id
    }

    /// The shard of an id; that of an id that nobody was given does not have it.
    fn shard_of(&self, id: i32) -> &Mutex<Shard> {
        let number = usize::try_from(id / IDS_PER_SHARD).unwrap_or(0);
        &self.shards[number.min(SHARDS - 1)]
    }
}

impl Shard {
    /// Makes room for a session of `size` partitions. The one unused for longest goes if it is stale; else the smallest
    /// of those that were used after their first `evict_after_ms`, if it is smaller than the new one.
    fn evict(&mut self, size: usize, evict_after_ms: i64, now_ms: i64) -> bool {
        let stale = self
            .sessions
            .iter()
            .min_by_key(|(id, session)| (session.last_used_ms, **id))
            .filter(|(_, session)| now_ms - session.last_used_ms > evict_after_ms);
        let smaller = || {
            let old = self.sessions.iter().filter(|(_, it)| it.last_used_ms - it.created_ms > evict_after_ms);
            old.min_by_key(|(id, it)| (it.partitions.len(), **id)).filter(|(_, it)| it.partitions.len() < size)
        };
        let Some(id) = stale.or_else(smaller).map(|(id, _)| *id) else { return false };
        self.sessions.swap_remove(&id);
        true
    }

    /// Ids are unguessable in Kafka so that one client does not continue another's session by mistake.
    fn free_id(&self, number: i32) -> i32 {
        loop {
            let random = (Uuid::new_v4().as_u128() as u32 & i32::MAX.cast_unsigned()).cast_signed();
            let id = number * IDS_PER_SHARD + random % IDS_PER_SHARD;
            if id != 0 && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> FetchKey {
        FetchKey { topic: "t".into(), topic_id: Uuid::nil(), partition }
    }

    fn spec(offset: i64) -> FetchSpec {
        FetchSpec { offset, max_bytes: 1, leader_epoch: -1, last_fetched_epoch: -1 }
    }

    fn request(
        id: i32,
        epoch: i32,
        partitions: Vec<(FetchKey, FetchSpec)>,
        forgotten: Vec<FetchKey>,
    ) -> SessionRequest {
        SessionRequest { id, epoch, by_id: false, partitions, forgotten }
    }

    fn summary(bytes: usize, high_watermark: i64) -> ReplySummary {
        ReplySummary { error: ErrorCode::None, bytes, high_watermark, log_start: 0, diverging: false }
    }

    #[test]
    fn an_incremental_reply_names_only_what_changed() {
        let sessions = FetchSessions::new(1000, 1000);
        let plan = sessions.plan(request(0, 0, vec![(key(0), spec(0)), (key(1), spec(0))], vec![]), 0).unwrap();
        let (id, named) = sessions.settle(&plan, &[summary(0, 0), summary(0, 0)], 0).unwrap();
        assert_ne!(id, 0);
        assert_eq!(named, [true, true]);

        let plan = sessions.plan(request(id, 1, vec![], vec![]), 1).unwrap();
        assert_eq!(plan.partitions.len(), 2);
        assert_eq!(sessions.settle(&plan, &[summary(0, 0), summary(9, 1)], 1).unwrap(), (id, vec![false, true]));

        let plan = sessions.plan(request(id, 2, vec![(key(1), spec(1))], vec![key(0)]), 2).unwrap();
        assert_eq!(plan.partitions, [(key(1), spec(1))]);
        assert_eq!(sessions.settle(&plan, &[summary(0, 1)], 2).unwrap(), (id, vec![false]));
    }

    #[test]
    fn partitions_that_gave_records_go_last() {
        let sessions = FetchSessions::new(1000, 1000);
        let plan = sessions.plan(request(0, 0, vec![(key(0), spec(0)), (key(1), spec(0))], vec![]), 0).unwrap();
        let (id, _) = sessions.settle(&plan, &[summary(0, 0), summary(0, 0)], 0).unwrap();
        let plan = sessions.plan(request(id, 1, vec![], vec![]), 0).unwrap();
        sessions.settle(&plan, &[summary(5, 1), summary(0, 0)], 0).unwrap();
        let plan = sessions.plan(request(id, 2, vec![], vec![]), 0).unwrap();
        assert_eq!(plan.partitions.iter().map(|(key, _)| key.partition).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn an_error_is_said_again_until_it_is_gone() {
        let sessions = FetchSessions::new(1000, 1000);
        let failed = ReplySummary {
            error: ErrorCode::OffsetOutOfRange,
            bytes: 0,
            high_watermark: -1,
            log_start: -1,
            diverging: false,
        };
        let plan = sessions.plan(request(0, 0, vec![(key(0), spec(7))], vec![]), 0).unwrap();
        let (id, _) = sessions.settle(&plan, &[failed], 0).unwrap();
        for epoch in 1..4 {
            let plan = sessions.plan(request(id, epoch, vec![], vec![]), 0).unwrap();
            assert_eq!(sessions.settle(&plan, &[failed], 0).unwrap().1, [true]);
        }
        let plan = sessions.plan(request(id, 4, vec![], vec![]), 0).unwrap();
        assert_eq!(sessions.settle(&plan, &[summary(0, 0)], 0).unwrap().1, [true]);
        let plan = sessions.plan(request(id, 5, vec![], vec![]), 0).unwrap();
        assert_eq!(sessions.settle(&plan, &[summary(0, 0)], 0).unwrap().1, [false]);
    }

    #[test]
    fn wrong_ids_and_epochs_are_refused() {
        let sessions = FetchSessions::new(1000, 1000);
        assert_eq!(sessions.plan(request(77, 1, vec![], vec![]), 0).unwrap_err(), ErrorCode::FetchSessionIdNotFound);
        let plan = sessions.plan(request(0, 0, vec![(key(0), spec(0))], vec![]), 0).unwrap();
        let (id, _) = sessions.settle(&plan, &[summary(0, 0)], 0).unwrap();
        assert_eq!(sessions.plan(request(id, 5, vec![], vec![]), 0).unwrap_err(), ErrorCode::InvalidFetchSessionEpoch);
        let by_id = SessionRequest { id, epoch: 1, by_id: true, partitions: vec![], forgotten: vec![] };
        assert_eq!(sessions.plan(by_id, 0).unwrap_err(), ErrorCode::FetchSessionTopicIdError);
        sessions.plan(request(id, -1, vec![], vec![]), 0).unwrap();
        assert!(sessions.is_empty());
    }

    /// Opens a session of so many partitions; its id, 0 where there is no room.
    fn open(sessions: &FetchSessions, partitions: i32, now_ms: i64) -> i32 {
        let wanted = (0..partitions).map(|index| (key(index), spec(0))).collect::<Vec<_>>();
        let summaries = vec![summary(0, 0); wanted.len()];
        let plan = sessions.plan(request(0, 0, wanted, vec![]), now_ms).unwrap();
        sessions.settle(&plan, &summaries, now_ms).unwrap().0
    }

    #[test]
    fn a_full_cache_opens_no_session_until_one_is_stale() {
        let sessions = FetchSessions::new(2 * SHARDS + 7, 1000);
        let ids = (0..2 * SHARDS).map(|_| open(&sessions, 1, 0)).collect::<Vec<_>>();
        assert!(ids.iter().all(|id| *id != 0));
        assert_eq!(sessions.len(), 2 * SHARDS, "the slots that are left are too few for all shards");
        assert_eq!(open(&sessions, 5, 1000), 0, "none is stale, and none was used after a second");
        assert_ne!(open(&sessions, 1, 1001), 0);
        assert_eq!(sessions.len(), 2 * SHARDS);
        assert_eq!(open(&FetchSessions::new(SHARDS - 1, 1000), 1, 0), 0, "not one slot for each shard");
    }

    #[test]
    fn an_old_session_gives_way_to_a_larger_one() {
        let sessions = FetchSessions::new(SHARDS, 1000);
        for id in (0..SHARDS).map(|_| open(&sessions, 2, 0)).collect::<Vec<_>>() {
            for (epoch, at) in [(1, 900), (2, 1800)] {
                sessions.plan(request(id, epoch, vec![], vec![]), at).unwrap();
            }
        }
        let open_in_all = |partitions| [(); SHARDS].map(|()| open(&sessions, partitions, 1800) != 0);
        assert_eq!(open_in_all(2), [false; SHARDS], "as many partitions are not more");
        assert_eq!(open_in_all(3), [true; SHARDS]);
        assert_eq!(open_in_all(4), [false; SHARDS], "these are new");
    }

    #[test]
    fn a_session_may_begin_without_partitions_and_ends_without() {
        let sessions = FetchSessions::new(1000, 1000);
        let id = open(&sessions, 0, 0);
        assert_ne!(id, 0);
        let forgotten_at_once = request(id, 1, vec![(key(3), spec(0))], vec![key(3)]);
        let plan = sessions.plan(forgotten_at_once, 0).unwrap();
        assert_eq!(plan.partitions, [(key(3), spec(0))]);
        assert_eq!(sessions.settle(&plan, &[summary(0, 0)], 0).unwrap().0, 0);
        assert!(sessions.is_empty());
    }
}
