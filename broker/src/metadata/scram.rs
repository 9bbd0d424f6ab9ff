//! SCRAM credentials (KIP-554, `ScramControlManager` in Kafka).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use wire::ErrorCode;
use wire::metadata::{MetadataRecord, RemoveUserScramCredentialRecord};

use super::image::{Image, ScramCredential};
use super::request::ApiError;

/// Fewest rounds of the key derivation that a credential may have, for both mechanisms.
const MIN_ITERATIONS: i32 = 4096;
/// Most rounds: a credential must not be a way to keep the broker busy.
const MAX_ITERATIONS: i32 = 16384;

/// A credential to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScramDeletion {
    /// Whose.
    pub user: String,
    /// 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
    pub mechanism: i8,
}

/// A credential to set. The keys are derived from the request's salted password by the caller, who has the hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScramUpsertion {
    /// Whose.
    pub user: String,
    /// 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
    pub mechanism: i8,
    /// Salt, keys and rounds.
    pub credential: ScramCredential,
}

/// The answer for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScramResult {
    /// The user.
    pub user: String,
    /// What is wrong, if anything.
    pub outcome: Result<(), ApiError>,
}

type Records = Vec<MetadataRecord<'static>>;

/// One change a user. As in Kafka a user is answered once, by the first error; one who is named twice gets nothing, also
/// where it is for different mechanisms.
pub(super) fn alter(
    image: &Image,
    deletions: &[ScramDeletion],
    upsertions: &[ScramUpsertion],
) -> (Records, Vec<ScramResult>) {
    let mut outcomes: BTreeMap<&str, Result<MetadataRecord<'static>, ApiError>> = BTreeMap::new();
    let changes = deletions
        .iter()
        .map(|deletion| (deletion.user.as_str(), deletion.mechanism, None))
        .chain(upsertions.iter().map(|upsertion| (upsertion.user.as_str(), upsertion.mechanism, Some(upsertion))));
    for (user, mechanism, upsertion) in changes {
        match outcomes.entry(user) {
            Entry::Vacant(first) => {
                first.insert(one(image, user, mechanism, upsertion));
            }
            Entry::Occupied(mut again) => {
                if again.get().is_ok() {
                    let message = "A user credential cannot be altered twice in the same request";
                    *again.get_mut() = Err(ApiError::new(ErrorCode::DuplicateResource, message));
                }
            }
        }
    }
    let (mut records, mut results) = (Records::new(), Vec::new());
    for (user, outcome) in outcomes {
        let outcome = outcome.map(|record| records.push(record));
        results.push(ScramResult { user: user.to_owned(), outcome });
    }
    (records, results)
}

fn one(
    image: &Image,
    user: &str,
    mechanism: i8,
    upsertion: Option<&ScramUpsertion>,
) -> Result<MetadataRecord<'static>, ApiError> {
    let unacceptable = |message: &str| ApiError::new(ErrorCode::UnacceptableCredential, message);
    if user.is_empty() {
        return Err(unacceptable("Username must not be empty"));
    }
    if !matches!(mechanism, 1 | 2) {
        return Err(ApiError::new(ErrorCode::UnsupportedSaslMechanism, "Unknown SCRAM mechanism"));
    }
    let Some(ScramUpsertion { credential, .. }) = upsertion else {
        if image.scram.get(&(Arc::from(user), mechanism)).is_none() {
            let message = "Attempt to delete a user credential that does not exist";
            return Err(ApiError::new(ErrorCode::ResourceNotFound, message));
        }
        let name = user.to_owned().into();
        return Ok(RemoveUserScramCredentialRecord { name, mechanism, ..Default::default() }.into());
    };
    if credential.iterations < MIN_ITERATIONS {
        return Err(unacceptable("Too few iterations"));
    }
    if credential.iterations > MAX_ITERATIONS {
        return Err(unacceptable("Too many iterations"));
    }
    Ok(credential.to_record(user, mechanism).into())
}
