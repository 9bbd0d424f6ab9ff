//! DescribeClientQuotas (key 48). Source: `ClientQuotasImage.describe`, KIP-546.

use std::collections::BTreeMap;

use wire::ErrorCode;
use wire::messages::describe_client_quotas_request::{ComponentData, DescribeClientQuotasRequest};
use wire::messages::describe_client_quotas_response::{DescribeClientQuotasResponse, EntityData, EntryData, ValueData};

use super::Context;
use crate::metadata::{ApiError, QuotaEntity};

/// What a component asks of the name of its type.
enum Wanted {
    /// This name; `None` is the default of the type.
    Exact(Option<String>),
    /// Any name, the default too.
    Specified,
}

/// Answers a request.
pub fn handle(
    context: &Context<'_>,
    request: DescribeClientQuotasRequest<'_>,
) -> DescribeClientQuotasResponse<'static> {
    let filter = match filter(&request.components) {
        Ok(filter) => filter,
        Err(error) => {
            return DescribeClientQuotasResponse {
                error_code: error.code.code(),
                error_message: error.message.map(Into::into),
                entries: None,
                ..DescribeClientQuotasResponse::default()
            };
        }
    };
    let image = context.node.controller.image();
    let mut found: Vec<_> =
        image.quotas.iter().filter(|(entity, _)| matches(entity, &filter, request.strict)).collect();
    found.sort_by_key(|(entity, _)| *entity);
    let entries = found.into_iter().map(|(entity, quotas)| EntryData {
        entity: entity.0.iter().map(part).collect(),
        values: quotas
            .iter()
            .map(|(key, value)| ValueData { key: key.clone().into(), value: *value, ..ValueData::default() })
            .collect(),
        ..EntryData::default()
    });
    DescribeClientQuotasResponse { entries: Some(entries.collect()), ..DescribeClientQuotasResponse::default() }
}

fn part((kind, name): &(std::sync::Arc<str>, Option<std::sync::Arc<str>>)) -> EntityData<'static> {
    EntityData {
        entity_type: kind.to_string().into(),
        entity_name: name.as_ref().map(|name| name.to_string().into()),
        ..EntityData::default()
    }
}

fn filter(components: &[ComponentData<'_>]) -> Result<BTreeMap<String, Wanted>, ApiError> {
    let invalid = |message: String| ApiError::new(ErrorCode::InvalidRequest, message);
    let mut filter = BTreeMap::new();
    for component in components {
        let kind = &*component.entity_type;
        if kind.is_empty() {
            return Err(invalid("Invalid empty entity type.".to_owned()));
        }
        if filter.contains_key(kind) {
            return Err(invalid(format!("Entity type {kind} cannot appear more than once in the filter.")));
        }
        if !matches!(kind, "user" | "client-id" | "ip") {
            return Err(ApiError::new(ErrorCode::UnsupportedVersion, format!("Unsupported entity type {kind}")));
        }
        let wanted = match (component.match_type, component.r#match.as_deref()) {
            (0, Some(name)) => Wanted::Exact(Some(name.to_owned())),
            (0, None) => {
                return Err(invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.".to_owned()));
            }
            (1, None) => Wanted::Exact(None),
            (2, None) => Wanted::Specified,
            (1 | 2, Some(_)) => {
                let name = if component.match_type == 1 { "DEFAULT" } else { "SPECIFIED" };
                return Err(invalid(format!(
                    "Request specified MATCH_TYPE_{name}, but also specified a match string."
                )));
            }
            (other, _) => return Err(invalid(format!("Unknown match type {other}"))),
        };
        filter.insert(kind.to_owned(), wanted);
    }
    if filter.contains_key("ip") && filter.len() > 1 {
        return Err(invalid(
            "Invalid entity filter component combination. IP filter component should not be used with user or clientId \
             filter component."
                .to_owned(),
        ));
    }
    Ok(filter)
}

/// Whether an entity has all that is wanted, and with `strict` nothing besides.
fn matches(entity: &QuotaEntity, filter: &BTreeMap<String, Wanted>, strict: bool) -> bool {
    if strict && entity.0.len() != filter.len() {
        return false;
    }
    filter.iter().all(|(kind, wanted)| {
        let part = entity.0.iter().find(|(known, _)| **known == **kind);
        part.is_some_and(|(_, name)| match wanted {
            Wanted::Exact(wanted) => wanted.as_deref() == name.as_deref(),
            Wanted::Specified => true,
        })
    })
}
