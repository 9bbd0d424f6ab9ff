//! Create-, Renew-, Expire- and DescribeDelegationToken (keys 38 to 41) as a listener answers them whose clients have
//! not said who they are: a token speaks for somebody, so only the authenticated may have one. Source:
//! `KafkaApis.allowTokenRequests`, KIP-48.

use wire::ErrorCode;
use wire::messages::create_delegation_token_request::CreateDelegationTokenRequest;
use wire::messages::create_delegation_token_response::CreateDelegationTokenResponse;
use wire::messages::describe_delegation_token_request::DescribeDelegationTokenRequest;
use wire::messages::describe_delegation_token_response::DescribeDelegationTokenResponse;
use wire::messages::expire_delegation_token_request::ExpireDelegationTokenRequest;
use wire::messages::expire_delegation_token_response::ExpireDelegationTokenResponse;
use wire::messages::renew_delegation_token_request::RenewDelegationTokenRequest;
use wire::messages::renew_delegation_token_response::RenewDelegationTokenResponse;

use super::Context;

const REFUSED: ErrorCode = ErrorCode::DelegationTokenRequestNotAllowed;
/// The principal of a client that has not said who it is.
const ANONYMOUS: (&str, &str) = ("User", "ANONYMOUS");
/// The first version that says who asked for the token (KIP-373).
const FIRST_REQUESTER_VERSION: i16 = 3;

/// Answers a CreateDelegationToken request.
pub fn create(context: &Context<'_>, _: CreateDelegationTokenRequest<'_>) -> CreateDelegationTokenResponse<'static> {
    let (kind, name) = ANONYMOUS;
    let mut response = CreateDelegationTokenResponse {
        error_code: REFUSED.code(),
        principal_type: kind.into(),
        principal_name: name.into(),
        issue_timestamp_ms: -1,
        expiry_timestamp_ms: -1,
        max_timestamp_ms: -1,
        ..CreateDelegationTokenResponse::default()
    };
    if context.version >= FIRST_REQUESTER_VERSION {
        response.token_requester_principal_type = kind.into();
        response.token_requester_principal_name = name.into();
    }
    response
}

/// Answers a RenewDelegationToken request.
pub fn renew(_: &Context<'_>, _: RenewDelegationTokenRequest<'_>) -> RenewDelegationTokenResponse {
    RenewDelegationTokenResponse {
        error_code: REFUSED.code(),
        expiry_timestamp_ms: -1,
        ..RenewDelegationTokenResponse::default()
    }
}

/// Answers an ExpireDelegationToken request.
pub fn expire(_: &Context<'_>, _: ExpireDelegationTokenRequest<'_>) -> ExpireDelegationTokenResponse {
    ExpireDelegationTokenResponse {
        error_code: REFUSED.code(),
        expiry_timestamp_ms: -1,
        ..ExpireDelegationTokenResponse::default()
    }
}

/// Answers a DescribeDelegationToken request.
pub fn describe(_: &Context<'_>, _: DescribeDelegationTokenRequest<'_>) -> DescribeDelegationTokenResponse<'static> {
    DescribeDelegationTokenResponse { error_code: REFUSED.code(), ..DescribeDelegationTokenResponse::default() }
}
