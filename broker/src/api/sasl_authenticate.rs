//! SaslAuthenticate (key 36) as a listener without SASL answers it. Source: `KafkaApis.handleSaslAuthenticateRequest`.

use wire::ErrorCode;
use wire::messages::sasl_authenticate_request::SaslAuthenticateRequest;
use wire::messages::sasl_authenticate_response::SaslAuthenticateResponse;

use super::Context;

/// Answers a request: this is no time for it.
pub fn handle(_: &Context<'_>, _: SaslAuthenticateRequest<'_>) -> SaslAuthenticateResponse<'static> {
    SaslAuthenticateResponse {
        error_code: ErrorCode::IllegalSaslState.code(),
        error_message: Some("SaslAuthenticate request received after successful authentication".into()),
        ..SaslAuthenticateResponse::default()
    }
}
