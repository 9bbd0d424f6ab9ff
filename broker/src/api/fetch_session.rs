//! Incremental fetch sessions (KIP-227; `FetchSession.scala`): the broker remembers which partitions a consumer reads,
//! so that requests and replies name only what changed.

use std::sync::Arc;

use indexmap::IndexMap;
use parking_lot::Mutex;
use uuid::Uuid;
use wire::ErrorCode;

/// The epoch of a request that opens a session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request that wants no session and closes the one it names.
const FINAL_EPOCH: i32 = -1;

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
    slots: usize,
    evict_after_ms: i64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: IndexMap<i32, Session>,
}

impl FetchSessions {
    /// Keeps at most `slots` sessions; one that was not used for `evict_after_ms` gives way to a new one.
    pub fn new(slots: usize, evict_after_ms: i64) -> Self {
        Self { slots, evict_after_ms, state: Mutex::default() }
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.state.lock().sessions.len()
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
        let mut state = self.state.lock();
        if request.epoch == INITIAL_EPOCH || request.epoch == FINAL_EPOCH {
            state.sessions.swap_remove(&request.id);
            let kind =
                if request.epoch == FINAL_EPOCH { Kind::Sessionless } else { Kind::Full { by_id: request.by_id } };
            return Ok(FetchPlan { partitions: request.partitions, kind });
        }
        let session = state.sessions.get_mut(&request.id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.by_id != request.by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        if session.epoch != request.epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        for (key, spec) in request.partitions {
            session.partitions.entry(key).and_modify(|known| known.0 = spec).or_insert((spec, None));
        }
        for key in &request.forgotten {
            session.partitions.shift_remove(key);
        }
        if session.partitions.is_empty() {
            state.sessions.swap_remove(&request.id);
            return Ok(FetchPlan { partitions: Vec::new(), kind: Kind::Sessionless });
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
        let mut state = self.state.lock();
        let session = state
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
        if plan.partitions.is_empty() {
            return 0;
        }
        let mut state = self.state.lock();
        if state.sessions.len() >= self.slots {
            let oldest = state.sessions.iter().enumerate().min_by_key(|(_, (_, session))| session.last_used_ms);
            match oldest.map(|(index, (_, session))| (index, session.last_used_ms)) {
                Some((index, used)) if now_ms - used > self.evict_after_ms => {
                    drop(state.sessions.swap_remove_index(index));
                }
                _ => return 0,
            }
        }
        let id = state.free_id();
        let partitions = plan
            .partitions
            .iter()
            .zip(summaries)
            .map(|((key, spec), summary)| (key.clone(), (*spec, summary.told())))
            .collect();
        state
            .sessions
            .insert(id, Session { epoch: next_epoch(INITIAL_EPOCH), by_id, partitions, last_used_ms: now_ms });
        id
    }
}

impl State {
    /// Ids are unguessable in Kafka so that one client does not continue another's session by mistake.
    fn free_id(&self) -> i32 {
        loop {
            let id = (Uuid::new_v4().as_u128() as u32 & i32::MAX.cast_unsigned()).cast_signed();
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
        let sessions = FetchSessions::new(10, 1000);
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
        let sessions = FetchSessions::new(10, 1000);
        let plan = sessions.plan(request(0, 0, vec![(key(0), spec(0)), (key(1), spec(0))], vec![]), 0).unwrap();
        let (id, _) = sessions.settle(&plan, &[summary(0, 0), summary(0, 0)], 0).unwrap();
        let plan = sessions.plan(request(id, 1, vec![], vec![]), 0).unwrap();
        sessions.settle(&plan, &[summary(5, 1), summary(0, 0)], 0).unwrap();
        let plan = sessions.plan(request(id, 2, vec![], vec![]), 0).unwrap();
        assert_eq!(plan.partitions.iter().map(|(key, _)| key.partition).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn an_error_is_said_again_until_it_is_gone() {
        let sessions = FetchSessions::new(10, 1000);
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
        let sessions = FetchSessions::new(10, 1000);
        assert_eq!(sessions.plan(request(77, 1, vec![], vec![]), 0).unwrap_err(), ErrorCode::FetchSessionIdNotFound);
        let plan = sessions.plan(request(0, 0, vec![(key(0), spec(0))], vec![]), 0).unwrap();
        let (id, _) = sessions.settle(&plan, &[summary(0, 0)], 0).unwrap();
        assert_eq!(sessions.plan(request(id, 5, vec![], vec![]), 0).unwrap_err(), ErrorCode::InvalidFetchSessionEpoch);
        let by_id = SessionRequest { id, epoch: 1, by_id: true, partitions: vec![], forgotten: vec![] };
        assert_eq!(sessions.plan(by_id, 0).unwrap_err(), ErrorCode::FetchSessionTopicIdError);
        sessions.plan(request(id, -1, vec![], vec![]), 0).unwrap();
        assert!(sessions.is_empty());
    }

    #[test]
    fn a_full_cache_opens_no_session_until_one_is_old() {
        let sessions = FetchSessions::new(1, 1000);
        let plan = sessions.plan(request(0, 0, vec![(key(0), spec(0))], vec![]), 0).unwrap();
        let (first, _) = sessions.settle(&plan, &[summary(0, 0)], 0).unwrap();
        assert_ne!(first, 0);
        assert_eq!(sessions.settle(&plan, &[summary(0, 0)], 500).unwrap().0, 0);
        assert_ne!(sessions.settle(&plan, &[summary(0, 0)], 1500).unwrap().0, 0);
        assert_eq!(sessions.len(), 1);
    }
}
