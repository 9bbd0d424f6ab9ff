//! Limits on connections.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use wire::messages as m;

use super::client::Client;
use super::{BROKER, DELETE, LONG, SET, alter, clients, connect, start};

/// Whether a connection is served rather than closed.
fn is_served(client: &mut Client) -> bool {
    let request = m::list_groups_request::ListGroupsRequest::default();
    client.read(2, &request, |reply| reply.error_code).is_ok()
}

/// A connection that is served; those that are being closed may be in its way at first.
fn connect_and_wait(port: u16) -> Client {
    let deadline = Instant::now() + LONG;
    loop {
        let mut client = connect(port);
        if is_served(&mut client) {
            return client;
        }
        assert!(Instant::now() < deadline, "no connection is served");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_connections_holds_as_soon_as_it_is_set() {
    const LIMIT: &str = "max.connections.per.ip";
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = start(folder.path(), &[]).await;
    clients(move || {
        let mut early = [connect(port), connect(port)];
        assert!(early.iter_mut().all(is_served));
        assert_eq!(alter(port, BROKER, "", LIMIT, SET, Some("1")).0, 0);
        assert!(early.iter_mut().all(is_served), "those that are there stay");
        assert!(!is_served(&mut connect(port)));
        drop(early);
        let _only = connect_and_wait(port);
        assert!(!is_served(&mut connect(port)));
    })
    .await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_of_its_listener_a_connection_waits() {
    const LIMIT: &str = "listener.name.plaintext.max.connections";
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = start(folder.path(), &[]).await;
    clients(move || {
        assert_eq!(alter(port, BROKER, "", LIMIT, SET, Some("1")), (0, String::new()));
        let mut first = connect_and_wait(port);
        let (served, is_next) = mpsc::channel();
        let second = std::thread::spawn(move || served.send(is_served(&mut connect(port))).unwrap());
        assert_eq!(is_next.recv_timeout(Duration::from_millis(200)), Err(mpsc::RecvTimeoutError::Timeout));
        assert!(is_served(&mut first));
        drop(first);
        assert_eq!(is_next.recv_timeout(LONG), Ok(true));
        second.join().unwrap();
        assert_eq!(alter(port, BROKER, "", LIMIT, DELETE, None).0, 0);
        let mut both = [connect(port), connect(port)];
        assert!(both.iter_mut().all(is_served));
    })
    .await;
    broker.shutdown().await;
}

/// Sets the quota of every address, or removes it.
fn alter_ip_quota(client: &mut Client, rate: Option<f64>) -> i16 {
    use m::alter_client_quotas_request::{AlterClientQuotasRequest, EntityData, EntryData, OpData};
    let operation = OpData {
        key: "connection_creation_rate".into(),
        value: rate.unwrap_or_default(),
        remove: rate.is_none(),
        ..Default::default()
    };
    let entity = vec![EntityData { entity_type: "ip".into(), entity_name: None, ..Default::default() }];
    let entry = EntryData { entity, ops: vec![operation], ..Default::default() };
    let request = AlterClientQuotasRequest { entries: vec![entry], ..Default::default() };
    client.read(1, &request, |reply| reply.entries[0].error_code).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_opens_too_many_connections_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = start(folder.path(), &[]).await;
    clients(move || {
        let mut client = connect(port);
        assert_eq!(alter_ip_quota(&mut client, Some(1.0)), 0);
        let served = (0..1_000).take_while(|_| is_served(&mut connect(port))).count();
        assert!((10..1_000).contains(&served), "{served} connections at one a second");
        assert!(is_served(&mut client), "those that are there stay");
        assert_eq!(alter_ip_quota(&mut client, None), 0);
        assert!(is_served(&mut connect(port)));
    })
    .await;
    broker.shutdown().await;
}
