//! Client quotas (KIP-546, `ClientQuotaControlManager` in Kafka).

use std::collections::{BTreeMap, HashSet};
use std::net::ToSocketAddrs;
use std::sync::Arc;

use wire::ErrorCode;
use wire::metadata::MetadataRecord;

use super::image::{Image, QuotaEntity};
use super::request::ApiError;

/// A quota to set, or with `None` to remove.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaOperation {
    /// `producer_byte_rate`, `consumer_byte_rate`, `request_percentage`, `controller_mutation_rate` or
    /// `connection_creation_rate`.
    pub key: String,
    /// Its value.
    pub value: Option<f64>,
}

/// What to do with the quotas of one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaAlteration {
    /// Pairs of type and name as the request has them; a type that stands twice has its last name.
    pub entity: Vec<(String, Option<String>)>,
    /// What to do.
    pub operations: Vec<QuotaOperation>,
}

/// The answer for one entity; what stands twice in a request is answered once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaResult {
    /// Whose quotas.
    pub entity: Vec<(String, Option<String>)>,
    /// What is wrong, if anything.
    pub outcome: Result<(), ApiError>,
}

type Records = Vec<MetadataRecord<'static>>;

pub(super) fn alter(image: &Image, alterations: &[QuotaAlteration]) -> (Records, Vec<QuotaResult>) {
    let (mut records, mut seen, mut twice) = (Records::new(), HashSet::new(), HashSet::new());
    let entities: Vec<BTreeMap<String, Option<String>>> =
        alterations.iter().map(|alteration| alteration.entity.iter().cloned().collect()).collect();
    for entity in &entities {
        if !seen.insert(entity) {
            twice.insert(entity);
        }
    }
    let (mut results, mut answered) = (Vec::new(), HashSet::new());
    for (alteration, entity) in alterations.iter().zip(&entities) {
        if !answered.insert(entity) {
            continue;
        }
        let outcome = if twice.contains(entity) {
            Err(invalid(format!("Ignoring duplicate entity ClientQuotaEntity(entries={})", java_map(entity))))
        } else {
            one(image, entity, &alteration.operations).map(|more| records.extend(more))
        };
        results.push(QuotaResult { entity: entity.clone().into_iter().collect(), outcome });
    }
    (records, results)
}

impl Image {
    /// How many connections a second each address may open (`connection_creation_rate`, KIP-612); without a name: each
    /// that has no quota of its own.
    pub fn connection_creation_rates(&self) -> impl Iterator<Item = (Option<Arc<str>>, i32)> {
        self.quotas.iter().filter_map(|(entity, quotas)| {
            let [(kind, name)] = &entity.0[..] else { return None };
            let rate = quotas.get("connection_creation_rate").filter(|_| &**kind == "ip")?;
            Some((name.clone(), *rate as i32))
        })
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

/// A map as Java prints it.
fn java_map(entity: &BTreeMap<String, Option<String>>) -> String {
    let pairs: Vec<String> =
        entity.iter().map(|(kind, name)| format!("{kind}={}", name.as_deref().unwrap_or("null"))).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn one(
    image: &Image,
    entity: &BTreeMap<String, Option<String>>,
    operations: &[QuotaOperation],
) -> Result<Records, ApiError> {
    check_entity(entity)?;
    let parts = entity.iter().map(|(kind, name)| (Arc::from(kind.as_str()), name.as_deref().map(Arc::from)));
    let target = QuotaEntity(parts.collect());
    let current = image.quotas.get(&target);
    let mut records = Records::new();
    for QuotaOperation { key, value } in operations {
        let known = current.and_then(|quotas| quotas.get(key));
        match value {
            None if known.is_none() => {}
            None => records.push(target.to_record(key, None).into()),
            Some(value) => {
                check_value(entity.contains_key("ip"), key, *value)?;
                if known != Some(value) {
                    records.push(target.to_record(key, Some(*value)).into());
                }
            }
        }
    }
    Ok(records)
}

fn check_entity(entity: &BTreeMap<String, Option<String>>) -> Result<(), ApiError> {
    if entity.is_empty() {
        return Err(invalid("Invalid empty client quota entity"));
    }
    for (kind, name) in entity {
        if !matches!(kind.as_str(), "user" | "client-id" | "ip") {
            return Err(invalid(format!("Unhandled client quota entity type: {kind}")));
        }
        if name.as_deref() == Some("") {
            return Err(invalid(format!("Empty {kind} not supported")));
        }
    }
    let Some(ip) = entity.get("ip") else { return Ok(()) };
    if entity.len() > 1 {
        return Err(invalid("Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId"));
    }
    match ip {
        Some(name) if (name.as_str(), 0).to_socket_addrs().is_err() => {
            Err(invalid(format!("{name} is not a valid IP or resolvable host.")))
        }
        _ => Ok(()),
    }
}

/// Rates of bytes and connections are whole numbers, the others are not.
fn check_value(ip: bool, key: &str, value: f64) -> Result<(), ApiError> {
    let whole = match (ip, key) {
        (true, "connection_creation_rate") | (false, "producer_byte_rate" | "consumer_byte_rate") => true,
        (false, "request_percentage" | "controller_mutation_rate") => false,
        _ => return Err(invalid(format!("Invalid configuration key {key}"))),
    };
    if value <= 0.0 {
        return Err(invalid(format!("Quota {key} must be greater than 0")));
    }
    // As in Kafka a value may be off a whole number by a rounding error, and NaN passes.
    if whole && (value - value.round()).abs() > 1e-6 {
        return Err(invalid(format!("{key} cannot be a fractional value.")));
    }
    Ok(())
}
