//! AlterUserScramCredentials (key 51). The client sends the salted password; what is stored are the two keys made of it
//! (RFC 5802, section 3). Source: `ScramControlManager.alterCredentials`, KIP-554.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use wire::ErrorCode;
use wire::messages::alter_user_scram_credentials_request::{
    AlterUserScramCredentialsRequest, ScramCredentialUpsertion,
};
use wire::messages::alter_user_scram_credentials_response::{
    AlterUserScramCredentialsResponse, AlterUserScramCredentialsResult,
};

use super::Context;
use crate::metadata::{ApiError, ScramCredential, ScramDeletion, ScramResult, ScramUpsertion};

/// SCRAM-SHA-512; every other number gets the keys of SCRAM-SHA-256 and is refused by the controller.
const SHA_512: i8 = 2;

/// Answers a request, each user for itself.
pub async fn handle(
    context: &Context<'_>,
    request: AlterUserScramCredentialsRequest<'_>,
) -> AlterUserScramCredentialsResponse<'static> {
    let deletions: Vec<_> = request
        .deletions
        .iter()
        .map(|it| ScramDeletion { user: it.name.clone().into_owned(), mechanism: it.mechanism })
        .collect();
    // Java makes no key of nothing: Kafka fails on the user.
    let (valid, empty): (Vec<_>, Vec<_>) =
        request.upsertions.iter().partition(|upsertion| !upsertion.salted_password.is_empty());
    let users = deletions.iter().map(|it| it.user.clone()).chain(valid.iter().map(|it| it.name.to_string()));
    let users: Vec<_> = users.collect();
    let upsertions = valid.into_iter().map(upsertion).collect();
    let altered = context.node.controller.alter_scram_credentials(deletions, upsertions).await;
    let mut results = altered.unwrap_or_else(|error| {
        let failed = |user| ScramResult { user, outcome: Err(ApiError::from(&error)) };
        users.into_iter().map(failed).collect()
    });
    results.extend(empty.into_iter().map(|upsertion| ScramResult {
        user: upsertion.name.to_string(),
        outcome: Err(ApiError::bare(ErrorCode::UnknownServerError)),
    }));
    let results = results.into_iter().map(|ScramResult { user, outcome }| {
        let error = outcome.err();
        AlterUserScramCredentialsResult {
            user: user.into(),
            error_code: error.as_ref().map_or(0, |error| error.code.code()),
            error_message: error.and_then(|error| error.message).map(Into::into),
            ..AlterUserScramCredentialsResult::default()
        }
    });
    AlterUserScramCredentialsResponse { results: results.collect(), ..AlterUserScramCredentialsResponse::default() }
}

fn upsertion(upsertion: &ScramCredentialUpsertion<'_>) -> ScramUpsertion {
    let (stored_key, server_key) = keys(upsertion.mechanism, &upsertion.salted_password);
    let credential =
        ScramCredential { salt: upsertion.salt.to_vec(), stored_key, server_key, iterations: upsertion.iterations };
    ScramUpsertion { user: upsertion.name.clone().into_owned(), mechanism: upsertion.mechanism, credential }
}

/// `StoredKey` and `ServerKey` of a salted password.
fn keys(mechanism: i8, salted_password: &[u8]) -> (Vec<u8>, Vec<u8>) {
    macro_rules! keys {
        ($hash:ty) => {{
            let keyed = |text: &[u8]| {
                // HMAC takes keys of any length.
                Hmac::<$hash>::new_from_slice(salted_password).map(|mac| mac.chain_update(text).finalize().into_bytes())
            };
            let stored = keyed(b"Client Key").map(|key| <$hash>::digest(key).to_vec());
            let server = keyed(b"Server Key").map(|key| key.to_vec());
            (stored.unwrap_or_default(), server.unwrap_or_default())
        }};
    }
    if mechanism == SHA_512 { keys!(Sha512) } else { keys!(Sha256) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn keys_are_those_of_the_rfc() {
        let salt = hex("5b6d99689d12358eeca04b141236fa81");
        let (stored, server) = keys(1, &pbkdf2_sha256(b"pencil", &salt, 4096));
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let sign = |key: &[u8]| {
            Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().to_vec()
        };
        let server_signature = hex("eabae24d1062db75a9451ff0b6ea7e98c8546549ff741e672d3251b2397de46e");
        assert_eq!(sign(&server), server_signature);
        let proof = hex("747cdb65aa56224e2352137e52d7bdcad6a0f738df30782caa69a2cfb0277554");
        let client_key: Vec<u8> =
            sign(&stored).iter().zip(&proof).map(|(signature, proof)| signature ^ proof).collect();
        assert_eq!(Sha256::digest(client_key).to_vec(), stored);
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    fn pbkdf2_sha256(password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mac = |input: &[u8]| {
            Hmac::<Sha256>::new_from_slice(password).unwrap().chain_update(input).finalize().into_bytes().to_vec()
        };
        let mut round = mac(&[salt, &[0, 0, 0, 1]].concat());
        let mut sum = round.clone();
        for _ in 1..iterations {
            round = mac(&round);
            sum.iter_mut().zip(&round).for_each(|(sum, byte)| *sum ^= byte);
        }
        sum
    }
}
