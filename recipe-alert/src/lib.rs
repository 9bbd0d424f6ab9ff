//! The whole pipeline in one process: broker, sample site, producer, parser, notifier and live page.
//!
//! The parts meet through the Kafka protocol alone, as they do in processes of their own.

mod pipeline;
mod settings;
mod summary;

pub use pipeline::run;
pub use settings::Settings;
pub use summary::Summary;
