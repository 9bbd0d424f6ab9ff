//! Every API in every version that is advertised gets a reply that its version can hold: one that the encoder refuses,
//! because a field does not exist in an old version, would close the connection.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod client;
mod requests;

use std::net::TcpStream;

use broker::Broker;
use broker::api::served;
use broker::config::{BrokerConfig, Sources};
use client::Client;
use wire::ApiKey;

/// A broker in this process, and its folder.
struct Running {
    broker: Broker,
    port: u16,
    _folder: tempfile::TempDir,
}

async fn start() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("log.dirs", folder.path().to_str().unwrap()),
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("broker.http.listener", "none"),
        ("offsets.topic.num.partitions", "1"),
        ("transaction.state.log.num.partitions", "1"),
    ];
    let overrides = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let config = BrokerConfig::load(&Sources { overrides, ..Sources::default() }).unwrap().config;
    let broker = Broker::start(config).await.unwrap();
    let port = broker.port("PLAINTEXT").unwrap();
    Running { broker, port, _folder: folder }
}

/// What `exchange` says of each version of each API that is served; a connection of its own for each.
async fn every_version(exchange: fn(&mut Client, ApiKey, i16) -> Result<(), String>) -> Vec<String> {
    let running = start().await;
    let port = running.port;
    let failures = tokio::task::spawn_blocking(move || {
        let mut failures = Vec::new();
        let mut asked = 0;
        for api in ApiKey::ALL.iter().copied() {
            for version in served(api).into_iter().flatten() {
                let mut client = Client::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
                asked += 1;
                if let Err(reason) = exchange(&mut client, api, version) {
                    failures.push(format!("{api} version {version}: {reason}"));
                }
            }
        }
        assert!(asked > 200, "only {asked} versions are served");
        failures
    });
    let failures = failures.await.unwrap();
    running.broker.shutdown().await;
    failures
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_of_every_api_answers_an_empty_request() {
    let failures = every_version(requests::empty).await;
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_of_every_api_answers_a_request_about_something() {
    let failures = every_version(requests::filled).await;
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
