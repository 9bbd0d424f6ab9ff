//! DescribeUserScramCredentials (key 50): who has a credential, and how strong, but no secret. Source:
//! `ScramImage.describe`, KIP-554.

use std::collections::BTreeMap;

use wire::ErrorCode;
use wire::messages::describe_user_scram_credentials_request::DescribeUserScramCredentialsRequest;
use wire::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResponse, DescribeUserScramCredentialsResult,
};

use super::Context;

/// Answers a request: the users asked for, or where it names none all of them.
pub fn handle(
    context: &Context<'_>,
    request: DescribeUserScramCredentialsRequest<'_>,
) -> DescribeUserScramCredentialsResponse<'static> {
    let image = context.node.controller.image();
    let mut known: BTreeMap<&str, BTreeMap<i8, i32>> = BTreeMap::new();
    for ((user, mechanism), credential) in image.scram.iter() {
        known.entry(user).or_default().insert(*mechanism, credential.iterations);
    }
    let asked = request.users.as_deref().filter(|users| !users.is_empty());
    let results: Vec<_> = match asked {
        None => known.iter().map(|(user, credentials)| described(user, credentials)).collect(),
        Some(users) => {
            let mut times: BTreeMap<&str, usize> = BTreeMap::new();
            for user in users {
                *times.entry(&*user.name).or_default() += 1;
            }
            let result = |(user, times): (&str, usize)| match known.get(user) {
                _ if times > 1 => {
                    let text = "Cannot describe SCRAM credentials for the same user twice in a single request";
                    refused(user, ErrorCode::DuplicateResource, text)
                }
                None => {
                    let text = "Attempt to describe a user credential that does not exist";
                    refused(user, ErrorCode::ResourceNotFound, text)
                }
                Some(credentials) => described(user, credentials),
            };
            times.into_iter().map(result).collect()
        }
    };
    DescribeUserScramCredentialsResponse { results, ..DescribeUserScramCredentialsResponse::default() }
}

fn described(user: &str, credentials: &BTreeMap<i8, i32>) -> DescribeUserScramCredentialsResult<'static> {
    let infos = credentials.iter().map(|(mechanism, iterations)| CredentialInfo {
        mechanism: *mechanism,
        iterations: *iterations,
        ..CredentialInfo::default()
    });
    DescribeUserScramCredentialsResult {
        user: user.to_owned().into(),
        credential_infos: infos.collect(),
        ..DescribeUserScramCredentialsResult::default()
    }
}

fn refused(user: &str, code: ErrorCode, text: &str) -> DescribeUserScramCredentialsResult<'static> {
    DescribeUserScramCredentialsResult {
        user: user.to_owned().into(),
        error_code: code.code(),
        error_message: Some(format!("{text}: {user}").into()),
        ..DescribeUserScramCredentialsResult::default()
    }
}
