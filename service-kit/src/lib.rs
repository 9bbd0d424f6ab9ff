//! What every service shares: settings, logging, health, metrics, shutdown and Kafka loops.
//!
//! A service is a [`Service`]: settings read from a [`settings::Source`], a [`Handle`] others watch it by, and a `run`
//! that ends when its token is cancelled. Its `main` is one call of [`start`]; several services run in one process by
//! calling `run` of each.
//!
//! ```no_run
//! use service_kit::kafka::{Batch, Kafka, KafkaSettings, Outcome, Output, Processor};
//! use service_kit::settings::Source;
//! use service_kit::{Failure, Handle, Service, http};
//! use tokio_util::sync::CancellationToken;
//!
//! struct Settings { kafka: KafkaSettings, listen: String }
//!
//! struct Shout { settings: Settings, handle: Handle }
//!
//! impl Service for Shout {
//!     const NAME: &'static str = "shout";
//!     const ABOUT: &'static str = "Copies a topic in upper case";
//!     type Settings = Settings;
//!
//!     fn settings(from: &mut Source) -> Settings {
//!         Settings { kafka: KafkaSettings::read(from), listen: http::listen_setting(from, "0.0.0.0:8082") }
//!     }
//!
//!     fn new(settings: Settings) -> Result<Self, Failure> {
//!         Ok(Self { settings, handle: Handle::new(Self::NAME) })
//!     }
//!
//!     async fn run(self, shutdown: CancellationToken) -> Result<(), Failure> {
//!         let server = http::Server::bind(&self.settings.listen, &self.handle).await?.spawn(shutdown.clone());
//!         let kafka = Kafka::connect(self.settings.kafka, &self.handle, &shutdown).await?;
//!         kafka.ensure_topics(&["shouts"]).await?;
//!         let result = kafka.consumer("shout", &["words"]).run(Upper, shutdown.clone()).await;
//!         shutdown.cancel(); // the server ends with the loop
//!         server.stopped().await;
//!         result
//!     }
//! }
//!
//! struct Upper;
//!
//! impl Processor for Upper {
//!     fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
//!         let shout = |value: &[u8]| Output::to("shouts").value(value.to_ascii_uppercase());
//!         batch.iter().map(|record| match &record.value {
//!             Some(value) => Outcome::produce([shout(value)]),
//!             None => Outcome::dead("the record has no value"),
//!         }).collect()
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     service_kit::start::<Shout>()
//! }
//! ```

mod failure;
mod handle;
mod health;
mod healthcheck;
pub mod http;
pub mod kafka;
pub mod logging;
pub mod metrics;
pub mod progress;
pub mod settings;
mod shutdown;
mod start;

pub use failure::{Exit, Failure};
pub use handle::{Counter, Gauge, Handle};
pub use health::{Check, Health};
pub use healthcheck::healthcheck;
pub use shutdown::on_signals;
pub use start::{Service, Verb, start};
