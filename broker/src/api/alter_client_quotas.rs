//! AlterClientQuotas (key 49). Source: `ClientQuotaControlManager.alterClientQuotas`, KIP-546.

use wire::messages::alter_client_quotas_request::AlterClientQuotasRequest;
use wire::messages::alter_client_quotas_response::{AlterClientQuotasResponse, EntityData, EntryData};

use super::Context;
use crate::metadata::{ApiError, QuotaAlteration, QuotaOperation, QuotaResult};

/// Answers a request, each entity for itself.
pub async fn handle(
    context: &Context<'_>,
    request: AlterClientQuotasRequest<'_>,
) -> AlterClientQuotasResponse<'static> {
    let alterations = request.entries.iter().map(|entry| {
        let entity = entry.entity.iter();
        let operations = entry.ops.iter().map(|operation| QuotaOperation {
            key: operation.key.clone().into_owned(),
            value: (!operation.remove).then_some(operation.value),
        });
        QuotaAlteration {
            entity: entity
                .map(|part| (part.entity_type.clone().into_owned(), part.entity_name.clone().map(Into::into)))
                .collect(),
            operations: operations.collect(),
        }
    });
    let alterations: Vec<_> = alterations.collect();
    let entities: Vec<_> = alterations.iter().map(|alteration| alteration.entity.clone()).collect();
    let altered = context.node.controller.alter_client_quotas(alterations, request.validate_only).await;
    let results = altered.unwrap_or_else(|error| {
        let failed = |entity| QuotaResult { entity, outcome: Err(ApiError::from(&error)) };
        entities.into_iter().map(failed).collect()
    });
    let entries = results.into_iter().map(|QuotaResult { entity, outcome }| {
        let error = outcome.err();
        let entity = entity.into_iter().map(|(kind, name)| EntityData {
            entity_type: kind.into(),
            entity_name: name.map(Into::into),
            ..EntityData::default()
        });
        EntryData {
            error_code: error.as_ref().map_or(0, |error| error.code.code()),
            error_message: error.and_then(|error| error.message).map(Into::into),
            entity: entity.collect(),
            ..EntryData::default()
        }
    });
    AlterClientQuotasResponse { entries: entries.collect(), ..AlterClientQuotasResponse::default() }
}
