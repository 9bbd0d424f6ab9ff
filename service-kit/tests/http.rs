//! Health, metrics, and what happens when they cannot be served.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use service_kit::{Exit, Handle, healthcheck, http, metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn readiness_is_answered_and_checked() {
    metrics::install();
    let handle = Handle::new("test");
    let check = handle.health().check("broker", "waiting for the broker");
    let shutdown = CancellationToken::new();
    let server = http::Server::bind("127.0.0.1:0", &handle).await.unwrap();
    let address = server.address();
    let running = server.spawn(shutdown.clone());
    let ask = move || tokio::task::spawn_blocking(move || healthcheck(&address.to_string()));

    assert!(get(address, "/health/live").await.starts_with("HTTP/1.1 200"));
    assert!(get(address, "/health/ready").await.starts_with("HTTP/1.1 503"));
    let failure = ask().await.unwrap().unwrap_err();
    assert_eq!(failure.exit(), Exit::Unavailable);
    assert!(failure.to_string().contains("waiting for the broker"), "{failure}");

    check.pass("connected");
    assert!(get(address, "/health/ready").await.contains(r#""ready":true"#));
    ask().await.unwrap().unwrap();

    handle.counter("pages").add(3);
    let scraped = get(address, "/metrics").await;
    assert!(scraped.contains(r#"pipeline_pages_total{service="test"} 3"#), "{scraped}");
    assert!(scraped.contains(r#"pipeline_ready{service="test"} 1"#), "{scraped}");

    shutdown.cancel();
    running.stopped().await;
    assert_eq!(ask().await.unwrap().unwrap_err().exit(), Exit::Unavailable);
}

#[tokio::test]
async fn a_port_in_use_is_told_with_what_to_do() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let failure = http::Server::bind(&address, &Handle::new("test")).await.err().unwrap();
    assert_eq!(failure.exit(), Exit::Unavailable);
    assert!(failure.to_string().contains("is in use") && failure.to_string().contains("--listen"), "{failure}");
}
