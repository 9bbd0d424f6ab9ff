//! The HTTP server of `/metrics`, `/health/live` and `/health/ready`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::health::Health;
use super::process;

/// Samples wait in memory until somebody sorts them into buckets: at least this often we do.
const UPKEEP: Duration = Duration::from_secs(5);

/// The address could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics and health on {address}: {source}; set another broker.http.listener, or none")]
pub struct BindError {
    /// The address, as `host:port`.
    pub address: String,
    /// What the system said.
    pub source: io::Error,
}

/// An open socket that does not serve yet.
#[derive(Debug)]
pub struct Server {
    socket: TcpListener,
}

#[derive(Clone)]
struct Shared {
    health: Health,
    recorder: Option<&'static PrometheusHandle>,
}

impl Server {
    /// Opens `address` (`host:port`).
    ///
    /// # Errors
    /// [`BindError`]: the port is taken, or the host is none of this machine's.
    pub async fn bind(address: &str) -> Result<Self, BindError> {
        let failed = |source| BindError { address: address.to_owned(), source };
        Ok(Self { socket: TcpListener::bind(address).await.map_err(failed)? })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says of the socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop`. Without a `recorder`, `/metrics` is not found: the program around serves it.
    ///
    /// # Errors
    /// What the system says when the socket cannot accept any more.
    pub async fn run(
        self,
        health: Health,
        recorder: Option<&'static PrometheusHandle>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let router = Router::new()
            .route("/health/live", get(live))
            .route("/health/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(Shared { health, recorder });
        let upkeep = async {
            let Some(recorder) = recorder else { return std::future::pending().await };
            let mut ticks = tokio::time::interval(UPKEEP);
            loop {
                ticks.tick().await;
                recorder.run_upkeep();
            }
        };
        let serve = axum::serve(self.socket, router).with_graceful_shutdown(stop.cancelled_owned());
        tokio::select! {
            served = serve => served,
            () = upkeep => Ok(()),
        }
    }
}

/// The process runs and its event loop turns.
async fn live() -> &'static str {
    "ok\n"
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    let status = if shared.health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{}\n", shared.health.state()))
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    let Some(recorder) = shared.recorder else { return StatusCode::NOT_FOUND.into_response() };
    process::observe();
    recorder.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder.render()).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::super::health::State;
    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let request = format!("GET {path} HTTP/1.1\r\nhost: broker\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("writes");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("reads");
        answer
    }

    #[tokio::test]
    async fn health_and_metrics_are_served_until_the_end() {
        let recorder = super::super::metrics::install();
        let (health, stop) = (Health::new(), CancellationToken::new());
        let server = Server::bind("127.0.0.1:0").await.expect("a free port");
        let address = server.local_addr().expect("bound");
        let task = tokio::spawn(server.run(health.clone(), recorder, stop.clone()));

        assert!(get(address, "/health/live").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/health/ready").await.starts_with("HTTP/1.1 503"));
        health.set(State::Ready);
        assert!(get(address, "/health/ready").await.starts_with("HTTP/1.1 200"));
        health.set(State::Degraded("/data is offline".to_owned()));
        assert!(get(address, "/health/ready").await.contains("degraded: /data is offline"));

        super::super::metrics::ApiMetrics::new("Produce").answered(0.003, 100, 20);
        let metrics = get(address, "/metrics").await;
        for line in [
            "broker_requests_total{api=\"Produce\"} 1",
            "broker_request_seconds_bucket{api=\"Produce\",le=\"0.005\"} 1",
            "# TYPE broker_request_seconds histogram",
            "process_resident_memory_bytes ",
        ] {
            assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
        }

        stop.cancel();
        task.await.expect("no panic").expect("no error");
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let first = Server::bind("127.0.0.1:0").await.expect("a free port");
        let address = first.local_addr().expect("bound").to_string();
        let error = Server::bind(&address).await.expect_err("taken").to_string();
        assert!(error.contains(&address) && error.contains("broker.http.listener"), "{error}");
    }
}
