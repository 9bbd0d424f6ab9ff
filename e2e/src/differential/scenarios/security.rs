//! Who may what, and how much, on a listener without SASL and a broker without an authorizer: logins, tokens, ACLs, quotas,
//! SCRAM credentials.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::scenario;
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("sasl-handshake", ApiKey::SaslHandshake, handshake),
    scenario("sasl-authenticate", ApiKey::SaslAuthenticate, authenticate),
    scenario("create-token", ApiKey::CreateDelegationToken, create_token),
    scenario("renew-token", ApiKey::RenewDelegationToken, renew_token),
    scenario("expire-token", ApiKey::ExpireDelegationToken, expire_token),
    scenario("describe-token", ApiKey::DescribeDelegationToken, describe_token),
    scenario("describe-acls", ApiKey::DescribeAcls, describe_acls),
    scenario("create-acls", ApiKey::CreateAcls, create_acls),
    scenario("delete-acls", ApiKey::DeleteAcls, delete_acls),
    scenario("alter-client-quotas", ApiKey::AlterClientQuotas, alter_quotas),
    scenario("describe-client-quotas", ApiKey::DescribeClientQuotas, describe_quotas),
    scenario("alter-scram", ApiKey::AlterUserScramCredentials, alter_scram),
    scenario("describe-scram", ApiKey::DescribeUserScramCredentials, describe_scram),
];

/// Nobody logs in where there is no SASL.
fn handshake(s: &mut Session) {
    for mechanism in ["PLAIN", "nonsense", ""] {
        s.ask(ApiKey::SaslHandshake, &json!({ "mechanism": mechanism }));
        s.close("main");
    }
}

fn authenticate(s: &mut Session) {
    s.ask(ApiKey::SaslAuthenticate, &json!({ "authBytes": "AHUAcA==" }));
    s.close("main");
}

/// Nobody has a token who has not logged in.
fn create_token(s: &mut Session) {
    let renewers = json!([{ "principalType": "User", "principalName": "a" }]);
    s.ask(ApiKey::CreateDelegationToken, &json!({ "renewers": renewers, "maxLifetimeMs": -1 }));
}

fn renew_token(s: &mut Session) {
    s.ask(ApiKey::RenewDelegationToken, &json!({ "hmac": "aG1hYw==", "renewPeriodMs": -1 }));
}

fn expire_token(s: &mut Session) {
    s.ask(ApiKey::ExpireDelegationToken, &json!({ "hmac": "aG1hYw==", "expiryTimePeriodMs": -1 }));
}

fn describe_token(s: &mut Session) {
    for owners in [Json::Null, json!([]), json!([{ "principalType": "User", "principalName": "a" }])] {
        s.ask(ApiKey::DescribeDelegationToken, &json!({ "owners": owners }));
    }
}

fn describe_acls(s: &mut Session) {
    for (resource, pattern) in [(1, 3), (2, 3), (2, 1)] {
        let request = json!({ "resourceTypeFilter": resource, "patternTypeFilter": pattern, "operation": 1,
            "permissionType": 1, "resourceNameFilter": "t" });
        s.ask(ApiKey::DescribeAcls, &request);
    }
}

fn create_acls(s: &mut Session) {
    let one = json!({ "resourceType": 2, "resourceName": "t", "resourcePatternType": 3, "principal": "User:a",
        "host": "*", "operation": 3, "permissionType": 3 });
    s.ask(ApiKey::CreateAcls, &json!({ "creations": [one, one] }));
    s.ask(ApiKey::CreateAcls, &json!({ "creations": [] }));
}

fn delete_acls(s: &mut Session) {
    let one = json!({ "resourceTypeFilter": 2, "patternTypeFilter": 3, "operation": 1, "permissionType": 1 });
    s.ask(ApiKey::DeleteAcls, &json!({ "filters": [one, one] }));
    s.ask(ApiKey::DeleteAcls, &json!({ "filters": [] }));
}

/// One quota: kinds and names of the entity, key, value or its removal.
fn quota(entity: &[(&str, Option<&str>)], key: &str, value: Option<f64>) -> Json {
    let entity: Vec<Json> =
        entity.iter().map(|(kind, name)| json!({ "entityType": kind, "entityName": name })).collect();
    json!({ "entity": entity, "ops": [{ "key": key, "value": value.unwrap_or_default(), "remove": value.is_none() }] })
}

