//! Quotas, SCRAM credentials, ACLs and delegation tokens, as the metadata log has them.

use std::sync::Arc;

use uuid::Uuid;
use wire::metadata::{
    AccessControlEntryRecord, ClientQuotaRecord, DelegationTokenRecord, UserScramCredentialRecord, client_quota_record,
};

/// Whom a quota applies to: pairs of entity type (`user`, `client-id`, `ip`) and name, sorted by type. A name of
/// `None` is the default of its type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuotaEntity(pub Vec<(Arc<str>, Option<Arc<str>>)>);

impl QuotaEntity {
    pub(super) fn from_record(record: &ClientQuotaRecord<'_>) -> Self {
        let mut parts: Vec<_> = record
            .entity
            .iter()
            .map(|part| (Arc::from(&*part.entity_type), part.entity_name.as_deref().map(Arc::from)))
            .collect();
        parts.sort();
        Self(parts)
    }

    /// The record that sets a quota of this entity, or with `None` removes it.
    pub fn to_record(&self, key: &str, value: Option<f64>) -> ClientQuotaRecord<'static> {
        let part = |(kind, name): &(Arc<str>, Option<Arc<str>>)| client_quota_record::EntityData {
            entity_type: kind.to_string().into(),
            entity_name: name.as_ref().map(|name| name.to_string().into()),
            ..Default::default()
        };
        ClientQuotaRecord {
            entity: self.0.iter().map(part).collect(),
            key: key.to_owned().into(),
            value: value.unwrap_or(0.0),
            remove: value.is_none(),
            ..Default::default()
        }
    }
}

/// What the server keeps of a user's password for one SCRAM mechanism (RFC 5802).
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    /// Salt.
    pub salt: Vec<u8>,
    /// `H(ClientKey)`.
    pub stored_key: Vec<u8>,
    /// Key of the server's signature.
    pub server_key: Vec<u8>,
    /// Rounds of the key derivation.
    pub iterations: i32,
}

impl std::fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScramCredential").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl ScramCredential {
    pub(super) fn from_record(record: &UserScramCredentialRecord<'_>) -> Self {
        Self {
            salt: record.salt.to_vec(),
            stored_key: record.stored_key.to_vec(),
            server_key: record.server_key.to_vec(),
            iterations: record.iterations,
        }
    }

    /// As a record.
    pub fn to_record(&self, user: &str, mechanism: i8) -> UserScramCredentialRecord<'static> {
        UserScramCredentialRecord {
            name: user.to_owned().into(),
            mechanism,
            salt: self.salt.clone().into(),
            stored_key: self.stored_key.clone().into(),
            server_key: self.server_key.clone().into(),
            iterations: self.iterations,
            ..Default::default()
        }
    }
}

/// An ACL. The numbers are those of Kafka's `ResourceType`, `PatternType`, `AclOperation` and `AclPermissionType`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Acl {
    /// Kind of the resource.
    pub resource_type: i8,
    /// Name of the resource, or prefix of names.
    pub resource_name: String,
    /// 3 literal, 4 prefixed.
    pub pattern_type: i8,
    /// `User:name`.
    pub principal: String,
    /// Host, or `*`.
    pub host: String,
    /// What may or may not be done.
    pub operation: i8,
    /// 2 deny, 3 allow.
    pub permission_type: i8,
}

impl Acl {
    pub(super) fn from_record(record: &AccessControlEntryRecord<'_>) -> Self {
        Self {
            resource_type: record.resource_type,
            resource_name: record.resource_name.to_string(),
            pattern_type: record.pattern_type,
            principal: record.principal.to_string(),
            host: record.host.to_string(),
            operation: record.operation,
            permission_type: record.permission_type,
        }
    }

    /// As a record.
    pub fn to_record(&self, id: Uuid) -> AccessControlEntryRecord<'static> {
        AccessControlEntryRecord {
            id,
            resource_type: self.resource_type,
            resource_name: self.resource_name.clone().into(),
            pattern_type: self.pattern_type,
            principal: self.principal.clone().into(),
            host: self.host.clone().into(),
            operation: self.operation,
            permission_type: self.permission_type,
            ..Default::default()
        }
    }
}

/// A delegation token (KIP-48); its HMAC is derived from its id and the broker's secret. Times are ms since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationToken {
    /// Principal it speaks for.
    pub owner: String,
    /// Principal that asked for it.
    pub requester: String,
    /// Principals that may renew it.
    pub renewers: Vec<String>,
    /// When it was made.
    pub issued_ms: i64,
    /// Until when it may be renewed.
    pub max_ms: i64,
    /// When it expires.
    pub expires_ms: i64,
}

impl DelegationToken {
    pub(super) fn from_record(record: &DelegationTokenRecord<'_>) -> Self {
        Self {
            owner: record.owner.to_string(),
            requester: record.requester.to_string(),
            renewers: record.renewers.iter().map(ToString::to_string).collect(),
            issued_ms: record.issue_timestamp,
            max_ms: record.max_timestamp,
            expires_ms: record.expiration_timestamp,
        }
    }

    /// As a record.
    pub fn to_record(&self, id: &str) -> DelegationTokenRecord<'static> {
        DelegationTokenRecord {
            owner: self.owner.clone().into(),
            requester: self.requester.clone().into(),
            renewers: self.renewers.iter().map(|renewer| renewer.clone().into()).collect(),
            issue_timestamp: self.issued_ms,
            max_timestamp: self.max_ms,
            expiration_timestamp: self.expires_ms,
            token_id: id.to_owned().into(),
            ..Default::default()
        }
    }
}
