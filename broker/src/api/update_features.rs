//! UpdateFeatures (key 57): levels of features, all of them or none. Source: `FeatureControlManager.updateFeatures`,
//! `UpdateFeaturesResponse.createWithErrors`, KIP-584.

use wire::messages::update_features_request::UpdateFeaturesRequest;
use wire::messages::update_features_response::{UpdatableFeatureResult, UpdateFeaturesResponse};

use super::Context;
use crate::metadata::{ApiError, FeatureUpdate};

/// The last version whose reply lists the features.
const LAST_LISTING_VERSION: i16 = 1;

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: UpdateFeaturesRequest<'_>) -> UpdateFeaturesResponse<'static> {
    let updates: Vec<_> = request
        .feature_updates
        .iter()
        // Version 0 has another way to ask for a downgrade, which Kafka does not heed any more.
        .map(|update| FeatureUpdate {
            name: update.feature.clone().into_owned(),
            level: update.max_version_level,
            upgrade_type: update.upgrade_type,
        })
        .collect();
    let updated = context.node.controller.update_features(updates, request.validate_only).await;
    let mut response = UpdateFeaturesResponse { error_message: None, ..UpdateFeaturesResponse::default() };
    match updated.unwrap_or_else(|error| Err(ApiError::from(&error))) {
        Ok(()) if context.version <= LAST_LISTING_VERSION => {
            let results = request.feature_updates.iter().map(|update| UpdatableFeatureResult {
                feature: update.feature.clone().into_owned().into(),
                error_message: Some("NONE".into()),
                ..UpdatableFeatureResult::default()
            });
            response.results = results.collect();
        }
        Ok(()) => {}
        Err(error) => {
            response.error_code = error.code.code();
            response.error_message = error.message.map(Into::into);
        }
    }
    response
}