fn alter_quotas(s: &mut Session) {
    let user = s.name("user");
    let client = s.name("client");
    let of_user: &[(&str, Option<&str>)] = &[("user", Some(&user))];
    for entry in [
        quota(of_user, "producer_byte_rate", Some(1000.0)),
        quota(of_user, "producer_byte_rate", Some(1000.5)),
        quota(of_user, "request_percentage", Some(12.5)),
        quota(of_user, "producer_byte_rate", Some(-1.0)),
        quota(of_user, "no.such.thing", Some(1.0)),
        quota(of_user, "producer_byte_rate", None),
        quota(of_user, "producer_byte_rate", None),
        quota(&[("user", Some(&user)), ("client-id", Some(&client))], "consumer_byte_rate", Some(7.0)),
        quota(&[("client-id", Some(&client))], "controller_mutation_rate", Some(7.0)),
        quota(&[("user", Some(&user)), ("user", Some(&user))], "consumer_byte_rate", Some(7.0)),
        quota(&[("nonsense", Some(&user))], "consumer_byte_rate", Some(7.0)),
        quota(&[("user", Some(""))], "consumer_byte_rate", Some(7.0)),
        quota(&[("ip", Some("not an address"))], "connection_creation_rate", Some(7.0)),
        quota(&[], "consumer_byte_rate", Some(7.0)),
    ] {
        for validate in [true, false] {
            s.ask(ApiKey::AlterClientQuotas, &json!({ "entries": [entry], "validateOnly": validate }));
        }
    }
    s.ask(ApiKey::AlterClientQuotas, &json!({ "entries": [] }));
}

fn describe_quotas(s: &mut Session) {
    let user = s.name("user");
    let entry = quota(&[("user", Some(&user))], "producer_byte_rate", Some(1000.0));
    s.prepare(ApiKey::AlterClientQuotas, &json!({ "entries": [entry] }));
    for (kind, how, name) in
        [("user", 0, json!(user)), ("user", 0, json!("nobody")), ("user", 7, json!(user)), ("nonsense", 0, json!("x"))]
    {
        for strict in [true, false] {
            let component = json!({ "entityType": kind, "matchType": how, "match": name });
            s.agree(ApiKey::DescribeClientQuotas, &json!({ "components": [component], "strict": strict }));
        }
    }
    let twice = json!({ "entityType": "user", "matchType": 0, "match": user });
    s.ask(ApiKey::DescribeClientQuotas, &json!({ "components": [twice, twice], "strict": true }));
}

fn alter_scram(s: &mut Session) {
    let user = s.name("user");
    let put = |name: &str, mechanism: i8, iterations: i32| {
        json!({ "name": name, "mechanism": mechanism, "iterations": iterations, "salt": "c2FsdA==",
            "saltedPassword": "cGFzc3dvcmQ=" })
    };
    let ask = |s: &mut Session, deletions: Json, upsertions: Json| {
        s.ask(ApiKey::AlterUserScramCredentials, &json!({ "deletions": deletions, "upsertions": upsertions }));
    };
    for (name, mechanism, iterations) in
        [(user.as_str(), 1, 4096), (&user, 2, 8192), (&user, 1, 1), (&user, 1, 99_999), (&user, 0, 4096), ("", 1, 4096)]
    {
        ask(s, json!([]), json!([put(name, mechanism, iterations)]));
    }
    ask(s, json!([{ "name": user, "mechanism": 2 }]), json!([]));
    ask(s, json!([{ "name": user, "mechanism": 2 }]), json!([]));
    ask(s, json!([{ "name": user, "mechanism": 1 }]), json!([put(&user, 1, 4096)]));
    ask(s, json!([{ "name": user, "mechanism": 7 }]), json!([]));
    ask(s, json!([]), json!([]));
}

fn describe_scram(s: &mut Session) {
    let user = s.name("user");
    let missing = s.name("missing");
    let one = json!({ "name": user, "mechanism": 1, "iterations": 4096, "salt": "c2FsdA==", "saltedPassword": "cGFzc3dvcmQ=" });
    s.prepare(ApiKey::AlterUserScramCredentials, &json!({ "upsertions": [one] }));
    for names in [&[user.as_str()][..], &[&missing], &[&user, &user], &[""]] {
        let users: Vec<Json> = names.iter().map(|name| json!({ "name": name })).collect();
        s.agree(ApiKey::DescribeUserScramCredentials, &json!({ "users": users }));
    }
}
