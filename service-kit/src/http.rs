//! `/health/live`, `/health/ready`, `/metrics`, and whatever pages a service adds.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::failure::{Exit, Failure};
use crate::handle::Handle;
use crate::metrics;
use crate::settings::Source;

/// Reads the setting `listen`.
pub fn listen_setting(from: &mut Source, default: &str) -> String {
    from.get::<String>("listen", "Address of health and metrics (and of the service's pages, if it has any)")
        .checked(|listen| match listen.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(()),
            _ => Err("expected host:port, as in 0.0.0.0:8080".to_owned()),
        })
        .or(default.to_owned())
}

/// A bound listener with the routes that every service has.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Server {
    /// Binds the address. Port 0 takes any free port; see [`Server::address`].
    ///
    /// # Errors
    /// The port is in use (exit code 69), not allowed (77), or the address is not this machine's.
    pub async fn bind(listen: &str, handle: &Handle) -> Result<Self, Failure> {
        let listener = TcpListener::bind(listen).await.map_err(|error| refused(listen, &error))?;
        let address = listener.local_addr().map_err(|error| refused(listen, &error))?;
        Ok(Self { listener, address, router: health_routes(handle) })
    }

    /// Adds routes.
    #[must_use]
    pub fn merge(mut self, routes: Router) -> Self {
        self.router = self.router.merge(routes);
        self
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the token is cancelled, then finishes the requests under way.
    #[must_use]
    pub fn spawn(self, shutdown: CancellationToken) -> Running {
        let Self { listener, router, address } = self;
        let serve = async move {
            let stopped = async move { shutdown.cancelled().await };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                tracing::error!(%address, %error, "http server ended");
            }
        };
        Running { task: tokio::spawn(serve) }
    }
}

/// A server at work.
pub struct Running {
    task: JoinHandle<()>,
}

impl Running {
    /// Waits for the end; the token given to [`Server::spawn`] brings it about.
    pub async fn stopped(self) {
        // A panic in a handler was answered by axum and logged; nothing is left to say here.
        let _ = self.task.await;
    }
}

fn refused(listen: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AddrInUse => Failure::unavailable(format!(
            "{listen} is in use: stop the program that listens there, or choose another address with --listen"
        )),
        io::ErrorKind::PermissionDenied => Failure::new(
            Exit::NoPermission,
            format!("{listen} is not allowed to this user: choose a port from 1024 up with --listen"),
        ),
        _ => Failure::unavailable(format!("cannot listen at {listen}: {error}; choose another address with --listen")),
    }
}

fn health_routes(handle: &Handle) -> Router {
    let (ready, scraped) = (handle.clone(), handle.clone());
    Router::new()
        .route("/health/live", get(|| async { "ok\n" }))
        .route(
            "/health/ready",
            get(move || async move {
                let health = ready.health();
                let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                (status, axum::Json(health.report()))
            }),
        )
        .route(
            "/metrics",
            get(move || async move {
                let ready = if scraped.health().is_ready() { 1.0 } else { 0.0 };
                ::metrics::gauge!(metrics::READY, "service" => scraped.service()).set(ready);
                ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render())
                    .into_response()
            }),
        )
}
