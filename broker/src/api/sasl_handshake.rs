//! SaslHandshake (key 17) as a listener without SASL answers it. Source: `KafkaApis.handleSaslHandshakeRequest`.

use wire::ErrorCode;
use wire::messages::sasl_handshake_request::SaslHandshakeRequest;
use wire::messages::sasl_handshake_response::SaslHandshakeResponse;

use super::Context;

/// Answers a request: this is no time for it, and there are no mechanisms.
pub fn handle(_: &Context<'_>, _: SaslHandshakeRequest<'_>) -> SaslHandshakeResponse<'static> {
    SaslHandshakeResponse { error_code: ErrorCode::IllegalSaslState.code(), ..SaslHandshakeResponse::default() }
}
